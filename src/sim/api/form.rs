//! The form of an object in a resource. Only events have more than one: both of their resources
//! share the objects, which are stored in the older form.

use std::sync::Arc;

use serde_json::Value;

use super::events;
use super::resource::{self, Resource};
use super::store::{Store, encoded};

/// A stored object as the JSON of a list's item: without `kind` and `apiVersion`, in the form of
/// this resource.
pub fn item_text(store: &Store, resource: &Resource, object: &Value) -> Arc<str> {
    if *resource == resource::NEW_EVENTS {
        encoded(&events::to_new(object)).into()
    } else {
        store.text(object, resource)
    }
}

/// A stored object as the JSON of an answer: with `kind` and `apiVersion`, in the form of this
/// resource.
pub fn shown_text(store: &Store, resource: &Resource, object: &Value) -> String {
    named_text(resource, &item_text(store, resource, object))
}

/// Puts `kind` and `apiVersion` in front of the other members, of which there is one at least.
pub fn named_text(resource: &Resource, item: &str) -> String {
    let (kind, version) = (resource.kind, resource.api_version());
    let members = &item[1..];
    format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",{members}")
}

/// An object as an answer has it: with `kind` and `apiVersion`, in the form of this resource.
pub fn shown(resource: &Resource, object: &Value) -> Value {
    if *resource == resource::NEW_EVENTS {
        named_as(resource, events::to_new(object))
    } else {
        shown_as_is(resource, object)
    }
}

/// As [`shown`], for an object that is already in the form of this resource.
pub fn shown_as_is(resource: &Resource, object: &Value) -> Value {
    named_as(resource, object.clone())
}

/// An object, or a part of it, with `kind` and `apiVersion`.
pub fn named_as(resource: &Resource, mut object: Value) -> Value {
    object["kind"] = resource.kind.into();
    object["apiVersion"] = resource.api_version().into();
    object
}

/// A stored object as it is read: without `kind` and `apiVersion`, in the form of this resource.
pub fn item(resource: &Resource, object: &Arc<Value>) -> Arc<Value> {
    if *resource == resource::NEW_EVENTS {
        Arc::new(events::to_new(object))
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
