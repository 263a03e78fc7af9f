//! Rolling updates: which old pods are replaced now, within `maxUnavailable` or `maxSurge` (upstream's `rollingUpdate`).
//!
//! It is decided on the snapshot as the first part of the plan ([`upkeep`](super::upkeep)) leaves it: pods that this part deletes
//! are still there, but no longer available, and nodes where it creates a pod get no other. So both parts together
//! keep to the budget, and never take a node's pods all at once.
//!
//! Where upstream is left:
//! - Among equals it takes those that Go's map order brings. Ours: the oldest pods first, ties by node name.
//! - A node that is gone ends its rolling update with an error while surging. Ours counts the node as one that is not
//!   eligible.
//! - A node with a pod that could not be decoded is left as it is, and counts as unavailable.

use std::collections::HashSet;

use crate::model::{NodeId, Pod, Str, Time, Uid, UpdateStrategy};

use super::{
    action::{ActionPhase, CreateCause, DeleteCause, Rollout},
    upkeep::{self, Facts, Updated, Upkeep, create, wake},
};

/// The pod of the current revision and the older one on a node, of those that are not on their way out.
struct Pair<'a> {
    new: Option<&'a Pod>,
    old: Option<&'a Pod>,
}

/// A node with an old pod that may be replaced when the budget allows.
struct Candidate<'a> {
    id: NodeId,
    node: &'a Str,
    pod: &'a Pod,
}

/// What is counted, and what is due.
struct Count<'f, 's, 'a> {
    facts: &'f Facts<'s, 'a>,
    /// Pods that the first part of the plan deletes.
    going: HashSet<Uid>,
    min_ready_seconds: i32,
    wake_at: Option<Time>,
    updated: Updated<'f, 's, 'a>,
}

impl<'a> Count<'_, '_, 'a> {
    /// Whether a pod is available after the first part of the plan; if it is not yet, when to look again.
    fn is_available(&mut self, pod: &Pod) -> bool {
        if self.going.contains(&pod.uid) {
            return false;
        }
        match pod.available_at(self.min_ready_seconds) {
            Some(at) if at <= self.facts.now => true,
            Some(at) => {
                wake(&mut self.wake_at, at);
                false
            }
            None => false,
        }
    }

    /// None where there are several of one kind, or one that could not be decoded: the first part of a plan deals with them.
    fn pair(&mut self, id: NodeId) -> Option<Pair<'a>> {
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
            let place = if self.updated.is(pod) {
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
}

/// Adds to `upkeep`'s creates and deletes those of the rolling update, and says how it stands. None where pods are not updated by us.
pub fn plan(facts: &Facts<'_, '_>, upkeep: &mut Upkeep) -> Option<Rollout> {
    let UpdateStrategy::RollingUpdate {
        max_unavailable,
        max_surge,
    } = &facts.ds().update_strategy
    else {
        return None;
    };
    let nodes = facts.snapshot.nodes;
    let verdicts = facts.snapshot.verdicts;
    let desired = nodes
        .iter()
        .filter(|(id, _)| verdicts.get(*id).should_run())
        .count();
    // One that makes no sense passes no validation; upstream stops with an error.
    let mut max_unavailable = max_unavailable.scaled_up(desired)?;
    let max_surge = max_surge.scaled_up(desired)?;
    if desired > 0 && max_unavailable == 0 && max_surge == 0 {
        max_unavailable = 1;
    }
    let mut count = Count {
        facts,
        going: upkeep.deletes.iter().map(|d| d.pod.uid.clone()).collect(),
        min_ready_seconds: facts.ds().min_ready_seconds,
        wake_at: None,
        updated: Updated::new(facts),
    };
    let mut rollout = Rollout {
        desired,
        max_unavailable,
        max_surge,
        ..Rollout::default()
    };
    if max_surge == 0 {
        replace(&mut count, upkeep, &mut rollout);
    } else {
        surge(&mut count, upkeep, &mut rollout);
    }
    if let Some(at) = count.wake_at {
        wake(&mut upkeep.wake_at, at);
    }
    Some(rollout)
}

/// The slots that take part: nodes with pods, whether eligible, there or not, and eligible nodes without.
fn slots<'a>(facts: &Facts<'_, 'a>) -> impl Iterator<Item = (NodeId, &'a Str)> {
    let nodes = facts.snapshot.nodes;
    let verdicts = facts.snapshot.verdicts;
    let by_node = facts.by_node;
    let takes_part = move |id: NodeId| {
        let is_readable = nodes.get(id).is_none_or(|n| n.readable);
        let runs = nodes.get(id).is_some() && verdicts.get(id).should_run();
        is_readable
            && (runs
                || by_node
                    .on(id)
                    .iter()
                    .any(|p| !p.is_terminal_and_terminating()))
    };
    (0..)
        .map(NodeId)
        .take(nodes.slots())
        .filter(move |id| takes_part(*id))
        .map(move |id| (id, nodes.name(id)))
}

