//! How Go prints values: upstream's messages about patches show them this way.

use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// As `%v` prints it: `map[a:1 b:[x y]]`.
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

/// A map, its keys sorted.
pub fn map(members: &Object) -> String {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort();
    let said: Vec<String> = keys
        .into_iter()
        .map(|key| format!("{key}:{}", value(&members[key])))
        .collect();
    format!("map[{}]", said.join(" "))
}

/// A list.
pub fn list(items: &[Value]) -> String {
    let said: Vec<String> = items.iter().map(value).collect();
    format!("[{}]", said.join(" "))
}

/// The type that a value is decoded into.
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

/// What Go's decoder calls a piece of JSON.
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
