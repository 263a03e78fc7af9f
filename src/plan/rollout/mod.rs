//! Rolling updates: which old pods are replaced now, within `maxUnavailable` or `maxSurge`
//! (upstream's `rollingUpdate`).
//!
//! A rollout is decided in steps, a file each: a [`census`] of nodes makes counts and candidates,
//! [`order`] says whose turn it is, [`gates`] how many may go, and [`replace`] or [`surge`] turns
//! them into actions.
//!
//! It is decided on the snapshot as upkeep leaves it: pods that upkeep deletes are still there, but
//! no longer available, and nodes where upkeep creates a pod get no other. So both parts together
//! keep to the budget, and never take a node's pods all at once.
//!
//! Where upstream is left:
//! - Among equals it takes those that Go's map order brings. Ours: the oldest pods first, ties by
//!   node name.
//! - A node that is gone ends its rolling update with an error while surging. Ours counts the node
//!   as one that is not eligible.
//! - A node with a pod that could not be decoded is left as it is, and counts as unavailable.

pub mod blocked;
mod census;
pub mod counts;
mod gates;
mod on_delete;
mod order;
pub mod progress;
mod removal;
mod replace;
mod surge;

use crate::model::{DaemonSetStatus, UpdateStrategy};

use blocked::Blockers;
use census::Census;
use counts::Rollout;
use gates::{Budget, Gate};

use super::{draft::Draft, facts::Facts, hold::HoldRule};

/// Adds the rolling update to a draft that upkeep has written, and says how it stands. None where
/// pods are not replaced by the controller; the draft's holds say why.
pub fn plan(
    facts: &Facts<'_, '_>,
    status: &DaemonSetStatus,
    blockers: &mut Blockers,
    draft: &mut Draft,
) -> Option<Rollout> {
    let UpdateStrategy::RollingUpdate {
        max_unavailable,
        max_surge,
    } = &facts.ds().update_strategy
    else {
        on_delete::hold(facts, status, draft);
        removal::limit(facts, Budget::ONE, false, draft);
        return None;
    };
    // The status has counted the eligible nodes already.
    let desired = usize::try_from(status.desired_number_scheduled).unwrap_or(0);
    let Some(budget) = Budget::new(max_unavailable, max_surge, desired) else {
        draft.holds.on_daemon_set(HoldRule::InvalidBudget);
        removal::limit(facts, Budget::ONE, false, draft);
        return None;
    };
    let mut rollout = Rollout {
        desired,
        max_unavailable: budget.max_unavailable,
        max_surge: budget.max_surge,
        ..Rollout::default()
    };
    let control = facts.ds().control.as_deref();
    let strict = control.is_some_and(|control| control.strict_budget) || facts.back.is_some();
    let gate = Gate::new(strict, &facts.exempt);
    let held = removal::limit(facts, budget, strict, draft);
    let mut census = Census::new(facts, draft, held, blockers);
    if budget.max_surge == 0 {
        replace::plan(&mut census, gate, draft, &mut rollout);
    } else {
        surge::plan(&mut census, gate, draft, &mut rollout);
    }
    if let Some(at) = census.wake_at {
        draft.wake(at);
    }
    if let Gate::Shut(too_many) = gate
        && census.is_old_left
        && rollout.next.is_empty()
    {
        let rule = HoldRule::TooManyBadNodes(too_many);
        draft.holds.on_daemon_set(rule);
    }
    rollout.blocked_by = blockers.by_reason();
    Some(rollout)
}
