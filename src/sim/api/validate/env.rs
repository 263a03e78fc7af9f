//! The rules of a container's variables.

use serde_json::Value;

use super::errors::Errors;
use super::fields;
use super::fields::{each, present, text};
use super::references::{self, Place};
use super::{names, volume};

/// Checks `env` of a container.
pub fn variables(errors: &mut Errors, container: &Value, path: &str) {
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
    let mut given = 0;
    for key in [
        "fieldRef",
        "resourceFieldRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fileKeyRef",
    ] {
        let Some(source) = present(from, key) else {
            continue;
        };
        given += 1;
        let at = format!("{path}.{key}");
        match key {
            "fieldRef" => references::field(errors, source, &at, Place::Variable),
            "resourceFieldRef" => references::resource(errors, source, &at, Place::Variable),
            "fileKeyRef" => key_of_file(errors, source, &at),
            _ => key_of_object(errors, source, &at),
        }
    }
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

/// Checks a reference to a key of a ConfigMap or Secret.
fn key_of_object(errors: &mut Errors, source: &Value, path: &str) {
    let (name, key) = (text(source, "name"), text(source, "key"));
    let wrong = names::dns_subdomain(name);
    errors.all_invalid(&format!("{path}.name"), name, wrong);
    let at = format!("{path}.key");
    if key.is_empty() {
        errors.required(at, "");
    } else {
        errors.all_invalid(&at, key, names::config_key(key));
    }
}

fn key_of_file(errors: &mut Errors, source: &Value, path: &str) {
    for (key, rule) in [
        ("key", names::env_name as names::Rule),
        ("volumeName", names::dns_label),
    ] {
        let (value, at) = (text(source, key), format!("{path}.{key}"));
        if value.is_empty() {
            errors.required(at, "");
        } else {
            errors.all_invalid(&at, value, rule(value));
        }
    }
    let (file, at) = (text(source, "path"), format!("{path}.path"));
    if file.is_empty() {
        errors.required(at, "");
    } else {
        volume::no_backsteps(errors, file, &at);
    }
}

/// Checks `envFrom` of a container. The server reports their number at the list.
pub fn sources(errors: &mut Errors, container: &Value, path: &str) {
    let list = format!("{path}.envFrom");
    for (path, source) in each(container, path, "envFrom") {
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            let wrong = names::env_name(prefix);
            errors.all_invalid(&format!("{path}.prefix"), prefix, wrong);
        }
        let mut given = 0;
        for key in ["configMapRef", "secretRef"] {
            let Some(reference) = present(source, key) else {
                continue;
            };
            given += 1;
            let (name, at) = (text(reference, "name"), format!("{path}.{key}.name"));
            if name.is_empty() {
                errors.required(at, "");
            } else {
                let wrong = names::dns_subdomain(&names::masked(name));
                errors.all_invalid(&at, name, wrong);
            }
        }
        if given == 0 {
            let why = "must specify one of: `configMapRef` or `secretRef`";
            errors.invalid(&list, "", why);
        } else if given > 1 {
            let why = "may not have more than one field specified at a time";
            errors.invalid(&list, "", why);
        }
    }
}

/// Checks that the volumes that variables read files of are empty directories.
pub fn files_are_in_empty_dirs(errors: &mut Errors, spec: &Value, path: &str) {
    let volumes = each(spec, "", "volumes");
    for (path, container) in fields::every_container(spec, path) {
        for (path, variable) in each(container, &path, "env") {
            let Some(source) = present(&variable["valueFrom"], "fileKeyRef") else {
                continue;
            };
            let name = text(source, "volumeName");
            let at = format!("{path}.valueFrom.fileKeyRef.volumeName");
            // Of volumes with the same name the server takes the last.
            let found = volumes.iter().rfind(|(_, v)| text(v, "name") == name);
            match found {
                None => errors.not_found(at, name),
                Some((_, volume)) if volume["emptyDir"].is_object() => {}
                Some(_) => {
                    let why = "referenced volume must be of type emptyDir";
                    errors.invalid(at, name, why);
                }
            }
        }
    }
}
