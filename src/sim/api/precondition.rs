//! Preconditions of writes: a namespace that accepts new objects, and the object that its sender
//! saw.

use serde_json::{Value, json};

use super::core::Core;
use super::fields::name;
use super::path::Target;
use super::resource::{self, Resource};
use super::status::{ApiStatus, Result};

/// Refuses creates in a namespace that does not exist or is terminating.
pub fn check_namespace(
    core: &Core,
    resource: &Resource,
    namespace: &str,
    object: &Value,
) -> Result<()> {
    let Some(found) = core.store.get(&resource::NAMESPACES, "", namespace) else {
        return Err(ApiStatus::not_found(&resource::NAMESPACES, namespace));
    };
    if found["status"]["phase"] != "Terminating" {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    // An object without a name yet is named by its `generateName`.
    let name = match name(object) {
        "" => object["metadata"]["generateName"]
            .as_str()
            .unwrap_or_default(),
        name => name,
    };
    let mut status = ApiStatus::forbidden(resource, name, &why);
    status.details["causes"] = json!([{
        "reason": "NamespaceTerminating", "message": format!("namespace {namespace} is being terminated"), "field": "metadata.namespace",
    }]);
    Err(status)
}

/// The refusal of a write for another object of this name, or another version of it. `what` is the
/// field that differs, with the values sent and stored.
pub fn precondition_failed(
    target: &Target,
    name: &str,
    what: &str,
    (sent, is): (&str, &str),
) -> ApiStatus {
    // The message has the key in etcd, where nodes are still called minions.
    let plural = match *target.resource == resource::NODES {
        true => "minions",
        false => target.resource.plural,
    };
    let key = match target.namespace.as_str() {
        "" => format!("/registry/{plural}/{name}"),
        namespace => format!("/registry/{plural}/{namespace}/{name}"),
    };
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: \
         {what} in precondition: {sent}, {what} in object meta: {is}"
    );
    ApiStatus::conflict(target.resource, name, &why)
}
