//! What was done to pods and revisions, with its cause: the words by which it is counted.

use std::fmt;

use crate::plan::{CreateCause, DeleteCause};

use super::client::PatchType;

/// What was done, with its cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A pod was created.
    Create(CreateCause),
    /// A pod was deleted.
    Delete(DeleteCause),
    /// An orphan that matches the selector became ours.
    Adopt,
    /// A pod that stopped matching was let go.
    Release,
    /// A pod got the hash of the revision that its own was merged into.
    Relabel,
    /// A revision was created for a new template.
    CreateRevision,
    /// A revision that is like the current one was deleted.
    DeleteDuplicateRevision,
    /// A revision beyond the history limit was deleted.
    DeleteOldRevision,
    /// An orphaned revision became ours.
    AdoptRevision,
    /// A revision that stopped matching was let go.
    ReleaseRevision,
    /// A revision got the label with its hash, which it lacked.
    LabelRevision,
    /// The current revision was given the highest number: a rollback.
    RenumberRevision,
}

impl Action {
    /// Every one that there is, for whoever counts from zero.
    pub fn all() -> Vec<Action> {
        let creates = CreateCause::ALL.into_iter().map(Action::Create);
        let deletes = DeleteCause::ALL.into_iter().map(Action::Delete);
        let others = [
            Action::Adopt,
            Action::Release,
            Action::Relabel,
            Action::CreateRevision,
            Action::DeleteDuplicateRevision,
            Action::DeleteOldRevision,
            Action::AdoptRevision,
            Action::ReleaseRevision,
            Action::LabelRevision,
            Action::RenumberRevision,
        ];
        creates.chain(deletes).chain(others).collect()
    }

    /// What, in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create(_) => "create",
            Action::Delete(_) => "delete",
            Action::Adopt => "adopt",
            Action::Release => "release",
            Action::Relabel => "relabel",
            Action::CreateRevision => "create_revision",
            Action::DeleteDuplicateRevision | Action::DeleteOldRevision => "delete_revision",
            Action::AdoptRevision => "adopt_revision",
            Action::ReleaseRevision => "release_revision",
            Action::LabelRevision => "label_revision",
            Action::RenumberRevision => "renumber_revision",
        }
    }

    /// Why, in one word.
    pub fn cause(self) -> &'static str {
        match self {
            Action::Create(cause) => cause.as_str(),
            Action::Delete(cause) => cause.as_str(),
            Action::Adopt | Action::AdoptRevision => "MatchingOrphan",
            Action::Release | Action::ReleaseRevision => "NoLongerMatches",
            Action::Relabel | Action::DeleteDuplicateRevision => "DuplicateRevision",
            Action::CreateRevision => "NewTemplate",
            Action::DeleteOldRevision => "HistoryLimit",
            Action::LabelRevision => "LabelMissing",
            Action::RenumberRevision => "Rollback",
        }
    }
}

/// A patch, and the action that it is.
pub(super) struct Patch {
    /// What it does to the object.
    pub action: Action,
    /// The format of `body`.
    pub kind: PatchType,
    /// What is sent.
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
