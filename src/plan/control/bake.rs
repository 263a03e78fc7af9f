//! `bake`: how long the pods of a stage have been available.
//!
//! It follows from the pods alone, so whoever plans for the same state comes to the same time, and
//! a restart that is seen makes a pod unready and begins the time anew.

use std::time::Duration;

use crate::model::{DaemonSet, Node, Pod, Readiness, Time};

/// Since when the pod has been available; None while it is not.
pub fn available_since(ds: &DaemonSet, pod: &Pod, now: Time) -> Option<Time> {
    let ready_since = match pod.readiness {
        Readiness::Since(since) => since,
        Readiness::SinceUnknown => pod.created,
        Readiness::NotReady => return None,
    };
    let seconds = u64::try_from(ds.min_ready_seconds).unwrap_or(0);
    pod.is_available(ds.min_ready_seconds, now)
        .then(|| ready_since + Duration::from_secs(seconds))
}

/// A node of a stage whose pod is available.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// Since when it is.
    pub since: Time,
    /// Whether the node joined after the rollout began. It says less about the revision, and where
    /// nodes join all the time no stage would ever be over.
    pub joined: bool,
}

/// Whether a node joined after the rollout began at `started`, as far as that is known.
pub fn joined(node: Option<&Node>, started: Option<Time>) -> bool {
    let created = node.and_then(|node| node.created);
    created
        .zip(started)
        .is_some_and(|(created, started)| created > started)
}

/// Since when all pods of a stage have been available, given each node: a stage is as old as the
/// last pod on a node that was there when the rollout began; where none was, as the last of all.
/// None while one is not available; a stage without nodes is of now.
pub fn stage_since(mut each: impl Iterator<Item = Option<Sample>>, now: Time) -> Option<Time> {
    let none: (Option<Time>, Option<Time>) = (None, None);
    let (old, all) = each.try_fold(none, |(old, all), sample| {
        let Sample { since, joined } = sample?;
        let old = if joined { old } else { old.max(Some(since)) };
        Some((old, all.max(Some(since))))
    })?;
    Some(old.or(all).unwrap_or(now))
}
