//! When the pods of a DaemonSet must be read from the API server before it is planned for: where
//! the cache may be stale about pods that another controller made or took away.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Key, Kind, MissingPod, NodeId, Pod, Time, Uid, Version, gone_pods::REMEMBERED};

use super::{Cache, matches};

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

    /// A watch tells of pods from now on, or none does.
    pub fn pods_watched(&mut self, is_watched: bool) {
        self.pods_unwatched = match self.pods_unwatched {
            _ if is_watched => None,
            since => since.or(Some(self.now)),
        };
    }

    /// The time as of which the pods of this DaemonSet are known; None while a watch tells of them.
    pub(super) fn pods_as_of(&self, key: &Key) -> Option<Time> {
        let since = self.pods_unwatched?;
        let read = self.daemon_sets.get(key)?.pods_read_at;
        Some(read.map_or(since, |read| read.max(since)))
    }

    /// All pods may be stale: those of each DaemonSet must be read before it is planned for.
    pub fn mark_pods_stale(&mut self) {
        for entry in self.daemon_sets.values_mut() {
            entry.pods_read = false;
        }
    }

    /// A list of all pods that the DaemonSet with this name and UID selects was of this version and
    /// held these. An older pod of it that was not among them is gone, or is no longer selected,
    /// and the watch that has not told of it is behind. It must be read: otherwise its successor
    /// would be deleted as a duplicate of it, or it would never be released.
    pub fn missing_pods(
        &self,
        key: &Key,
        uid: &Uid,
        version: Version,
        listed: &BTreeSet<Uid>,
    ) -> Vec<MissingPod> {
        let Some(entry) = self.daemon_sets.get(key) else {
            return Vec::new();
        };
        if entry.daemon_set.uid != *uid {
            return Vec::new();
        }
        let is_missing = |pod: &Pod| {
            let is_selected = matches(&entry.daemon_set, &pod.labels);
            let is_older = pod.readable && pod.version <= version;
            is_selected && is_older && !listed.contains(&pod.uid)
        };
        let mut newest: BTreeMap<NodeId, Time> = BTreeMap::new();
        for pod in self.pods.of(uid).filter(|p| listed.contains(&p.uid)) {
            if let Some(node) = pod.node {
                let known = newest.entry(node).or_insert(pod.created);
                *known = pod.created.max(*known);
            }
        }
        // How it ended matters to the next name only where it was the last one of its node.
        let is_followed = |pod: &Pod| {
            let newest = pod.node.and_then(|node| newest.get(&node));
            newest.is_some_and(|newest| *newest >= pod.created)
        };
        let missing = self.pods.of(uid).filter(|pod| is_missing(pod));
        let missing = missing.map(|pod| MissingPod {
            key: Key::new(&*key.namespace, &*pod.name),
            uid: pod.uid.clone(),
            is_followed: is_followed(pod),
        });
        missing.collect()
    }

    /// A pod of [`Cache::missing_pods`] was read, and is gone.
    pub fn missing_pod_gone(&mut self, pod: &MissingPod) {
        if pod.is_followed {
            self.bury(&pod.key, pod.uid.clone());
        } else {
            self.gone(Kind::Pod, &pod.key, &pod.uid);
        }
    }

    fn bury(&mut self, key: &Key, uid: Uid) {
        self.ledgers[Kind::Pod as usize].bury(uid, false, &self.requests);
        self.remove(Kind::Pod, key);
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
        entry.pods_read_at = Some(now);
        let gone = self.pods.all_gone_by_answer(uid);
        let missed = gone.filter(|(_, _, since)| *since + REMEMBERED <= now);
        let missed: Vec<(Key, Uid)> = missed.map(|(k, u, _)| (k.clone(), u.clone())).collect();
        for (key, uid) in missed {
            self.bury(&key, uid);
        }
    }
}