/// Without surge an old pod goes first, and its node gets the new one when it is gone.
fn replace(count: &mut Count<'_, '_, '_>, upkeep: &mut Upkeep, rollout: &mut Rollout) {
    let facts = count.facts;
    let mut candidates = Vec::new();
    let mut due = Vec::new();
    for (id, node) in slots(facts) {
        match count.pair(id) {
            Some(Pair {
                new: Some(new),
                old: None,
            }) => {
                rollout.updated += 1;
                if count.is_available(new) {
                    rollout.done += 1;
                } else {
                    rollout.unavailable += 1;
                }
            }
            Some(Pair {
                new: None,
                old: Some(pod),
            }) => {
                rollout.old += 1;
                let candidate = Candidate { id, node, pod };
                if count.is_available(pod) {
                    candidates.push(candidate);
                } else {
                    // There is nothing to lose.
                    rollout.unavailable += 1;
                    due.push((candidate, DeleteCause::OldUnavailable));
                }
            }
            // None, several, or both: the first part of the plan makes one of it.
            _ => rollout.unavailable += 1,
        }
    }
    let budget = rollout.max_unavailable.saturating_sub(rollout.unavailable);
    let (now, later) = take(candidates, budget);
    due.extend(now.into_iter().map(|c| (c, DeleteCause::Outdated)));
    rollout.next = later;
    for (candidate, cause) in due {
        delete(count, &candidate, cause, upkeep, rollout);
    }
}

/// With surge the new pod comes first, and the old one goes when it is available.
fn surge(count: &mut Count<'_, '_, '_>, upkeep: &mut Upkeep, rollout: &mut Rollout) {
    let facts = count.facts;
    let mut candidates = Vec::new();
    let mut due = Vec::new();
    let mut misplaced = Vec::new();
    let mut available = 0;
    for (id, node) in slots(facts) {
        let Some(Pair { new, old }) = count.pair(id) else {
            rollout.surging += 1;
            continue;
        };
        if let Some(pod) = old.or(new) {
            available += usize::from(count.is_available(pod));
        }
        let is_here = facts.snapshot.nodes.get(id).is_some();
        let runs = is_here && facts.snapshot.verdicts.get(id).should_run();
        match (new, old) {
            (Some(new), None) => {
                rollout.updated += 1;
                rollout.done += usize::from(count.is_available(new));
            }
            (None, None) => {}
            (None, Some(pod)) => {
                rollout.old += 1;
                let candidate = Candidate { id, node, pod };
                match (count.is_available(pod), runs) {
                    (false, true) => due.push((candidate, CreateCause::OldUnavailable)),
                    // There is nothing to lose, and nothing to come.
                    (false, false) => {
                        let cause = DeleteCause::OldUnavailable;
                        delete(count, &candidate, cause, upkeep, rollout);
                    }
                    (true, true) => candidates.push(candidate),
                    (true, false) => misplaced.push(candidate),
                }
            }
            (Some(new), Some(pod)) => {
                rollout.updated += 1;
                rollout.old += 1;
                if count.is_available(new) {
                    rollout.done += 1;
                    let candidate = Candidate { id, node, pod };
                    delete(count, &candidate, DeleteCause::Replaced, upkeep, rollout);
                } else {
                    rollout.surging += 1;
                }
            }
        }
    }
    // An available pod on a node that ceased to be eligible goes only when enough others are available.
    let (now, _) = take(misplaced, available.saturating_sub(rollout.desired));
    for candidate in now {
        delete(count, &candidate, DeleteCause::Misplaced, upkeep, rollout);
    }
    let budget = rollout.max_surge.saturating_sub(rollout.surging);
    let (now, later) = take(candidates, budget);
    due.extend(now.into_iter().map(|c| (c, CreateCause::Outdated)));
    rollout.next = later;
    let taken: HashSet<NodeId> = upkeep.creates.iter().map(|c| c.node_id).collect();
    for (candidate, cause) in due {
        let node = facts.snapshot.nodes.get(candidate.id);
        if let Some(node) = node
            && !taken.contains(&candidate.id)
            && !upkeep.waiting.contains(&candidate.id)
            && create(
                facts,
                candidate.id,
                node,
                ActionPhase::Rollout,
                cause,
                upkeep,
            )
        {
            rollout.surging += 1;
        }
    }
}

/// The first `budget` candidates, oldest pods first and ties by node name, and the nodes of the rest.
fn take(mut candidates: Vec<Candidate<'_>>, budget: usize) -> (Vec<Candidate<'_>>, Vec<Str>) {
    candidates.sort_by(|a, b| {
        let created = a.pod.created.cmp(&b.pod.created);
        created.then_with(|| a.node.cmp(b.node))
    });
    let later = candidates.split_off(budget.min(candidates.len()));
    let later = later.into_iter().map(|c| c.node.clone()).collect();
    (candidates, later)
}

fn delete(
    count: &Count<'_, '_, '_>,
    candidate: &Candidate<'_>,
    cause: DeleteCause,
    out: &mut Upkeep,
    rollout: &mut Rollout,
) {
    // The first part of the plan deletes it already.
    if count.going.contains(&candidate.pod.uid) {
        return;
    }
    if cause == DeleteCause::Outdated {
        rollout.unavailable += 1;
    }
    upkeep::delete(
        candidate.pod,
        candidate.node,
        ActionPhase::Rollout,
        cause,
        out,
    );
}
