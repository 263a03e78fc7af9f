//! What was done to pods and revisions, and why: the words by which actions are counted.

use std::fmt;

use crate::plan::{CreateCause, DeleteCause};

use super::client::PatchType;

/// An action that the API server carried out, with its cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A pod was created.
    Create(CreateCause),
    /// A pod was deleted.
    Delete(DeleteCause),
    /// A pod was evicted.
    Evict(DeleteCause),
    /// An orphan that matches the selector became ours.
    Adopt,
    /// A pod that no longer matches the selector was released.
    Release,
    /// A pod of a duplicate revision got the hash of the revision that stays.
    Relabel,
    /// A pod got the resources of its node's class while it runs.
    Resize,
    /// A pod lost its scheduling gate.
    Ungate,
    /// A revision was created for a new template.
    CreateRevision,
    /// A revision equal to the current one was deleted.
    DeleteDuplicateRevision,
    /// A revision beyond the history limit was deleted.
    DeleteOldRevision,
    /// An orphaned revision became ours.
    AdoptRevision,
    /// A revision that no longer matches the selector was released.
    ReleaseRevision,
    /// A revision got its missing label with the hash.
    LabelRevision,
    /// The current revision got the highest number, as after a rollback.
    RenumberRevision,
    /// The begin of a rollout was recorded on its revision.
    RecordStart,
    /// An approval, or its end, was recorded on the revision that it is for.
    RecordApproval,
    /// The verdict that a rollout failed was recorded on its revision.
    RecordFailure,
    /// That the time of a deadline begins or ceases to run was recorded on the revision.
    RecordClock,
    /// The end of a stage, such as the canary, was recorded on its revision.
    ReleaseStage,
    /// The completion of a rollout was recorded on its revision.
    RecordCompletion,
}

impl Action {
    /// Every action with every cause, so that counts can begin at zero.
    pub fn all() -> Vec<Action> {
        let creates = CreateCause::ALL.into_iter().map(Action::Create);
        let deletes = DeleteCause::ALL.into_iter().map(Action::Delete);
        let is_evicted = |cause: &DeleteCause| {
            cause.is_of_rollout() || matches!(cause, DeleteCause::NodeNotEligible(_))
        };
        let evicted = DeleteCause::ALL.into_iter().filter(is_evicted);
        let evictions = evicted.map(Action::Evict);
        let others = [
            Action::Adopt,
            Action::Release,
            Action::Relabel,
            Action::Resize,
            Action::Ungate,
            Action::CreateRevision,
            Action::DeleteDuplicateRevision,
            Action::DeleteOldRevision,
            Action::AdoptRevision,
            Action::ReleaseRevision,
            Action::LabelRevision,
            Action::RenumberRevision,
            Action::RecordStart,
            Action::RecordApproval,
            Action::RecordFailure,
            Action::RecordClock,
            Action::ReleaseStage,
            Action::RecordCompletion,
        ];
        creates
            .chain(deletes)
            .chain(evictions)
            .chain(others)
            .collect()
    }

    /// The action in one word, for the label of a metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create(_) => "create",
            Action::Delete(_) => "delete",
            Action::Evict(_) => "evict",
            Action::Adopt => "adopt",
            Action::Release => "release",
            Action::Relabel => "relabel",
            Action::Resize => "resize",
            Action::Ungate => "ungate",
            Action::CreateRevision => "create_revision",
            Action::DeleteDuplicateRevision | Action::DeleteOldRevision => "delete_revision",
            Action::AdoptRevision => "adopt_revision",
            Action::ReleaseRevision => "release_revision",
            Action::LabelRevision => "label_revision",
            Action::RenumberRevision => "renumber_revision",
            Action::RecordStart => "record_start",
            Action::RecordApproval => "record_approval",
            Action::RecordFailure => "record_failure",
            Action::RecordClock => "record_clock",
            Action::ReleaseStage => "release_stage",
            Action::RecordCompletion => "record_completion",
        }
    }

    /// The cause in one word, for the label of a metric.
    pub fn cause(self) -> &'static str {
        match self {
            Action::Create(cause) => cause.as_str(),
            Action::Delete(cause) | Action::Evict(cause) => cause.as_str(),
            Action::Adopt | Action::AdoptRevision => "MatchingOrphan",
            Action::Release | Action::ReleaseRevision => "NoLongerMatches",
            Action::Relabel | Action::DeleteDuplicateRevision => "DuplicateRevision",
            Action::Resize => "NodeClass",
            Action::Ungate => "Exclusive",
            Action::CreateRevision => "NewTemplate",
            Action::DeleteOldRevision => "HistoryLimit",
            Action::LabelRevision => "LabelMissing",
            Action::RenumberRevision => "Rollback",
            Action::RecordStart => "RolloutStarted",
            Action::RecordApproval => "Approved",
            Action::RecordFailure => "RolloutFailed",
            Action::RecordClock => "Deadline",
            Action::ReleaseStage => "StageReleased",
            Action::RecordCompletion => "RolloutComplete",
        }
    }
}

/// A patch together with the action that it is counted as.
pub(super) struct Patch {
    /// The action that is counted when the patch succeeds.
    pub action: Action,
    /// The format of `body`.
    pub kind: PatchType,
    /// The patch in that format.
    pub body: String,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.cause())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_is_said_in_its_own_words() {
        let all = Action::all();
        let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), all.len(), "{words:?}");
        let word = |w: &str| w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        assert!(all.iter().all(|a| word(a.as_str()) && word(a.cause())));
    }
}
