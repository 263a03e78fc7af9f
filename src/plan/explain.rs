//! Everything that a plan says about one node: what is there, what is done, what is held, and what
//! happens next.
//!
//! Nothing is decided here: actions, holds and verdicts are those of the plan that is explained.

use std::collections::BTreeMap;

use crate::model::{NodeId, Pod, Snapshot, Str, Time, Verdict};

use super::{
    action::{Create, Delete, Resize, Ungate},
    by_node::ByNode,
    claims,
    control::failure::NodeFailure,
    eligibility,
    holds::NodeHold,
    obstacles::{self, Obstacle},
    pod_state::{self, Described},
    revisions::HASH_LABEL,
    rollout::blocked::{BlockReason, NodeBlock},
    whole::DetailedPlan,
};

/// A pod on a node.
#[derive(Clone, PartialEq, Debug)]
pub struct PodExplanation {
    /// Its name.
    pub name: Str,
    /// The hash label of its revision, where it has one.
    pub revision: Option<Str>,
    /// How it stands.
    pub described: Described,
}

/// Why a node stands as it does: the one cause that comes first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// The plan creates a pod: [`super::CreateCause`] in one word.
    Create(&'static str),
    /// The plan deletes a pod: [`super::DeleteCause`] in one word.
    Delete(&'static str),
    /// The plan resizes a pod.
    Resize,
    /// The plan removes the scheduling gate of a pod.
    Ungate,
    /// A rule holds something: [`super::HoldRule`] in one word.
    Held(&'static str),
    /// The node counts as unavailable, and nothing is done about it but to wait.
    NotAvailable(BlockReason),
    /// The node is not eligible: the verdict in one word.
    NotEligible(&'static str),
    /// The node's pod is of the right revision, and available.
    UpToDate,
    /// The node is gone, and nothing is done or held there.
    Nothing,
}

impl Cause {
    /// What is done or not done.
    pub fn kind(&self) -> &'static str {
        match self {
            Cause::Create(_) => "Create",
            Cause::Delete(_) => "Delete",
            Cause::Resize => "Resize",
            Cause::Ungate => "Ungate",
            Cause::Held(_) => "Held",
            Cause::NotAvailable(_) => "NotAvailable",
            Cause::NotEligible(_) => "NotEligible",
            Cause::UpToDate => "UpToDate",
            Cause::Nothing => "Nothing",
        }
    }

    /// Why, in one word; empty where there is nothing more to say.
    pub fn reason(&self) -> &'static str {
        match self {
            Cause::Create(why)
            | Cause::Delete(why)
            | Cause::Held(why)
            | Cause::NotEligible(why) => why,
            Cause::NotAvailable(reason) => reason.as_str(),
            Cause::Resize | Cause::Ungate | Cause::UpToDate | Cause::Nothing => "",
        }
    }
}

/// What a plan says about one node.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeExplanation {
    /// The node's name.
    pub node: Str,
    /// The verdict of the plan; None where the node is gone.
    pub verdict: Option<Verdict>,
    /// Every obstacle, the one that the verdict names first. Empty for an eligible node.
    pub obstacles: Vec<Obstacle>,
    /// The hash of the revision that the node is to have.
    pub revision: Str,
    /// The DaemonSet's pods that are on the node or pinned to it, oldest first.
    pub pods: Vec<PodExplanation>,
    /// The pod that is created.
    pub create: Option<Create>,
    /// The pods that are deleted.
    pub deletes: Vec<Delete>,
    /// The pods that are resized.
    pub resizes: Vec<Resize>,
    /// The pods whose scheduling gate is removed.
    pub ungates: Vec<Ungate>,
    /// What is held on the node.
    pub holds: Vec<NodeHold>,
    /// Why the node counts against a rollout's budget.
    pub block: Option<NodeBlock>,
    /// Why the node fails with the revision that is rolled out, or back.
    pub failure: Option<NodeFailure>,
    /// The cause that comes first.
    pub cause: Cause,
}

/// Explains the nodes of one plan.
pub struct Explainer<'s, 'a> {
    snapshot: &'s Snapshot<'a>,
    detailed: &'s DetailedPlan,
    now: Time,
    by_node: ByNode<'a>,
    hash: Str,
    creates: BTreeMap<&'s str, &'s Create>,
    deletes: BTreeMap<&'s str, Vec<&'s Delete>>,
    resizes: BTreeMap<&'s str, Vec<&'s Resize>>,
    holds: BTreeMap<&'s str, Vec<&'s NodeHold>>,
    blocks: BTreeMap<&'s str, &'s NodeBlock>,
    failing: BTreeMap<&'s str, &'s NodeFailure>,
}

