//! The rules of pods. Left out: resource claims, security contexts, ephemeral containers, DNS
//! settings, Windows, host aliases and overhead.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::metadata::{self, NameRule};
use super::{container, names, placement, volume};

/// Checks a new pod.
pub fn create(errors: &mut Errors, pod: &Value) {
    whole(errors, pod);
}

/// Checks metadata and spec, of new pods and updated ones.
pub fn whole(errors: &mut Errors, pod: &Value) {
    metadata::create_strictly(errors, pod, true, NameRule::Subdomain);
    spec(errors, &pod["spec"], "spec", true);
    let grace = number(&pod["spec"], "terminationGracePeriodSeconds");
    errors.not_negative("spec.terminationGracePeriodSeconds", grace);
    for key in ["containers", "initContainers"] {
        for (path, container) in each(&pod["spec"], "spec", key) {
            let image = text(container, "image");
            if image.trim() != image {
                let why = "must not have leading or trailing whitespace";
                errors.invalid(format!("{path}.image"), image, why);
            }
        }
    }
}

/// Checks the spec of a pod or of a template at `path`.
pub fn spec(errors: &mut Errors, spec: &Value, path: &str, of_pod: bool) {
    let at = |key: &str| format!("{path}.{key}");
    if number(spec, "terminationGracePeriodSeconds").is_none() {
        errors.required(at("terminationGracePeriodSeconds"), "");
    }
    let volumes = volume::all(errors, spec, path);
    container::all(errors, spec, path, &volumes);
    container::init(errors, spec, path, &volumes);
    host_network(errors, spec, path, of_pod);
    let policies = ["Always", "OnFailure", "Never"];
    errors.one_of(at("restartPolicy"), text(spec, "restartPolicy"), &policies);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(at("dnsPolicy"), text(spec, "dnsPolicy"), &policies);
    metadata::labels(errors, spec, &at("nodeSelector"), "nodeSelector");
    placement::affinity(errors, spec, path);
    placement::pod_affinity(errors, spec, path);
    for (path, gate) in each(spec, path, "readinessGates") {
        let kind = text(gate, "conditionType");
        let path = format!("{path}.conditionType");
        errors.all_invalid(&path, kind, names::label_key(kind));
    }
    scheduling_gates(errors, spec, path);
    placement::spread(errors, spec, path);
    named(
        errors,
        spec,
        path,
        "serviceAccountName",
        names::dns_subdomain,
    );
    named(errors, spec, path, "nodeName", names::dns_subdomain);
    if let Some(seconds) = number(spec, "activeDeadlineSeconds") {
        let most = i64::from(i32::MAX);
        errors.between(at("activeDeadlineSeconds"), seconds, 1, most);
    }
    named(errors, spec, path, "hostname", names::dns_label);
    named(errors, spec, path, "subdomain", names::dns_label);
    placement::tolerations(errors, spec, path);
    named(
        errors,
        spec,
        path,
        "priorityClassName",
        names::dns_subdomain,
    );
    named(errors, spec, path, "runtimeClassName", names::dns_subdomain);
    if present(spec, "preemptionPolicy").is_some() {
        let policy = text(spec, "preemptionPolicy");
        let policies = ["PreemptLowerPriority", "Never"];
        errors.one_of(at("preemptionPolicy"), policy, &policies);
    }
}

fn named(errors: &mut Errors, spec: &Value, path: &str, key: &str, rule: names::Rule) {
    let name = text(spec, key);
    if !name.is_empty() {
        errors.all_invalid(&format!("{path}.{key}"), name, rule(name));
    }
}

fn scheduling_gates(errors: &mut Errors, spec: &Value, path: &str) {
    let mut seen = Vec::new();
    for (path, gate) in each(spec, path, "schedulingGates") {
        let name = text(gate, "name");
        errors.all_invalid(&path, name, names::label_key(name));
        if seen.contains(&name) {
            errors.duplicate(path, name, "");
        }
        seen.push(name);
    }
}

/// Checks that container ports are host ports if the pod uses the host's network. Templates may
/// leave the host port out.
fn host_network(errors: &mut Errors, spec: &Value, path: &str, of_pod: bool) {
    if spec["hostNetwork"] != true {
        return;
    }
    for (path, container) in each(spec, path, "containers") {
        for (path, port) in each(container, &path, "ports") {
            let host = number(port, "hostPort").unwrap_or(0);
            let inside = number(port, "containerPort").unwrap_or(0);
            if (of_pod || host != 0) && host != inside {
                let why = "must match `containerPort` when `hostNetwork` is true";
                errors.invalid(format!("{path}.hostPort"), host, why);
            }
        }
    }
}

/// Checks an update of the status.
pub fn status(errors: &mut Errors, new: &Value, old: &Value) {
    metadata::update_strictly(errors, new, old);
    for (path, condition) in each(&new["status"], "status", "conditions") {
        let generation = number(condition, "observedGeneration").unwrap_or(0);
        if generation < 0 {
            let why = "must be a non-negative integer";
            errors.invalid(format!("{path}.observedGeneration"), generation, why);
        }
        let kind = text(condition, "type");
        let path = format!("{path}.Type");
        errors.all_invalid(&path, kind, names::label_key(kind));
    }
}
