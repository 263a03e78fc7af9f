//! The rules of probes and hooks.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, number, present, text};
use super::names;

/// Checks the probes of a container.
pub fn probes(errors: &mut Errors, container: &Value, path: &str) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = present(container, key) else {
            continue;
        };
        let path = format!("{path}.{key}");
        handler(errors, probe, &path, OF_PROBES, None);
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

/// Checks the hooks of a container of a pod with this spec.
pub fn lifecycle(errors: &mut Errors, container: &Value, path: &str, spec: &Value) {
    let grace = number(spec, "terminationGracePeriodSeconds");
    for key in ["postStart", "preStop"] {
        if let Some(hook) = present(&container["lifecycle"], key) {
            let path = format!("{path}.lifecycle.{key}");
            handler(errors, hook, &path, OF_HOOKS, grace);
        }
    }
}

const OF_PROBES: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
const OF_HOOKS: &[&str] = &["exec", "httpGet", "tcpSocket", "sleep"];

fn handler(errors: &mut Errors, owner: &Value, path: &str, kinds: &[&str], grace: Option<i64>) {
    let mut found = false;
    for key in kinds {
        let Some(handler) = present(owner, key) else {
            continue;
        };
        let path = format!("{path}.{key}");
        if found {
            errors.forbidden(path, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match *key {
            "exec" => {
                if each(handler, &path, "command").is_empty() {
                    errors.required(format!("{path}.command"), "");
                }
            }
            "httpGet" => http_get(errors, handler, &path),
            "sleep" => sleep(errors, handler, path, grace),
            _ => port(errors, handler, &path),
        }
    }
    if !found {
        errors.required(path, "must specify a handler type");
    }
}

fn http_get(errors: &mut Errors, handler: &Value, path: &str) {
    if text(handler, "path").is_empty() {
        errors.required(format!("{path}.path"), "");
    }
    port(errors, handler, path);
    let scheme = text(handler, "scheme");
    if !["HTTP", "HTTPS"].contains(&scheme) {
        errors.not_supported(format!("{path}.scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for (_, header) in each(handler, path, "httpHeaders") {
        let name = text(header, "name");
        let wrong = names::header_name(name);
        errors.all_invalid(&format!("{path}.httpHeaders"), name, wrong);
    }
}

fn sleep(errors: &mut Errors, handler: &Value, path: String, grace: Option<i64>) {
    let seconds = number(handler, "seconds").unwrap_or(0);
    if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        errors.invalid(path, seconds, &why);
    }
}

/// Checks the port of a probe or hook, by number or name.
fn port(errors: &mut Errors, handler: &Value, path: &str) {
    let path = format!("{path}.port");
    match &handler["port"] {
        Value::String(name) => errors.all_invalid(&path, name, names::port_name(name)),
        value => errors.between(path, value.as_i64().unwrap_or(0), 1, 65535),
    }
}
