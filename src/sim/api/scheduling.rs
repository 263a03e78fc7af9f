//! The state of a pod's scheduling: its gates, and the condition `PodScheduled`.

use serde_json::{Value, json};

use super::core::Moment;
use super::defaults;
use super::resource::PODS;

/// Gives a new pod with scheduling gates the condition that says so.
pub fn set_gated_condition(pod: &mut Value, moment: &Moment) {
    if is_gated(pod) {
        let waiting = json!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastTransitionTime": moment.seconds(),
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        });
        set_condition(pod, waiting);
    }
}

/// Whether a pod has scheduling gates.
pub fn is_gated(pod: &Value) -> bool {
    let gates = pod["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| !gates.is_empty())
}

/// Sets a condition, in the place of the one of its type if there is one. Then completes the status
/// as any other write does. The spec of the pod is complete.
pub fn set_condition(pod: &mut Value, condition: Value) {
    match &mut pod["status"]["conditions"] {
        Value::Array(list) => match list.iter_mut().find(|c| c["type"] == condition["type"]) {
            Some(had) => *had = condition,
            None => list.push(condition),
        },
        none => *none = json!([condition]),
    }
    // Otherwise the next write would change the pod by completing it.
    defaults::complete_rest(&PODS, pod);
}
