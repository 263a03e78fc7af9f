//! How long a rolling update has been under way, and whether it is stuck.
//!
//! A roll is under way from the first plan that sees a pod of an older revision, until every eligible node has a pod of
//! the current one and at least as many of them are available as when it began: nodes that were out of order before it
//! do not keep it from its end. A new template begins another roll.
//!
//! It is stuck when for some time ([`PATIENCE`], and what the pods take by themselves) no more nodes have come to have an
//! available pod of the current revision.

use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    model::{DaemonSet, DaemonSetStatus, Str},
    plan::{Plan, Rollout},
    wire::raw,
};

/// How long a node may take, besides `minReadySeconds` and `terminationGracePeriodSeconds`.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How long pods are refused before a roll counts as stuck for that.
pub const REFUSED: Duration = Duration::from_secs(60);

/// What Kubernetes takes where the template does not say.
const DEFAULT_GRACE: u64 = 30;

/// A roll.
#[derive(Debug, Clone, PartialEq)]
pub struct Roll {
    /// The hash of the revision that it leads to.
    to: Str,
    begun: Instant,
    /// Nodes with an available pod when it began.
    available: i32,
    /// Eligible nodes, when they were last counted.
    desired: usize,
    /// The least that were ever left to do, corrected for nodes that have come since.
    left: usize,
    /// When that last became less.
    progress: Instant,
    patience: Duration,
}

impl Roll {
    /// What is under way after this plan.
    pub fn next(
        before: Option<Roll>,
        ds: &DaemonSet,
        plan: &Plan,
        status: &DaemonSetStatus,
        now: Instant,
    ) -> Option<Roll> {
        let (Some(rollout), Some(revision)) = (&plan.rollout, &plan.revision) else {
            return None;
        };
        let under_way =
            rollout.old > 0 || status.updated_number_scheduled < status.current_number_scheduled;
        if !under_way && before.as_ref().is_none_or(|roll| roll.is_done(status)) {
            return None;
        }
        match before {
            Some(mut roll) if roll.to == revision.hash => {
                roll.go_on(rollout, now);
                Some(roll)
            }
            before => Some(Roll {
                to: revision.hash.clone(),
                begun: now,
                // In the middle of a roll fewer are available than there were.
                available: before
                    .map_or(0, |b| b.available)
                    .max(status.number_available),
                desired: rollout.desired,
                left: left(rollout),
                progress: now,
                patience: patience(ds),
            }),
        }
    }

    fn is_done(&self, status: &DaemonSetStatus) -> bool {
        let desired = status.desired_number_scheduled;
        status.updated_number_scheduled >= desired
            && status.number_available >= self.available.min(desired)
    }

    fn go_on(&mut self, rollout: &Rollout, now: Instant) {
        self.left += rollout.desired.saturating_sub(self.desired);
        self.desired = rollout.desired;
        if left(rollout) < self.left {
            self.left = left(rollout);
            self.progress = now;
        }
    }

    /// For how long it has been under way.
    pub fn age(&self, now: Instant) -> Duration {
        now - self.begun
    }

    /// Whether it stands still; `refused` is since when pods cannot be created.
    pub fn is_stuck(&self, refused: Option<Instant>, now: Instant) -> bool {
        now - self.progress > self.patience || refused.is_some_and(|since| now - since >= REFUSED)
    }
}

/// Nodes that are not done.
fn left(rollout: &Rollout) -> usize {
    rollout.desired.saturating_sub(rollout.done)
}

/// How long a node may take: its old pod to end, its new one to start and to be available.
fn patience(ds: &DaemonSet) -> Duration {
    let template = serde_json::from_str::<&RawValue>(&ds.template.raw).ok();
    let grace = template.and_then(|t| raw::find(t, &["spec", "terminationGracePeriodSeconds"]));
    let grace: Option<u64> = grace.and_then(|text| text.get().parse().ok());
    let ready = u64::try_from(ds.min_ready_seconds).unwrap_or(0);
    PATIENCE + Duration::from_secs(ready.saturating_add(grace.unwrap_or(DEFAULT_GRACE)))
}
