//! The rules of mounts of volumes, as directories and as devices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, text};
use super::volume::{self, Volumes};

/// The paths under `list` of a container by the name of their volume. As in the server, a later
/// path takes the place of an earlier one of the same volume.
fn paths_by_name<'a>(container: &'a Value, list: &str, key: &str) -> BTreeMap<&'a str, &'a str> {
    let all = each(container, "", list).into_iter();
    all.map(|(_, item)| (text(item, "name"), text(item, key)))
        .collect()
}

/// Checks `volumeMounts` of a container.
pub fn mounts(errors: &mut Errors, container: &Value, path: &str, volumes: &Volumes) {
    let list = format!("{path}.volumeMounts");
    let devices = paths_by_name(container, "volumeDevices", "devicePath");
    let privileged = container["securityContext"]["privileged"] == true;
    let mut taken = BTreeSet::new();
    for (path, mount) in each(container, path, "volumeMounts") {
        let (name, target) = (text(mount, "name"), text(mount, "mountPath"));
        let (at_name, at_path) = (format!("{path}.name"), format!("{path}.mountPath"));
        if name.is_empty() {
            errors.required(&at_name, "");
        }
        if !volumes.contains_key(name) {
            errors.not_found(&at_name, name);
        }
        if target.is_empty() {
            errors.required(&at_path, "");
        }
        if !taken.insert(target) {
            errors.invalid(&at_path, target, "must be unique");
        }
        if devices.contains_key(name) {
            let why = "must not already exist in volumeDevices";
            errors.invalid(at_name, name, why);
        }
        if devices.values().any(|device| *device == target) {
            let why = "must not already exist as a path in volumeDevices";
            errors.invalid(at_path, target, why);
        }
        sub_paths(errors, mount, &path, &list);
        propagation(errors, mount, &list, privileged);
        recursively_read_only(errors, mount, &list);
    }
}

/// Checks paths below the volume. The server names the list, not the mount, in most of the errors.
fn sub_paths(errors: &mut Errors, mount: &Value, path: &str, list: &str) {
    let (plain, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
    if !plain.is_empty() {
        volume::descending(errors, plain, &format!("{list}.subPath"));
    }
    if !expression.is_empty() {
        if !plain.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            errors.invalid(format!("{path}.subPathExpr"), expression, why);
        }
        volume::descending(errors, expression, &format!("{list}.subPathExpr"));
    }
}

fn propagation(errors: &mut Errors, mount: &Value, list: &str, privileged: bool) {
    let at = format!("{list}.mountPropagation");
    let known = ["Bidirectional", "HostToContainer", "None"];
    errors.known(&at, &mount["mountPropagation"], &known);
    if mount["mountPropagation"] == "Bidirectional" && !privileged {
        let why = "Bidirectional mount propagation is available only to privileged containers";
        errors.forbidden(at, why);
    }
}

fn recursively_read_only(errors: &mut Errors, mount: &Value, list: &str) {
    let at = format!("{list}.recursiveReadOnly");
    match mount["recursiveReadOnly"].as_str() {
        None | Some("Disabled") => {}
        Some("Enabled" | "IfPossible") => {
            if mount["readOnly"] != true {
                errors.forbidden(&at, "may only be specified when readOnly is true");
            }
            let propagation = mount["mountPropagation"].as_str();
            if propagation.is_some_and(|propagation| propagation != "None") {
                let why = "may only be specified when mountPropagation is None or not specified";
                errors.forbidden(at, why);
            }
        }
        Some(other) => errors.not_supported(at, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

/// Checks `volumeDevices` of a container.
pub fn devices(errors: &mut Errors, container: &Value, path: &str, volumes: &Volumes) {
    let mounts = paths_by_name(container, "volumeMounts", "mountPath");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (path, device) in each(container, path, "volumeDevices") {
        let (name, target) = (text(device, "name"), text(device, "devicePath"));
        let (at_name, at_path) = (format!("{path}.name"), format!("{path}.devicePath"));
        if name.is_empty() {
            errors.required(&at_name, "");
        }
        if names.contains(name) {
            errors.invalid(&at_name, name, "must be unique");
        }
        let claimed = |volume: &&&Value| {
            volume["persistentVolumeClaim"].is_object() || volume["ephemeral"].is_object()
        };
        match volumes.get(name) {
            None => errors.not_found(&at_name, name),
            Some(volume) if !claimed(&volume) => {
                let why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.invalid(&at_name, name, why);
            }
            Some(_) => {}
        }
        if target.is_empty() {
            errors.required(&at_path, "");
        }
        if paths.contains(target) {
            errors.invalid(&at_path, target, "must be unique");
        }
        if volume::has_backsteps(target) {
            errors.invalid(&at_path, target, "can not contain backsteps ('..')");
        } else {
            paths.insert(target);
        }
        if mounts.contains_key(name) {
            errors.invalid(at_name, name, "must not already exist in volumeMounts");
        }
        if mounts.values().any(|mount| *mount == target) {
            let why = "must not already exist as a path in volumeMounts";
            errors.invalid(at_path, target, why);
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
