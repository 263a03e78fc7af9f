//! What uses a rollout's budget: which nodes count as unavailable or as surging, and why.

use crate::model::{NodeId, Pod, PodPhase, Str, Time};

use crate::plan::{facts::Facts, node_group::NodeGroup};

/// Why a node counts against the budget.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BlockReason {
    /// Upkeep deletes the node's pod in this plan.
    BeingReplaced,
    /// The node has no pod.
    NoPod,
    /// The node's pod is terminating.
    PodTerminating,
    /// The node has several pods: upkeep leaves one of them.
    SeveralPods,
    /// A pod on the node could not be decoded.
    UnreadablePod,
    /// The pod failed.
    PodFailed,
    /// The pod finished.
    PodFinished,
    /// The pod is not ready.
    NotReady,
    /// The pod is ready, but not yet for `minReadySeconds`.
    MinReadySeconds,
}

impl BlockReason {
    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            BlockReason::BeingReplaced => "BeingReplaced",
            BlockReason::NoPod => "NoPod",
            BlockReason::PodTerminating => "PodTerminating",
            BlockReason::SeveralPods => "SeveralPods",
            BlockReason::UnreadablePod => "UnreadablePod",
            BlockReason::PodFailed => "PodFailed",
            BlockReason::PodFinished => "PodFinished",
            BlockReason::NotReady => "NotReady",
            BlockReason::MinReadySeconds => "MinReadySeconds",
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

    /// One more node.
    pub(super) fn add(&mut self, block: NodeBlock) {
        let NodeBlock {
            reason,
            since,
            until,
            ..
        } = block;
        match self.by_reason.iter_mut().find(|b| b.reason == reason) {
            Some(known) => {
                known.nodes.add(&block.node);
                known.since = [known.since, since].into_iter().flatten().min();
                known.until = [known.until, until].into_iter().flatten().min();
            }
            None => self.by_reason.push(BlockedBy {
                reason,
                nodes: NodeGroup::of(&block.node),
                since,
                until,
            }),
        }
        if let Some(each) = &mut self.each {
            each.push(block);
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

/// Why this node counts: because of `pod`, or where that is None, because of what is or is not there.
pub(super) fn why(facts: &Facts<'_, '_>, id: NodeId, node: &Str, pod: Option<&Pod>) -> NodeBlock {
    let (reason, pod) = match pod {
        Some(pod) => (of_pod(pod), Some(pod)),
        None => of_node(facts, id),
    };
    let mut block = NodeBlock {
        node: node.clone(),
        pod: pod.map(|p| p.name.clone()),
        reason,
        since: None,
        until: None,
    };
    if let (BlockReason::MinReadySeconds, Some(pod)) = (reason, pod) {
        block.until = pod.available_at(facts.ds().min_ready_seconds);
    }
    block
}

/// Why a pod that is neither terminating nor unreadable is not available.
fn of_pod(pod: &Pod) -> BlockReason {
    match pod.phase {
        PodPhase::Failed => BlockReason::PodFailed,
        PodPhase::Succeeded => BlockReason::PodFinished,
        PodPhase::Active if pod.is_ready() => BlockReason::MinReadySeconds,
        PodPhase::Active => BlockReason::NotReady,
    }
}

/// Why a node counts that has not just one pod of one revision.
fn of_node<'a>(facts: &Facts<'_, 'a>, id: NodeId) -> (BlockReason, Option<&'a Pod>) {
    let visible = facts.visible(id);
    if let Some(pod) = visible.clone().find(|p| !p.readable) {
        return (BlockReason::UnreadablePod, Some(pod));
    }
    if visible.clone().any(|p| !p.terminating) {
        return (BlockReason::SeveralPods, None);
    }
    match visible.last() {
        Some(pod) => (BlockReason::PodTerminating, Some(pod)),
        None => (BlockReason::NoPod, None),
    }
}
