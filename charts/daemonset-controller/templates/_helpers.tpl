{{- define "daemonset-controller.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "daemonset-controller.fullname" -}}
{{- $name := include "daemonset-controller.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "daemonset-controller.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "daemonset-controller.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "daemonset-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ include "daemonset-controller.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "daemonset-controller.labels" -}}
{{ include "daemonset-controller.selectorLabels" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "daemonset-controller.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag -}}
{{- if .Values.image.digest -}}
{{- printf "%s:%s@%s" .Values.image.repository $tag .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* What the port speaks, which is its name too. */}}
{{- define "daemonset-controller.scheme" -}}
{{- ternary "https" "http" .Values.server.secure.enabled -}}
{{- end -}}

{{/* Where the Lease is: beside the controller, unless told otherwise. */}}
{{- define "daemonset-controller.leaseNamespace" -}}
{{- default .Release.Namespace .Values.leaderElection.resourceNamespace -}}
{{- end -}}

{{/* The rules of the DaemonSet controller proper. They are a ClusterRole's, or a Role's where it is kept to one namespace. */}}
{{- define "daemonset-controller.rules" -}}
# What is to be covered, and with what. Before a pod or revision is adopted, its DaemonSet is read once more (get).
- apiGroups: [apps]
  resources: [daemonsets]
  verbs: [get, list, watch]
# The counts that kubectl shows, and observedGeneration.
- apiGroups: [apps]
  resources: [daemonsets/status]
  verbs: [patch]
# The history that `kubectl rollout` shows; patch adopts, renumbers and merges.
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
# The agents; patch adopts and releases, and relabels where revisions are merged.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
# With the key `replace-by`, old pods are evicted, so that disruption budgets have a say. A budget is read when it
# refuses one: some can never work.
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get]
# Their resources by class of node (docs/rollouts.md), while they run.
- apiGroups: [""]
  resources: [pods/resize]
  verbs: [patch]
# What was done and what went wrong; patch counts repetitions.
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- if .Values.rbac.finalizers }}
# The admission plugin OwnerReferencesPermissionEnforcement asks for it (OpenShift has it on), because pods and
# revisions block the deletion of their owner.
- apiGroups: [apps]
  resources: [daemonsets/finalizers]
  verbs: [update]
{{- end }}
{{- end -}}

{{- define "daemonset-controller.probe" -}}
httpGet:
  path: {{ .path }}
  {{- if .server.secure.enabled }}
  port: https
  scheme: HTTPS
  {{- else }}
  port: http
  {{- end }}
  {{- if has .server.bindAddress (list "127.0.0.1" "::1") }}
  host: {{ .server.bindAddress | quote }}
  {{- end }}
{{ toYaml .timing }}
{{- end -}}
