//! C1: readers can trust the conditions that a controller writes. `Stalled` and `Reconciling` are
//! never both True, a time changes only with its status, and what others wrote stays as it was.

use serde_json::Value;

use super::facts::said;
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::sim::api::resource::DAEMON_SETS;

/// The types that are the controller's where there is rollout control.
const OURS: [&str; 4] = ["Available", "Progressing", "Stalled", "Reconciling"];

/// C1.
#[derive(Default)]
pub struct Conditions;

impl Promise for Conditions {
    fn name(&self) -> &'static str {
        "C1"
    }

    fn see(&mut self, step: &Step<'_>, _: &Past) -> Vec<String> {
        if step.request.is_none() || !step.is_for(&DAEMON_SETS) {
            return Vec::new();
        }
        let after = list(&step.write.object);
        let before = step.write.before.as_deref().map_or(&[][..], list);
        let is_true = |kind| of(after, kind).is_some_and(|c| c["status"] == "True");
        let mut wrong = Vec::new();
        if is_true("Stalled") && is_true("Reconciling") {
            wrong.push("Stalled and Reconciling are both True".to_owned());
        }
        if !foreign(before).eq(foreign(after)) {
            wrong.push("conditions that are not its own change".to_owned());
        }
        for kind in OURS {
            if let (Some(before), Some(after)) = (of(before, kind), of(after, kind))
                && before["status"] == after["status"]
                && before["lastTransitionTime"].is_string()
                && before["lastTransitionTime"] != after["lastTransitionTime"]
            {
                wrong.push(format!("{kind} has another time and the same status"));
            }
        }
        let name = said(&step.write.object);
        let named = wrong.into_iter().map(|what| format!("{name}: {what}"));
        named.collect()
    }
}

fn list(object: &Value) -> &[Value] {
    let list = object["status"]["conditions"].as_array();
    list.map_or(&[], Vec::as_slice)
}

/// The first of this type.
fn of<'c>(list: &'c [Value], kind: &str) -> Option<&'c Value> {
    list.iter().find(|condition| condition["type"] == kind)
}

fn foreign(list: &[Value]) -> impl Iterator<Item = &Value> {
    let is_ours = |c: &Value| c["type"].as_str().is_some_and(|kind| OURS.contains(&kind));
    list.iter().filter(move |condition| !is_ours(condition))
}
