//! The rules of a pod's volumes.

mod claim;
mod files;
mod network;
mod projected;

use std::collections::BTreeMap;

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, text};
use super::names;

/// The valid volumes by name.
pub type Volumes<'a> = BTreeMap<&'a str, &'a Value>;

/// The sources, in the order in which the server checks them.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
];

/// Checks the volumes of a pod, or of a template, which has no name. Returns the valid ones.
pub fn all<'a>(errors: &mut Errors, spec: &'a Value, path: &str, pod: &str) -> Volumes<'a> {
    let mut known = Volumes::new();
    let volumes = each(spec, path, "volumes");
    // The claims that are made for the pod.
    let made = |volume: &Value| format!("{pod}-{}", text(volume, "name"));
    let made: Vec<String> = volumes
        .iter()
        .filter(|(_, volume)| !pod.is_empty() && volume["ephemeral"].is_object())
        .map(|(_, volume)| made(volume))
        .collect();
    for (path, volume) in volumes {
        let before = errors.len();
        source(errors, volume, &path, pod);
        let name = text(volume, "name");
        let at = format!("{path}.name");
        if name.is_empty() {
            errors.required(&at, "");
        } else {
            errors.all_invalid(&at, name, names::dns_label(name));
        }
        if known.contains_key(name) {
            errors.duplicate(at, name, "");
        }
        if errors.len() == before {
            known.insert(name, volume);
        }
        let claim = text(&volume["persistentVolumeClaim"], "claimName");
        if made.iter().any(|made| made == claim) {
            let why = "must not reference a PVC that gets created for an ephemeral volume";
            errors.invalid(
                format!("{path}.persistentVolumeClaim.claimName"),
                claim,
                why,
            );
        }
    }
    known
}

fn source(errors: &mut Errors, volume: &Value, path: &str, pod: &str) {
    let mut found = false;
    for key in SOURCES {
        let inside = &volume[key];
        if !inside.is_object() {
            continue;
        }
        if found {
            // Two names are misspelt in the server.
            let key = match key {
                "cephfs" => "cephFS",
                "downwardAPI" => "downwarAPI",
                key => key,
            };
            let why = "may not specify more than 1 volume type";
            errors.forbidden(format!("{path}.{key}"), why);
        } else {
            found = true;
            one(errors, key, inside, path, volume, pod);
        }
        if key == "iscsi" {
            network::iscsi_name(errors, inside, path, text(volume, "name"));
        }
    }
    if !found {
        errors.required(path, "must specify a volume type");
    }
}

fn one(errors: &mut Errors, key: &str, inside: &Value, path: &str, volume: &Value, pod: &str) {
    let at = format!("{path}.{key}");
    match key {
        "emptyDir" => files::empty_dir(errors, inside, &at),
        "hostPath" => files::host_path(errors, inside, &at),
        "gitRepo" => files::git_repo(errors, inside, &at),
        "secret" => files::keys(errors, inside, &at, "secretName"),
        "configMap" => files::keys(errors, inside, &at, "name"),
        "downwardAPI" => files::downward_api(errors, inside, &at),
        "image" => files::image(errors, inside, &at),
        "projected" => projected::all(errors, inside, &at),
        "csi" => claim::csi(errors, inside, &at),
        "ephemeral" => claim::ephemeral(errors, volume, path, pod),
        _ => network::source(errors, key, inside, path),
    }
}

/// Checks the mode of a file.
fn mode(errors: &mut Errors, object: &Value, path: &str, key: &str) {
    let mode = object[key].as_i64();
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        let why = "must be a number between 0 and 0777 (octal), both inclusive";
        errors.invalid(format!("{path}.{key}"), mode, why);
    }
}

/// Reports each of these texts that is empty.
fn required(errors: &mut Errors, object: &Value, path: &str, keys: &[&str]) {
    for key in keys {
        if text(object, key).is_empty() {
            errors.required(format!("{path}.{key}"), "");
        }
    }
}

/// Checks a path that must stay below the directory that it begins in.
pub fn descending(errors: &mut Errors, target: &str, path: &str) {
    if target.starts_with('/') {
        errors.invalid(path, target, "must be a relative path");
    }
    no_backsteps(errors, target, path);
}

/// Checks that a path has no `..`.
pub fn no_backsteps(errors: &mut Errors, target: &str, path: &str) {
    if has_backsteps(target) {
        errors.invalid(path, target, "must not contain '..'");
    }
}

/// Whether a path has `..`.
pub fn has_backsteps(target: &str) -> bool {
    target.split('/').any(|part| part == "..")
}

/// Checks a path that must stay below its directory, whose first name must not begin with `..`,
/// because such names are the kubelet's.
fn not_reserved(errors: &mut Errors, target: &str, path: &str) {
    descending(errors, target, path);
    if target.starts_with("..") && !target.starts_with("../") {
        errors.invalid(path, target, "must not start with '..'");
    }
}
