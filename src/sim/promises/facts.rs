//! Facts about objects, read from their JSON. Promises share no code with the controller except the
//! rule of eligibility.

use std::sync::Arc;

use serde_json::{Value, value::to_raw_value};

use crate::model::{DaemonSet, EXCLUSIVE_GATE, FeatureGates, Interner, Node, Verdict};
use crate::plan::eligibility::Eligibility;
use crate::wire;

/// A field of `metadata`, empty if it is not set.
pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or("")
}

/// `namespace/name`.
pub fn said(object: &Value) -> String {
    match text(object, "namespace") {
        "" => text(object, "name").to_owned(),
        namespace => format!("{namespace}/{}", text(object, "name")),
    }
}

/// The UID of its controller, empty without one.
pub fn owner(object: &Value) -> &str {
    let owners = object["metadata"]["ownerReferences"].as_array();
    let mut owners = owners.into_iter().flatten();
    let owner = owners.find(|owner| owner["controller"] == true);
    owner.and_then(|owner| owner["uid"].as_str()).unwrap_or("")
}

/// The node that a pod is bound or pinned to, empty without one.
pub fn target(pod: &Value) -> &str {
    if let Some(node) = pod["spec"]["nodeName"].as_str().filter(|n| !n.is_empty()) {
        return node;
    }
    let terms = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ["nodeSelectorTerms"];
    let mut terms = terms.as_array().into_iter().flatten();
    let pinned = terms.find_map(|term| {
        let field = &term["matchFields"][0];
        let is_name = field["key"] == "metadata.name" && field["operator"] == "In";
        field["values"][0].as_str().filter(|_| is_name)
    });
    pinned.unwrap_or("")
}

/// Whether its phase is Failed or Succeeded.
pub fn is_terminal(pod: &Value) -> bool {
    matches!(
        pod["status"]["phase"].as_str(),
        Some("Failed" | "Succeeded")
    )
}

/// Whether it has a deletionTimestamp.
pub fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Whether it is neither terminating nor terminal, and so counts for S1.
pub fn is_live(pod: &Value) -> bool {
    !is_terminating(pod) && !is_terminal(pod)
}

/// Whether it has the scheduling gate of the key `exclusive`, and so has never run.
pub fn is_gated(pod: &Value) -> bool {
    let gates = pod["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == EXCLUSIVE_GATE))
}

/// `lastTransitionTime` of its Ready condition; None unless that is true.
pub fn ready_since(pod: &Value) -> Option<&str> {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let ready = conditions.find(|c| c["type"] == "Ready" && c["status"] == "True")?;
    Some(ready["lastTransitionTime"].as_str().unwrap_or(""))
}

/// Whether the scheduler says that no node fits.
pub fn is_unschedulable(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let is_it = |c: &Value| {
        c["type"] == "PodScheduled" && c["status"] == "False" && c["reason"] == "Unschedulable"
    };
    conditions.is_some_and(|all| all.iter().any(is_it))
}

/// The label with the hash of its revision.
pub fn hash(object: &Value) -> &str {
    let hash = object["metadata"]["labels"]["controller-revision-hash"].as_str();
    hash.unwrap_or("")
}

/// Upstream's order of age: scheduled pods first, then by creation, then by name. Pods that have
/// our gate come after those that have not.
pub fn age(pod: &Value) -> (bool, bool, &str, &str) {
    let scheduled = pod["spec"]["nodeName"]
        .as_str()
        .is_some_and(|n| !n.is_empty());
    (
        !scheduled,
        is_gated(pod),
        text(pod, "creationTimestamp"),
        text(pod, "name"),
    )
}

/// A DaemonSet as decisions see it; None if it cannot be decoded.
pub fn read(daemon_set: &Value) -> Option<DaemonSet> {
    let raw = to_raw_value(daemon_set).ok()?;
    wire::daemon_set::decode(&raw, &mut Interner::default()).ok()
}

/// A node as decisions see it; None if it cannot be decoded.
pub fn node(node: &Value) -> Option<Node> {
    let raw = to_raw_value(node).ok()?;
    wire::node::decode(&raw, &mut Interner::default()).ok()
}

/// The DaemonSet's verdict on a node; None if the node cannot be decoded.
pub fn verdict(daemon_set: &DaemonSet, node: &Value) -> Option<Verdict> {
    let node = self::node(node)?;
    let eligibility = Eligibility::new(daemon_set.template.clone(), FeatureGates::default());
    Some(eligibility.of(&node))
}

/// Whether a revision belongs to a DaemonSet and holds its present template.
pub fn is_of_template(revision: &Value, daemon_set: &Value) -> bool {
    owner(revision) == text(daemon_set, "uid")
        && template_of(revision) == without_timestamp(&daemon_set["spec"]["template"])
}

/// The template that a revision holds.
pub fn template_of(revision: &Value) -> Value {
    let mut template = without_timestamp(&revision["data"]["spec"]["template"]);
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

/// The hash of the DaemonSet's current revision: of its revisions with the present template the one
/// with the highest number.
pub fn current_hash<'a>(
    daemon_set: &Value,
    revisions: impl Iterator<Item = &'a Arc<Value>>,
) -> Option<&'a str> {
    revisions
        .filter(|revision| is_of_template(revision, daemon_set))
        .max_by_key(|r| r["revision"].as_i64())
        .map(|r| hash(r))
}

/// A template without the null that older API servers write as `creationTimestamp`.
fn without_timestamp(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(metadata) = template["metadata"].as_object_mut() {
        metadata.retain(|key, value| key != "creationTimestamp" || !value.is_null());
    }
    template
}
