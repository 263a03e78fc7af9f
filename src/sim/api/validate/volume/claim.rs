//! Volumes of storage drivers, and claims that are made for a pod.

use serde_json::{Value, json};

use super::required;
use crate::model::quantity::billionths;
use crate::sim::api::validate::errors::Errors;
use crate::sim::api::validate::fields::{each, present, text};
use crate::sim::api::validate::{metadata, names, placement, resources};
use crate::stored::types;

/// Checks a volume of a storage driver.
pub fn csi(errors: &mut Errors, inside: &Value, path: &str) {
    let (driver, at) = (text(inside, "driver"), format!("{path}.driver"));
    if driver.is_empty() {
        errors.required(at, "");
    } else {
        if driver.len() > 63 {
            errors.too_long(&at, 63);
        }
        let wrong = names::dns_subdomain(&driver.to_lowercase());
        errors.all_invalid(&at, driver, wrong);
    }
    if let Some(secret) = present(inside, "nodePublishSecretRef") {
        let name = text(secret, "name");
        if name.is_empty() {
            errors.required(format!("{path}.nodePublishSecretRef.name"), "");
        } else {
            // The server leaves the reference out of the path.
            let wrong = names::dns_subdomain(name);
            errors.all_invalid(&format!("{path}.name"), name, wrong);
        }
    }
}

/// Checks the claim that is made for the volume at `path`.
pub fn ephemeral(errors: &mut Errors, volume: &Value, path: &str, pod: &str) {
    let name = text(volume, "name");
    let at = format!("{path}.ephemeral.volumeClaimTemplate");
    match present(&volume["ephemeral"], "volumeClaimTemplate") {
        None => errors.required(at, ""),
        Some(template) => {
            template_metadata(errors, &template["metadata"], &at);
            spec(errors, &template["spec"], &format!("{at}.spec"));
        }
    }
    if !pod.is_empty() && !name.is_empty() {
        let claim = format!("{pod}-{name}");
        for why in names::dns_subdomain(&claim) {
            let why = format!("PVC name {claim:?}: {why}");
            errors.invalid(format!("{path}.name"), name, &why);
        }
    }
}

/// Checks the metadata of a template: it has labels and annotations only.
fn template_metadata(errors: &mut Errors, metadata: &Value, path: &str) {
    let at = |key: &str| format!("{path}.metadata.{key}");
    metadata::annotations(errors, metadata, &at("annotations"));
    metadata::labels(errors, metadata, &at("labels"), "labels");
    let fields = types::find("ObjectMeta").map_or(&[][..], |known| &known.fields);
    for field in fields {
        let allowed = ["labels", "annotations"].contains(&field.key);
        let empty = match &metadata[field.key] {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Number(number) => number.as_i64() == Some(0),
            _ => false,
        };
        if !allowed && !empty {
            // The server makes the name from that of the Go field.
            let key = match field.key {
                "uid" => "uID",
                key => key,
            };
            errors.forbidden(at(key), "cannot be set");
        }
    }
}

fn spec(errors: &mut Errors, spec: &Value, path: &str) {
    let at = |key: &str| format!("{path}.{key}");
    access_modes(errors, spec, &at("accessModes"));
    placement::label_selector(errors, &spec["selector"], &at("selector"));
    let at_storage = at("resources[storage]");
    let storage = text(&spec["resources"]["requests"], "storage");
    match billionths(storage) {
        None => errors.required(at_storage, ""),
        Some(size) if size <= 0 => errors.invalid(at_storage, storage, "must be greater than zero"),
        Some(_) => resources::amount(errors, "storage", storage, &at_storage),
    }
    class(errors, spec, path, "storageClassName");
    errors.known(
        at("volumeMode"),
        &spec["volumeMode"],
        &["Block", "Filesystem"],
    );
    data_sources(errors, spec, path);
    class(errors, spec, path, "volumeAttributesClassName");
}

fn class(errors: &mut Errors, spec: &Value, path: &str, key: &str) {
    let name = text(spec, key);
    if !name.is_empty() {
        errors.all_invalid(&format!("{path}.{key}"), name, names::dns_subdomain(name));
    }
}

fn access_modes(errors: &mut Errors, spec: &Value, path: &str) {
    const MODES: [&str; 4] = [
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOnce",
        "ReadWriteOncePod",
    ];
    let modes = each(spec, "", "accessModes");
    if modes.is_empty() {
        errors.required(path, "at least 1 access mode is required");
    }
    let (mut for_one_pod, mut for_more) = (false, false);
    for (_, mode) in modes {
        let mode = mode.as_str().unwrap_or_default();
        if !MODES.contains(&mode) {
            errors.not_supported(path, mode, &MODES);
        } else if mode == "ReadWriteOncePod" {
            for_one_pod = true;
        } else {
            for_more = true;
        }
    }
    if for_one_pod && for_more {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.forbidden(path, why);
    }
}

fn data_sources(errors: &mut Errors, spec: &Value, path: &str) {
    let keys = ["dataSource", "dataSourceRef"];
    for key in keys {
        if let Some(source) = present(spec, key) {
            data_source(errors, source, &format!("{path}.{key}"));
        }
    }
    let (Some(source), Some(reference)) = (present(spec, keys[0]), present(spec, keys[1])) else {
        return;
    };
    // The message prints the path that it means as the server's type of paths, which shows nothing.
    if !text(reference, "namespace").is_empty() {
        let why = "may not be specified when dataSourceRef.namespace is specified";
        errors.invalid(path, json!({}), why);
    } else if ["apiGroup", "kind", "name"]
        .iter()
        .any(|key| source[key] != reference[key])
    {
        errors.invalid(path, json!({}), "must match dataSourceRef");
    }
}

fn data_source(errors: &mut Errors, source: &Value, path: &str) {
    required(errors, source, path, &["name", "kind"]);
    let (group, kind) = (text(source, "apiGroup"), text(source, "kind"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.invalid(path, kind, why);
    }
    if !group.is_empty() {
        let wrong = names::dns_subdomain(group);
        errors.all_invalid(&format!("{path}.apiGroup"), group, wrong);
    }
    let namespace = text(source, "namespace");
    if !namespace.is_empty() {
        let wrong = names::dns_label(namespace);
        errors.all_invalid(&format!("{path}.namespace"), namespace, wrong);
    }
}
