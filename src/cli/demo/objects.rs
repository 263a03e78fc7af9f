//! Fields of objects as the API server stores them.

use serde_json::Value;

/// A text in an object, empty if there is none.
pub fn text(object: &Value, pointer: &str) -> String {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

/// The node that a pod is bound or pinned to.
pub fn target(pod: &Value) -> String {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let on = text(pod, "/spec/nodeName");
    if on.is_empty() {
        return text(pod, &format!("{terms}/0/matchFields/0/values/0"));
    }
    on
}

/// The hash of a pod's revision.
pub fn revision(pod: &Value) -> String {
    text(pod, "/metadata/labels/controller-revision-hash")
}

/// Whether a pod is controlled by the object of this UID.
pub fn is_of(pod: &Value, uid: &str) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    owners.is_some_and(|all| {
        all.iter()
            .any(|o| o["controller"] == true && o["uid"] == uid)
    })
}

/// Whether a pod is neither terminating nor terminal.
pub fn is_live(pod: &Value) -> bool {
    let ended = ["Failed", "Succeeded"].contains(&pod["status"]["phase"].as_str().unwrap_or(""));
    !ended && pod["metadata"]["deletionTimestamp"].is_null()
}

/// Whether its Ready condition is true.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}
