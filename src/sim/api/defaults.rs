//! Defaults, and the fields that the API server sets or keeps itself, whatever a client sends.
//!
//! They follow Kubernetes 1.37 with its default admission, except for service accounts. Not here:
//! uid, resourceVersion, creationTimestamp, deletion and managedFields.

use serde_json::{Value, json};

use super::fields::{copy, drop_if, fill, is_empty, remove, times, whole_seconds};
use super::resource::{self, Resource};
use super::status::ApiStatus;
use super::{gated, pods};
use crate::stored::defaults as stored;

/// The annotation that counts the templates of a DaemonSet.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Refuses what admission refuses of a new object, as it was sent: priority classes that do not
/// exist, and priorities that are not those of the class.
pub fn admit(resource: &Resource, object: &Value) -> Result<(), ApiStatus> {
    if *resource != resource::PODS {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    pods::priority_allowed(&object["spec"])
        .map_err(|why| ApiStatus::forbidden(resource, name, &why))
}

/// Completes an object: adds every field that the server would fill in, and removes empty ones.
/// Idempotent.
pub fn complete(resource: &Resource, object: &mut Value) {
    metadata(object);
    match resource {
        r if *r == resource::PODS => pods::complete_spec(object),
        r if *r == resource::DAEMON_SETS => daemon_set_spec(object),
        _ => {}
    }
    complete_rest(resource, object);
}

/// As [`complete`], for an object whose spec is complete.
pub fn complete_rest(resource: &Resource, object: &mut Value) {
    metadata(object);
    match resource {
        r if *r == resource::PODS => pods::complete_status(object),
        r if *r == resource::DAEMON_SETS => daemon_set_status(object),
        r if *r == resource::NODES => node(object),
        r if *r == resource::NAMESPACES => namespace(object),
        r if *r == resource::CONTROLLER_REVISIONS => fill(object, "revision", json!(0)),
        r if *r == resource::LEASES => {
            fill(object, "spec", json!({}));
            drop_if(
                &mut object["spec"],
                &["strategy", "preferredHolder"],
                |_| true,
            ); // an alpha feature
            drop_if(&mut object["spec"], LEASE_FIELDS, Value::is_null);
        }
        r if *r == resource::DISRUPTION_BUDGETS => {}
        r if *r == resource::EVENTS => event(object, OLDER_EVENT),
        _ => event(object, NEWER_EVENT),
    }
    if resource.generation {
        fill(&mut object["metadata"], "generation", json!(1));
    }
}

/// Makes a new object of what was sent. Status and generation are the server's, whatever the client
/// sends.
pub fn create(resource: &Resource, object: &mut Value) {
    // Nodes register themselves together with their status.
    if resource.status && *resource != resource::NODES {
        remove(object, "status");
    }
    remove(&mut object["metadata"], "generation");
    if let Some(spec) = pod_spec(resource, object) {
        gated::drop_from(spec);
    }
    complete(resource, object);
}

/// The spec of a pod, or that of the pods of a DaemonSet.
fn pod_spec<'a>(resource: &Resource, object: &'a mut Value) -> Option<&'a mut Value> {
    match resource {
        r if *r == resource::PODS => object.get_mut("spec"),
        r if *r == resource::DAEMON_SETS => object.pointer_mut("/spec/template/spec"),
        _ => None,
    }
}

/// The member that a write of this subresource never changes: it stays as it is stored.
pub fn kept_member(resource: &Resource, subresource: &str) -> Option<&'static str> {
    let kept = if subresource == "status" {
        "spec"
    } else {
        "status"
    };
    resource.status.then_some(kept)
}

/// Makes an update of `old` of what was sent. A write of the status changes only the status and
/// metadata, any other write does not change the status. `subresource` is empty or `status`.
pub fn update(resource: &Resource, object: &mut Value, old: &Value, subresource: &str) {
    let of_status = subresource == "status";
    if let Some(kept) = kept_member(resource, subresource) {
        copy(old, object, kept);
    }
    // The spec of a pod or a DaemonSet that is stored is complete, and stays as it is.
    let has_template = pod_spec(resource, object).is_some();
    let is_kept = has_template && kept_member(resource, subresource) == Some("spec");
    if !is_kept && let Some(spec) = pod_spec(resource, object) {
        gated::drop_from(spec);
    }
    if is_kept || object["spec"] == old["spec"] {
        complete_rest(resource, object);
    } else {
        complete(resource, object);
    }
    copy(&old["metadata"], &mut object["metadata"], "generation");
    if *resource == resource::NAMESPACES {
        copy(&old["spec"], &mut object["spec"], "finalizers");
    }
    if *resource == resource::PODS && of_status {
        // Old kubelets corrupt the owner references, and drop the QoS class.
        copy(&old["metadata"], &mut object["metadata"], "ownerReferences");
        fill(
            &mut object["status"],
            "qosClass",
            old["status"]["qosClass"].clone(),
        );
    }
    if *resource == resource::DAEMON_SETS {
        let count = old["metadata"]["annotations"][TEMPLATE_GENERATION].as_str();
        let count: i64 = count.and_then(|c| c.parse().ok()).unwrap_or(0);
        let changed = !is_kept && object["spec"]["template"] != old["spec"]["template"];
        let count = count + i64::from(changed);
        object["metadata"]["annotations"][TEMPLATE_GENERATION] = json!(count.to_string());
    }
    if resource.generation && !is_kept && object["spec"] != old["spec"] {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + 1);
    }
}

