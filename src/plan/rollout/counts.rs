//! How a rolling update stands, in counts of nodes.

use crate::model::Str;

use super::blocked::BlockedBy;

/// How a rolling update stands, with this plan's actions carried out. Counts are of nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rollout {
    /// Eligible nodes.
    pub desired: usize,
    /// `maxUnavailable` as a count.
    pub max_unavailable: usize,
    /// `maxSurge` as a count.
    pub max_surge: usize,
    /// Nodes that count against `maxUnavailable`; not counted while surging.
    pub unavailable: usize,
    /// Nodes that count against `maxSurge`.
    pub surging: usize,
    /// Nodes with a pod of the current revision.
    pub updated: usize,
    /// Nodes with an available pod of the revision that they are to have.
    pub done: usize,
    /// Nodes with an older pod, those included that are not released for the current revision.
    pub old: usize,
    /// Exempt nodes, which are in none of the counts before, but for `desired`, that have no
    /// available pod of the revision that they are to have.
    pub exempt: usize,
    /// The nodes whose available old pods wait for the budget, in the order in which they will be
    /// taken; in a plan for one sync only the first few.
    pub next: Vec<Str>,
    /// What counts against the budget besides this plan's own replacements, and why.
    pub blocked_by: Vec<BlockedBy>,
}
