//! The order of what is wrong in one map (labels, annotations, a node selector): the real server
//! goes through Go's maps, whose order is another each time, so that only the order between fields
//! tells anything.

use serde_json::{Map, Value};

/// A `Status` with the causes of each field in the order of their texts, in its details and in its
/// message.
pub fn in_order(status: &Map<String, Value>) -> Map<String, Value> {
    let mut status = status.clone();
    let Some(Value::Array(causes)) = status.get("details").and_then(|d| d.get("causes")) else {
        return status;
    };
    let before = causes.clone();
    let mut causes = before.clone();
    for of_a_field in causes.chunk_by_mut(|a, b| a["field"] == b["field"]) {
        of_a_field.sort_by_key(text);
    }
    if let Some(Value::String(message)) = status.get_mut("message") {
        *message = message.replacen(&texts(&before), &texts(&causes), 1);
    }
    status["details"]["causes"] = Value::Array(causes);
    status
}

/// A cause as a message says it.
fn text(cause: &Value) -> String {
    let part = |name: &str| cause[name].as_str().unwrap_or_default().to_owned();
    format!("{}: {}", part("field"), part("message"))
}

/// The causes as a message lists them: each text once.
fn texts(causes: &[Value]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in causes.iter().map(text) {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(causes: &[(&str, &str)], message: &str) -> Map<String, Value> {
        let causes: Vec<Value> = causes
            .iter()
            .map(|(field, message)| json!({ "field": field, "message": message }))
            .collect();
        let status = json!({ "message": message, "details": { "causes": causes } });
        status.as_object().expect("an object").clone()
    }

    #[test]
    fn causes_of_one_field_are_sorted_and_fields_stay_where_they_are() {
        let got = in_order(&status(
            &[("z", "two"), ("z", "one"), ("z", "one"), ("a", "three")],
            "Pod \"x\" is invalid: [z: two, z: one, a: three]",
        ));
        let want = status(
            &[("z", "one"), ("z", "one"), ("z", "two"), ("a", "three")],
            "Pod \"x\" is invalid: [z: one, z: two, a: three]",
        );
        assert_eq!(got, want);
    }

    #[test]
    fn what_has_no_causes_is_left_alone() {
        let conflict = json!({ "message": "m", "details": { "name": "x" } });
        let conflict = conflict.as_object().expect("an object");
        assert_eq!(in_order(conflict), *conflict);
    }
}