fn metadata(object: &mut Value) {
    fill(object, "metadata", json!({}));
    let metadata = &mut object["metadata"];
    // The server takes an owner that is listed twice for one.
    if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences") {
        let all = std::mem::take(owners);
        for owner in all {
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
    }
    drop_if(metadata, METADATA_FIELDS, is_empty);
}

const METADATA_FIELDS: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

fn daemon_set_spec(object: &mut Value) {
    fill(object, "spec", json!({}));
    if let Ok(raw) = serde_json::value::to_raw_value(object)
        && let Ok(done) = stored::daemon_set(&raw)
        && let Ok(done) = serde_json::from_str(done.json.get())
    {
        *object = done;
    }
}

fn daemon_set_status(object: &mut Value) {
    let annotations = &mut object["metadata"]["annotations"];
    let count = annotations[TEMPLATE_GENERATION].as_str();
    if count
        .and_then(|c| c.parse::<i64>().ok())
        .is_none_or(|c| c < 1)
    {
        annotations[TEMPLATE_GENERATION] = json!("1");
    }
    fill(object, "status", json!({}));
    let status = &mut object["status"];
    for key in [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
    ] {
        fill(status, key, json!(0));
    }
    let optional = [
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
    ];
    drop_if(status, &optional, is_empty);
    drop_if(status, &["collisionCount"], Value::is_null);
    drop_if(status, &["conditions"], is_empty);
}

fn node(object: &mut Value) {
    fill(object, "spec", json!({}));
    let spec = &mut object["spec"];
    drop_if(spec, &["unschedulable", "taints", "providerID"], is_empty);
    if let Some(cidr) = spec["podCIDR"].as_str().map(str::to_owned) {
        fill(spec, "podCIDRs", json!([cidr]));
    }
    drop_if(spec, &["podCIDR", "podCIDRs"], is_empty);
    fill(object, "status", json!({}));
    let status = &mut object["status"];
    for key in ["capacity", "allocatable"] {
        pods::normalize_quantities(&mut status[key]);
    }
    let capacity = status["capacity"].clone();
    if capacity.is_object() {
        fill(status, "allocatable", capacity);
    }
    drop_if(status, &["capacity", "allocatable", "addresses"], is_empty);
    times(status, &["lastHeartbeatTime", "lastTransitionTime"]);
    fill(status, "daemonEndpoints", json!({}));
    fill(
        &mut status["daemonEndpoints"],
        "kubeletEndpoint",
        json!({"Port": 0}),
    );
    fill(status, "nodeInfo", json!({}));
    for key in [
        "architecture",
        "bootID",
        "containerRuntimeVersion",
        "kernelVersion",
        "kubeProxyVersion",
        "kubeletVersion",
        "machineID",
        "operatingSystem",
        "osImage",
        "systemUUID",
    ] {
        fill(&mut status["nodeInfo"], key, json!(""));
    }
}

fn namespace(object: &mut Value) {
    let name = object["metadata"]["name"].clone();
    if name.is_string() {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    }
    fill(object, "spec", json!({}));
    let finalizers = &mut object["spec"]["finalizers"];
    if !finalizers.is_array() {
        *finalizers = json!([]);
    }
    if let Some(all) = finalizers.as_array_mut()
        && !all.iter().any(|f| f == "kubernetes")
    {
        all.push(json!("kubernetes"));
    }
    fill(object, "status", json!({}));
    fill(&mut object["status"], "phase", json!("Active"));
}

const LEASE_FIELDS: &[&str] = &[
    "holderIdentity",
    "leaseDurationSeconds",
    "acquireTime",
    "renewTime",
    "leaseTransitions",
];

/// The fields that an event always has, each with its value if it was not sent.
type EventFields = &'static [(&'static str, &'static str)];

const OLDER_EVENT: EventFields = &[
    ("involvedObject", "{}"),
    ("source", "{}"),
    ("firstTimestamp", "null"),
    ("lastTimestamp", "null"),
    ("eventTime", "null"),
    ("reportingComponent", "\"\""),
    ("reportingInstance", "\"\""),
];

const NEWER_EVENT: EventFields = &[
    ("regarding", "{}"),
    ("deprecatedSource", "{}"),
    ("deprecatedFirstTimestamp", "null"),
    ("deprecatedLastTimestamp", "null"),
    ("eventTime", "null"),
];

fn event(object: &mut Value, always: EventFields) {
    for (key, json) in always {
        fill(object, key, serde_json::from_str(json).unwrap_or_default());
    }
    for (key, _) in always.iter().filter(|(key, _)| key.ends_with("Timestamp")) {
        whole_seconds(object, key);
    }
    let optional = [
        "reason",
        "message",
        "note",
        "type",
        "count",
        "deprecatedCount",
        "series",
        "action",
        "related",
    ];
    drop_if(object, &optional, |value| {
        is_empty(value) && !value.is_object()
    });
}
