//! Pods of which no watch tells: where another controller may make pods as well, none is made from
//! what was known too long ago.

use std::time::Duration;

use crate::model::Time;

use super::{facts::Facts, hold::HoldRule, whole::Plan};

/// How far a controller may be behind another one (docs/design.md, "Known gap").
const BEHIND: Duration = Duration::from_millis(300);

/// When a plan whose creates wait is made again, although nothing is told.
pub const RETRY: Duration = Duration::from_secs(1);

/// Since when nothing is known of the DaemonSet's pods, where that keeps one from being made. With
/// leader election nobody else makes pods, and with `exclusive` a second one does not run.
pub fn since(facts: &Facts<'_, '_>) -> Option<Time> {
    let snapshot = facts.snapshot;
    let as_of = snapshot.pods_as_of.filter(|at| *at + BEHIND < facts.now);
    as_of.filter(|_| !snapshot.tenure.elected && !facts.ds().is_exclusive())
}

/// Whether a read of the DaemonSet's pods lets this plan make pods.
pub fn waits_for_read(plan: &Plan) -> bool {
    let mut holds = plan.holds.iter();
    holds.any(|hold| hold.rule == HoldRule::PodsNotWatched)
}
