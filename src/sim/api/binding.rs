//! What is special about pods: their first status, their grace period, their binding.

use serde_json::{Value, json};

use super::core::{Answer, Core, Moment};
use super::defaults;
use super::path::Target;
use super::resource::{NODES, PODS};
use super::status::{Result, Status};
use super::write::{name, namespace_takes, not_that, text};

/// How many seconds a pod has to end: what was asked for, else what its spec says. None for one that runs nowhere: it has
/// no node, or has ended.
pub fn grace(pod: &Value, asked: Option<i64>) -> i64 {
    let ended = matches!(
        pod["status"]["phase"].as_str(),
        Some("Failed" | "Succeeded")
    );
    if ended || text(&pod["spec"], "nodeName").is_empty() {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64();
    match asked.or(own).unwrap_or(30) {
        negative if negative < 0 => 1,
        seconds => seconds,
    }
}

/// POST to `binding`: the scheduler's decision.
pub fn bind(core: &mut Core, target: &Target, body: &[u8], moment: &Moment) -> Result<Answer> {
    let binding: Value =
        serde_json::from_slice(body).map_err(|why| Status::bad_request(why.to_string()))?;
    let pod_name = if target.name.is_empty() {
        name(&binding).to_owned()
    } else {
        target.name.clone()
    };
    namespace_takes(core, &PODS, &target.namespace, &binding)?;
    if name(&binding) != pod_name {
        let message = "name in URL does not match name in Binding object";
        return Err(Status::bad_request(message));
    }
    if let Some(why) = wrong_target(&binding["target"]) {
        return Err(Status::new(500, "", why));
    }
    let Some(old) = core.store.get(&PODS, &target.namespace, &pod_name).cloned() else {
        return Err(Status::not_found(&PODS, &pod_name));
    };
    let refuse = |why: String| {
        let message =
            format!("Operation cannot be fulfilled on pods/binding \"{pod_name}\": {why}");
        let mut status = Status::conflict(&PODS, &pod_name, "");
        status.message = message;
        status.details["kind"] = "pods/binding".into();
        status
    };
    let uid = text(&binding["metadata"], "uid");
    if !uid.is_empty() && old["metadata"]["uid"] != uid.as_str() {
        return Err(not_that(
            target,
            &pod_name,
            "UID",
            (&uid, &text(&old["metadata"], "uid")),
        ));
    }
    let version = text(&binding["metadata"], "resourceVersion");
    let is = text(&old["metadata"], "resourceVersion");
    if !version.is_empty() && version != is {
        return Err(not_that(
            target,
            &pod_name,
            "ResourceVersion",
            (&version, &is),
        ));
    }
    if old["metadata"]["deletionTimestamp"].is_string() {
        return Err(refuse(format!(
            "pod {pod_name} is being deleted, cannot be assigned to a host"
        )));
    }
    let had = text(&old["spec"], "nodeName");
    if !had.is_empty() {
        return Err(refuse(format!(
            "pod {pod_name} is already assigned to node \"{had}\""
        )));
    }
    if waits(&old) {
        return Err(refuse(format!(
            "pod {pod_name} has non-empty .spec.schedulingGates"
        )));
    }
    let mut pod = (*old).clone();
    for (key, value) in labels(core, &binding) {
        if pod["metadata"]["labels"][&key].is_null() {
            pod["metadata"]["labels"][&key] = value;
        }
    }
    pod["spec"]["nodeName"] = binding["target"]["name"].clone();
    if let Some(annotations) = binding["metadata"]["annotations"].as_object() {
        for (key, value) in annotations {
            pod["metadata"]["annotations"][key] = value.clone();
        }
    }
    let scheduled = json!({
        "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": moment.seconds(),
    });
    set_condition(&mut pod, scheduled);
    core.put(&PODS, pod, moment);
    Ok(Answer::created(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    })))
}

/// A new pod that waits at scheduling gates says so.
pub fn gated(pod: &mut Value, moment: &Moment) {
    if waits(pod) {
        let waiting = json!({
            "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "lastTransitionTime": moment.seconds(),
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        });
        set_condition(pod, waiting);
    }
}

fn waits(pod: &Value) -> bool {
    let gates = pod["spec"]["schedulingGates"].as_array();
    gates.is_some_and(|gates| !gates.is_empty())
}

/// What is wrong with what a pod is bound to.
fn wrong_target(target: &Value) -> Option<String> {
    let kind = text(target, "kind");
    if !matches!(&*kind, "" | "Node") {
        let supported = "supported values: \"Node\", \"<empty>\"";
        return Some(format!(
            "target.kind: Unsupported value: \"{kind}\": {supported}"
        ));
    }
    let is_missing = text(target, "name").is_empty();
    is_missing.then(|| "target.name: Required value".to_owned())
}

/// The labels that a pod gets with its node: those of the binding, and where in the world the node is.
fn labels(core: &Core, binding: &Value) -> Vec<(String, Value)> {
    const TOPOLOGY: [&str; 2] = [
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    ];
    let of = |object: &Value| -> Vec<(String, Value)> {
        let labels = object["metadata"]["labels"]
            .as_object()
            .into_iter()
            .flatten();
        labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let node = core
        .store
        .get(&NODES, "", &text(&binding["target"], "name"));
    let mut all = node.map(|node| of(node)).unwrap_or_default();
    all.retain(|(key, _)| TOPOLOGY.contains(&&**key));
    all.extend(of(binding));
    all
}

fn set_condition(pod: &mut Value, condition: Value) {
    match &mut pod["status"]["conditions"] {
        Value::Array(list) => match list.iter_mut().find(|c| c["type"] == condition["type"]) {
            Some(had) => *had = condition,
            None => list.push(condition),
        },
        none => *none = json!([condition]),
    }
    // As any other write leaves it, or the next one would change it.
    defaults::complete(&PODS, pod);
}
