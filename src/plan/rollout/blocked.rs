//! What uses a rollout's budget: which nodes count as unavailable or as surging, and why.

use crate::model::{NodeId, Pod, Str, Time};

use crate::plan::{
    facts::Facts,
    node_group::NodeGroup,
    pod_state::{self, PodState},
};

/// Why a node counts against the budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BlockReason {
    /// Upkeep deletes the node's pod in this plan.
    BeingReplaced,
    /// The node has no pod.
    NoPod,
    /// The node has several pods: upkeep leaves one of them.
    SeveralPods,
    /// The node's one pod is not available.
    Pod(PodState),
}

impl BlockReason {
    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            BlockReason::BeingReplaced => "BeingReplaced",
            BlockReason::NoPod => "NoPod",
            BlockReason::SeveralPods => "SeveralPods",
            BlockReason::Pod(state) => state.as_str(),
        }
    }

    /// As a phrase about the node or its pod, for people.
    pub fn describe(self) -> &'static str {
        match self {
            BlockReason::BeingReplaced => {
                "the pod is deleted by this plan, failed, finished or superfluous"
            }
            BlockReason::NoPod => "the node has no pod",
            BlockReason::SeveralPods => "the node has several pods",
            BlockReason::Pod(state) => state.describe(),
        }
    }
}

/// Nodes that count against the budget for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlockedBy {
    /// The reason.
    pub reason: BlockReason,
    /// The nodes.
    pub nodes: NodeGroup,
    /// Since when, where that is known: the earliest of all nodes.
    pub since: Option<Time>,
    /// Until when, where a time ends it: the earliest of all nodes.
    pub until: Option<Time>,
}

/// Why one node counts against the budget.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeBlock {
    /// The node's name.
    pub node: Str,
    /// The pod, where it is one.
    pub pod: Option<Str>,
    /// The reason.
    pub reason: BlockReason,
    /// Since when, where that is known.
    pub since: Option<Time>,
    /// Until when, where a time ends it.
    pub until: Option<Time>,
    /// The scheduler's, the kubelet's or the API server's words.
    pub message: Option<String>,
}

/// What uses the budget in one plan.
#[derive(Default, Debug)]
pub struct Blockers {
    by_reason: Vec<BlockedBy>,
    each: Option<Vec<NodeBlock>>,
}

impl Blockers {
    /// Keeps one value a node besides.
    pub fn in_detail() -> Self {
        Blockers {
            by_reason: Vec::new(),
            each: Some(Vec::new()),
        }
    }

    /// Whether one value a node is kept.
    pub(super) fn is_in_detail(&self) -> bool {
        self.each.is_some()
    }

    /// One more node.
    pub(super) fn add(&mut self, node: &Str, why: Why<'_>) {
        let Why {
            reason,
            since,
            until,
            ..
        } = why;
        match self.by_reason.iter_mut().find(|b| b.reason == reason) {
            Some(known) => {
                known.nodes.add(node);
                known.since = Time::earliest(known.since, since);
                known.until = Time::earliest(known.until, until);
            }
            None => self.by_reason.push(BlockedBy {
                reason,
                nodes: NodeGroup::of(node),
                since,
                until,
            }),
        }
        if let Some(each) = &mut self.each {
            each.push(NodeBlock {
                node: node.clone(),
                pod: why.pod.map(|pod| pod.name.clone()),
                reason,
                since,
                until,
                message: why.message,
            });
        }
    }

    /// The reasons, commonest first.
    pub(super) fn by_reason(&mut self) -> Vec<BlockedBy> {
        let mut all = std::mem::take(&mut self.by_reason);
        all.sort_by(|a, b| {
            let commonest = b.nodes.count.cmp(&a.nodes.count);
            commonest.then(a.reason.cmp(&b.reason))
        });
        all
    }

    /// One value a node, where they were kept, in the order of the nodes' slots.
    pub fn each(self) -> Vec<NodeBlock> {
        self.each.unwrap_or_default()
    }
}

/// Why a node counts, borrowed: in a large cluster most nodes may count for a while.
pub(super) struct Why<'a> {
    pod: Option<&'a Pod>,
    pub reason: BlockReason,
    since: Option<Time>,
    until: Option<Time>,
    message: Option<String>,
}

/// Why this node counts: because of `pod`, or where that is None, because of what is or is not
/// there. Messages cost texts; they are read only where `in_detail`.
pub(super) fn why<'a>(
    facts: &Facts<'_, 'a>,
    id: NodeId,
    pod: Option<&'a Pod>,
    in_detail: bool,
) -> Why<'a> {
    let mut why = Why {
        pod: None,
        reason: BlockReason::NoPod,
        since: None,
        until: None,
        message: None,
    };
    let pod = match pod.map_or_else(|| the_one(facts, id), |pod| Ok(Some(pod))) {
        Ok(Some(pod)) => pod,
        Ok(None) => return why,
        Err(Several) => {
            why.reason = BlockReason::SeveralPods;
            return why;
        }
    };
    let node = facts.snapshot.nodes.get(id);
    let describe = if in_detail {
        pod_state::describe
    } else {
        pod_state::outline
    };
    let described = describe(pod, node, facts.ds().min_ready_seconds, facts.now);
    why.pod = Some(pod);
    why.reason = BlockReason::Pod(described.state);
    why.since = described.since;
    why.until = described.until;
    why.message = described.message;
    why
}

/// A node has several pods of one kind.
struct Several;

/// The pod that stands for a node that has not just one pod of one revision: one that could not be
/// decoded, else one that is terminating.
fn the_one<'a>(facts: &Facts<'_, 'a>, id: NodeId) -> Result<Option<&'a Pod>, Several> {
    let visible = facts.visible(id);
    if let Some(pod) = visible.clone().find(|p| !p.readable) {
        return Ok(Some(pod));
    }
    if visible.clone().any(|p| !p.terminating) {
        return Err(Several);
    }
    Ok(visible.last())
}
