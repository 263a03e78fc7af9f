//! Fields of JSON objects: reading, setting, removing, and what Go's encoder leaves out.

use serde_json::{Map, Value, json};

/// `metadata.name`, empty if it is not set.
pub fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("")
}

/// The text of a field, empty if the field is missing or no text.
pub fn text(object: &Value, field: &str) -> String {
    object[field].as_str().unwrap_or("").to_owned()
}

/// Removes a field.
pub fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// Gives a field the value that it has in `from`. If it is missing or null there, the field is
/// removed.
pub fn copy(from: &Value, to: &mut Value, field: &str) {
    remove(to, field);
    if !from[field].is_null() {
        fill(to, field, from[field].clone());
    }
}

/// Sets a field that is missing or null.
pub fn fill(object: &mut Value, key: &str, value: Value) {
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    if let Some(fields) = object.as_object_mut()
        && fields.get(key).is_none_or(Value::is_null)
    {
        fields.insert(key.to_owned(), value);
    }
}

/// Removes those of `keys` whose values meet the condition.
pub fn drop_if(object: &mut Value, keys: &[&str], such: impl Fn(&Value) -> bool) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|key, value| !(keys.contains(&key.as_str()) && such(value)));
    }
}

/// Whether Go leaves the value out of a field with `omitempty`.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Sets the times that conditions always have to null if they are missing, and cuts them to whole
/// seconds.
pub fn times(status: &mut Value, keys: &[&str]) {
    let Some(Value::Array(conditions)) = status.get_mut("conditions") else {
        return;
    };
    for condition in conditions {
        for key in keys {
            fill(condition, key, Value::Null);
            whole_seconds(condition, key);
        }
    }
}

/// Cuts a time to whole seconds, as the server writes it.
pub fn whole_seconds(object: &mut Value, key: &str) {
    let text = object[key].as_str();
    if let Some(time) = text.and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
        object[key] = json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
}
