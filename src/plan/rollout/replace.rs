//! Without surge: an old pod goes first, and its node gets the new one when it is gone.

use crate::plan::{action::DeleteCause, draft::Draft, hold::HoldRule};

use super::{
    census::{Candidate, Census, Pair, delete},
    counts::Rollout,
    gates,
};

/// Unavailable old pods go at once, available ones as `maxUnavailable` allows.
pub fn plan(census: &mut Census<'_, '_, '_>, draft: &mut Draft, rollout: &mut Rollout) {
    let mut candidates = Vec::new();
    let mut due = Vec::new();
    for (id, node) in census.slots() {
        match census.pair(id) {
            Some(Pair {
                new: Some(new),
                old: None,
            }) => {
                rollout.updated += 1;
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
                let candidate = Candidate { id, node, pod };
                if census.is_available(pod) {
                    candidates.push(candidate);
                } else {
                    // Its node is unavailable already: nothing is lost.
                    rollout.unavailable += 1;
                    census.blocks(id, node, Some(pod));
                    due.push((candidate, DeleteCause::OldUnavailable));
                }
            }
            // None, several, or both: upkeep makes one of it.
            _ => {
                rollout.unavailable += 1;
                census.blocks(id, node, None);
            }
        }
    }
    let (now, later) = gates::split(candidates, gates::max_unavailable(rollout));
    due.extend(now.into_iter().map(|c| (c, DeleteCause::Outdated)));
    draft.holds.in_turn(HoldRule::MaxUnavailable, &later);
    rollout.next = later;
    for (candidate, cause) in due {
        delete(census, &candidate, cause, draft, rollout);
    }
}
