//! The rules of containers. Left out: security contexts, devices, hooks, resize policies, restart
//! rules, and the parts of variables' sources (config maps, secrets, files).

use std::collections::BTreeSet;

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::volume::Volumes;
use super::{names, resources, volume};

/// Checks `containers` of a pod.
pub fn all(errors: &mut Errors, spec: &Value, path: &str, volumes: &Volumes) {
    let containers = each(spec, path, "containers");
    if containers.is_empty() {
        return errors.required(format!("{path}.containers"), "");
    }
    let mut known = BTreeSet::new();
    for (path, container) in &containers {
        common(errors, container, path, volumes);
        if !known.insert(text(container, "name")) {
            errors.duplicate(format!("{path}.name"), text(container, "name"), "");
        }
        probes(errors, container, path);
    }
    let mut taken = BTreeSet::new();
    for (path, container) in &containers {
        host_ports(errors, container, path, &mut taken);
    }
}

/// Checks `initContainers` of a pod.
pub fn init(errors: &mut Errors, spec: &Value, path: &str, volumes: &Volumes) {
    let others = each(spec, path, "containers").into_iter();
    let mut known: BTreeSet<&str> = others.map(|(_, c)| text(c, "name")).collect();
    let at = format!("{path}.initContainers");
    for (path, container) in each(spec, path, "initContainers") {
        common(errors, container, &path, volumes);
        let restarts = text(container, "restartPolicy") == "Always";
        let name = text(container, "name");
        if known.contains(name) {
            errors.duplicate(format!("{path}.name"), name, "");
        } else if !name.is_empty() {
            known.insert(name);
        }
        // They run one by one, so the server checks each as if it were the first.
        let first = format!("{at}[0]");
        host_ports(errors, container, &first, &mut BTreeSet::new());
        if restarts {
            probes(errors, container, &path);
            continue;
        }
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if present(container, key).is_some() {
                let why = "may not be set for init containers without restartPolicy=Always";
                errors.forbidden(format!("{path}.{key}"), why);
            }
        }
    }
}

fn common(errors: &mut Errors, container: &Value, path: &str, volumes: &Volumes) {
    let at = |key: &str| format!("{path}.{key}");
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(at("name"), "");
    } else {
        errors.all_invalid(&at("name"), name, names::dns_label(name));
    }
    if text(container, "image").is_empty() {
        errors.required(at("image"), "");
    }
    let policy = text(container, "terminationMessagePolicy");
    let policies = ["File", "FallbackToLogsOnError"];
    errors.one_of(at("terminationMessagePolicy"), policy, &policies);
    ports(errors, container, path);
    env(errors, container, path);
    volume::mounts(errors, container, path, volumes);
    let policy = text(container, "imagePullPolicy");
    let policies = ["Always", "IfNotPresent", "Never"];
    errors.one_of(at("imagePullPolicy"), policy, &policies);
    resources::requirements(errors, &container["resources"], &at("resources"));
}

fn ports(errors: &mut Errors, container: &Value, path: &str) {
    let mut known = BTreeSet::new();
    for (path, port) in each(container, path, "ports") {
        let name = text(port, "name");
        if !name.is_empty() {
            let at = format!("{path}.name");
            let wrong = names::port_name(name);
            let good = wrong.is_empty();
            errors.all_invalid(&at, name, wrong);
            if good && !known.insert(name) {
                errors.duplicate(at, name, "");
            }
        }
        let at = format!("{path}.containerPort");
        match number(port, "containerPort").unwrap_or(0) {
            0 => errors.required(at, ""),
            inside => errors.between(at, inside, 1, 65535),
        }
        let host = number(port, "hostPort").unwrap_or(0);
        if host != 0 {
            errors.between(format!("{path}.hostPort"), host, 1, 65535);
        }
        let protocols = ["SCTP", "TCP", "UDP"];
        errors.one_of(
            format!("{path}.protocol"),
            text(port, "protocol"),
            &protocols,
        );
    }
}

fn host_ports(errors: &mut Errors, container: &Value, path: &str, taken: &mut BTreeSet<String>) {
    for (path, port) in each(container, path, "ports") {
        let host = number(port, "hostPort").unwrap_or(0);
        let whole = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
        if host != 0 && !taken.insert(whole.clone()) {
            errors.duplicate(format!("{path}.hostPort"), whole, "");
        }
    }
}

