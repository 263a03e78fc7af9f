//! Without surge: an old pod goes first, and its node gets the new one when it is gone.

use crate::plan::{action::DeleteCause, draft::Draft, eviction, hold::HoldRule};

use super::{
    census::{Candidate, Census, Pair, delete},
    counts::Rollout,
    gates::{self, Gate},
    order,
};

/// Unavailable old pods go at once, or as the gate allows, and available ones as `maxUnavailable`
/// allows.
pub fn plan(census: &mut Census<'_, '_, '_>, gate: Gate, draft: &mut Draft, rollout: &mut Rollout) {
    let mut candidates = Vec::new();
    let mut waiting = Vec::new();
    for (id, node) in census.slots() {
        if census.is_held(id) || census.passes_over(id, draft, rollout) {
            continue;
        }
        if census.is_missing(id, node, rollout) {
            continue;
        }
        let is_leaving = census.is_leaving(id, draft);
        match census.pair(id) {
            Some(Pair {
                new: Some(new),
                old: None,
            }) => {
                census.count(id, rollout);
                if census.is_available(new) {
                    rollout.done += 1;
                } else {
                    rollout.unavailable += 1;
                    census.blocks(id, node, Some(new));
                }
            }
            Some(Pair {
                new: None,
                old: Some(pod),
            }) => {
                rollout.old += 1;
                let first = census.facts.goes_first(id);
                let candidate = Candidate {
                    id,
                    node,
                    pod,
                    first,
                };
                if census.is_available(pod) {
                    if !is_leaving && !eviction::waits(census.facts, node, pod, draft) {
                        candidates.push(candidate);
                    }
                } else {
                    // Its node is unavailable already: nothing is lost.
                    rollout.unavailable += 1;
                    census.blocks(id, node, Some(pod));
                    if !is_leaving
                        && !census.is_going(pod)
                        && !eviction::waits(census.facts, node, pod, draft)
                    {
                        waiting.push(candidate);
                    }
                }
            }
            // None, several, or both: upkeep makes one of it.
            _ => {
                rollout.unavailable += 1;
                census.blocks(id, node, None);
            }
        }
    }
    let in_flight = rollout.unavailable - waiting.len();
    let room = rollout.max_unavailable.saturating_sub(in_flight);
    let named = draft.turns(census.facts);
    let (due, mut turns) = gate.unavailable(waiting, room, named);
    let room = gate.room(gates::max_unavailable(rollout));
    let (now, later) = order::split(candidates, room, named);
    turns.extend(later);
    let rule = gate.rule(HoldRule::MaxUnavailable);
    draft.holds.in_turn(rule, &turns.next, turns.count);
    eviction::hold_later(census.facts, &turns.next, draft);
    rollout.next = turns.next;
    for candidate in due {
        delete(
            census,
            &candidate,
            DeleteCause::OldUnavailable,
            draft,
            rollout,
        );
    }
    for candidate in now {
        delete(census, &candidate, DeleteCause::Outdated, draft, rollout);
    }
}
