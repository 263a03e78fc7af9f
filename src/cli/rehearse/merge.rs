//! The DaemonSet as it is to be, in the place of the one that is there: what `kubectl apply` and an
//! API server would make of both.

use serde_json::{Value, value::RawValue};

use crate::{stored::defaults, wire::daemon_set::TEMPLATE_GENERATION};

/// The stored DaemonSet with the labels, annotations and spec of `new`. Its generations rise as an
/// API server would raise them. An error where `new` cannot be completed.
pub(super) fn merge(stored: &RawValue, new: &RawValue) -> Result<Value, String> {
    let read = |raw: &RawValue| -> Result<Value, String> {
        let completed = defaults::daemon_set(raw).map_err(|why| why.to_string())?;
        serde_json::from_str(completed.json.get()).map_err(|why| why.to_string())
    };
    let (old, new) = (read(stored)?, read(new)?);
    let mut merged = old.clone();
    let changed = old["spec"] != new["spec"];
    let template_changed = old["spec"]["template"] != new["spec"]["template"];
    merged["spec"] = new["spec"].clone();
    for field in ["labels", "annotations"] {
        merged["metadata"][field] = match &new["metadata"][field] {
            Value::Null => Value::Object(Default::default()),
            map => map.clone(),
        };
    }
    if changed && let Some(generation) = old["metadata"]["generation"].as_i64() {
        merged["metadata"]["generation"] = (generation + 1).into();
    }
    let generation = &old["metadata"]["annotations"][TEMPLATE_GENERATION];
    if let Some(text) = generation.as_str() {
        let next = text.parse::<i64>().map(|n| n + i64::from(template_changed));
        let next = next.map_or_else(|_| text.to_owned(), |n| n.to_string());
        merged["metadata"]["annotations"][TEMPLATE_GENERATION] = next.into();
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(value: &Value) -> Box<RawValue> {
        RawValue::from_string(value.to_string()).unwrap()
    }

    fn daemon_set(image: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": "a", "namespace": "x"},
            "spec": {
                "selector": {"matchLabels": {"app": "a"}},
                "template": {
                    "metadata": {"labels": {"app": "a"}},
                    "spec": {"containers": [{"name": "c", "image": image}]},
                },
            },
        })
    }

    fn stored(image: &str) -> Value {
        let mut stored = daemon_set(image);
        stored["metadata"]["uid"] = "u".into();
        stored["metadata"]["generation"] = 4.into();
        stored["metadata"]["annotations"] = json!({TEMPLATE_GENERATION: "3", "gone": "x"});
        stored["status"] = json!({"numberReady": 2});
        stored
    }

    #[test]
    fn the_spec_is_the_new_one_and_the_rest_is_what_was_stored() {
        let mut new = daemon_set("two");
        new["metadata"]["annotations"] = json!({"own": "y"});
        let merged = merge(&raw(&stored("one")), &raw(&new)).unwrap();
        let image = "/spec/template/spec/containers/0/image";
        assert_eq!(merged.pointer(image).unwrap(), "two");
        assert_eq!(merged["metadata"]["uid"], "u");
        assert_eq!(merged["metadata"]["generation"], 5);
        let annotations = json!({TEMPLATE_GENERATION: "4", "own": "y"});
        assert_eq!(merged["metadata"]["annotations"], annotations);
        assert_eq!(merged["status"]["numberReady"], 2);
    }

    #[test]
    fn what_only_lacks_defaults_changes_no_generation() {
        let merged = merge(&raw(&stored("one")), &raw(&daemon_set("one"))).unwrap();
        assert_eq!(merged["metadata"]["generation"], 4);
        assert_eq!(merged["metadata"]["annotations"][TEMPLATE_GENERATION], "3");
    }
}
