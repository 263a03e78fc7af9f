//! The messages of pods and nodes: the names of their fields in JSON, their numbers and types, as
//! `generated.proto` of Kubernetes 1.37 has them. Not all of them: what is read, what real objects
//! are full of, and something of each type beside it.

use Shape::{Bool, IntOrText, Json, List, Map, Message, Number, Quantity, Text, Time};

/// The fields of a message, in the order of their numbers.
pub type Schema = &'static [Field];

/// The type of a field.
pub enum Shape {
    /// `string`.
    Text,
    /// `int32` or `int64`.
    Number,
    /// `bool`.
    Bool,
    /// `Time`, a text in JSON.
    Time,
    /// `Quantity`, a text in JSON.
    Quantity,
    /// `IntOrString`, a number or a text in JSON.
    IntOrText,
    /// A JSON text, which is a value in JSON.
    Json,
    /// Another message.
    Message(Schema),
    /// `repeated`.
    List(&'static Shape),
    /// `map<string, …>`.
    Map(&'static Shape),
}

/// A field of a message.
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its number.
    pub number: u64,
    /// Its type.
    pub shape: Shape,
    /// Whether Go writes it where it is empty: it is no pointer there.
    pub always: bool,
    /// Whether its fields stand in the JSON object that it belongs to.
    pub is_inline: bool,
}

/// A field that is left out where it is absent.
const fn some(name: &'static str, number: u64, shape: Shape) -> Field {
    Field {
        name,
        number,
        shape,
        always: false,
        is_inline: false,
    }
}

/// A field that is always there.
const fn always(name: &'static str, number: u64, shape: Shape) -> Field {
    Field {
        always: true,
        ..some(name, number, shape)
    }
}

/// A message whose fields have no object of their own in JSON.
const fn inline(number: u64, schema: Schema) -> Field {
    Field {
        is_inline: true,
        ..always("", number, Message(schema))
    }
}

pub const LIST_META: Schema = &[
    always("selfLink", 1, Text),
    always("resourceVersion", 2, Text),
    always("continue", 3, Text),
    some("remainingItemCount", 4, Number),
];

pub const STATUS: Schema = &[
    always("metadata", 1, Message(LIST_META)),
    always("status", 2, Text),
    always("message", 3, Text),
    always("reason", 4, Text),
    some("details", 5, Message(STATUS_DETAILS)),
    always("code", 6, Number),
];

const STATUS_DETAILS: Schema = &[
    always("name", 1, Text),
    always("group", 2, Text),
    always("kind", 3, Text),
    some("causes", 4, List(&Message(STATUS_CAUSE))),
    always("retryAfterSeconds", 5, Number),
    always("uid", 6, Text),
];

const STATUS_CAUSE: Schema = &[
    always("reason", 1, Text),
    always("message", 2, Text),
    always("field", 3, Text),
];

const OBJECT_META: Schema = &[
    always("name", 1, Text),
    always("generateName", 2, Text),
    always("namespace", 3, Text),
    always("selfLink", 4, Text),
    always("uid", 5, Text),
    always("resourceVersion", 6, Text),
    always("generation", 7, Number),
    always("creationTimestamp", 8, Time),
    some("deletionTimestamp", 9, Time),
    some("deletionGracePeriodSeconds", 10, Number),
    some("labels", 11, Map(&Text)),
    some("annotations", 12, Map(&Text)),
    some("ownerReferences", 13, List(&Message(OWNER_REFERENCE))),
    some("finalizers", 14, List(&Text)),
    some("managedFields", 17, List(&Message(MANAGED_FIELDS))),
];

const OWNER_REFERENCE: Schema = &[
    always("kind", 1, Text),
    always("name", 3, Text),
    always("uid", 4, Text),
    always("apiVersion", 5, Text),
    some("controller", 6, Bool),
    some("blockOwnerDeletion", 7, Bool),
];

const MANAGED_FIELDS: Schema = &[
    always("manager", 1, Text),
    always("operation", 2, Text),
    always("apiVersion", 3, Text),
    some("time", 4, Time),
    always("fieldsType", 6, Text),
    some("fieldsV1", 7, Json),
    always("subresource", 8, Text),
];

pub const POD: Schema = &[
    always("metadata", 1, Message(OBJECT_META)),
    always("spec", 2, Message(POD_SPEC)),
    always("status", 3, Message(POD_STATUS)),
];

const POD_SPEC: Schema = &[
    some("volumes", 1, List(&Message(VOLUME))),
    some("containers", 2, List(&Message(CONTAINER))),
    always("restartPolicy", 3, Text),
    some("terminationGracePeriodSeconds", 4, Number),
    some("activeDeadlineSeconds", 5, Number),
    always("dnsPolicy", 6, Text),
    some("nodeSelector", 7, Map(&Text)),
    always("serviceAccountName", 8, Text),
    always("serviceAccount", 9, Text),
    always("nodeName", 10, Text),
    always("hostNetwork", 11, Bool),
    always("hostPID", 12, Bool),
    always("hostIPC", 13, Bool),
    some("securityContext", 14, Message(POD_SECURITY_CONTEXT)),
    always("hostname", 16, Text),
    always("subdomain", 17, Text),
    some("affinity", 18, Message(AFFINITY)),
    always("schedulerName", 19, Text),
    some("initContainers", 20, List(&Message(CONTAINER))),
    some("automountServiceAccountToken", 21, Bool),
    some("tolerations", 22, List(&Message(TOLERATION))),
    always("priorityClassName", 24, Text),
    some("priority", 25, Number),
    some("enableServiceLinks", 30, Bool),
    some("preemptionPolicy", 31, Text),
    some("schedulingGates", 38, List(&Message(NAMED))),
];

const NAMED: Schema = &[always("name", 1, Text)];

const POD_SECURITY_CONTEXT: Schema = &[
    some("runAsUser", 2, Number),
    some("runAsNonRoot", 3, Bool),
    some("fsGroup", 5, Number),
    some("runAsGroup", 6, Number),
];

const VOLUME: Schema = &[always("name", 1, Text), inline(2, VOLUME_SOURCE)];

const VOLUME_SOURCE: Schema = &[
    some("hostPath", 1, Message(HOST_PATH)),
    some("secret", 6, Message(SECRET_VOLUME)),
    some("configMap", 19, Message(CONFIG_MAP_VOLUME)),
    some("projected", 26, Message(PROJECTED_VOLUME)),
];

const HOST_PATH: Schema = &[always("path", 1, Text), some("type", 2, Text)];

const SECRET_VOLUME: Schema = &[
    always("secretName", 1, Text),
    some("defaultMode", 3, Number),
];

const CONFIG_MAP_VOLUME: Schema = &[
    inline(1, NAMED),
    some("items", 2, List(&Message(KEY_TO_PATH))),
    some("defaultMode", 3, Number),
];

const KEY_TO_PATH: Schema = &[
    always("key", 1, Text),
    always("path", 2, Text),
    some("mode", 3, Number),
];

const PROJECTED_VOLUME: Schema = &[
    some("sources", 1, List(&Message(PROJECTION))),
    some("defaultMode", 2, Number),
];

const PROJECTION: Schema = &[
    some("configMap", 3, Message(CONFIG_MAP_VOLUME)),
    some("serviceAccountToken", 4, Message(TOKEN_PROJECTION)),
];

const TOKEN_PROJECTION: Schema = &[
    always("audience", 1, Text),
    some("expirationSeconds", 2, Number),
    always("path", 3, Text),
];

const CONTAINER: Schema = &[
    always("name", 1, Text),
    always("image", 2, Text),
    some("command", 3, List(&Text)),
    some("args", 4, List(&Text)),
    always("workingDir", 5, Text),
    some("ports", 6, List(&Message(CONTAINER_PORT))),
    some("env", 7, List(&Message(ENV_VAR))),
    always("resources", 8, Message(RESOURCES)),
    some("volumeMounts", 9, List(&Message(VOLUME_MOUNT))),
    some("livenessProbe", 10, Message(PROBE)),
    some("readinessProbe", 11, Message(PROBE)),
    always("terminationMessagePath", 13, Text),
    always("imagePullPolicy", 14, Text),
    some("securityContext", 15, Message(SECURITY_CONTEXT)),
    always("stdin", 16, Bool),
    always("stdinOnce", 17, Bool),
    always("tty", 18, Bool),
    always("terminationMessagePolicy", 20, Text),
    some("restartPolicy", 24, Text),
];

const SECURITY_CONTEXT: Schema = &[
    some("privileged", 2, Bool),
    some("runAsUser", 4, Number),
    some("runAsNonRoot", 5, Bool),
    some("readOnlyRootFilesystem", 6, Bool),
    some("allowPrivilegeEscalation", 7, Bool),
];

const CONTAINER_PORT: Schema = &[
    always("name", 1, Text),
    always("hostPort", 2, Number),
    always("containerPort", 3, Number),
    always("protocol", 4, Text),
    always("hostIP", 5, Text),
];

const ENV_VAR: Schema = &[
    always("name", 1, Text),
    always("value", 2, Text),
    some("valueFrom", 3, Message(ENV_SOURCE)),
];

const ENV_SOURCE: Schema = &[some("fieldRef", 1, Message(FIELD_REF))];

const FIELD_REF: Schema = &[always("apiVersion", 1, Text), always("fieldPath", 2, Text)];

const RESOURCES: Schema = &[
    some("limits", 1, Map(&Quantity)),
    some("requests", 2, Map(&Quantity)),
];

const VOLUME_MOUNT: Schema = &[
    always("name", 1, Text),
    always("readOnly", 2, Bool),
    always("mountPath", 3, Text),
    always("subPath", 4, Text),
    some("mountPropagation", 5, Text),
    always("subPathExpr", 6, Text),
    some("recursiveReadOnly", 7, Text),
];

const PROBE: Schema = &[
    inline(1, PROBE_HANDLER),
    always("initialDelaySeconds", 2, Number),
    always("timeoutSeconds", 3, Number),
    always("periodSeconds", 4, Number),
    always("successThreshold", 5, Number),
    always("failureThreshold", 6, Number),
];

const PROBE_HANDLER: Schema = &[some("httpGet", 2, Message(HTTP_GET))];

const HTTP_GET: Schema = &[
    always("path", 1, Text),
    always("port", 2, IntOrText),
    always("host", 3, Text),
    always("scheme", 4, Text),
];

const TOLERATION: Schema = &[
    always("key", 1, Text),
    always("operator", 2, Text),
    always("value", 3, Text),
    always("effect", 4, Text),
    some("tolerationSeconds", 5, Number),
];

const AFFINITY: Schema = &[some("nodeAffinity", 1, Message(NODE_AFFINITY))];

const NODE_AFFINITY: Schema = &[
    some(
        "requiredDuringSchedulingIgnoredDuringExecution",
        1,
        Message(NODE_SELECTOR),
    ),
    some(
        "preferredDuringSchedulingIgnoredDuringExecution",
        2,
        List(&Message(PREFERRED_TERM)),
    ),
];

const NODE_SELECTOR: Schema = &[some("nodeSelectorTerms", 1, List(&Message(TERM)))];

const PREFERRED_TERM: Schema = &[
    always("weight", 1, Number),
    always("preference", 2, Message(TERM)),
];

const TERM: Schema = &[
    some("matchExpressions", 1, List(&Message(REQUIREMENT))),
    some("matchFields", 2, List(&Message(REQUIREMENT))),
];

const REQUIREMENT: Schema = &[
    always("key", 1, Text),
    always("operator", 2, Text),
    some("values", 3, List(&Text)),
];

const POD_STATUS: Schema = &[
    always("phase", 1, Text),
    some("conditions", 2, List(&Message(POD_CONDITION))),
    always("message", 3, Text),
    always("reason", 4, Text),
    always("hostIP", 5, Text),
    always("podIP", 6, Text),
    some("startTime", 7, Time),
    some("containerStatuses", 8, List(&Message(CONTAINER_STATUS))),
    always("qosClass", 9, Text),
    some(
        "initContainerStatuses",
        10,
        List(&Message(CONTAINER_STATUS)),
    ),
    always("nominatedNodeName", 11, Text),
    some("podIPs", 12, List(&Message(ADDRESS))),
    always("resize", 14, Text),
    some("hostIPs", 16, List(&Message(ADDRESS))),
    always("observedGeneration", 17, Number),
];

const ADDRESS: Schema = &[always("ip", 1, Text)];

const POD_CONDITION: Schema = &[
    always("type", 1, Text),
    always("status", 2, Text),
    always("lastProbeTime", 3, Time),
    always("lastTransitionTime", 4, Time),
    always("reason", 5, Text),
    always("message", 6, Text),
    always("observedGeneration", 7, Number),
];

const CONTAINER_STATUS: Schema = &[
    always("name", 1, Text),
    always("state", 2, Message(CONTAINER_STATE)),
    always("lastState", 3, Message(CONTAINER_STATE)),
    always("ready", 4, Bool),
    always("restartCount", 5, Number),
    always("image", 6, Text),
    always("imageID", 7, Text),
    always("containerID", 8, Text),
    some("started", 9, Bool),
    some("allocatedResources", 10, Map(&Quantity)),
    some("resources", 11, Message(RESOURCES)),
    some("volumeMounts", 12, List(&Message(VOLUME_MOUNT_STATUS))),
];

const VOLUME_MOUNT_STATUS: Schema = &[
    always("name", 1, Text),
    always("mountPath", 2, Text),
    always("readOnly", 3, Bool),
    some("recursiveReadOnly", 4, Text),
];

const CONTAINER_STATE: Schema = &[
    some("waiting", 1, Message(WAITING)),
    some("running", 2, Message(RUNNING)),
    some("terminated", 3, Message(TERMINATED)),
];

const WAITING: Schema = &[always("reason", 1, Text), always("message", 2, Text)];

const RUNNING: Schema = &[always("startedAt", 1, Time)];

const TERMINATED: Schema = &[
    always("exitCode", 1, Number),
    always("signal", 2, Number),
    always("reason", 3, Text),
    always("message", 4, Text),
    always("startedAt", 5, Time),
    always("finishedAt", 6, Time),
    always("containerID", 7, Text),
];

pub const NODE: Schema = &[
    always("metadata", 1, Message(OBJECT_META)),
    always("spec", 2, Message(NODE_SPEC)),
    always("status", 3, Message(NODE_STATUS)),
];

const NODE_SPEC: Schema = &[
    always("podCIDR", 1, Text),
    always("externalID", 2, Text),
    always("providerID", 3, Text),
    always("unschedulable", 4, Bool),
    some("taints", 5, List(&Message(TAINT))),
    some("podCIDRs", 7, List(&Text)),
];

const TAINT: Schema = &[
    always("key", 1, Text),
    always("value", 2, Text),
    always("effect", 3, Text),
    some("timeAdded", 4, Time),
];

const NODE_STATUS: Schema = &[
    some("capacity", 1, Map(&Quantity)),
    some("allocatable", 2, Map(&Quantity)),
    always("phase", 3, Text),
    some("conditions", 4, List(&Message(NODE_CONDITION))),
    some("addresses", 5, List(&Message(NODE_ADDRESS))),
    always("daemonEndpoints", 6, Message(DAEMON_ENDPOINTS)),
    always("nodeInfo", 7, Message(NODE_INFO)),
    some("images", 8, List(&Message(IMAGE))),
    some("volumesInUse", 9, List(&Text)),
    some("volumesAttached", 10, List(&Message(ATTACHED_VOLUME))),
];

const NODE_CONDITION: Schema = &[
    always("type", 1, Text),
    always("status", 2, Text),
    always("lastHeartbeatTime", 3, Time),
    always("lastTransitionTime", 4, Time),
    always("reason", 5, Text),
    always("message", 6, Text),
];

const NODE_ADDRESS: Schema = &[always("type", 1, Text), always("address", 2, Text)];

const DAEMON_ENDPOINTS: Schema = &[always("kubeletEndpoint", 1, Message(DAEMON_ENDPOINT))];

const DAEMON_ENDPOINT: Schema = &[always("Port", 1, Number)];

const NODE_INFO: Schema = &[
    always("machineID", 1, Text),
    always("systemUUID", 2, Text),
    always("bootID", 3, Text),
    always("kernelVersion", 4, Text),
    always("osImage", 5, Text),
    always("containerRuntimeVersion", 6, Text),
    always("kubeletVersion", 7, Text),
    always("kubeProxyVersion", 8, Text),
    always("operatingSystem", 9, Text),
    always("architecture", 10, Text),
];

const IMAGE: Schema = &[
    some("names", 1, List(&Text)),
    always("sizeBytes", 2, Number),
];

const ATTACHED_VOLUME: Schema = &[always("name", 1, Text), always("devicePath", 2, Text)];
