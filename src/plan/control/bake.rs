//! `bake`: how long the pods of a stage have been available.
//!
//! It follows from the pods alone, so whoever plans for the same state comes to the same time, and
//! a restart that is seen makes a pod unready and begins the time anew.

use std::time::Duration;

use crate::model::{DaemonSet, Pod, Readiness, Time};

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

/// Since when all pods of a stage have been available, given that of each: a stage is as old as
/// its last pod. None while one is not; a stage without pods is of now.
pub fn stage_since(mut each: impl Iterator<Item = Option<Time>>, now: Time) -> Option<Time> {
    let newest = each.try_fold(None, |newest: Option<Time>, since| {
        since.map(|since| newest.max(Some(since)))
    })?;
    Some(newest.unwrap_or(now))
}
