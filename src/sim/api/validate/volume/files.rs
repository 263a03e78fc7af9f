//! Volumes of files that the node makes or has: directories, keys of objects, fields of the pod,
//! images.

use serde_json::Value;

use super::{descending, mode, no_backsteps, not_reserved, required};
use crate::model::quantity::billionths;
use crate::sim::api::validate::errors::Errors;
use crate::sim::api::validate::fields::{each, present, text};
use crate::sim::api::validate::references::{self, Place};

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

/// Checks an empty directory.
pub fn empty_dir(errors: &mut Errors, inside: &Value, path: &str) {
    if billionths(text(inside, "sizeLimit")).is_some_and(|size| size < 0) {
        let why = "SizeLimit field must be a valid resource quantity";
        errors.forbidden(format!("{path}.sizeLimit"), why);
    }
}

/// Checks a path of the node.
pub fn host_path(errors: &mut Errors, inside: &Value, path: &str) {
    let at = format!("{path}.path");
    let target = text(inside, "path");
    if target.is_empty() {
        return errors.required(at, "");
    }
    no_backsteps(errors, target, &at);
    let kind = text(inside, "type");
    if !HOST_PATHS.contains(&kind) {
        errors.not_supported(format!("{path}.type"), kind, &HOST_PATHS);
    }
}

/// Checks a clone of a repository.
pub fn git_repo(errors: &mut Errors, inside: &Value, path: &str) {
    required(errors, inside, path, &["repository"]);
    let directory = format!("{path}.directory");
    descending(errors, text(inside, "directory"), &directory);
}

/// Checks the files of an image.
pub fn image(errors: &mut Errors, inside: &Value, path: &str) {
    required(errors, inside, path, &["reference"]);
    let policy = text(inside, "pullPolicy");
    let policies = ["Always", "IfNotPresent", "Never"];
    errors.one_of(format!("{path}.pullPolicy"), policy, &policies);
}

/// Checks a volume of the keys of a Secret or ConfigMap, whose name is under `name`.
pub fn keys(errors: &mut Errors, inside: &Value, path: &str, name: &str) {
    required(errors, inside, path, &[name]);
    mode(errors, inside, path, "defaultMode");
    for (path, item) in each(inside, path, "items") {
        key(errors, item, &path);
    }
}

/// Checks one key, and where its file is.
pub fn key(errors: &mut Errors, item: &Value, path: &str) {
    required(errors, item, path, &["key", "path"]);
    not_reserved(errors, text(item, "path"), &format!("{path}.path"));
    mode(errors, item, path, "mode");
}

/// Checks a volume of fields of the pod.
pub fn downward_api(errors: &mut Errors, inside: &Value, path: &str) {
    mode(errors, inside, path, "defaultMode");
    for (_, item) in each(inside, path, "items") {
        // The server does not say which item it is.
        field_of_pod(errors, item, path);
    }
}

/// Checks a file with a field of the pod.
pub fn field_of_pod(errors: &mut Errors, item: &Value, path: &str) {
    required(errors, item, path, &["path"]);
    not_reserved(errors, text(item, "path"), &format!("{path}.path"));
    let resource = present(item, "resourceFieldRef");
    match (present(item, "fieldRef"), resource) {
        (Some(field), resource) => {
            references::field(errors, field, &format!("{path}.fieldRef"), Place::Volume);
            if resource.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.invalid(path, "resource", why);
            }
        }
        (None, Some(resource)) => {
            let at = format!("{path}.resourceFieldRef");
            references::resource(errors, resource, &at, Place::Volume);
        }
        (None, None) => errors.required(path, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(errors, item, path, "mode");
}
