//! `budget: bad-nodes`: nodes that are out of order or about to go take no part in a rollout.
//!
//! Such a node is exempt: it is neither counted against the budget nor a candidate, its old pod
//! stays, and the rollout completes without it. When the node is well again it is updated like any
//! other. Else a few dead nodes use up the budget, and the healthy ones wait for ever
//! (kubernetes#117204).
//!
//! A node that became NotReady *after* it got a pod of the revision is not exempt: a new agent that
//! takes its node down must stop the rollout. So is a node whose time says nothing.
//!
//! Where more nodes are bad than the cap allows, nothing is replaced. Something is wrong with the
//! cluster, and a rollout would make it worse.

use std::collections::BTreeMap;

use crate::model::{ConditionState, Node, NodeId, Pod, Snapshot, Str, Time, Verdict};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

/// Why a node is exempt: of several reasons the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BadNode {
    /// It has a deletionTimestamp.
    Terminating,
    /// It has a taint by which an autoscaler is about to remove it.
    AboutToGo,
    /// Its condition `GracefulNodeShutdownInProgress` is `True`.
    ShuttingDown,
    /// Its condition `MaintenanceInProgress` is `True`.
    Maintenance,
    /// Its condition `Ready` is not `True`, and has not been since before it got a pod of the
    /// revision; or it has none.
    NotReady,
    /// The scheduler says that its old pod is `Unschedulable`.
    Unschedulable,
}

impl BadNode {
    /// What is the matter with the node, as a phrase.
    pub fn describe(self) -> &'static str {
        match self {
            BadNode::Terminating => "the node is being deleted",
            BadNode::AboutToGo => "an autoscaler is about to remove the node",
            BadNode::ShuttingDown => "the node is shutting down",
            BadNode::Maintenance => "the node is in maintenance",
            BadNode::NotReady => {
                "the node is not ready, and was not before it got the new revision"
            }
            BadNode::Unschedulable => "the scheduler has no place for the old pod",
        }
    }

    /// What ends it, as a phrase after "until".
    pub fn until_what(self) -> &'static str {
        match self {
            BadNode::Terminating => "the node is gone",
            BadNode::AboutToGo => "the node is gone, or the taint is removed",
            BadNode::ShuttingDown | BadNode::Maintenance => "the condition is no longer True",
            BadNode::NotReady => "the node is ready",
            BadNode::Unschedulable => "the pod is scheduled or deleted",
        }
    }

    /// Since when, where that is known.
    pub fn since(self, node: &Node) -> Option<Time> {
        let detail = node.detail.as_deref()?;
        let since = |condition: Option<ConditionState>| condition.and_then(|c| c.since);
        match self {
            BadNode::Terminating => detail.deletion,
            BadNode::ShuttingDown => since(detail.graceful_shutdown),
            BadNode::Maintenance => since(detail.maintenance),
            BadNode::NotReady => since(detail.unready),
            BadNode::AboutToGo | BadNode::Unschedulable => None,
        }
    }
}

/// More nodes are bad than the cap allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TooMany {
    /// The bad nodes that have a pod of the DaemonSet, or are to have one.
    pub count: usize,
    /// The cap.
    pub cap: usize,
}

/// The exempt nodes of one DaemonSet. Without `bad-nodes` there is none.
#[derive(Clone, Default, Debug)]
pub struct Exempt {
    nodes: BTreeMap<NodeId, BadNode>,
    too_many: Option<TooMany>,
}

impl Exempt {
    /// The nodes that are bad for a rollout of the revision with this hash, whether or not the
    /// DaemonSet has anything to do with them.
    pub fn find(
        snapshot: &Snapshot<'_>,
        history: &History,
        hash: &Str,
        by_node: &ByNode<'_>,
    ) -> Exempt {
        let ds = snapshot.daemon_set;
        if cap(snapshot).is_none() {
            return Exempt::default();
        }
        // Pods that an old release made have no hash; they are of the current revision.
        let generation = ds.template_generation.map(|g| g.to_string());
        let generation = generation.filter(|_| *hash == history.current.hash);
        let is_new = |pod: &Pod| {
            let label = pod.labels.get("pod-template-generation");
            revisions::hash_of(pod, history) == Some(hash)
                || label.is_some() && label == generation.as_deref()
        };
        let bad = |(id, node)| Some((id, why(node, by_node.on(id), is_new)?));
        Exempt {
            nodes: snapshot.nodes.iter().filter_map(bad).collect(),
            too_many: None,
        }
    }

    /// Leaves out nodes that the DaemonSet has nothing to do with, and counts the others against
    /// the cap. `verdict` is that of the revision which a node is to have.
    pub fn limit(
        mut self,
        snapshot: &Snapshot<'_>,
        by_node: &ByNode<'_>,
        verdict: impl Fn(NodeId) -> Verdict,
    ) -> Exempt {
        let Some(cap) = cap(snapshot).filter(|_| !self.nodes.is_empty()) else {
            return self;
        };
        self.nodes.retain(|id, _| {
            let mut here = by_node.on(*id).iter();
            let verdict = verdict(*id);
            let has_pod = here.any(|p| !p.is_terminal_and_terminating());
            verdict.should_run() || has_pod && verdict != Verdict::Unreadable
        });
        let nodes = snapshot.nodes.iter();
        let desired = nodes.filter(|(id, _)| verdict(*id).should_run()).count();
        let (count, cap) = (self.nodes.len(), cap.of(desired));
        self.too_many = (count > cap).then_some(TooMany { count, cap });
        self
    }

    /// Whether the node is exempt.
    pub fn is(&self, node: NodeId) -> bool {
        self.reason(node).is_some()
    }

    /// Why the node is exempt; None where it is not.
    pub fn reason(&self, node: NodeId) -> Option<BadNode> {
        self.nodes.get(&node).copied()
    }

    /// That there are more exempt nodes than the cap allows.
    pub fn too_many(&self) -> Option<TooMany> {
        self.too_many
    }

    /// Whether a rollout is complete without this node: it is exempt, and there are not too many.
    pub fn excuses(&self, node: NodeId) -> bool {
        self.too_many.is_none() && self.is(node)
    }
}

/// How many nodes may be bad; None without `bad-nodes`.
fn cap(snapshot: &Snapshot<'_>) -> Option<crate::model::NodeCap> {
    snapshot.daemon_set.control.as_deref()?.bad_nodes
}

/// Why this node is bad, with these pods of the DaemonSet on it.
fn why(node: &Node, here: &[&Pod], is_new: impl Fn(&Pod) -> bool) -> Option<BadNode> {
    let health = node.health();
    for (is_so, reason) in [
        (health.terminating, BadNode::Terminating),
        (health.leaving, BadNode::AboutToGo),
        (health.shutting_down, BadNode::ShuttingDown),
        (health.maintenance, BadNode::Maintenance),
    ] {
        if is_so {
            return Some(reason);
        }
    }
    if health.unready.is_none() && here.iter().all(|p| p.detail.is_none()) {
        return None;
    }
    // A pod of the new revision that is on its way out, or failed, was there all the same.
    let new = here.iter().filter(|p| is_new(p)).map(|p| p.created).min();
    let was_unready = |since: Option<Time>| match new {
        Some(new) => since.is_some_and(|since| since < new),
        None => true,
    };
    if health.unready.is_some_and(|ready| was_unready(ready.since)) {
        return Some(BadNode::NotReady);
    }
    let mut old = here.iter().filter(|p| p.is_live());
    let waits = new.is_none() && old.any(|p| p.is_unschedulable());
    waits.then_some(BadNode::Unschedulable)
}
