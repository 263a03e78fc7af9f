//! Objects as people write them, and questions about those that are there.

use std::sync::Arc;

use daemonset_controller::sim::api::resource::PODS;
use daemonset_controller::sim::api::store::Store;
use serde_json::{Value, json};

/// A DaemonSet of this name.
pub fn daemon_set(name: &str, spec: &Value) -> Value {
    let mut object = json!({
        "metadata": {"name": name, "namespace": "default", "annotations": {}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}},
        },
    });
    json_patch::merge(&mut object["spec"], spec);
    object
}

/// A field of `metadata`, empty without one.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or("")
}

/// The UID of its owner, empty without one.
pub fn owner(object: &Value) -> &str {
    let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str();
    owner.unwrap_or("")
}

/// The node that a pod is bound or pinned to, empty without one.
pub fn target(pod: &Value) -> &str {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution\
                 /nodeSelectorTerms/0/matchFields/0/values/0";
    let bound = pod["spec"]["nodeName"]
        .as_str()
        .filter(|name| !name.is_empty());
    bound.or_else(|| pod.pointer(terms)?.as_str()).unwrap_or("")
}

/// Neither terminating nor terminal.
pub fn is_live(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    pod["metadata"]["deletionTimestamp"].is_null() && !["Failed", "Succeeded"].contains(&phase)
}

/// A live pod of this owner on a node.
pub fn live_pod(store: &Store, owner_uid: &str, node: &str) -> Option<Arc<Value>> {
    let mut pods = store.all(&PODS).values();
    let is_it = |p: &&Arc<Value>| target(p) == node && owner(p) == owner_uid && is_live(p);
    pods.find(is_it).cloned()
}
