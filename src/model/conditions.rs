//! `status.conditions` of a DaemonSet: those that rollout control writes, among those of others.

use super::{ConditionStatus, Str, Time};

/// The types of the conditions that rollout control writes, in the order in which new ones are
/// added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConditionType {
    /// Whether every eligible node has an available pod.
    Available,
    /// How far the rollout is.
    Progressing,
    /// Whether it goes on only when a person acts.
    Stalled,
    /// Whether it is not over, although the counts look so.
    Reconciling,
}

impl ConditionType {
    /// Every one.
    pub const ALL: [ConditionType; 4] = [
        ConditionType::Available,
        ConditionType::Progressing,
        ConditionType::Stalled,
        ConditionType::Reconciling,
    ];

    /// The type that the API writes so.
    pub fn parse(text: &str) -> Option<ConditionType> {
        ConditionType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Available => "Available",
            ConditionType::Progressing => "Progressing",
            ConditionType::Stalled => "Stalled",
            ConditionType::Reconciling => "Reconciling",
        }
    }
}

/// A condition of one of these types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// `type`.
    pub kind: ConditionType,
    /// `status`.
    pub status: ConditionStatus,
    /// `lastTransitionTime`: when the status became this one. None where it is absent, zero or
    /// malformed, and where the status is none that Kubernetes defines.
    pub since: Option<Time>,
    /// `reason`.
    pub reason: Str,
    /// `message`.
    pub message: Str,
}

/// An entry of the list as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCondition {
    /// All of it as JSON, as it was read.
    pub raw: Str,
    /// What it says, where its type is one of ours, whoever wrote it.
    pub read: Option<Condition>,
}

/// An entry of the list as it is to be stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListedCondition {
    /// As it was read, as JSON.
    Kept(Str),
    /// A new one, or one that changes.
    Written(Condition),
}

/// The whole list as it is to be stored; it differs from the one that is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// The entries, in order.
    pub list: Vec<ListedCondition>,
    /// Whether nothing differs but the message of `Available`, which tells of single pods.
    pub is_only_message: bool,
}

impl Conditions {
    /// The conditions that are written, without their times: what is told to people and tools.
    pub fn told(&self) -> Vec<Condition> {
        let written = self.list.iter().filter_map(|entry| match entry {
            ListedCondition::Kept(_) => None,
            ListedCondition::Written(condition) => Some(condition),
        });
        let timeless = |condition: &Condition| Condition {
            since: None,
            ..condition.clone()
        };
        written.map(timeless).collect()
    }
}
