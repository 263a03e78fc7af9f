//! Values as Go prints them in upstream's messages about patches.

use serde_json::{Map, Value};

/// The members of a JSON object.
pub type Object = Map<String, Value>;

/// A value as `%v` prints it: `map[a:1 b:[x y]]`.
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items),
        Value::Object(members) => map(members),
    }
}

/// A map as `%v` prints it, its keys sorted.
pub fn map(members: &Object) -> String {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort();
    let said: Vec<String> = keys
        .into_iter()
        .map(|key| format!("{key}:{}", value(&members[key])))
        .collect();
    format!("map[{}]", said.join(" "))
}

/// A list as `%v` prints it.
pub fn list(items: &[Value]) -> String {
    let said: Vec<String> = items.iter().map(value).collect();
    format!("[{}]", said.join(" "))
}

/// The Go type that a value is decoded into.
pub fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// The word of Go's decoder for a JSON value.
pub fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
