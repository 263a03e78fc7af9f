//! The nodes that take part in a rollout, and the pods that count on each.

use std::collections::{BTreeSet, HashSet};

use crate::model::{NodeId, Pod, Str, Time, Uid};

use crate::plan::{
    action::{ActionPhase, DeleteCause},
    draft::Draft,
    facts::{Facts, Updated},
    hold::HoldRule,
    holds::NodeHold,
};

use super::{
    blocked::{self, BlockReason, Blockers},
    counts::Rollout,
};

/// The pod of the node's revision and the older one, of those that are not terminating.
#[derive(Default)]
pub struct Pair<'a> {
    pub new: Option<&'a Pod>,
    pub old: Option<&'a Pod>,
}

/// A node with an old pod that may be replaced when the budget allows.
pub struct Candidate<'a> {
    pub id: NodeId,
    pub node: &'a Str,
    pub pod: &'a Pod,
    /// Whether it goes before all others.
    pub first: bool,
}

/// Answers questions about nodes, as upkeep leaves them, and notes when the answers will change by
/// themselves.
pub struct Census<'f, 's, 'a> {
    pub facts: &'f Facts<'s, 'a>,
    /// When the next pod becomes available by waiting.
    pub wake_at: Option<Time>,
    /// Whether an older pod is left on an exempt node.
    pub is_old_left: bool,
    held: BTreeSet<NodeId>,
    /// Pods that upkeep deletes.
    going: HashSet<Uid>,
    updated: Updated<'f, 's, 'a>,
    blockers: &'f mut Blockers,
}