impl<'s, 'a> Explainer<'s, 'a> {
    /// Explains this plan, which [`super::in_detail`] made from this snapshot at `now`. None where
    /// the DaemonSet is left alone: then the plan's one hold says all.
    pub fn new(
        snapshot: &'s Snapshot<'a>,
        detailed: &'s DetailedPlan,
        now: Time,
    ) -> Option<Explainer<'s, 'a>> {
        let ds = snapshot.daemon_set;
        let selector = ds.selector.as_ref().ok()?;
        let hash = detailed.plan.revision.as_ref()?.hash.clone();
        let (_, pods) = claims::claim_pods(snapshot, selector);
        let mut deletes: BTreeMap<&str, Vec<&Delete>> = BTreeMap::new();
        for delete in &detailed.plan.deletes {
            deletes.entry(&delete.node).or_default().push(delete);
        }
        let mut resizes: BTreeMap<&str, Vec<&Resize>> = BTreeMap::new();
        for resize in &detailed.plan.resizes {
            resizes.entry(&resize.node).or_default().push(resize);
        }
        let mut holds: BTreeMap<&str, Vec<&NodeHold>> = BTreeMap::new();
        for hold in &detailed.holds {
            holds.entry(&hold.node).or_default().push(hold);
        }
        Some(Explainer {
            snapshot,
            detailed,
            now,
            by_node: ByNode::new(snapshot.nodes, &pods),
            hash,
            creates: detailed
                .plan
                .creates
                .iter()
                .map(|c| (&*c.node, c))
                .collect(),
            deletes,
            resizes,
            holds,
            blocks: detailed.blocks.iter().map(|b| (&*b.node, b)).collect(),
            failing: detailed.failing.iter().map(|f| (&*f.node, f)).collect(),
        })
    }

    /// The plan that is explained.
    pub fn plan(&self) -> &'s DetailedPlan {
        self.detailed
    }

    /// The nodes that exist and those that are gone with pods left, by name.
    pub fn nodes(&self) -> Vec<NodeId> {
        let nodes = self.snapshot.nodes;
        let concerns = |id: &NodeId| nodes.get(*id).is_some() || !self.by_node.on(*id).is_empty();
        let slots = (0..).map(NodeId).take(nodes.slots());
        let mut all: Vec<NodeId> = slots.filter(concerns).collect();
        all.sort_by(|a, b| nodes.name(*a).cmp(nodes.name(*b)));
        all
    }

    /// Explains one node.
    pub fn node(&self, id: NodeId) -> NodeExplanation {
        let name = self.snapshot.nodes.name(id);
        let node = self.snapshot.nodes.get(id);
        let (verdict, template) = self.detailed.placement(self.snapshot, id);
        let verdict = node.map(|_| verdict);
        let older = self.detailed.older.get(&id);
        let ds = self.snapshot.daemon_set;
        let mut pods: Vec<&Pod> = self.by_node.on(id).to_vec();
        pods.sort_by(|a, b| a.oldest_first(b));
        let pods = pods.into_iter().map(|p| PodExplanation {
            name: p.name.clone(),
            revision: p.labels.get_shared(HASH_LABEL).cloned(),
            described: pod_state::describe(p, node, ds.min_ready_seconds, self.now),
        });
        let create = self.creates.get(&**name).copied();
        let deletes = self.deletes.get(&**name).map_or(&[][..], Vec::as_slice);
        let resizes = self.resizes.get(&**name).map_or(&[][..], Vec::as_slice);
        let ungates = self.detailed.plan.ungates.iter();
        let ungates: Vec<Ungate> = ungates.filter(|u| u.node == *name).cloned().collect();
        let holds = self.holds.get(&**name).map_or(&[][..], Vec::as_slice);
        let block = self.blocks.get(&**name).copied();
        let cause = if let Some(create) = create {
            Cause::Create(create.cause.as_str())
        } else if let Some(delete) = deletes.first() {
            Cause::Delete(delete.cause.as_str())
        } else if !resizes.is_empty() {
            Cause::Resize
        } else if !ungates.is_empty() {
            Cause::Ungate
        } else if let Some(hold) = holds.first() {
            Cause::Held(hold.rule.as_str())
        } else if let Some(block) = block {
            Cause::NotAvailable(block.reason)
        } else {
            self.settled(id, verdict)
        };
        NodeExplanation {
            node: name.clone(),
            verdict,
            obstacles: node.map_or_else(Vec::new, |n| {
                obstacles::with_exclusions(
                    template,
                    &ds.exclusions(),
                    self.snapshot.settings.gates,
                    n,
                )
            }),
            revision: older.map_or(&self.hash, |older| &older.hash).clone(),
            pods: pods.collect(),
            create: create.cloned(),
            deletes: deletes.iter().map(|d| (*d).clone()).collect(),
            resizes: resizes.iter().map(|r| (*r).clone()).collect(),
            ungates,
            holds: holds.iter().map(|h| (*h).clone()).collect(),
            block: block.cloned(),
            failure: self.failing.get(&**name).map(|f| (*f).clone()),
            cause,
        }
    }

    /// Why a node stands as it does on which nothing is done and nothing held.
    fn settled(&self, id: NodeId, verdict: Option<Verdict>) -> Cause {
        match verdict {
            Some(verdict) if !verdict.should_run() => {
                return Cause::NotEligible(eligibility::reason(verdict));
            }
            None => return Cause::Nothing,
            Some(_) => {}
        }
        let ds = self.snapshot.daemon_set;
        let node = self.snapshot.nodes.get(id);
        let visible = self.by_node.on(id).iter();
        let visible = visible.filter(|p| !p.is_terminal_and_terminating());
        // A pod that goes says less than one that stays.
        let oldest = visible.min_by(|a, b| {
            let stays = a.terminating.cmp(&b.terminating);
            stays.then_with(|| a.oldest_first(b))
        });
        match oldest {
            Some(pod) if !pod.is_available(ds.min_ready_seconds, self.now) => {
                let described = pod_state::describe(pod, node, ds.min_ready_seconds, self.now);
                Cause::NotAvailable(BlockReason::Pod(described.state))
            }
            Some(_) => Cause::UpToDate,
            None => Cause::NotAvailable(BlockReason::NoPod),
        }
    }
}
