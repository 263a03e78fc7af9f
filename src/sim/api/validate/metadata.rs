//! The rules of metadata. Left out: managedFields, and fields that the server sets itself before it
//! checks them.

use serde_json::Value;

use super::errors::Errors;
use super::fields::{each, text, texts};
use super::names::{self, Rule};

/// The names that a kind may have.
#[derive(Clone, Copy, PartialEq)]
pub enum NameRule {
    /// A DNS label.
    Label,
    /// A DNS subdomain.
    Subdomain,
    /// Any name that fits into a path.
    Path,
}

impl NameRule {
    fn rule(self) -> Rule {
        match self {
            NameRule::Label => names::dns_label,
            NameRule::Subdomain => names::dns_subdomain,
            NameRule::Path => names::path_segment,
        }
    }
}

/// Checks the metadata of a new object.
pub fn create(errors: &mut Errors, object: &Value, namespaced: bool, names: NameRule) {
    let metadata = &object["metadata"];
    let rule = names.rule();
    let prefix = text(metadata, "generateName");
    if !prefix.is_empty() {
        let masked = match names {
            NameRule::Path => prefix.to_owned(),
            _ => names::masked(prefix),
        };
        errors.all_invalid("metadata.generateName", prefix, rule(&masked));
    }
    let name = text(metadata, "name");
    if name.is_empty() {
        errors.required("metadata.name", "name or generateName is required");
    } else {
        errors.all_invalid("metadata.name", name, rule(name));
    }
    let namespace = text(metadata, "namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => errors.required("metadata.namespace", ""),
        (true, false) => {
            let wrong = names::dns_label(namespace);
            errors.all_invalid("metadata.namespace", namespace, wrong);
        }
        (false, false) => errors.forbidden("metadata.namespace", "not allowed on this type"),
        (false, true) => {}
    }
    common(errors, metadata);
    finalizers(errors, metadata);
}

/// Checks the metadata of a new object, and that its finalizers are known or qualified. The server
/// does not require that of Leases and of the older form of events.
pub fn create_strictly(errors: &mut Errors, object: &Value, namespaced: bool, names: NameRule) {
    create(errors, object, namespaced, names);
    standard_finalizers(errors, &object["metadata"]);
}

/// Checks the metadata of an update, and its finalizers as [`create_strictly`].
pub fn update_strictly(errors: &mut Errors, new: &Value, old: &Value) {
    update(errors, new, old);
    standard_finalizers(errors, &new["metadata"]);
}

/// Checks the metadata of an update.
pub fn update(errors: &mut Errors, new: &Value, old: &Value) {
    let (new, old) = (&new["metadata"], &old["metadata"]);
    if old["deletionTimestamp"].is_string() {
        let names = |object: &Value| -> Vec<String> {
            let all = object["finalizers"].as_array().into_iter().flatten();
            all.filter_map(|f| f.as_str().map(str::to_owned)).collect()
        };
        let known = names(old);
        let mut added = names(new);
        added.retain(|f| !known.contains(f));
        added.sort();
        added.dedup();
        if !added.is_empty() {
            // The list is printed as Go source.
            let list: Vec<_> = added.iter().map(|f| format!("\"{f}\"")).collect();
            let list = list.join(", ");
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{list}}}"
            );
            errors.forbidden("metadata.finalizers", &why);
        }
    }
    errors.immutable("metadata.name", new, old, "name");
    errors.immutable("metadata.namespace", new, old, "namespace");
    // What is stored was checked when it came.
    let checked = ["labels", "annotations", "ownerReferences"];
    if checked.iter().any(|key| new[*key] != old[*key]) {
        common(errors, new);
    }
}

/// Checks the fields that no update may change. The server has these rules as declarations, and
/// checks declarations last.
pub fn fixed(errors: &mut Errors, new: &Value, old: &Value) {
    for key in ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let field = format!("metadata.{key}");
        errors.immutable(&field, &new["metadata"], &old["metadata"], key);
    }
}

fn common(errors: &mut Errors, metadata: &Value) {
    labels(errors, metadata, "metadata.labels", "labels");
    annotations(errors, metadata, "metadata.annotations");
    owners(errors, metadata);
}

/// Checks the labels under `key`.
pub fn labels(errors: &mut Errors, object: &Value, path: &str, key: &str) {
    for (key, value) in texts(object, key) {
        errors.all_invalid(path, key, names::label_key(key));
        errors.all_invalid(path, value, names::label_value(value));
    }
}

/// Checks the annotations of some metadata.
pub fn annotations(errors: &mut Errors, metadata: &Value, path: &str) {
    annotations_in(errors, metadata, path, "annotations");
}

/// Checks the annotations under `key`.
pub fn annotations_in(errors: &mut Errors, object: &Value, path: &str, key: &str) {
    const MOST: usize = 256 * 1024;
    let all = texts(object, key);
    for (key, _) in &all {
        errors.all_invalid(path, key, names::label_key(&key.to_lowercase()));
    }
    if all.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>() > MOST {
        errors.too_long(path, MOST);
    }
}

fn owners(errors: &mut Errors, metadata: &Value) {
    const PATH: &str = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    for (path, owner) in each(metadata, "metadata", "ownerReferences") {
        let version = text(owner, "apiVersion");
        let (kind, name) = (text(owner, "kind"), text(owner, "name"));
        if !version.is_empty() && (version.matches('/').count() > 1 || version.ends_with('/')) {
            let why = "must be <group>/<version> or <version>";
            errors.invalid(format!("{path}.apiVersion"), version, why);
        }
        for key in ["apiVersion", "kind", "name", "uid"] {
            if text(owner, key).is_empty() {
                errors.required(format!("{path}.{key}"), "must not be empty");
            }
        }
        if version == "v1" && kind == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.invalid(path, owner.clone(), why);
        }
        if owner["controller"] == true {
            let this = format!("{kind}/{name}");
            match &controller {
                Some(first) => {
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} \
                         and {this}"
                    );
                    errors.invalid(PATH, metadata["ownerReferences"].clone(), &why);
                }
                None => controller = Some(this),
            }
        }
    }
}

fn finalizers(errors: &mut Errors, metadata: &Value) {
    const PATH: &str = "metadata.finalizers";
    let all = each(metadata, "metadata", "finalizers");
    for (_, finalizer) in &all {
        let name = finalizer.as_str().unwrap_or_default();
        errors.all_invalid(PATH, name, names::label_key(name));
    }
    let has = |name: &str| all.iter().any(|(_, f)| f.as_str() == Some(name));
    if has("foregroundDeletion") && has("orphan") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.invalid(PATH, metadata["finalizers"].clone(), why);
    }
}

/// Checks finalizers without a prefix: only Kubernetes' own are allowed.
fn standard_finalizers(errors: &mut Errors, metadata: &Value) {
    for (path, finalizer) in each(metadata, "metadata", "finalizers") {
        let name = finalizer.as_str().unwrap_or_default();
        if !is_standard_finalizer(name) {
            const WHY: &str = "name is neither a standard finalizer name nor is it fully qualified";
            errors.invalid(path, name, WHY);
        }
    }
}

/// Whether a finalizer has a prefix, or is one of Kubernetes' own.
pub fn is_standard_finalizer(name: &str) -> bool {
    name.contains('/') || matches!(name, "kubernetes" | "orphan" | "foregroundDeletion")
}
