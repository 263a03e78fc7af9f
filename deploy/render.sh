#!/usr/bin/env bash
# Renders the chart plainly, for `kubectl apply -k`: render.sh [DIRECTORY], by default this one.
#
# The labels by which Helm knows its own are left out: what kubectl applies is not Helm's.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
chart=$here/../charts/daemonset-controller
to=${1:-$here}

helm=$("$here/../charts/tool.sh" helm)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$helm" template daemonset-controller "$chart" --namespace kube-system --output-dir "$scratch" \
  --set serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true,admissionPolicy.enabled=true >/dev/null

plain() {
  echo '# Rendered from charts/daemonset-controller by deploy/render.sh: do not edit.'
  sed -E -e '/^# Source: /d' -e '/^ +helm\.sh\/chart: /d' -e '/^ +app\.kubernetes\.io\/managed-by: /d' "$1" |
    # One document mark between two documents, and no empty lines around it.
    awk '/^$/ { empty = empty "\n"; next } /^---$/ { mark = 1; empty = ""; next }
         { if (mark && seen) print "---"; else printf "%s", empty; mark = 0; empty = ""; seen = 1; print }'
}

mkdir -p "$to/admission" "$to/monitoring"
for file in "$scratch"/daemonset-controller/templates/*.yaml; do
  name=${file##*/}
  case $name in
    admissionpolicy.yaml) plain "$file" >"$to/admission/$name" ;;
    servicemonitor.yaml | prometheusrule.yaml | dashboard.yaml) plain "$file" >"$to/monitoring/$name" ;;
    *) plain "$file" >"$to/$name" ;;
  esac
done
