//! With surge: the new pod comes first, and the old one goes when the new one is available.

use std::collections::HashSet;

use crate::model::NodeId;

use crate::plan::{
    action::{ActionPhase, CreateCause, DeleteCause},
    draft::Draft,
    eviction,
    hold::HoldRule,
};

use super::{
    census::{Candidate, Census, Pair, delete},
    counts::Rollout,
    gates::{self, Gate},
    order,
};

/// Unavailable old pods get a pod beside them at once, or as the gate allows, and available ones as
/// `maxSurge` allows.
pub fn plan(census: &mut Census<'_, '_, '_>, gate: Gate, draft: &mut Draft, rollout: &mut Rollout) {
    let facts = census.facts;
    let mut candidates = Vec::new();
    let mut waiting = Vec::new();
    let mut misplaced = Vec::new();
    let mut available = 0;
    let mut exempt = 0;
    for (id, node) in census.slots() {
        if census.is_held(id) || census.passes_over(id, draft, rollout) {
            exempt += usize::from(facts.exempt.is(id) && facts.is_eligible(id));
            continue;
        }
        if facts.targets.is_missing(id) {
            continue;
        }
        let is_leaving = census.is_leaving(id, draft);
        let Some(Pair { new, old }) = census.pair(id) else {
            rollout.surging += 1;
            census.blocks(id, node, None);
            continue;
        };
        if let Some(pod) = old.or(new) {
            available += usize::from(census.is_available(pod));
        }
        match (new, old) {
            (Some(new), None) => {
                census.count(id, rollout);
                if census.is_available(new) {
                    rollout.done += 1;
                } else if gate.is_strict() {
                    // Its old pod went, because it was not available either.
                    rollout.surging += 1;
                    census.blocks(id, node, Some(new));
                }
            }
            (None, None) if gate.is_strict() => {
                rollout.surging += 1;
                census.blocks(id, node, None);
            }
            (None, None) => {}
            (None, Some(pod)) => {
                rollout.old += 1;
                let first = facts.goes_first(id);
                let candidate = Candidate {
                    id,
                    node,
                    pod,
                    first,
                };
                match (census.is_available(pod), facts.is_eligible(id)) {
                    _ if is_leaving => {}
                    (false, true) => waiting.push(candidate),
                    (_, false) if gate.is_shut() => waiting.push(candidate),
                    (_, false)
                        if !census.is_going(pod) && eviction::waits(facts, node, pod, draft) => {}
                    // Nothing is lost, and nothing is to come.
                    (false, false) => {
                        let cause = DeleteCause::OldUnavailable;
                        delete(census, &candidate, cause, draft, rollout);
                    }
                    (true, true) => {
                        // One that waits takes no other's turn.
                        let waits = |n| draft.waits(facts, n);
                        if !facts.snapshot.nodes.get(id).is_some_and(waits) {
                            candidates.push(candidate);
                        }
                    }
                    (true, false) => misplaced.push(candidate),
                }
            }
            (Some(new), Some(pod)) => {
                rollout.updated += 1;
                rollout.old += 1;
                if census.is_available(new) {
                    rollout.done += 1;
                    if eviction::was_refused(facts, pod) {
                        // It stays beside the new one, and may stay once more.
                        rollout.surging += 1;
                        census.blocks(id, node, None);
                    } else if !is_leaving {
                        let first = facts.goes_first(id);
                        let candidate = Candidate {
                            id,
                            node,
                            pod,
                            first,
                        };
                        delete(census, &candidate, DeleteCause::Replaced, draft, rollout);
                    }
                } else {
                    rollout.surging += 1;
                    census.blocks(id, node, Some(new));
                }
            }
        }
    }
    // Exempt nodes are wanted and not counted.
    let wanted = rollout.desired.saturating_sub(exempt);
    let spare = gates::too_few_available(available, wanted);
    let named = draft.turns(facts);
    let (now, later) = order::split(misplaced, spare, named);
    draft
        .holds
        .in_turn(HoldRule::TooFewAvailable, &later.next, later.count);
    eviction::hold_later(facts, &later.next, draft);
    for candidate in now {
        delete(census, &candidate, DeleteCause::Misplaced, draft, rollout);
    }
    let room = gates::max_surge(rollout);
    let allowed = gate.available_beside(room, waiting.len());
    let (due, mut turns) = gate.unavailable(waiting, room, named);
    let (now, later) = order::split(candidates, allowed, named);
    turns.extend(later);
    let rule = gate.rule(HoldRule::MaxSurge);
    draft.holds.in_turn(rule, &turns.next, turns.count);
    eviction::hold_later(facts, &turns.next, draft);
    rollout.next = turns.next;
    let taken: HashSet<NodeId> = draft.creates.iter().map(|c| c.node_id).collect();
    let due = due.into_iter().map(|c| (c, CreateCause::OldUnavailable));
    let now = now.into_iter().map(|c| (c, CreateCause::Outdated));
    for (candidate, cause) in due.chain(now) {
        let id = candidate.id;
        // Upkeep creates the node's pod, or holds it for a backoff.
        if taken.contains(&id) || draft.in_backoff.contains(&id) {
            continue;
        }
        if let Some(node) = facts.snapshot.nodes.get(id)
            && draft.create(facts, id, node, ActionPhase::Rollout, cause) == Ok(())
        {
            rollout.surging += 1;
        }
    }
}
