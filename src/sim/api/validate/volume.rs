//! The rules of volumes and mounts. Left out: the insides of sources other than host paths, secrets
//! and config maps; sub-paths and mount propagation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, text};
use super::names;

/// The names of the valid volumes.
pub type Volumes<'a> = BTreeSet<&'a str>;

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

/// The types of a host path.
const HOST_PATHS: [&str; 8] = [
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
];

/// Checks the volumes of a pod. Returns the valid ones.
pub fn all<'a>(errors: &mut Errors, spec: &'a Value, path: &str) -> Volumes<'a> {
    let mut known = Volumes::new();
    for (path, volume) in each(spec, path, "volumes") {
        let before = errors.len();
        source(errors, volume, &path);
        let name = text(volume, "name");
        let at = format!("{path}.name");
        if name.is_empty() {
            errors.required(&at, "");
        } else {
            errors.all_invalid(&at, name, names::dns_label(name));
        }
        if known.contains(name) {
            errors.duplicate(at, name, "");
        }
        if errors.len() == before {
            known.insert(name);
        }
    }
    known
}

fn source(errors: &mut Errors, volume: &Value, path: &str) {
    let mut given = SOURCES.into_iter().filter(|s| volume[s].is_object());
    let Some(first) = given.next() else {
        return errors.required(path, "must specify a volume type");
    };
    let inside = &volume[first];
    match first {
        "hostPath" => {
            let at = format!("{path}.hostPath.path");
            let target = text(inside, "path");
            if target.is_empty() {
                return errors.required(at, "");
            }
            let kind = text(inside, "type");
            if !HOST_PATHS.contains(&kind) {
                let at = format!("{path}.hostPath.type");
                errors.not_supported(at, kind, &HOST_PATHS);
            }
            if target.split('/').any(|part| part == "..") {
                errors.invalid(at, target, "must not contain '..'");
            }
        }
        "secret" if text(inside, "secretName").is_empty() => {
            errors.required(format!("{path}.secret.secretName"), "");
        }
        "configMap" if text(inside, "name").is_empty() => {
            errors.required(format!("{path}.configMap.name"), "");
        }
        _ => {}
    }
    for another in given {
        let why = "may not specify more than 1 volume type";
        errors.forbidden(format!("{path}.{another}"), why);
    }
}

/// Checks the mounts of a container.
pub fn mounts(errors: &mut Errors, container: &Value, path: &str, volumes: &Volumes) {
    let mut taken = BTreeSet::new();
    for (path, mount) in each(container, path, "volumeMounts") {
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        let (at_name, at_path) = (format!("{path}.name"), format!("{path}.mountPath"));
        if name.is_empty() {
            errors.required(&at_name, "");
        }
        if !volumes.contains(name) {
            errors.not_found(at_name, name);
        }
        if target.is_empty() {
            errors.required(&at_path, "");
        }
        if !taken.insert(target) {
            errors.invalid(at_path, target, "must be unique");
        }
    }
}
