//! Strategic merge patches: objects. What becomes of lists is in `lists`.

use serde_json::Value;

use super::super::status::{Result, Status};
use super::schema::Type;
use super::{Object, internal, lists, say};

/// Directs the map or list element it is in.
pub const DIRECTIVE: &str = "$patch";
/// Says which members stay.
const RETAIN: &str = "$retainKeys";
/// Before `/` and the name of a list: texts to take out of it.
const DELETE: &str = "$deleteFromPrimitiveList";
/// Before `/` and the name of a list: how it is to be ordered.
const ORDER: &str = "$setElementOrder";

/// The original with the patch merged into it.
pub fn merge(mut original: Object, mut patch: Object, of: &'static Type) -> Result<Object> {
    match patch.get(DIRECTIVE).map(|d| (d.as_str(), d)) {
        None => {}
        Some((Some("replace"), _)) => {
            patch.remove(DIRECTIVE);
            return Ok(patch);
        }
        Some((Some("delete"), _)) => return Ok(Object::new()),
        Some((_, directive)) => return Err(unknown(directive, &patch)),
    }
    retain(&mut original, &mut patch)?;
    order(&mut original, &mut patch, of)?;
    for (key, value) in patch {
        let listed = named(&key, DELETE, "invalid patch format of primitive list")?;
        let (key, deletes) = (listed.unwrap_or(&key), listed.is_some());
        if value.is_null() {
            original.remove(key);
            continue;
        }
        let added = match original.remove(key) {
            // Nothing to take anything out of.
            None if deletes => None,
            Some(old) if deletes && say::go_type(&old) != say::go_type(&value) => Some(old),
            Some(Value::Object(old)) if value.is_object() => {
                let value = into_object(value);
                Some(merge(old, value, of.field(key).map_err(internal)?)?.into())
            }
            Some(Value::Array(old)) if value.is_array() => {
                let how = of.list(key).map_err(internal)?;
                let value = into_array(value);
                Some(lists::merge(old, value, how, deletes)?.into())
            }
            _ => without_directives(without_nulls(value)),
        };
        original.extend(added.map(|value| (key.to_owned(), value)));
    }
    Ok(original)
}

/// Applies `$retainKeys`: all other members of the original go, and the patch must not have others.
fn retain(original: &mut Object, patch: &mut Object) -> Result<()> {
    let Some(keys) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let bad = || Status::bad_request("invalid patch format of retainKeys");
    let keys = keys.as_array().ok_or_else(bad)?;
    let retained = |key: &str| keys.iter().any(|k| k.as_str() == Some(key));
    for (key, value) in &*patch {
        let free = value.is_null() || key.starts_with(DELETE) || key.starts_with(ORDER);
        if !free && !retained(key) {
            return Err(bad());
        }
    }
    original.retain(|key, _| retained(key));
    Ok(())
}

/// Applies every `$setElementOrder`, together with the list it is for, which leaves the patch.
fn order(original: &mut Object, patch: &mut Object, of: &'static Type) -> Result<()> {
    let directives: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let order = match patch.remove(&directive) {
            Some(Value::Array(order)) => order,
            other => return Err(no_list(&other.unwrap_or_default())),
        };
        const BAD: &str = "invalid patch format of setElementOrder list";
        let Some(name) = named(&directive, ORDER, BAD)? else {
            continue;
        };
        let mut old = list_of(original, name)?;
        let new = list_of(patch, name)?;
        let how = of.list(name).map_err(internal)?;
        lists::check_order(new.as_deref().unwrap_or_default(), &order, how.key)?;
        let merged = match (&mut old, new.clone()) {
            (None, None) => continue,
            (Some(old), None) => old.clone(),
            (None, Some(new)) => without_directives_in(new),
            (Some(old), Some(new)) => lists::merge_in_place(old, new, how, false)?,
        };
        let old = old.unwrap_or_default();
        lists::element_type(&[&old, &new.unwrap_or_default()])?;
        let ordered = lists::order(merged, &order, &old, how.key)?;
        original.insert(name.to_owned(), ordered.into());
        patch.remove(name);
    }
    Ok(())
}

/// The list's name in a member like `$setElementOrder/containers`. None if it is another kind of member.
fn named<'a>(key: &'a str, directive: &str, bad: &str) -> Result<Option<&'a str>> {
    match key
        .strip_prefix(directive)
        .map(|rest| rest.strip_prefix('/'))
    {
        None => Ok(None),
        Some(Some(name)) => Ok(Some(name)),
        Some(None) => Err(Status::bad_request(bad)),
    }
}

fn list_of(members: &Object, name: &str) -> Result<Option<Vec<Value>>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => Err(no_list(other)),
    }
}

fn no_list(value: &Value) -> Status {
    let got = say::go_type(value);
    internal(format!("expected a []interface {{}}, but received a {got}"))
}

/// A `$patch` that means nothing.
pub fn unknown(directive: &Value, patch: &Object) -> Status {
    internal(format!(
        "unknown patch type: {} in map: {}",
        say::value(directive),
        say::map(patch)
    ))
}

/// What is new is taken as it is, but nulls in it would delete what is not there.
fn without_nulls(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            for value in members.values_mut() {
                *value = without_nulls(value.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_nulls(item.take());
            }
        }
        _ => {}
    }
    value
}

/// The value without the maps in it that are directives. None if it is one itself.
fn without_directives(value: Value) -> Option<Value> {
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

fn without_directives_in(items: Vec<Value>) -> Vec<Value> {
    items.into_iter().filter_map(without_directives).collect()
}

fn into_object(value: Value) -> Object {
    match value {
        Value::Object(members) => members,
        _ => Object::new(),
    }
}

fn into_array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}
