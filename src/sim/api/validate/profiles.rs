//! The rules of annotations of a pod or template: profiles of seccomp and AppArmor, which were
//! annotations once and must match the fields, and tolerations. Left out: tolerations in detail,
//! and the cost of deletion.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{present, text, texts};
use super::{fields, volume};

const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const MIRROR: &str = "kubernetes.io/config.mirror";
const LOCALHOST: &str = "localhost/";

/// Checks the annotations, whose path is `path`.
pub fn annotations(errors: &mut Errors, metadata: &Value, spec: &Value, path: &str) {
    let all = texts(metadata, "annotations");
    for (key, value) in &all {
        if *key == MIRROR && text(spec, "nodeName").is_empty() {
            let why = "must set spec.nodeName if mirror pod annotation is set";
            errors.invalid(format!("{path}[{key}]"), *value, why);
        }
    }
    for (key, value) in &all {
        if *key == SECCOMP_POD {
            seccomp(errors, value, &format!("{path}.{key}"));
        }
    }
    for (key, value) in &all {
        if key.starts_with(SECCOMP_CONTAINER) {
            seccomp(errors, value, &format!("{path}.{key}"));
        }
    }
    for (key, value) in &all {
        let Some(name) = key.strip_prefix(APP_ARMOR) else {
            continue;
        };
        let path = format!("{path}[{key}]");
        let mut containers = fields::every_container(spec, "").into_iter();
        if !containers.any(|(_, container)| text(container, "name") == name) {
            errors.invalid(&path, name, "container not found");
        }
        let known = matches!(*value, "" | "runtime/default" | "unconfined");
        if !known && !value.starts_with(LOCALHOST) {
            let why = format!("invalid AppArmor profile name: {value:?}");
            errors.invalid(path, *value, &why);
        }
    }
}

fn seccomp(errors: &mut Errors, value: &str, path: &str) {
    if matches!(value, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    match value.strip_prefix(LOCALHOST) {
        Some(file) => volume::descending(errors, file, path),
        None => errors.invalid(path, value, "must be a valid seccomp profile"),
    }
}

/// Checks that annotations and fields name the same profiles. `path` is that of the spec.
pub fn annotations_match(errors: &mut Errors, metadata: &Value, spec: &Value, path: &str) {
    let annotations = &metadata["annotations"];
    let owners = [(path.to_owned(), spec)];
    let containers = fields::every_container(spec, path);
    for (i, (path, owner)) in owners.into_iter().chain(containers.clone()).enumerate() {
        let key = match i {
            0 => SECCOMP_POD.to_owned(),
            _ => format!("{SECCOMP_CONTAINER}{}", text(owner, "name")),
        };
        let profile = present(&owner["securityContext"], "seccompProfile");
        if let (Some(profile), Some(annotation)) = (profile, annotations[&*key].as_str()) {
            let path = format!("{path}.securityContext.seccompProfile");
            let default = &["runtime/default", "docker/default"];
            same(errors, annotation, profile, &path, "seccomp", default);
        }
    }
    if spec["os"]["name"] == "windows" {
        return;
    }
    let of_pod = present(&spec["securityContext"], "appArmorProfile");
    for (path, container) in containers {
        let own = present(&container["securityContext"], "appArmorProfile");
        let key = format!("{APP_ARMOR}{}", text(container, "name"));
        if let (Some(profile), Some(annotation)) = (own.or(of_pod), annotations[&*key].as_str()) {
            let path = format!("{path}.securityContext.appArmorProfile");
            same(
                errors,
                annotation,
                profile,
                &path,
                "apparmor",
                &["runtime/default"],
            );
        }
    }
}

fn same(
    errors: &mut Errors,
    annotation: &str,
    profile: &Value,
    path: &str,
    what: &str,
    default: &[&str],
) {
    let file = annotation.strip_prefix(LOCALHOST);
    let good = match text(profile, "type") {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => default.contains(&annotation),
        "Localhost" => file.is_some(),
        _ => true,
    };
    if !good {
        let why = format!("{what} type in annotation and field must match");
        errors.forbidden(format!("{path}.type"), &why);
    } else if text(profile, "type") == "Localhost" && profile["localhostProfile"].as_str() != file {
        let why = format!("{what} profile in annotation and field must match");
        errors.forbidden(format!("{path}.localhostProfile"), &why);
    }
}
