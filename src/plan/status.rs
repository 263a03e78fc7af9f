//! `status`: what is counted, and when the count will change by itself.

use crate::model::{DaemonSetStatus, Pod, Time, Verdict};

use super::facts::{Facts, Updated};

/// The counts at this moment.
pub struct Counted {
    /// The status, but for the collision count.
    pub status: DaemonSetStatus,
    /// Whether every eligible node has an available pod of the current revision, exempt nodes
    /// aside, and there is one: what a rollout waits for.
    pub complete: bool,
    /// When the next pod becomes available by waiting.
    pub wake_at: Option<Time>,
}

/// Counts, looking at one pod a node: the oldest, failed and terminating ones included. A pod
/// relabelled in this plan counts with its new hash.
pub fn plan(facts: &Facts<'_, '_>) -> Counted {
    let ds = facts.ds();
    let mut s = DaemonSetStatus {
        // It never falls: upstream's own write may be newer than what is seen here.
        observed_generation: ds.status.observed_generation.max(ds.generation),
        ..DaemonSetStatus::default()
    };
    let mut wake_at: Option<Time> = None;
    // Nodes that a rollout waits for, and those of them that it need not wait for any more.
    let (mut wanted, mut done) = (0, 0);
    let mut updated = Updated::new(facts);
    for (id, _) in facts.snapshot.nodes.iter() {
        let verdict = facts.verdict(id);
        let is_missing = facts.targets.is_missing(id);
        if verdict == Verdict::Unreadable && !is_missing {
            continue;
        }
        let is_wanted = facts.snapshot.verdicts.get(id).should_run();
        // Where the revision of a node is lost, it is desired as far as the present template knows.
        let has_pod = || facts.visible(id).next().is_some();
        let should_run = verdict.should_run() || is_missing && (is_wanted || has_pod());
        // A rollout waits for the nodes of the present template as well.
        let counts = (should_run || is_wanted) && !facts.exempt.excuses(id);
        wanted += i32::from(counts);
        let oldest: Option<&Pod> = facts.visible(id).min_by(|a, b| a.oldest_first(b));
        let Some(pod) = oldest else {
            s.desired_number_scheduled += i32::from(should_run);
            continue;
        };
        if !should_run {
            s.number_misscheduled += 1;
            continue;
        }
        s.desired_number_scheduled += 1;
        s.current_number_scheduled += 1;
        let mut available = false;
        if pod.is_ready() {
            s.number_ready += 1;
            match pod.available_at(ds.min_ready_seconds) {
                Some(at) if at <= facts.now => available = true,
                Some(at) => wake_at = Time::earliest(wake_at, Some(at)),
                None => {}
            }
        }
        let is_current = updated.is_of_current(pod);
        s.number_available += i32::from(available);
        s.updated_number_scheduled += i32::from(is_current);
        done += i32::from(counts && available && is_current);
    }
    s.number_unavailable = s.desired_number_scheduled - s.number_available;
    Counted {
        status: s,
        complete: wanted > 0 && done == wanted,
        wake_at,
    }
}
