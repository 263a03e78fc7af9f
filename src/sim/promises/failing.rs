//! What S8 says of failing nodes: while more of them fail than are tolerated nothing further is
//! replaced, and of a revision that was taken back no pod is made.
//!
//! Only what nobody can doubt counts: pods whose containers were restarted more than twice, and no
//! revision that was ever approved.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::past::{Past, Set};
use crate::model::control::{APPROVED, COMPLETED, STARTED, VERDICT};
use crate::model::{FailureAction, Node, NodeHealth};

/// The current revision, and since when a controller knew everything.
pub struct Judged<'a> {
    pub past: &'a Past,
    pub owner: &'a str,
    pub current: &'a str,
    /// The revisions with that hash.
    pub revisions: Vec<&'a Arc<Value>>,
    pub since: Duration,
    /// The same as a time of day.
    pub time: Timestamp,
}

impl Judged<'_> {
    fn time_of(&self, key: &str) -> Option<Timestamp> {
        let mut all = self.revisions.iter();
        all.find_map(|r| annotation(r, key)?.parse().ok())
    }

    fn has(&self, key: &str) -> bool {
        self.revisions.iter().any(|r| annotation(r, key).is_some())
    }

    fn is_judged(&self) -> bool {
        let is_under_way = self.time_of(STARTED).is_some_and(|at| at <= self.time);
        is_under_way && !self.has(COMPLETED) && !self.has(APPROVED)
    }

    /// Whether the rollout is paused by this state of the DaemonSet.
    pub fn is_paused(&self, set: &Set) -> bool {
        let control = set.read.as_ref().and_then(|set| set.control.as_deref());
        let Some(on_failure) = control.and_then(|control| control.failures()) else {
            return false;
        };
        if on_failure.action != FailureAction::Pause || !self.is_judged() {
            return false;
        }
        let nodes = self.past.nodes();
        let fails = nodes.filter(|name| self.fails(name, set)).count();
        let wanted = self.past.nodes().filter(|name| {
            let mut states = self.past.node(name, self.since).into_iter().flatten();
            states.any(|node| set.verdict(node).should_run())
        });
        let tolerated = on_failure.tolerated.of(wanted.count());
        // What was recorded stays, whatever becomes of the nodes.
        let has_paused = self.verdicts().any(|verdict| {
            let failing = verdict["failing"].as_u64();
            failing.is_none_or(|count| count > tolerated as u64)
        });
        fails > tolerated || has_paused
    }

    /// The verdicts that had been recorded.
    fn verdicts(&self) -> impl Iterator<Item = Value> {
        let of = |r: &&Arc<Value>| serde_json::from_str(annotation(r, VERDICT)?).ok();
        let all = self.revisions.iter().filter_map(of);
        all.filter(|verdict: &Value| {
            let when = verdict["when"].as_str().and_then(|text| text.parse().ok());
            when.is_some_and(|when: Timestamp| when <= self.time)
        })
    }

    fn fails(&self, name: &str, set: &Set) -> bool {
        let states = self.past.node(name, self.since);
        let counts = |node: &Node| {
            let is_well = !set.minds_bad_nodes() || node.health() == NodeHealth::default();
            is_well && set.verdict(node).should_continue_running()
        };
        let is_there = states.iter().all(|node| node.is_some_and(counts));
        let mut pods = self.past.pods_on(self.owner, name);
        is_there
            && pods.any(|pod| {
                let crashed = pod.crashed.is_some_and(|at| at <= self.since);
                crashed && pod.hash == self.current && pod.left.is_none()
            })
    }

    /// Whether the revision was taken back, by this state of the DaemonSet.
    pub fn is_back(&self, set: &Set) -> bool {
        let control = set.read.as_ref().and_then(|set| set.control.as_deref());
        let on_failure = control.and_then(|control| control.failures());
        let is_asked = on_failure.is_some_and(|f| f.action == FailureAction::Rollback);
        is_asked && self.is_judged() && self.verdicts().next().is_some()
    }
}

fn annotation<'a>(revision: &'a Value, key: &str) -> Option<&'a str> {
    revision["metadata"]["annotations"][key].as_str()
}
