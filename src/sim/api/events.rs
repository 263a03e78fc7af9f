//! The two forms of events: those of `v1` are stored, those of `events.k8s.io/v1` are another view
//! of the same objects.

use serde_json::{Map, Value};

/// The names of a field in the old form and in the new one.
const FIELDS: &[(&str, &str)] = &[
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

/// A stored event in the form of `events.k8s.io/v1`.
pub fn to_new(event: &Value) -> Value {
    let mut new = renamed(event, |key| FIELDS.iter().find(|f| f.0 == key).map(|f| f.1));
    if let Some(fields) = new.as_object_mut() {
        // The old form always has these fields, the new one only with a value.
        fields.retain(|key, value| !key.starts_with("reporting") || *value != "");
    }
    new
}

/// An event of `events.k8s.io/v1` in the form in which it is stored.
pub fn to_old(event: &Value) -> Value {
    let mut old = renamed(event, |key| FIELDS.iter().find(|f| f.1 == key).map(|f| f.0));
    for key in ["reportingComponent", "reportingInstance"] {
        if old[key].is_null() {
            old[key] = "".into();
        }
    }
    old
}

fn renamed(event: &Value, name: impl Fn(&str) -> Option<&'static str>) -> Value {
    let fields = event.as_object().into_iter().flatten();
    let renamed = fields.map(|(key, value)| {
        let key = name(key).map_or_else(|| key.clone(), str::to_owned);
        (key, value.clone())
    });
    Value::Object(renamed.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn there_and_back() {
        let old = json!({
            "metadata": {"name": "e"}, "reason": "R", "message": "m", "involvedObject": {"kind": "Pod"},
            "source": {"component": "c"}, "count": 2, "type": "Normal", "reportingComponent": "", "reportingInstance": "",
        });
        let new = to_new(&old);
        assert_eq!(new["note"], "m");
        assert_eq!(new["deprecatedCount"], 2);
        assert!(new["message"].is_null());
        assert_eq!(to_old(&new), old);
    }
}
