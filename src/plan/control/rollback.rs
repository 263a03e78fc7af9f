//! `on-failure: rollback`: a revision whose rollout failed is taken back.
//!
//! That it failed is recorded on it first, as a verdict. While the verdict stands every node is
//! assigned the stable revision: those that fail go first, always with a strict budget, and without
//! stages. The spec stays as it is, so the same template applied again stays failed; another one is
//! another revision, and no verdict is about that. An approval that comes later lifts it.
//!
//! Where nodes fail with the stable revision too, going back would make nothing better: it pauses,
//! and never goes anywhere else.

use crate::model::{Approved, Failed, Str, Time};

/// The current revision failed, and no node is to have it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RolledBack {
    /// The first node on which it did, where it was one.
    pub node: Option<Str>,
    /// Why.
    pub why: Str,
}

impl RolledBack {
    /// What is not done, and why.
    pub fn message(&self) -> String {
        let node = self.node.as_ref();
        let node = node.map_or_else(String::new, |node| format!(" on {node}"));
        let why = &self.why;
        format!("no node gets the current revision, all go back: it failed{node}: {why}")
    }
}

impl From<&Failed> for RolledBack {
    fn from(failed: &Failed) -> RolledBack {
        RolledBack {
            node: failed.cause.node.clone(),
            why: failed.cause.why.clone(),
        }
    }
}

/// Whether the verdict stands: its time has come, and no approval came after it.
pub fn stands(failed: &Failed, approved: Option<&Approved>, now: Time) -> bool {
    failed.at <= now && approved.is_none_or(|approved| approved.at <= failed.at)
}
