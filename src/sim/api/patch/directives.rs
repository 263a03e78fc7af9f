//! Strategic merge patches: the members that direct the merge instead of being data.

use serde_json::Value;

use super::super::status::{ApiStatus, Result};
use super::refusal::internal;
use super::say::{self, Object};

/// Directs the merge of the map or list element that contains it.
pub const DIRECTIVE: &str = "$patch";
/// The list of members that stay; all others are removed.
pub const RETAIN: &str = "$retainKeys";
/// Before `/` and the name of a list: the texts to remove from it.
pub const DELETE: &str = "$deleteFromPrimitiveList";
/// Before `/` and the name of a list: its order.
pub const ORDER: &str = "$setElementOrder";

/// The list's name in a member like `$setElementOrder/containers`. None if it is another kind of
/// member.
pub fn named<'a>(key: &'a str, directive: &str, bad: &str) -> Result<Option<&'a str>> {
    match key
        .strip_prefix(directive)
        .map(|rest| rest.strip_prefix('/'))
    {
        None => Ok(None),
        Some(Some(name)) => Ok(Some(name)),
        Some(None) => Err(ApiStatus::bad_request(bad)),
    }
}

/// The refusal of a `$patch` with an unknown value.
pub fn unknown(directive: &Value, patch: &Object) -> ApiStatus {
    internal(format!(
        "unknown patch type: {} in map: {}",
        say::value(directive),
        say::map(patch)
    ))
}

/// The value without the maps in it that are directives. None if the value itself is a directive.
pub fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(members) if members.contains_key(DIRECTIVE) => None,
        Value::Object(members) => Some(Value::Object(
            members
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_directives(value)?)))
                .collect(),
        )),
        Value::Array(items) => Some(without_directives_in(items).into()),
        other => Some(other),
    }
}

/// As [`without_directives`], of a list.
pub fn without_directives_in(items: Vec<Value>) -> Vec<Value> {
    items.into_iter().filter_map(without_directives).collect()
}
