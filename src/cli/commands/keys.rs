//! The keys that are in force, and whether the controller has read them.

use std::collections::BTreeMap;

use crate::{
    model::{ConditionType, Control, DefaultsOf, control::PREFIX},
    plan::control::{
        conditions::{digest_in, is_our_reason},
        digest,
    },
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

/// Which stage the controller says the rollout is in, where only cluster defaults that this command
/// was not given can be why: there is no control by what is known here.
pub fn unexplained(object: &Object, control: Option<&Control>) -> Option<String> {
    let condition = object
        .condition("Progressing")
        .filter(|_| control.is_none())?;
    let reason = condition["reason"].as_str()?;
    let is_ours = is_our_reason(ConditionType::Progressing, reason);
    // Keys that went a moment ago have left it behind, and it goes.
    let has_keys = condition["message"].as_str().and_then(digest_in).is_some();
    let is_plain = matches!(reason, "Complete" | "Rolling");
    (is_ours && !has_keys && !is_plain).then(|| reason.to_owned())
}

/// The note about that.
pub fn note(stage: &str) -> String {
    format!(
        "the controller says that the rollout is {stage}, though no annotation asks for it: cluster \
         defaults do. --rollout-defaults FILE has this command follow them"
    )
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
