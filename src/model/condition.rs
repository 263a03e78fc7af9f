//! A condition of `status.conditions`: its status, and since when it has it.

use super::Time;

/// `status` of a condition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// The condition does not hold.
    False,
    /// Nobody can tell. A status that Kubernetes does not define is read as this one, too.
    Unknown,
}

impl ConditionStatus {
    /// Reads a status. Any text but `True` and `False` is `Unknown`.
    pub fn parse(text: &str) -> ConditionStatus {
        match text {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            _ => ConditionStatus::Unknown,
        }
    }

    /// The status as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "Unknown",
        }
    }
}

/// A condition without its type, which the field that holds it names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ConditionState {
    /// `status`.
    pub status: ConditionStatus,
    /// `lastTransitionTime`: when the status became this one. None where it is absent, zero or
    /// malformed.
    pub since: Option<Time>,
}
