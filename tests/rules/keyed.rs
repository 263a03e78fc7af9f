//! A DaemonSet with keys of rollout control in the middle of a rollout, and what its plan does, in
//! few words.

use std::collections::BTreeMap;

use crate::support::*;
use daemonset_controller::plan::{Create, Hold, Plan};
use serde_json::{Value, json};

/// No node.
pub const NONE: [&str; 0] = [];

/// `default/web` with these keys and this budget.
pub fn set_with(keys: &[(&str, &str)], max_unavailable: Value, max_surge: Value) -> Object {
    let key = |key: &str| format!("daemonset-controller.io/{key}");
    let annotations: BTreeMap<String, &str> = keys.iter().map(|(k, v)| (key(k), *v)).collect();
    daemon_set().with(json!({
        "metadata": {"annotations": annotations},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": max_unavailable, "maxSurge": max_surge},
        }},
    }))
}

/// `default/web` with these keys; all its pods may be replaced at once.
pub fn set(keys: &[(&str, &str)]) -> Object {
    set_with(keys, json!("100%"), json!(0))
}

/// An annotation of a revision with state of its rollout.
pub fn state(key: &str, value: impl Into<String>) -> Value {
    let key = format!("state.daemonset-controller.io/{key}");
    json!({"metadata": {"annotations": {key: value.into()}}})
}

/// Several of them.
pub fn states(recorded: &[(&str, &str)]) -> Value {
    let key = |key: &str| format!("state.daemonset-controller.io/{key}");
    let annotations: BTreeMap<String, &str> = recorded.iter().map(|(k, v)| (key(k), *v)).collect();
    json!({"metadata": {"annotations": annotations}})
}

/// The current revision of the DaemonSet, whose rollout began `started` seconds ago, with this
/// recorded besides, and an older one that completed.
pub fn two_revisions(set: &Object, started: i64, recorded: &[(&str, &str)]) -> [Object; 2] {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let current = current.with(state("started", ago(started)));
    let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
    [current.with(states(recorded)), older]
}

/// The pod, and its container has been restarted so often.
pub fn restarted(pod: Object, count: u32) -> Object {
    pod.with(json!({"status": {"containerStatuses": [{"name": "c", "restartCount": count}]}}))
}

/// A pod of the older revision that has been available for long.
pub fn old(node: &str) -> Object {
    pod(&format!("old-{node}")).on(node).ready(5_000).hash(OLD)
}

/// A pod of the current revision that has been available for so many seconds.
pub fn new(node: &str, seconds: i64) -> Object {
    pod(&format!("new-{node}")).on(node).ready(seconds)
}

/// The pod, and it is not ready.
pub fn unready(pod: Object) -> Object {
    pod.with(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}))
}

/// The nodes of these names.
pub fn nodes(names: &str) -> Vec<Object> {
    names.split(' ').map(node).collect()
}

/// The nodes whose pods go.
pub fn gone(plan: &Plan) -> Vec<String> {
    plan.deletes.iter().map(|d| d.node.to_string()).collect()
}

/// Node and revision of each create.
pub fn created(plan: &Plan) -> Vec<String> {
    let line = |c: &Create| format!("{} {}", c.node, c.revision);
    plan.creates.iter().map(line).collect()
}

/// Rule and first nodes of each hold; `*` is the DaemonSet as a whole.
pub fn holds(plan: &Plan) -> Vec<String> {
    let line = |hold: &Hold| {
        let nodes = hold.nodes.as_ref().map(|nodes| nodes.first.join(" "));
        let nodes = nodes.unwrap_or_else(|| "*".to_owned());
        format!("{} {nodes}", hold.rule.as_str())
    };
    plan.holds.iter().map(line).collect()
}