fn env(errors: &mut Errors, container: &Value, path: &str) {
    for (path, variable) in each(container, path, "env") {
        let name = text(variable, "name");
        let at = format!("{path}.name");
        if name.is_empty() {
            errors.required(at, "");
        } else {
            errors.all_invalid(&at, name, names::env_name(name));
        }
        if let Some(from) = present(variable, "valueFrom") {
            value_from(errors, variable, from, &format!("{path}.valueFrom"));
        }
    }
}

fn value_from(errors: &mut Errors, variable: &Value, from: &Value, path: &str) {
    const SOURCES: [&str; 5] = [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ];
    if let Some(field) = present(from, "fieldRef") {
        let name = text(field, "fieldPath");
        let at = format!("{path}.fieldRef.fieldPath");
        if name.is_empty() {
            errors.required(at, "");
        } else if !is_field_of_pod(name) {
            let why = format!("error converting fieldPath: field label not supported: {name}");
            errors.invalid(at, name, &why);
        }
    }
    let given = SOURCES
        .iter()
        .filter(|s| present(from, s).is_some())
        .count();
    if given == 0 {
        let why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or \
                   `fileKeyRef`";
        errors.invalid(path, "", why);
    } else if !text(variable, "value").is_empty() {
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    } else if given > 1 {
        let why = "may not have more than one field specified at a time";
        errors.invalid(path, "", why);
    }
}

/// Whether a variable may take its value from this field. Left out: fields that the server can
/// convert but does not support here.
fn is_field_of_pod(path: &str) -> bool {
    const FIELDS: [&str; 9] = [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    ];
    let subscripted =
        path.starts_with("metadata.labels['") || path.starts_with("metadata.annotations['");
    FIELDS.contains(&path) || (subscripted && path.ends_with("']"))
}

fn probes(errors: &mut Errors, container: &Value, path: &str) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = present(container, key) else {
            continue;
        };
        let path = format!("{path}.{key}");
        handler(errors, probe, &path);
        for key in [
            "initialDelaySeconds",
            "timeoutSeconds",
            "periodSeconds",
            "successThreshold",
            "failureThreshold",
        ] {
            errors.not_negative(format!("{path}.{key}"), number(probe, key));
        }
        let at_grace = format!("{path}.terminationGracePeriodSeconds");
        let grace = number(probe, "terminationGracePeriodSeconds");
        if let Some(grace) = grace.filter(|g| *g <= 0) {
            errors.invalid(&at_grace, grace, "must be greater than 0");
        }
        if key == "readinessProbe" {
            if let Some(grace) = grace {
                errors.invalid(at_grace, grace, "must not be set for readinessProbes");
            }
        } else if number(probe, "successThreshold") != Some(1) {
            let successes = number(probe, "successThreshold").unwrap_or(0);
            errors.invalid(format!("{path}.successThreshold"), successes, "must be 1");
        }
    }
}

fn handler(errors: &mut Errors, probe: &Value, path: &str) {
    let mut found = false;
    for key in ["exec", "httpGet", "tcpSocket", "grpc"] {
        let Some(handler) = present(probe, key) else {
            continue;
        };
        let path = format!("{path}.{key}");
        if found {
            errors.forbidden(path, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match key {
            "exec" => {
                if each(handler, &path, "command").is_empty() {
                    errors.required(format!("{path}.command"), "");
                }
            }
            "httpGet" => {
                if text(handler, "path").is_empty() {
                    errors.required(format!("{path}.path"), "");
                }
                port(errors, handler, &path);
                let scheme = text(handler, "scheme");
                if !["HTTP", "HTTPS"].contains(&scheme) {
                    errors.not_supported(format!("{path}.scheme"), scheme, &["HTTP", "HTTPS"]);
                }
            }
            _ => port(errors, handler, &path),
        }
    }
    if !found {
        errors.required(path, "must specify a handler type");
    }
}

/// Checks the port of a probe, by number or name.
fn port(errors: &mut Errors, handler: &Value, path: &str) {
    let path = format!("{path}.port");
    match &handler["port"] {
        Value::String(name) => errors.all_invalid(&path, name, names::port_name(name)),
        value => errors.between(path, value.as_i64().unwrap_or(0), 1, 65535),
    }
}
