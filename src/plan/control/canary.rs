//! `canary`: a few nodes get the current revision first, and the others when these have baked, or
//! when somebody approves.
//!
//! Which nodes they are follows from what is there, so whoever plans for the same state chooses the
//! same ones: nodes that have the current revision stay in; then those without a live pod, where
//! nothing is lost; then those with a revision of neither side, as after another change in the
//! middle of a canary; then those with the oldest pods, ties by name. Once chosen a node stays in,
//! because it has the current revision or no pod.
//!
//! Nodes that are exempt (`budget: bad-nodes`) are passed over: another one takes their place.

use crate::model::{Bake, Canary, Control, Node, NodeId, Pod, Snapshot, Str, Time};

use crate::plan::{
    by_node::ByNode,
    hold::HoldRule,
    revisions::{self, History},
};

use super::{assign::Assignment, bake, exempt::Exempt, stable::Hashed};

/// How the canary stands.
#[derive(Debug)]
pub struct Stage {
    /// Why the other nodes wait.
    pub rule: HoldRule,
    /// Until when, where a time ends the wait.
    pub until: Option<Time>,
    /// What ended the canary, as a phrase. They wait for nothing but the record of that.
    pub over: Option<String>,
}

/// What a canary is chosen and judged by.
pub struct Facts<'s, 'a> {
    /// The snapshot.
    pub snapshot: &'s Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'s History,
    /// Claimed pods by node.
    pub by_node: &'s ByNode<'a>,
    /// The nodes that are exempt.
    pub exempt: &'s Exempt,
    /// The stable revision.
    pub stable: Hashed<'s>,
    /// The time of the plan.
    pub now: Time,
}

impl Facts<'_, '_> {
    /// Assigns the nodes of the canary the current revision, and says how it stands.
    pub fn assign(
        &self,
        control: &Control,
        canary: &Canary,
        assignment: &mut Assignment<'_>,
    ) -> Stage {
        let nodes = self.choose(canary, assignment);
        for id in &nodes {
            assignment.release(*id);
        }
        self.judge(control, &nodes)
    }

    /// The nodes of the canary.
    fn choose(&self, canary: &Canary, assignment: &Assignment<'_>) -> Vec<NodeId> {
        let snapshot = self.snapshot;
        let nodes = snapshot.nodes.iter();
        let eligible = nodes.filter(|(id, _)| snapshot.verdicts.get(*id).should_run());
        let mut eligible: Vec<(NodeId, &Node)> = eligible.collect();
        let desired = eligible.len();
        eligible.retain(|(id, _)| !self.exempt.is(*id));
        let most = match canary {
            Canary::Selector(selector) => {
                let is_selected = |node: &Node| selector.matches(|key| node.labels.get(key));
                let selected = eligible.into_iter().filter(|(_, node)| is_selected(node));
                return selected.map(|(id, _)| id).collect();
            }
            Canary::Nodes(count) => *count,
            Canary::Percent(percent) => (desired * percent).div_ceil(100).max(1),
        };
        let has_current = |id: &NodeId| assignment.of(*id).is_none() && !assignment.is_missing(*id);
        let ids = eligible.into_iter().map(|(id, _)| id);
        let (mut chosen, mut others): (Vec<NodeId>, Vec<NodeId>) = ids.partition(has_current);
        others.sort_by_cached_key(|id| self.turn(*id));
        others.truncate(most.saturating_sub(chosen.len()));
        chosen.extend(others);
        chosen
    }

    fn live(&self, id: NodeId) -> impl Iterator<Item = &Pod> {
        self.by_node.on(id).iter().copied().filter(|p| p.is_live())
    }

    fn is_current(&self, pod: &Pod) -> bool {
        revisions::hash_of(pod, self.history) == Some(&self.history.current.hash)
    }

    /// What orders the nodes that have another revision.
    fn turn(&self, id: NodeId) -> (bool, bool, Option<Time>, Str) {
        let newest = self.live(id).max_by_key(|p| p.created);
        let is_stable =
            newest.is_some_and(|p| revisions::hash_of(p, self.history) == Some(self.stable.1));
        let name = self.snapshot.nodes.name(id).clone();
        (newest.is_some(), is_stable, newest.map(|p| p.created), name)
    }

    /// Whether the others may follow.
    fn judge(&self, control: &Control, nodes: &[NodeId]) -> Stage {
        let hash = &self.history.current.hash;
        let waits = |rule, until| Stage {
            rule,
            until,
            over: None,
        };
        let over = |because: String| Stage {
            rule: HoldRule::CanaryNotRecorded,
            until: None,
            over: Some(because),
        };
        if control.approve.as_ref() == Some(hash) {
            return over("it was approved".to_owned());
        }
        if nodes.is_empty() {
            return waits(HoldRule::NoCanaryNode, None);
        }
        let since = nodes.iter().map(|id| self.available_since(*id));
        let Some(since) = bake::stage_since(since, self.now) else {
            return waits(HoldRule::Canary, None);
        };
        match control.bake {
            Bake::Approval => waits(HoldRule::AwaitingApproval(hash.clone()), None),
            Bake::For(time) if since + time > self.now => {
                waits(HoldRule::Baking, Some(since + time))
            }
            Bake::For(_) => over(format!("its pods have been available since {since}")),
        }
    }

    /// Since when the node's pod of the current revision has been available; None while it is not.
    fn available_since(&self, id: NodeId) -> Option<Time> {
        let mut current = self.live(id).filter(|p| self.is_current(p));
        bake::available_since(self.snapshot.daemon_set, current.next()?, self.now)
    }
}
