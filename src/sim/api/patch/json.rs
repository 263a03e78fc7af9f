//! JSON patch (RFC 6902), as lenient as the API server's library.
//!
//! The library goes beyond the RFC: `replace`, `test` and `copy` read a missing member as null, an
//! absent `value` is null, and negative indices count from the end.

use serde_json::{Value, json};

use super::super::status::{ApiStatus, Result};
use super::refusal::rejected;
use super::say;

/// A patch with more operations is refused.
const MOST: usize = 10_000;

/// How many bytes the copies of a patch may have; each copy can double the object.
const MOST_COPIED: usize = 3 << 20;

/// How deep an object may become by a patch. What drops it calls itself for each level.
const MAX_DEPTH: usize = 255;

/// Applies all operations of a patch in order. If one fails, the whole patch fails.
pub fn apply(mut document: Value, patch: Value) -> Result<Value> {
    let bad = |value: &Value, into: &str| {
        let kind = say::json_kind(value);
        let why = format!("error decoding patch: json: cannot unmarshal {kind} into Go {into}");
        Err(ApiStatus::bad_request(why))
    };
    let operations = match patch {
        Value::Array(operations) => operations,
        Value::Null => return Ok(document),
        other => return bad(&other, "value of type []handlers.jsonPatchOp"),
    };
    for operation in &operations {
        if !operation.is_object() && !operation.is_null() {
            return bad(operation, "value of type handlers.jsonPatchOp");
        }
        for field in ["op", "path", "from"] {
            match &operation[field] {
                Value::String(_) | Value::Null => {}
                other => {
                    let into = format!("struct field jsonPatchOp.{field} of type string");
                    return bad(other, &into);
                }
            }
        }
    }
    if operations.len() > MOST {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {MOST}, got {}",
            operations.len()
        );
        return Err(ApiStatus::new(413, "RequestEntityTooLarge", message));
    }
    let mut copied = 0;
    for operation in &operations {
        one(&mut document, operation, &mut copied).ok_or_else(rejected)?;
    }
    Ok(document)
}

/// Applies one operation. None if it cannot be applied. `copied` counts the bytes of copies.
fn one(document: &mut Value, operation: &Value, copied: &mut usize) -> Option<()> {
    let op = operation["op"].as_str()?;
    let path = operation["path"].as_str()?;
    let value = &operation["value"];
    match op {
        "add" => Place::find(document, path)?.add(value.clone()),
        "remove" => Place::find(document, path)?.remove().map(drop),
        "replace" if path.is_empty() => {
            *document = Some(value)
                .filter(|v| v.is_object() || v.is_array())?
                .clone();
            Some(())
        }
        "replace" => Place::find(document, path)?.replace(value.clone()),
        "move" => {
            let moved = Place::find(document, operation["from"].as_str()?)?.remove()?;
            Place::find(document, path)?.add(moved)
        }
        "copy" => {
            let copy = Place::find(document, operation["from"].as_str()?)?.get()?;
            *copied += copy.to_string().len();
            if *copied > MOST_COPIED {
                return None;
            }
            Place::find(document, path)?.add(copy)
        }
        "test" if path.is_empty() => (document == value).then_some(()),
        "test" => (Place::find(document, path)?.get()? == *value).then_some(()),
        _ => None,
    }
}

/// The end of a path: the container, which exists, and the last key, which may be missing in it.
struct Place<'a> {
    container: &'a mut Value,
    key: String,
    /// How deep the container is nested, from 1.
    depth: usize,
}

impl<'a> Place<'a> {
    fn find(document: &'a mut Value, path: &str) -> Option<Place<'a>> {
        // There must be a slash; anything before the first one is ignored.
        let (_, path) = path.split_once('/')?;
        let mut keys: Vec<String> = path.split('/').map(unescaped).collect();
        let key = keys.pop()?;
        let depth = keys.len() + 1;
        let mut container = document;
        for key in keys {
            container = match container {
                Value::Object(members) => members.get_mut(&key)?,
                Value::Array(items) => {
                    let at = index(&key, items.len())?;
                    items.get_mut(at)?
                }
                _ => return None,
            };
        }
        Some(Place {
            container,
            key,
            depth,
        })
    }

    /// The value, or null if an object does not have it.
    fn get(&self) -> Option<Value> {
        match &*self.container {
            Value::Object(members) => Some(members.get(&self.key).cloned().unwrap_or(json!(null))),
            Value::Array(items) => items.get(index(&self.key, items.len())?).cloned(),
            _ => None,
        }
    }

    /// None where the value would be nested too deeply here.
    fn takes(&self, value: &Value) -> Option<()> {
        (self.depth + depth(value) <= MAX_DEPTH).then_some(())
    }

    fn add(self, value: Value) -> Option<()> {
        self.takes(&value)?;
        match self.container {
            Value::Object(members) => drop(members.insert(self.key, value)),
            Value::Array(items) if self.key == "-" => items.push(value),
            Value::Array(items) => {
                // The length is one more here, because negative indices count from behind the last
                // item.
                let at = index(&self.key, items.len() + 1).filter(|at| *at <= items.len())?;
                items.insert(at, value);
            }
            _ => return None,
        }
        Some(())
    }

    fn replace(self, value: Value) -> Option<()> {
        self.takes(&value)?;
        match self.container {
            Value::Object(members) => drop(members.insert(self.key, value)),
            Value::Array(items) => {
                let at = index(&self.key, items.len())?;
                *items.get_mut(at)? = value;
            }
            _ => return None,
        }
        Some(())
    }

    fn remove(self) -> Option<Value> {
        match self.container {
            Value::Object(members) => members.remove(&self.key),
            Value::Array(items) => {
                let at = index(&self.key, items.len()).filter(|at| *at < items.len())?;
                Some(items.remove(at))
            }
            _ => None,
        }
    }
}

/// How deep a value is nested.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The index that a key means in a list of this length. It may be beyond the end.
fn index(key: &str, length: usize) -> Option<usize> {
    let at: i64 = key.parse().ok()?;
    if at < 0 {
        length.checked_sub(at.unsigned_abs() as usize)
    } else {
        Some(at as usize)
    }
}

fn unescaped(key: &str) -> String {
    // Unescaped in one pass, because `~01` means `~1`.
    let mut parts = key.split('~');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix('1') {
            whole.push('/');
            whole.push_str(rest);
        } else if let Some(rest) = part.strip_prefix('0') {
            whole.push('~');
            whole.push_str(rest);
        } else {
            whole.push('~');
            whole.push_str(part);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(patch: Value) -> bool {
        apply(json!({"a": "x", "list": [{}]}), patch).is_err()
    }

    /// Each copy of the whole into itself doubles it: twenty make a million.
    #[test]
    fn copies_have_an_end() {
        let twice = json!({"op": "copy", "from": "/list", "path": "/list/-"});
        assert!(!refused(vec![twice.clone(); 5].into()));
        assert!(refused(vec![twice; 64].into()));
    }

    #[test]
    fn what_operations_nest_has_a_deepest_level() {
        let deeper = |levels: usize| -> Value {
            let path = |n: usize| format!("/list/0{}", "/k".repeat(n));
            (1..=levels)
                .map(|n| json!({"op": "add", "path": path(n), "value": {}}))
                .collect()
        };
        assert!(!refused(deeper(MAX_DEPTH - 3)));
        assert!(refused(deeper(MAX_DEPTH - 2)));
    }
}
