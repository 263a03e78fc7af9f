//! When a DaemonSet's pods must be read from the API server, because watches may not yet tell what another controller did.

use crate::model::{Key, Kind, Time, Uid, gone_pods::REMEMBERED};

use super::Cache;

impl Cache {
    /// When this DaemonSet's pods must be read before it is planned for: long ago where it was not there at the start; a
    /// moment after an answer said that a pod is gone, unless a watch tells first. None where they need not be.
    pub fn primes_at(&self, key: &Key) -> Option<Time> {
        let entry = self.daemon_sets.get(key)?;
        if !entry.primed {
            return Some(Time::default());
        }
        let vanished = self.pods.all_vanished(&entry.daemon_set.uid);
        vanished.map(|(_, _, since)| since + REMEMBERED).min()
    }

    /// What is known of pods may be old: those of each DaemonSet must be read before it is planned for.
    pub fn read_pods_anew(&mut self) {
        for entry in self.daemon_sets.values_mut() {
            entry.primed = false;
        }
    }

    /// Whether that time has come.
    pub fn needs_priming(&self, key: &Key, now: Time) -> bool {
        self.primes_at(key).is_some_and(|at| at <= now)
    }

    /// Its pods have been read; `now` is when that began.
    pub fn primed(&mut self, key: &Key, uid: &Uid, now: Time) {
        let Some(entry) = self.daemon_sets.get_mut(key) else {
            return;
        };
        if entry.daemon_set.uid != *uid {
            return;
        }
        entry.primed = true;
        let vanished = self.pods.all_vanished(uid);
        let missed = vanished.filter(|(_, _, since)| *since + REMEMBERED <= now);
        let missed: Vec<(Key, Uid)> = missed.map(|(k, u, _)| (k.clone(), u.clone())).collect();
        for (key, uid) in missed {
            self.ledgers[Kind::Pod as usize].bury(uid, false, &self.requests);
            self.remove(Kind::Pod, &key);
        }
    }
}
