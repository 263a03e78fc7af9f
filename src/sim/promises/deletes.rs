//! S3: the only ready pod of the current revision on an eligible node is never deleted; of duplicates the oldest
//! scheduled one stays.
//!
//! A delete hits the state of the pod that was judged, but nodes, DaemonSets and other pods may have changed while the
//! request was under way. So it is excused by whatever was true as long ago as the controller may be behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::facts::{self, age, hash, is_live, owner, ready_since, said, target, text};
use super::{Promise, Step};
use crate::model::DaemonSet;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};
use crate::sim::api::store::Change;

/// The states of an object, with the moments at which they began; None while it is not there.
type States = Vec<(Duration, Option<Arc<Value>>)>;

/// S3.
#[derive(Default)]
pub struct Deletes {
    /// By name.
    nodes: BTreeMap<String, States>,
    /// By UID.
    daemon_sets: BTreeMap<String, States>,
    /// By owner and node: when a live pod last ceased to be one.
    ended: BTreeMap<(String, String), Duration>,
}

impl Promise for Deletes {
    fn name(&self) -> &'static str {
        "S3"
    }

    fn see(&mut self, step: &Step<'_>) -> Vec<String> {
        let write = step.write;
        let state = (write.change != Change::Deleted).then(|| write.object.clone());
        let (uid, name) = (text(&write.object, "uid"), text(&write.object, "name"));
        if step.is_for(&NODES) {
            let states = self.nodes.entry(name.to_owned()).or_default();
            states.push((write.at, state));
        } else if step.is_for(&DAEMON_SETS) {
            let states = self.daemon_sets.entry(uid.to_owned()).or_default();
            states.push((write.at, state));
        }
        let Some(before) = write.before.as_ref().filter(|_| step.is_for(&PODS)) else {
            return Vec::new();
        };
        if !is_live(before) || is_live(&write.object) && write.change != Change::Deleted {
            return Vec::new();
        }
        let wrong = match step.request {
            Some(request) if request.method == "DELETE" => self.judge(step, before),
            _ => None,
        };
        let place = (owner(before).to_owned(), target(before).to_owned());
        self.ended.insert(place, write.at);
        wrong.into_iter().collect()
    }
}

impl Deletes {
    fn judge(&self, step: &Step<'_>, pod: &Arc<Value>) -> Option<String> {
        let since = step.since();
        let daemon_sets = recent(self.daemon_sets.get(owner(pod))?, since);
        let mut read: Vec<DaemonSet> = Vec::new();
        for daemon_set in daemon_sets.clone() {
            read.push(facts::read(daemon_set.as_ref()?)?);
        }
        for node in recent(self.nodes.get(target(pod))?, since) {
            let node = node.as_ref()?;
            for daemon_set in &read {
                if !facts::verdict(daemon_set, node)?.should_continue_running() {
                    return None;
                }
            }
        }
        let surges = read.iter().any(|ds| ds.update_strategy.allows_surge());
        let others: Vec<&Arc<Value>> = step
            .before
            .all(&PODS)
            .filter(|p| is_live(p) && owner(p) == owner(pod) && target(p) == target(pod))
            .filter(|p| text(p, "uid") != text(pod, "uid"))
            .filter(|p| !surges || hash(p) == hash(pod))
            .collect();
        let told = |what: &str| Some(format!("{} on {} {what}", said(pod), target(pod)));
        if let Some(younger) = others.iter().min_by_key(|p| age(p)) {
            let is_oldest = age(pod) < age(younger);
            return told(&format!("is older than {}", said(younger))).filter(|_| is_oldest);
        }
        let place = (owner(pod).to_owned(), target(pod).to_owned());
        if self.ended.get(&place).is_some_and(|at| *at >= since) {
            return None; // a duplicate, not long ago
        }
        let current = daemon_sets.flatten().all(|daemon_set| {
            let revisions = step.before.all(&CONTROLLER_REVISIONS);
            facts::current_hash(daemon_set, revisions) == Some(hash(pod))
        });
        told("is the only ready pod of the current revision there")
            .filter(|_| current && ready_since(pod).is_some())
    }
}

/// The states since a moment, and the one that was there then.
fn recent(states: &States, since: Duration) -> impl Iterator<Item = &Option<Arc<Value>>> + Clone {
    let later = states.partition_point(|(at, _)| *at <= since);
    states[later.saturating_sub(1)..].iter().map(|(_, s)| s)
}
