//! The keys that are in force, and whether the controller has read them.

use std::collections::BTreeMap;

use crate::{
    model::{Control, DefaultsOf, control::PREFIX},
    plan::control::{conditions::digest_in, digest},
};

use super::object::Object;

/// The keys of rollout control without the prefix, with their values, but for those that are
/// `off`: annotations, whether or not they can be read, and what the cluster defaults add.
pub fn in_force(object: &Object, control: Option<&Control>) -> BTreeMap<String, String> {
    let annotations = object.annotations();
    let annotated = annotations
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, *value)));
    let settings = control.map_or(&[][..], |control| &control.settings);
    let settings = settings.iter().map(|s| (&*s.key, &*s.value));
    // An annotation wins over a default, and is among the settings where it can be read.
    settings
        .chain(annotated)
        .filter(|(_, value)| *value != "off")
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Whether the controller has acted on this generation and on these keys. It says so by the digest
/// at the end of the message of `Progressing`, because annotations do not raise the generation.
/// Without keys there is no such condition.
pub fn are_read(object: &Object) -> bool {
    let annotations = object.annotations_of_model();
    let of_keys = digest::of_keys(&annotations);
    let message = object
        .condition("Progressing")
        .and_then(|c| c["message"].as_str());
    let read = message.and_then(digest_in);
    let same = read == of_keys.as_deref();
    // Keys that are all `off` are no rollout control, and lead to no condition.
    let none = read.is_none() && Control::read(&annotations, &DefaultsOf::default()).is_none();
    object.is_observed() && (same || none)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(annotations: Value, message: Option<&str>, observed: i64) -> Object {
        let conditions: Vec<Value> = message
            .into_iter()
            .map(|message| json!({ "type": "Progressing", "message": message }))
            .collect();
        let object = json!({
            "metadata": { "namespace": "n", "name": "a", "generation": 2, "annotations": annotations },
            "status": { "observedGeneration": observed, "conditions": conditions },
        });
        Object::new(object).expect("a name")
    }

    #[test]
    fn keys_are_read_when_the_condition_has_their_digest_and_the_generation_is_observed() {
        let held = json!({ "daemonset-controller.io/hold": "all", "other": "x" });
        let digest = digest::of_keys(&object(held.clone(), None, 2).annotations_of_model());
        let said = format!("it is held (keys {})", digest.expect("a digest"));
        assert!(are_read(&object(held.clone(), Some(&said), 2)));
        for (annotations, message, observed) in [
            (held.clone(), None, 2),
            (held.clone(), Some(&*said), 1),
            (held.clone(), Some("it is held (keys other)"), 2),
            (held.clone(), Some("it is held"), 2),
            (json!({}), Some(&*said), 2),
        ] {
            let of = object(annotations, message, observed);
            assert!(!are_read(&of), "{of:?}");
        }
        let off = json!({ "daemonset-controller.io/hold": "off" });
        for annotations in [json!({}), off, Value::Null] {
            assert!(are_read(&object(annotations, None, 2)));
        }
    }

    #[test]
    fn keys_that_are_off_are_not_in_force() {
        let annotations = json!({
            "daemonset-controller.io/hold": "off", "daemonset-controller.io/bake": "5m",
            "state.daemonset-controller.io/x": "y",
        });
        let keys = in_force(&object(annotations, None, 2), None);
        assert_eq!(keys, [("bake".to_owned(), "5m".to_owned())].into());
    }
}
