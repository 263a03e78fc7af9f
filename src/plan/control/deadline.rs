//! `deadline`: no further node got an available pod of the current revision for too long.
//!
//! The last progress follows from the pods: when the last one became available. Before the first
//! one it is the recorded begin of the rollout, and an approval counts as progress too. So a
//! controller that starts anew neither forgets the time nor begins it anew.
//!
//! The time does not run while the rollout waits for a time or for a person. When it begins to run
//! again follows from nothing that is there: nobody knows when a hold ended. So both is recorded on
//! the revision, when it ceases to run and when it runs again.

use std::time::Duration;

use crate::model::{Approved, Clock, NodeId, Pod, Revision, Snapshot, Str, Time, UpdateStrategy};

use crate::plan::{
    by_node::ByNode,
    hold::HoldRule,
    revisions::{self, History},
};

use super::{bake, exempt::Exempt, failing::Failing, failure::PastDeadline, stages::Stage};

/// What the deadline is judged by.
pub struct Watch<'w, 'a> {
    /// The snapshot.
    pub snapshot: &'w Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'w History,
    /// Claimed pods by node.
    pub by_node: &'w ByNode<'a>,
    /// The nodes that are exempt.
    pub exempt: &'w Exempt,
    /// The current revision.
    pub current: &'w Revision,
    /// That it was approved.
    pub approved: Option<&'w Approved>,
    /// The open stage.
    pub stage: Option<&'w Stage>,
    /// Whether an annotation holds the rollout.
    pub is_held: bool,
    /// The time of the plan.
    pub now: Time,
}

impl Watch<'_, '_> {
    /// Finds out whether the deadline is over, and what is to be recorded of its time.
    pub fn judge(&self, deadline: Duration, failing: &mut Failing) {
        let since = match self.current.clock {
            Some(Clock::Since(at)) if at <= self.now => Some(at),
            Some(Clock::Stopped) => None,
            // A time that has not come is no record.
            Some(Clock::Since(_)) | None => self.current.started,
        };
        let until = since.map(|since| {
            let approved = self.approved.map(|approved| approved.at);
            let progress = self.last_available().max(approved).max(Some(since));
            progress.unwrap_or(since) + deadline
        });
        let is_over = until.is_some_and(|until| until <= self.now);
        if !self.runs(is_over) || failing.pauses() {
            failing.set_clock = Some(Clock::Stopped).filter(|_| until.is_some());
            return;
        }
        if until.is_none() {
            failing.set_clock = Some(Clock::Since(self.now));
        }
        if !is_over {
            failing.wake_at = Time::earliest(failing.wake_at, until);
            return;
        }
        let late = self.late();
        let names = late.iter().map(|(id, _)| self.snapshot.nodes.name(*id));
        let past = PastDeadline {
            stage: self.stage.map(|stage| stage.name.clone()),
            node: names.min().cloned(),
            deadline,
        };
        failing.exceed(past, late);
    }

    /// Whether the rollout has something to do, and waits for nobody. Once the time is over, nodes
    /// that go out of order do not begin it anew.
    fn runs(&self, is_over: bool) -> bool {
        let waits = match self.stage.map(|stage| &stage.rule) {
            None => false,
            Some(HoldRule::Canary | HoldRule::EarlierGroup(_)) => false,
            Some(_) => true,
        };
        !waits && self.may_run() && !self.is_held && self.is_under_way(is_over)
    }

    /// Whether the controller replaces pods at all.
    fn may_run(&self) -> bool {
        let strategy = &self.snapshot.daemon_set.update_strategy;
        matches!(strategy, UpdateStrategy::RollingUpdate { .. })
    }

    /// Whether a node that counts has no available pod of the revision, and not too many are out of
    /// order.
    fn is_under_way(&self, is_over: bool) -> bool {
        let verdict = |id| self.snapshot.verdicts.get(id);
        let exempt = self.exempt.clone();
        let exempt = exempt.limit(self.snapshot, self.by_node, verdict);
        let mut nodes = self.eligible();
        (is_over || exempt.too_many().is_none())
            && nodes.any(|id| self.available_since(id).is_none())
    }

    /// The nodes that count.
    fn eligible(&self) -> impl Iterator<Item = NodeId> {
        let nodes = self.snapshot.nodes.iter().map(|(id, _)| id);
        let counts = |id: &NodeId| self.snapshot.verdicts.get(*id).should_run();
        nodes.filter(move |id| counts(id) && !self.exempt.is(*id))
    }

    /// The node's pod of the revision.
    fn target(&self, id: NodeId) -> Option<&Pod> {
        let hash: &Str = &self.history.current.hash;
        let mut live = self.by_node.on(id).iter().copied().filter(|p| p.is_live());
        live.find(|pod| revisions::hash_of(pod, self.history) == Some(hash))
    }

    fn available_since(&self, id: NodeId) -> Option<Time> {
        bake::available_since(self.snapshot.daemon_set, self.target(id)?, self.now)
    }

    /// When the last pod became available.
    fn last_available(&self) -> Option<Time> {
        self.eligible()
            .filter_map(|id| self.available_since(id))
            .max()
    }

    /// The nodes whose pod is not available, with when it was created.
    fn late(&self) -> Vec<(NodeId, Time)> {
        let nodes = self
            .eligible()
            .filter(|id| self.available_since(*id).is_none());
        nodes
            .filter_map(|id| Some((id, self.target(id)?.created)))
            .collect()
    }
}
