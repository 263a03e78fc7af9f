//! When the pods of a DaemonSet must be read from the API server before it is planned for: where
//! the cache may be stale about pods that another controller made or took away.

use crate::model::{Key, Kind, Time, Uid, gone_pods::REMEMBERED};

use super::Cache;

impl Cache {
    /// The time from which this DaemonSet's pods must be read before it is planned for: long ago
    /// for a DaemonSet that came after the start, and where the cache was declared stale; a moment
    /// after an answer said that a pod is gone, unless a watch tells of it first. None where they
    /// need not be read.
    pub fn pod_read_due(&self, key: &Key) -> Option<Time> {
        let entry = self.daemon_sets.get(key)?;
        if !entry.pods_read {
            return Some(Time::default());
        }
        let gone = self.pods.all_gone_by_answer(&entry.daemon_set.uid);
        gone.map(|(_, _, since)| since + REMEMBERED).min()
    }

    /// Whether the time of [`Cache::pod_read_due`] has come.
    pub fn needs_pod_read(&self, key: &Key, now: Time) -> bool {
        self.pod_read_due(key).is_some_and(|at| at <= now)
    }

    /// All pods may be stale: those of each DaemonSet must be read before it is planned for.
    pub fn mark_pods_stale(&mut self) {
        for entry in self.daemon_sets.values_mut() {
            entry.pods_read = false;
        }
    }

    /// The pods of the DaemonSet with this name and UID have been read, and the answers observed.
    /// `now` is the time at which the read began: pods that were said to be gone long enough before
    /// it, and that the read did not bring back, are removed.
    pub fn pods_read(&mut self, key: &Key, uid: &Uid, now: Time) {
        let Some(entry) = self.daemon_sets.get_mut(key) else {
            return;
        };
        if entry.daemon_set.uid != *uid {
            return;
        }
        entry.pods_read = true;
        let gone = self.pods.all_gone_by_answer(uid);
        let missed = gone.filter(|(_, _, since)| *since + REMEMBERED <= now);
        let missed: Vec<(Key, Uid)> = missed.map(|(k, u, _)| (k.clone(), u.clone())).collect();
        for (key, uid) in missed {
            self.ledgers[Kind::Pod as usize].bury(uid, false, &self.requests);
            self.remove(Kind::Pod, &key);
        }
    }
}