impl<'f, 's, 'a: 's> Census<'f, 's, 'a> {
    /// `held` are the nodes whose pods stay although they are not wanted there.
    pub fn new(
        facts: &'f Facts<'s, 'a>,
        draft: &Draft,
        held: BTreeSet<NodeId>,
        blockers: &'f mut Blockers,
    ) -> Self {
        Census {
            facts,
            wake_at: None,
            is_old_left: false,
            held,
            going: draft.deletes.iter().map(|d| d.pod.uid.clone()).collect(),
            updated: Updated::new(facts),
            blockers,
        }
    }

    /// The slots that take part: nodes with pods, whether eligible, there or not, and eligible
    /// nodes without. Not those that are excluded and keep their pods: what goes there does not
    /// come back.
    pub fn slots(&self) -> impl Iterator<Item = (NodeId, &'a Str)> + use<'f, 's, 'a> {
        let facts = self.facts;
        let nodes = facts.snapshot.nodes;
        let takes_part = move |id: NodeId| {
            let is_eligible = match nodes.get(id) {
                Some(node) if !node.readable => return false,
                // By the current revision, because its own cannot be read.
                Some(_) if facts.targets.is_missing(id) => {
                    facts.targets.of(id).verdicts.get(id).should_run()
                }
                Some(_) if facts.verdict(id).keeps_excluded() => return false,
                Some(_) => facts.verdict(id).should_run(),
                None => false,
            };
            is_eligible || facts.visible(id).next().is_some()
        };
        (0..)
            .map(NodeId)
            .take(nodes.slots())
            .filter(move |id| takes_part(*id))
            .map(move |id| (id, nodes.name(id)))
    }

    /// Whether the node takes no part for now, because its pod leaves later.
    pub fn is_held(&self, id: NodeId) -> bool {
        self.held.contains(&id)
    }

    /// Whether the revision that the node is to have cannot be had. Then nothing is done there, and
    /// it counts as it stands.
    pub fn is_missing(&mut self, id: NodeId, node: &'a Str, rollout: &mut Rollout) -> bool {
        let facts = self.facts;
        if !facts.targets.is_missing(id) {
            return false;
        }
        if !facts.visible(id).any(|pod| self.is_available(pod)) {
            rollout.unavailable += 1;
            self.blocks(id, node, None);
        }
        true
    }

    /// Whether upkeep deletes this pod.
    pub fn is_going(&self, pod: &Pod) -> bool {
        // Nearly all plans leave here.
        !self.going.is_empty() && self.going.contains(&pod.uid)
    }

    /// Whether a pod is available as upkeep leaves it.
    pub fn is_available(&mut self, pod: &Pod) -> bool {
        if self.is_going(pod) {
            return false;
        }
        match pod.available_at(self.facts.ds().min_ready_seconds) {
            Some(at) if at <= self.facts.now => true,
            Some(at) => {
                self.wake_at = Time::earliest(self.wake_at, Some(at));
                false
            }
            None => false,
        }
    }

    /// Counts a node that has what it is to have. While it is not released that is an older
    /// revision.
    pub fn count(&self, id: NodeId, rollout: &mut Rollout) {
        if self.facts.targets.is_current(id) {
            rollout.updated += 1;
        } else {
            rollout.old += 1;
        }
    }

    /// None where there are several of one kind, or one that could not be decoded: upkeep deals
    /// with them.
    pub fn pair(&mut self, id: NodeId) -> Option<Pair<'a>> {
        let mut pair = Pair {
            new: None,
            old: None,
        };
        for pod in self.facts.visible(id) {
            if !pod.readable {
                return None;
            }
            if pod.terminating {
                continue;
            }
            let place = if self.updated.is(id, pod) {
                &mut pair.new
            } else {
                &mut pair.old
            };
            if place.replace(pod).is_some() {
                return None;
            }
        }
        Some(pair)
    }

    /// Whether the node is exempt. Then it is passed over: its old pod stays, and it counts as one
    /// that is not done.
    pub fn passes_over(&mut self, id: NodeId, draft: &mut Draft, rollout: &mut Rollout) -> bool {
        let facts = self.facts;
        let (Some(why), Some(node)) = (facts.exempt.reason(id), facts.snapshot.nodes.get(id))
        else {
            return false;
        };
        let Pair { new, old } = self.pair(id).unwrap_or_default();
        let is_done = new.is_some_and(|pod| self.is_available(pod));
        rollout.exempt += usize::from(facts.is_eligible(id) && !is_done);
        if let Some(pod) = old.filter(|pod| !self.is_going(pod)) {
            self.is_old_left = true;
            draft.holds.on_node(NodeHold {
                pod: Some(pod.name.clone()),
                since: why.since(node),
                ..NodeHold::new(&node.name, HoldRule::NodeExempt(why))
            });
        }
        true
    }

    /// Whether the node is leaving. Then the rollout does nothing there: the node counts as it
    /// stands, and its one old pod stays. Where there are more, or none, upkeep has said so.
    pub fn is_leaving(&self, id: NodeId, draft: &mut Draft) -> bool {
        let facts = self.facts;
        let (Some(why), Some(node)) = (facts.leaving.reason(id), facts.snapshot.nodes.get(id))
        else {
            return false;
        };
        let mut live = facts.visible(id).filter(|p| p.is_live());
        if let (Some(pod), None) = (live.next(), live.next())
            && !facts.is_updated(id, pod)
            && !self.is_going(pod)
        {
            draft.holds.on_node(NodeHold {
                pod: Some(pod.name.clone()),
                ..NodeHold::leaving(node, why)
            });
        }
        true
    }

    /// This node counts against the budget because of this pod, or because of what is or is not
    /// there.
    pub fn blocks(&mut self, id: NodeId, node: &'a Str, pod: Option<&'a Pod>) {
        let mut why = blocked::why(self.facts, id, pod, self.blockers.is_in_detail());
        if pod.is_some_and(|p| self.is_going(p)) {
            why.reason = BlockReason::BeingReplaced;
        }
        self.blockers.add(node, why);
    }
}

/// Deletes a candidate for a rollout, unless upkeep does.
pub fn delete(
    census: &Census<'_, '_, '_>,
    candidate: &Candidate<'_>,
    cause: DeleteCause,
    draft: &mut Draft,
    rollout: &mut Rollout,
) {
    if census.is_going(candidate.pod) {
        return;
    }
    if cause == DeleteCause::Outdated {
        rollout.unavailable += 1;
    }
    draft.delete(candidate.pod, candidate.node, ActionPhase::Rollout, cause);
}
