//! Strategic merge patches: merges objects, and the lists in them.

use serde_json::Value;

use super::super::status::{ApiStatus, Result};
use super::directives::{
    DELETE, DIRECTIVE, ORDER, RETAIN, named, unknown, without_directives, without_directives_in,
};
use super::lists;
use super::refusal::internal;
use super::say::{self, Object};
use super::schema::{Merging, Type};

/// Merges a patch into the original.
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
            // There is no list to delete from.
            None if deletes => None,
            Some(old) if deletes && say::go_type(&old) != say::go_type(&value) => Some(old),
            Some(Value::Object(old)) if value.is_object() => {
                let value = into_object(value);
                Some(merge(old, value, of.field(key).map_err(internal)?)?.into())
            }
            Some(Value::Array(old)) if value.is_array() => {
                let how = of.list(key).map_err(internal)?;
                let value = into_array(value);
                Some(merge_lists(old, value, how, deletes)?.into())
            }
            _ => without_directives(without_nulls(value)),
        };
        original.extend(added.map(|value| (key.to_owned(), value)));
    }
    Ok(original)
}

/// Merges a patch's list into a list. If `deletes`, the patch is a list of deletions, which are
/// carried out.
fn merge_lists(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    how: Merging,
    deletes: bool,
) -> Result<Vec<Value>> {
    merge_in_place(&mut original, patch, how, deletes)
}

/// As [`merge_lists`], and leaves the original as upstream does.
///
/// Upstream merges into the array that it reads: a deleted element makes those behind it move up,
/// and new elements take the free places at the end. `$setElementOrder`, which reads the original
/// afterwards for the former order, sees that.
fn merge_in_place(
    original: &mut [Value],
    patch: Vec<Value>,
    how: Merging,
    deletes: bool,
) -> Result<Vec<Value>> {
    if !how.merged && !deletes {
        return Ok(patch);
    }
    if original.is_empty() && patch.is_empty() {
        return Ok(Vec::new());
    }
    if lists::element_type(&[original, &patch])? != say::go_type(&Value::Object(Object::new())) {
        let mut both = original.to_vec();
        if deletes {
            both.retain(|item| !patch.contains(item));
            return Ok(both);
        }
        both.extend(patch.iter().cloned());
        return lists::order(lists::deduplicated(both), &patch, original, how.key);
    }
    if how.key.is_empty() {
        let of = if how.merged { "string" } else { "struct" };
        let why = format!("cannot merge lists without merge key for {of}");
        return Err(internal(why));
    }
    let (old, patch) = lists::directed(original, patch, how.key)?;
    let mut merged = old.clone();
    for item in &patch {
        let item = lists::members(item)?;
        match lists::position(&merged, how.key, lists::key_of(item, how.key)?)? {
            Some(at) => {
                let old = lists::members(&merged[at])?.clone();
                merged[at] = merge(old, item.clone(), how.of)?.into();
            }
            None => {
                if let Some(free) = original.get_mut(merged.len()) {
                    *free = item.clone().into();
                }
                merged.push(item.clone().into());
            }
        }
    }
    lists::order(merged, &patch, &old, how.key)
}

/// Applies `$retainKeys`: removes all other members of the original; the patch must not have
/// others.
fn retain(original: &mut Object, patch: &mut Object) -> Result<()> {
    let Some(keys) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let bad = || ApiStatus::bad_request("invalid patch format of retainKeys");
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

/// Applies every `$setElementOrder`, and the list that it is for, which is removed from the patch.
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
            (Some(old), Some(new)) => merge_in_place(old, new, how, false)?,
        };
        let old = old.unwrap_or_default();
        lists::element_type(&[&old, &new.unwrap_or_default()])?;
        let ordered = lists::order(merged, &order, &old, how.key)?;
        original.insert(name.to_owned(), ordered.into());
        patch.remove(name);
    }
    Ok(())
}

fn list_of(members: &Object, name: &str) -> Result<Option<Vec<Value>>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items.clone())),
        Some(other) => Err(no_list(other)),
    }
}

fn no_list(value: &Value) -> ApiStatus {
    let got = say::go_type(value);
    internal(format!("expected a []interface {{}}, but received a {got}"))
}

/// Removes nulls from a new value, where they would delete something that does not exist.
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
