//! Which revision each node is to have.
//!
//! Eligibility, the hash of pods that are up to date and the manifest of new pods all follow from
//! the revision that a node is assigned, never from the DaemonSet directly. For now that is the
//! current revision for every node.

use crate::model::{NodeId, Str, Verdict, Verdicts};

use super::revisions::CurrentRevision;

/// A revision that nodes are assigned, with what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Assigned<'s> {
    /// The hash label of its pods.
    pub hash: &'s Str,
    /// Which nodes its template's pods belong on.
    verdicts: &'s Verdicts,
}

/// The assignment of every node.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'s> {
    current: Assigned<'s>,
}

impl<'s> Targets<'s> {
    /// All nodes are assigned the current revision; `verdicts` are those of its template.
    pub fn new(current: &'s CurrentRevision, verdicts: &'s Verdicts) -> Self {
        Targets {
            current: Assigned {
                hash: &current.hash,
                verdicts,
            },
        }
    }

    /// The revision that this node is to have, whether or not the node is eligible for it.
    pub fn of(&self, _node: NodeId) -> Assigned<'s> {
        self.current
    }

    /// Whether the pods of the node's revision belong on it.
    pub fn verdict(&self, node: NodeId) -> Verdict {
        self.of(node).verdicts.get(node)
    }
}
