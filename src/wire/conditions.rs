//! `status.conditions` of a DaemonSet, read and written. What is not ours passes through as text.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::model::{
    Condition, ConditionStatus, ConditionType, Conditions, ListedCondition, StoredCondition, Str,
};

use super::partial::{self, Lenient, Text, leniently};

/// Reads the list. None where there is no entry. A value of another type is as good as none.
pub fn decode(raw: Option<&RawValue>) -> Option<Arc<[StoredCondition]>> {
    let entries: Vec<&RawValue> = leniently(raw)?;
    let stored = entries.into_iter().map(|entry| StoredCondition {
        raw: entry.get().into(),
        read: read(entry),
    });
    let stored: Arc<[StoredCondition]> = stored.collect();
    (!stored.is_empty()).then_some(stored)
}

/// What an entry says, where its type is one of ours.
fn read(entry: &RawValue) -> Option<Condition> {
    let object: partial::Condition<'_> = leniently(Some(entry))?;
    let kind = object.kind.as_ref()?;
    let kind = ConditionType::ALL
        .into_iter()
        .find(|k| k.as_str() == kind.0)?;
    let text = |text: Lenient<Text<'_>>| text.0.map_or_else(Str::default, |text| text.0.into());
    let state = object.state();
    let is_defined = object.status.is_some_and(|s| s.0 == state.status.as_str());
    Some(Condition {
        kind,
        status: state.status,
        since: state.since.filter(|_| is_defined),
        reason: text(object.reason),
        message: text(object.message),
    })
}

/// The list as JSON. An empty one is null, which removes the field in a merge patch.
pub fn encode(conditions: &Conditions) -> Box<RawValue> {
    let raw = |text: &str| RawValue::from_string(text.to_owned());
    if conditions.list.is_empty() {
        return raw("null").expect("null is JSON");
    }
    let entry = |entry: &ListedCondition| match entry {
        ListedCondition::Kept(text) => raw(text).expect("it was read as JSON"),
        ListedCondition::Written(condition) => written(condition),
    };
    let list: Vec<Box<RawValue>> = conditions.list.iter().map(entry).collect();
    to_raw_value(&list).expect("a list of JSON is JSON")
}

fn written(condition: &Condition) -> Box<RawValue> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ConditionObject<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_transition_time: Option<String>,
        reason: &'a str,
        message: &'a str,
    }
    let status: ConditionStatus = condition.status;
    let object = ConditionObject {
        kind: condition.kind.as_str(),
        status: status.as_str(),
        last_transition_time: condition.since.map(|at| at.to_string()),
        reason: &condition.reason,
        message: &condition.message,
    };
    to_raw_value(&object).expect("texts have a JSON form")
}
