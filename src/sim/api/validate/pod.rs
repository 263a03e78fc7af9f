//! The rules of pods. Left out: that a pod with a projected token names its service account,
//! because nothing here gives it one.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::metadata::{self, NameRule};
use super::{
    container, dns, env, names, placement, profiles, resources, security, volume, windows,
};

/// Checks a new pod.
pub fn create(errors: &mut Errors, pod: &Value) {
    whole(errors, pod);
    let has = |key: &str| !each(&pod["spec"], "", key).is_empty();
    if has("ephemeralContainers") {
        errors.forbidden("spec.ephemeralContainers", "cannot be set on create");
    }
    if has("schedulingGates") && !text(&pod["spec"], "nodeName").is_empty() {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.forbidden("spec.nodeName", why);
    }
    profiles::annotations_match(errors, &pod["metadata"], &pod["spec"], "spec");
}

/// Checks metadata and spec, of new pods and updated ones.
pub fn whole(errors: &mut Errors, pod: &Value) {
    metadata::create_strictly(errors, pod, true, NameRule::Subdomain);
    let path = "metadata.annotations";
    profiles::annotations(errors, &pod["metadata"], &pod["spec"], path);
    spec(errors, &pod["spec"], "spec", Some(&pod["metadata"]));
    let grace = number(&pod["spec"], "terminationGracePeriodSeconds");
    errors.not_negative("spec.terminationGracePeriodSeconds", grace);
    for key in ["containers", "initContainers"] {
        for (path, image) in each(&pod["spec"], "spec", key) {
            container::untrimmed_image(errors, image, &path);
        }
    }
}

/// Checks the spec at `path`, of a pod with this metadata or of a template.
pub fn spec(errors: &mut Errors, spec: &Value, path: &str, pod: Option<&Value>) {
    let at = |key: &str| format!("{path}.{key}");
    let of_pod = pod.is_some();
    if number(spec, "terminationGracePeriodSeconds").is_none() {
        errors.required(at("terminationGracePeriodSeconds"), "");
    }
    let name = pod.map_or("", |metadata| text(metadata, "name"));
    let volumes = volume::all(errors, spec, path, name);
    resources::pod_claims(errors, spec, path);
    container::all(errors, spec, path, &volumes);
    container::init(errors, spec, path, &volumes);
    container::ephemeral(errors, spec, path, &volumes);
    resources::of_pod(errors, spec, path);
    host_network(errors, spec, path, of_pod);
    let policies = ["Always", "OnFailure", "Never"];
    errors.one_of(at("restartPolicy"), text(spec, "restartPolicy"), &policies);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    errors.one_of(at("dnsPolicy"), text(spec, "dnsPolicy"), &policies);
    metadata::labels(errors, spec, &at("nodeSelector"), "nodeSelector");
    security::of_pod(errors, spec, path);
    if spec["shareProcessNamespace"] == true && spec["hostPID"] == true {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.invalid(at("shareProcessNamespace"), true, why);
    }
    placement::affinity(errors, spec, path);
    placement::pod_affinity(errors, spec, path);
    dns::config(errors, spec, path);
    for (path, gate) in each(spec, path, "readinessGates") {
        let kind = text(gate, "conditionType");
        let path = format!("{path}.conditionType");
        errors.all_invalid(&path, kind, names::label_key(kind));
    }
    scheduling_gates(errors, spec, path);
    placement::spread(errors, spec, path, of_pod);
    windows::host_processes(errors, spec, path);
    security::own_users(errors, spec, path);
    dns::hostname_override(errors, spec, path);
    let subdomain: names::Rule = names::dns_subdomain;
    named(errors, spec, path, "serviceAccountName", subdomain);
    named(errors, spec, path, "nodeName", subdomain);
    if let Some(seconds) = number(spec, "activeDeadlineSeconds") {
        let most = i64::from(i32::MAX);
        errors.between(at("activeDeadlineSeconds"), seconds, 1, most);
    }
    named(errors, spec, path, "hostname", names::dns_label);
    named(errors, spec, path, "subdomain", names::dns_label);
    placement::tolerations(errors, spec, path);
    dns::host_aliases(errors, spec, path);
    named(errors, spec, path, "priorityClassName", subdomain);
    if let Some(name) = spec["runtimeClassName"].as_str() {
        errors.all_invalid(&at("runtimeClassName"), name, subdomain(name));
    }
    if present(spec, "preemptionPolicy").is_some() {
        let policy = text(spec, "preemptionPolicy");
        let policies = ["PreemptLowerPriority", "Never"];
        errors.one_of(at("preemptionPolicy"), policy, &policies);
    }
    resources::overhead(errors, spec, path);
    windows::only_of_its_system(errors, spec, path);
    env::files_are_in_empty_dirs(errors, spec, path);
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
