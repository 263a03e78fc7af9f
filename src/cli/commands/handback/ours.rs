//! What our controller has written beside what the built-in one writes: conditions, and the state
//! of rollouts.

use serde_json::Value;

use crate::{
    cli::commands::object::Object,
    model::{ConditionType, Key, control::STATE_PREFIX},
    plan::control::conditions::is_our_reason,
};

/// The types of our conditions, and the conditions of others.
pub fn conditions(object: &Object) -> (Vec<&str>, Vec<&Value>) {
    let (ours, others): (Vec<&Value>, Vec<&Value>) =
        object.conditions().iter().partition(|c| is_ours(c));
    let types = ours.into_iter().filter_map(|c| c["type"].as_str());
    (types.collect(), others)
}

fn is_ours(condition: &Value) -> bool {
    let kind = condition["type"].as_str().and_then(ConditionType::parse);
    let reason = condition["reason"].as_str();
    kind.zip(reason)
        .is_some_and(|(kind, reason)| is_our_reason(kind, reason))
}

/// A ControllerRevision with state of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its namespace and name.
    pub key: Key,
    /// Its UID.
    pub uid: String,
    /// The UID of what controls it, where something does.
    pub owner: Option<String>,
    /// The annotations that are state.
    pub state: Vec<String>,
}

impl Recorded {
    /// Of a ControllerRevision. None where it has no state.
    pub fn new(revision: &Value) -> Option<Recorded> {
        let metadata = &revision["metadata"];
        let text = |field: &str| metadata[field].as_str();
        let annotations = metadata["annotations"].as_object()?;
        let state = annotations.keys().filter(|k| k.starts_with(STATE_PREFIX));
        let state: Vec<String> = state.cloned().collect();
        let owners = metadata["ownerReferences"].as_array();
        let mut owners = owners.into_iter().flatten();
        let owner = owners.find(|o| o["controller"] == true);
        (!state.is_empty()).then_some(Recorded {
            key: Key::new(text("namespace")?, text("name")?),
            uid: text("uid")?.to_owned(),
            owner: owner.and_then(|o| o["uid"].as_str()).map(str::to_owned),
            state,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_ours_by_type_and_reason() {
        let conditions_of = json!([
            { "type": "Progressing", "reason": "Canary" },
            { "type": "Progressing", "reason": "SomebodyElses" },
            { "type": "Other", "reason": "Complete" },
            { "reason": "Complete" },
            { "type": "Stalled", "reason": "InvalidAnnotation" },
        ]);
        let object = json!({
            "metadata": { "namespace": "n", "name": "a" }, "status": { "conditions": conditions_of },
        });
        let object = Object::new(object).expect("a name");
        let (ours, others) = conditions(&object);
        assert_eq!(ours, ["Progressing", "Stalled"]);
        assert_eq!(others.len(), 3);
    }
}
