//! Finalizers: they hold an object that is terminating, those of `spec.finalizers` a namespace.

use serde_json::Value;

use super::resource::{self, Resource};

/// The garbage collector deletes the dependents first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The garbage collector orphans the dependents first.
pub const ORPHAN: &str = "orphan";

/// Whether an object has finalizers.
pub fn has_finalizers(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|list| !list.is_empty())
}

/// Whether a namespace still waits for its controller.
pub fn has_content(namespace: &Value) -> bool {
    namespace["spec"]["finalizers"]
        .as_array()
        .is_some_and(|l| !l.is_empty())
}

/// Whether this write of a terminating object removes the last thing that held it.
pub fn can_be_removed(resource: &Resource, old: &Value, object: &Value) -> bool {
    old["metadata"]["deletionTimestamp"].is_string()
        && old["metadata"]["deletionGracePeriodSeconds"]
            .as_i64()
            .unwrap_or(0)
            == 0
        && !has_finalizers(object)
        && !(*resource == resource::NAMESPACES && has_content(object))
}
