//! The form of an object in a resource. Only events have more than one: both of their resources
//! share the objects, which are stored in the older form.

use serde_json::Value;

use super::events;
use super::resource::{self, Resource};

/// An object as an answer has it: with `kind` and `apiVersion`, in the form of this resource.
pub fn shown(resource: &Resource, object: &Value) -> Value {
    named(resource, item(resource, object))
}

/// As [`shown`], for an object that is already in the form of this resource.
pub fn shown_as_is(resource: &Resource, object: &Value) -> Value {
    named(resource, object.clone())
}

fn named(resource: &Resource, mut object: Value) -> Value {
    object["kind"] = resource.kind.into();
    object["apiVersion"] = resource.api_version().into();
    object
}

/// An object as a list has it: without `kind` and `apiVersion`, in the form of this resource.
pub fn item(resource: &Resource, object: &Value) -> Value {
    if *resource == resource::NEW_EVENTS {
        events::to_new(object)
    } else {
        object.clone()
    }
}

/// An object in the form in which it is stored.
pub fn stored(resource: &Resource, object: Value) -> Value {
    if *resource == resource::NEW_EVENTS {
        events::to_old(&object)
    } else {
        object
    }
}
