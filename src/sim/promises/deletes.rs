//! S3: the only ready pod of the current revision on an eligible node is never deleted; of
//! duplicates the oldest scheduled one stays.
//!
//! A delete reaches the pod in the state that was judged, but nodes, DaemonSets and other pods may
//! have changed while the request was under way. So a delete is excused by any state of these as
//! old as the controller may be behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::facts::{self, age, hash, is_live, owner, ready_since, said, target, text};
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::model::{DaemonSet, control::VERDICT};
use crate::sim::api::Entry;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, PODS};
use crate::sim::api::store::Change;

/// S3.
#[derive(Default)]
pub struct Deletes {
    /// By owner and node: when a live pod last became terminating or terminal.
    ended: BTreeMap<(String, String), Duration>,
}

impl Promise for Deletes {
    fn name(&self) -> &'static str {
        "S3"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        let write = step.write;
        let Some(before) = write.before.as_ref().filter(|_| step.is_for(&PODS)) else {
            return Vec::new();
        };
        if !is_live(before) || is_live(&write.object) && write.change != Change::Deleted {
            return Vec::new();
        }
        let wrong = match step.request {
            Some(request) if request.is_delete() => self.judge(step, request, before, past),
            _ => None,
        };
        let place = (owner(before).to_owned(), target(before).to_owned());
        self.ended.insert(place, write.at);
        wrong.into_iter().collect()
    }
}

impl Deletes {
    fn judge(
        &self,
        step: &Step<'_>,
        request: &Entry,
        pod: &Arc<Value>,
        past: &Past,
    ) -> Option<String> {
        let since = step.known(request);
        let mut sets: Vec<(&DaemonSet, &Value)> = Vec::new();
        for set in past.sets(owner(pod), since) {
            let set = set?;
            for node in past.node(target(pod), since) {
                if !set.verdict(node?).should_continue_running() {
                    return None;
                }
            }
            sets.push((set.read.as_ref()?, &set.object));
        }
        if sets.is_empty() {
            return None; // no owner: a case of S5
        }
        let place = (owner(pod).to_owned(), target(pod).to_owned());
        // One that failed is taken back.
        let mut revisions = step.before.all(&CONTROLLER_REVISIONS);
        let failed = revisions
            .any(|r| hash(r) == hash(pod) && r["metadata"]["annotations"][VERDICT].is_string());
        let current = !failed
            && sets.iter().all(|(_, daemon_set)| {
                let revisions = step.before.all(&CONTROLLER_REVISIONS);
                facts::current_hash(daemon_set, revisions) == Some(hash(pod))
            });
        // If a pod ceased to be live shortly before, this one may have been a duplicate.
        let was_alone = self.ended.get(&place).is_none_or(|at| *at < since);
        let may_be_the_only = was_alone && current && ready_since(pod).is_some();
        let mut wrong = None;
        for surges in [false, true] {
            // If the strategy changed meanwhile, either strategy that allows the delete excuses it.
            if sets
                .iter()
                .any(|(ds, _)| ds.update_strategy.allows_surge() == surges)
            {
                wrong = Some(judge_duplicate(step, pod, surges, may_be_the_only)?);
            }
        }
        wrong
    }
}

/// Why this pod, which may stay where it is, must not be deleted as a duplicate. While surging,
/// only pods of the same revision are duplicates.
fn judge_duplicate(
    step: &Step<'_>,
    pod: &Arc<Value>,
    surges: bool,
    may_be_the_only: bool,
) -> Option<String> {
    let others = step
        .before
        .pods_on(target(pod))
        .filter(|p| is_live(p) && owner(p) == owner(pod))
        .filter(|p| text(p, "uid") != text(pod, "uid"))
        .filter(|p| !surges || hash(p) == hash(pod));
    let why = match others.min_by_key(|p| age(p)) {
        Some(oldest) if age(pod) < age(oldest) => format!("is older than {}", said(oldest)),
        None if may_be_the_only => "is the only ready pod of the current revision there".to_owned(),
        _ => return None,
    };
    Some(format!("{} on {} {why}", said(pod), target(pod)))
}
