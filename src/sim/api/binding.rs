//! Binding a pod to a node.

use serde_json::{Value, json};

use super::core::{Answer, Core, Moment};
use super::fields::{name, text};
use super::path::Target;
use super::precondition::{check_namespace, precondition_failed};
use super::resource::{NODES, PODS};
use super::scheduling::{is_gated, set_condition};
use super::status::{ApiStatus, Result};

/// POST to `binding`, by which the scheduler assigns a pod to a node.
pub fn bind(core: &mut Core, target: &Target, body: &[u8], moment: &Moment) -> Result<Answer> {
    let binding: Value =
        serde_json::from_slice(body).map_err(|why| ApiStatus::bad_request(why.to_string()))?;
    let pod_name = if target.name.is_empty() {
        name(&binding).to_owned()
    } else {
        target.name.clone()
    };
    check_namespace(core, &PODS, &target.namespace, &binding)?;
    if name(&binding) != pod_name {
        let message = "name in URL does not match name in Binding object";
        return Err(ApiStatus::bad_request(message));
    }
    if let Some(why) = wrong_target(&binding["target"]) {
        return Err(ApiStatus::new(500, "", why));
    }
    let Some(old) = core.store.get(&PODS, &target.namespace, &pod_name).cloned() else {
        return Err(ApiStatus::not_found(&PODS, &pod_name));
    };
    let refuse = |why: String| {
        let message =
            format!("Operation cannot be fulfilled on pods/binding \"{pod_name}\": {why}");
        let mut status = ApiStatus::conflict(&PODS, &pod_name, "");
        status.message = message;
        status.details["kind"] = "pods/binding".into();
        status
    };
    let uid = text(&binding["metadata"], "uid");
    if !uid.is_empty() && old["metadata"]["uid"] != uid.as_str() {
        return Err(precondition_failed(
            target,
            &pod_name,
            "UID",
            (&uid, &text(&old["metadata"], "uid")),
        ));
    }
    let version = text(&binding["metadata"], "resourceVersion");
    let is = text(&old["metadata"], "resourceVersion");
    if !version.is_empty() && version != is {
        return Err(precondition_failed(
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
    if is_gated(&old) {
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

/// Why the target of a binding is refused, if it is.
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

/// The labels that a pod gets with its node: those of the binding, and region and zone of the node.
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
