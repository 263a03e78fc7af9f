//! Fields of objects, as rules read them: a missing field is empty.

use serde_json::Value;

/// The text under `key`, empty if it is missing.
pub fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

/// The whole number under `key`.
pub fn number(object: &Value, key: &str) -> Option<i64> {
    object[key].as_i64()
}

/// The value under `key`, unless it is missing or null.
pub fn present<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The items of the list under `key`, each with its path below `path`.
pub fn each<'a>(object: &'a Value, path: &str, key: &str) -> Vec<(String, &'a Value)> {
    let items = object[key].as_array().map_or(&[][..], Vec::as_slice);
    let at = |(i, item)| (format!("{path}.{key}[{i}]"), item);
    items.iter().enumerate().map(at).collect()
}

/// The texts of the map under `key`.
pub fn texts<'a>(object: &'a Value, key: &str) -> Vec<(&'a str, &'a str)> {
    let map = object[key].as_object().into_iter().flatten();
    map.map(|(k, v)| (k.as_str(), v.as_str().unwrap_or_default()))
        .collect()
}

/// Every container of a pod with its path, in the order in which the server visits them.
pub fn every_container<'a>(spec: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let kinds = ["initContainers", "containers", "ephemeralContainers"];
    let all = kinds.into_iter().flat_map(|key| each(spec, path, key));
    all.collect()
}
