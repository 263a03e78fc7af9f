//! What became of the requests of plans: it is remembered for the next plan.

use std::time::Duration;

use crate::model::{BackoffChange, Denial, Key, Str, Tenure, Time, Uid, Unallowed};

use super::Cache;

impl Cache {
    /// A plan's creates were carried out: with the API server's words where it denied one.
    pub fn creates_carried_out(&mut self, key: &Key, denied: Option<Str>, now: Time) {
        if let Some(entry) = self.daemon_sets.get_mut(key) {
            let since = entry.creates_denied.as_ref().map_or(now, |d| d.since);
            entry.creates_denied = denied.map(|message| Denial { since, message });
        }
    }

    /// The eviction of a pod was refused. Returns whether that is the first time for this pod.
    pub fn eviction_refused(
        &mut self,
        daemon_set: &Key,
        pod: &Uid,
        why: Unallowed,
        at_least: Option<Duration>,
        now: Time,
    ) -> bool {
        let entry = self.daemon_sets.get_mut(daemon_set);
        entry.is_some_and(|entry| {
            let refusals = &mut entry.evictions_refused;
            refusals.refused(pod, why, at_least, now)
        })
    }

    /// How many pods of the DaemonSet were refused an eviction.
    pub fn evictions_refused(&self, daemon_set: &Key) -> usize {
        let entry = self.daemon_sets.get(daemon_set);
        entry.map_or(0, |entry| entry.evictions_refused.len())
    }

    /// The eviction of a pod failed for another reason.
    pub fn eviction_failed(&mut self, daemon_set: &Key, pod: &Uid) {
        if let Some(entry) = self.daemon_sets.get_mut(daemon_set) {
            entry.evictions_refused.forget(pod);
        }
    }

    /// Records the attempts of a plan in the backoffs.
    pub fn attempt(&mut self, changes: &[BackoffChange], now: Time) {
        for key in changes {
            self.backoff.attempt(key.clone(), now);
        }
    }

    /// A delete of this pod is about to be sent: the pod counts as terminating until an answer, a
    /// watch event or a read settles it. False when the pod is not in the cache.
    pub fn delete_pending(&mut self, key: &Key, uid: &Uid) -> bool {
        self.young.asked_to_go(uid);
        self.pods.delete_pending(key, uid)
    }

    /// It is not known what became of a create of a pod of this name for this node.
    pub fn create_unsettled(&mut self, daemon_set: &Key, node: &Str, name: &Str, now: Time) {
        if let Some(entry) = self.daemon_sets.get_mut(daemon_set) {
            entry.unsettled.add(node, name, now);
        }
    }

    /// This process makes pods from now on, and knows this of creates that others sent.
    pub fn begin_tenure(&mut self, tenure: Tenure) {
        self.tenure = tenure;
    }
}
