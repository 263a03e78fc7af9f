//! What a write asks of its surroundings: a namespace that takes new objects, and the object that its sender saw.

use serde_json::Value;
use serde_json::json;

use super::core::Core;
use super::fields::name;
use super::path::Target;
use super::resource::{self, Resource};
use super::status::{ApiStatus, Result};

/// Nothing is created in a namespace that is gone or going.
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
    // What has no name yet goes by what its name will begin with.
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

/// The write is for another object of this name, or another state of it: `what` it names, and how that differs.
pub fn precondition_failed(
    target: &Target,
    name: &str,
    what: &str,
    (sent, is): (&str, &str),
) -> ApiStatus {
    // The server says the key in its own store, where nodes have their first name.
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
