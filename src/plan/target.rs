//! Which revision each node is to have.
//!
//! Eligibility, the hash of pods that are up to date and the manifest of new pods all follow from
//! the revision that a node is assigned, never from the DaemonSet directly. Without rollout control
//! that is the current revision for every node.

use crate::model::{NodeId, Verdict, Verdicts};

use super::{
    control::assign::{Assigned, Assignment},
    revisions::CurrentRevision,
};

/// The assignment of every node.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'s> {
    current: Assigned<'s>,
    assignment: Option<&'s Assignment<'s>>,
}

impl<'s> Targets<'s> {
    /// All nodes are assigned the current revision, but for those that `assignment` gives an older
    /// one; `verdicts` are those of the current template.
    pub fn new(
        current: &'s CurrentRevision,
        verdicts: &'s Verdicts,
        assignment: Option<&'s Assignment<'s>>,
    ) -> Self {
        Targets {
            current: Assigned {
                hash: &current.hash,
                verdicts,
            },
            assignment,
        }
    }

    /// The revision that this node is to have, whether or not the node is eligible for it.
    pub fn of(&self, node: NodeId) -> Assigned<'s> {
        let older = self.assignment.and_then(|a| a.of(node));
        older.unwrap_or(self.current)
    }

    /// Whether that is the current revision.
    pub fn is_current(&self, node: NodeId) -> bool {
        self.assignment.is_none_or(|a| a.of(node).is_none())
    }

    /// Whether the revision that the node is to have cannot be had: nothing is created or deleted
    /// there.
    pub fn is_missing(&self, node: NodeId) -> bool {
        self.assignment.is_some_and(|a| a.is_missing(node))
    }

    /// Whether the pods of the node's revision belong on it. Where that revision cannot be had, the
    /// verdict is as for a node that cannot be read: what runs there stays, and nothing is created.
    pub fn verdict(&self, node: NodeId) -> Verdict {
        if self.is_missing(node) {
            return Verdict::Unreadable;
        }
        self.of(node).verdicts.get(node)
    }
}
