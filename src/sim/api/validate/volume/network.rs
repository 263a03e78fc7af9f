//! Volumes of storage systems, most of which only require some fields.

use serde_json::Value;

use super::required;
use crate::sim::api::validate::errors::Errors;
use crate::sim::api::validate::fields::{number, present, text};
use crate::sim::api::validate::names;

/// What each source requires, in the order of the server. A field that ends in `[]` is a list.
const REQUIRED: [(&str, &[&str]); 20] = [
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("nfs", &["server", "path"]),
    ("iscsi", &["targetPortal", "iqn"]),
    ("glusterfs", &["endpoints", "path"]),
    ("flocker", &[]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors[]", "image"]),
    ("cinder", &["volumeID"]),
    ("cephfs", &["monitors[]"]),
    ("quobyte", &[]),
    ("fc", &[]),
    ("flexVolume", &["driver"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &["volumeName"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
];

/// Checks the source under `key` of the volume at `path`.
pub fn source(errors: &mut Errors, key: &str, inside: &Value, path: &str) {
    let shown = match key {
        "gcePersistentDisk" => "persistentDisk",
        key => key,
    };
    let path = &format!("{path}.{shown}");
    let found = REQUIRED.iter().find(|(source, _)| *source == key);
    for field in found.map_or(&[][..], |(_, fields)| fields) {
        match field.strip_suffix("[]") {
            Some(list) if inside[list].as_array().is_none_or(Vec::is_empty) => {
                errors.required(format!("{path}.{list}"), "");
            }
            Some(_) => {}
            None => required(errors, inside, path, &[field]),
        }
    }
    match key {
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            let partition = number(inside, "partition").unwrap_or(0);
            if !(0..=255).contains(&partition) {
                let why = "must be between 1 and 255, inclusive";
                errors.invalid(format!("{path}.partition"), partition, why);
            }
        }
        "nfs" if !text(inside, "path").starts_with('/') => {
            let why = "must be an absolute path";
            errors.invalid(format!("{path}.path"), text(inside, "path"), why);
        }
        "iscsi" => iscsi(errors, inside, path),
        "flocker" => flocker(errors, inside, path),
        "cinder" | "storageos" => {
            if key == "storageos" {
                labels(errors, inside, path, &["volumeName", "volumeNamespace"]);
            }
            if let Some(secret) = present(inside, "secretRef") {
                required(errors, secret, &format!("{path}.secretRef"), &["name"]);
            }
        }
        "quobyte" => quobyte(errors, inside, path),
        "fc" => fibre_channel(errors, inside, path),
        "flexVolume" => flex_volume(errors, inside, path),
        "azureDisk" => azure_disk(errors, inside, path),
        _ => {}
    }
}

fn labels(errors: &mut Errors, inside: &Value, path: &str, keys: &[&str]) {
    for key in keys {
        let name = text(inside, key);
        if !name.is_empty() {
            errors.all_invalid(&format!("{path}.{key}"), name, names::dns_label(name));
        }
    }
}

const NAMES: &str = "must be valid format starting with iqn, eui, or naa";

/// Checks the name of a target or an initiator. A name of another form is said to be of no valid
/// format once more where it is an initiator's.
fn iscsi_qualified(errors: &mut Errors, name: &str, path: &str) {
    let of_letters = |rest: &str, length: usize| {
        let mut chars = rest.chars();
        chars.next().is_some()
            && chars.as_str().len() == length
            && chars.all(|c| c.is_ascii_alphanumeric())
    };
    let good = match name.get(..3) {
        Some("iqn") => name
            .match_indices("iqn.")
            .any(|(at, _)| is_iqn(&name[at..])),
        Some("eui") => of_letters(&name[3..], 16),
        Some("naa") => of_letters(&name[3..], 32),
        _ => return errors.invalid(path, name, NAMES),
    };
    if !good {
        errors.invalid(path, name, "must be valid format");
    }
}

/// Whether a text is `iqn.`, year, month, domain and name, as `iqn.2001-04.com.example:storage`.
fn is_iqn(text: &str) -> bool {
    let Some((before, name)) = text.split_once(':') else {
        return false;
    };
    let shape: Vec<u8> = before.bytes().skip("iqn.".len()).collect();
    let date = shape.iter().take(8).enumerate().all(|(i, b)| match i {
        4 => *b == b'-',
        7 => *b == b'.',
        _ => b.is_ascii_digit(),
    });
    let domain = shape.get(8..).unwrap_or_default();
    let inside = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let forbidden = |c: char| ",;*&$|".contains(c) || c.is_ascii_whitespace();
    date && !domain.is_empty()
        && domain.iter().all(inside)
        && !name.is_empty()
        && !name.contains(forbidden)
}

fn iscsi(errors: &mut Errors, inside: &Value, path: &str) {
    let target = text(inside, "iqn");
    if !target.is_empty() {
        iscsi_qualified(errors, target, &format!("{path}.iqn"));
    }
    let lun = number(inside, "lun").unwrap_or(0);
    errors.between(format!("{path}.lun"), lun, 0, 255);
    let authenticated = ["chapAuthDiscovery", "chapAuthSession"];
    let authenticated = authenticated.iter().any(|key| inside[key] == true);
    if authenticated && present(inside, "secretRef").is_none() {
        errors.required(format!("{path}.secretRef"), "");
    }
    if let Some(Value::String(name)) = present(inside, "initiatorName") {
        iscsi_qualified(errors, name, &format!("{path}.initiatorname"));
    }
}

/// Checks the length of the name that an initiator makes of a volume's name and its portal.
pub fn iscsi_name(errors: &mut Errors, inside: &Value, path: &str, volume: &str) {
    let length = volume.len() + 1 + text(inside, "targetPortal").len();
    if present(inside, "initiatorName").is_some() && length > 64 {
        let why = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if \
                   iscsi.initiatorName is specified.";
        errors.invalid(format!("{path}.name"), volume, why);
    }
}

fn flocker(errors: &mut Errors, inside: &Value, path: &str) {
    let name = text(inside, "datasetName");
    match (name.is_empty(), text(inside, "datasetUUID").is_empty()) {
        (true, true) => errors.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => {
            let why = "datasetName and datasetUUID can not be specified simultaneously";
            errors.invalid(path, "resource", why);
        }
        _ => {}
    }
    if name.contains('/') {
        errors.invalid(format!("{path}.datasetName"), name, "must not contain '/'");
    }
}

fn quobyte(errors: &mut Errors, inside: &Value, path: &str) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let at = format!("{path}.registry");
    let registry = text(inside, "registry");
    if registry.is_empty() {
        errors.required(&at, PAIRS);
    } else if text(inside, "tenant").len() >= 65 {
        let why = "must be a UUID and may not exceed a length of 64 characters";
        errors.required(format!("{path}.tenant"), why);
    } else {
        let bad = registry.split(',').filter(|pair| !is_host_port(pair));
        bad.for_each(|_| errors.invalid(&at, registry, PAIRS));
    }
    required(errors, inside, path, &["volume"]);
}

/// Whether a text is a host and a port, the host in brackets if it has colons.
fn is_host_port(text: &str) -> bool {
    let Some((host, _)) = text.rsplit_once(':') else {
        return false;
    };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some(),
        None => !host.contains([':', '[', ']']),
    }
}

fn fibre_channel(errors: &mut Errors, inside: &Value, path: &str) {
    let has = |key: &str| inside[key].as_array().is_some_and(|list| !list.is_empty());
    let at = format!("{path}.targetWWNs");
    match (has("targetWWNs"), has("wwids")) {
        (false, false) => {
            let why = "must specify either targetWWNs or wwids, but not both";
            errors.required(&at, why);
        }
        (true, true) => {
            let why = "targetWWNs and wwids can not be specified simultaneously";
            errors.invalid(&at, inside["targetWWNs"].clone(), why);
        }
        _ => {}
    }
    if has("targetWWNs") {
        let at = format!("{path}.lun");
        match number(inside, "lun") {
            None => errors.required(at, "lun is required if targetWWNs is specified"),
            Some(lun) => errors.between(at, lun, 0, 255),
        }
    }
}

fn flex_volume(errors: &mut Errors, inside: &Value, path: &str) {
    for key in inside["options"]
        .as_object()
        .into_iter()
        .flat_map(|o| o.keys())
    {
        let namespace = key.split('/').next().unwrap_or(key);
        let whole = format!(".{}", namespace.to_lowercase());
        if whole.ends_with(".kubernetes.io") || whole.ends_with(".k8s.io") {
            let why = "kubernetes.io and k8s.io namespaces are reserved";
            errors.invalid(format!("{path}.options[{key}]"), key.as_str(), why);
        }
    }
}

fn azure_disk(errors: &mut Errors, inside: &Value, path: &str) {
    const MANAGED: &str = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
    const BLOB: &str =
        "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
    let known: [(&str, &[&str]); 2] = [
        ("cachingMode", &["None", "ReadOnly", "ReadWrite"]),
        ("kind", &["Dedicated", "Managed", "Shared"]),
    ];
    for (key, values) in known {
        errors.known(format!("{path}.{key}"), &inside[key], values);
    }
    let (disk, at) = (text(inside, "diskURI"), format!("{path}.diskURI"));
    match inside["kind"].as_str() {
        Some("Managed") if !disk.starts_with("/subscriptions/") => {
            errors.not_supported(at, disk, &[MANAGED]);
        }
        Some(kind) if kind != "Managed" && !disk.starts_with("https://") => {
            errors.not_supported(at, disk, &[BLOB]);
        }
        _ => {}
    }
}
