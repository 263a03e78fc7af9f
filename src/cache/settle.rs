//! What a list did not hold is gone. That is settled in steps, because nothing else can be done
//! with the cache meanwhile.
//!
//! Between two steps the cache is as during the list: it may hold what is gone already. A kind is
//! synced, and its next watch is opened, when the last step is done. An answer that comes in
//! between wins, because it is newer than the list, or else tells nothing
//! ([`Ledger::predates_list`]).
//!
//! [`Ledger::predates_list`]: super::ledger::Ledger::predates_list

use crate::model::{Key, Kind, Version};

use super::Cache;

impl Cache {
    /// The list is complete, and as of `version`: objects that it does not hold, and that are not
    /// newer, are gone.
    pub fn list_completed(&mut self, kind: Kind, version: Version) {
        self.list_ended(kind, version);
        while !self.settle(kind, usize::MAX) {}
    }

    /// The list is complete, and as of `version`. What it does not hold is known when
    /// [`Cache::settle`] is done.
    pub fn list_ended(&mut self, kind: Kind, version: Version) {
        self.ledgers[kind as usize].list_ended(version, self.now, &mut self.requests);
    }

    /// Looks at `most` objects more, and removes those that the last list did not hold and that are
    /// not newer. True when no step is left.
    pub fn settle(&mut self, kind: Kind, most: usize) -> bool {
        let from = self.ledgers[kind as usize].settles_from();
        let next = from.and_then(|from| {
            let (mut gone, next) = self.absent(kind, from, most);
            gone.sort();
            for key in gone {
                if let Some((uid, _)) = self.known(kind, &key) {
                    self.ledgers[kind as usize].bury(uid, true, &self.requests);
                }
                self.remove(kind, &key);
            }
            next
        });
        let was_synced = self.is_synced();
        let ledger = &mut self.ledgers[kind as usize];
        let Some(ended) = ledger.settled_to(next, most) else {
            return !ledger.is_settling();
        };
        ledger.sweep(&self.requests);
        if kind == Kind::Pod && self.pods_unwatched.is_some() {
            self.pods_unwatched = Some(ended);
        }
        self.interner.sweep();
        if !was_synced && self.is_synced() {
            let all = self.daemon_sets();
            self.dirty.extend(all);
        }
        true
    }

    /// Those of `most` objects, from this place on, that the list did not hold; and where the next
    /// step begins. DaemonSets and revisions are few: they are looked at in one step.
    fn absent(&self, kind: Kind, from: usize, most: usize) -> (Vec<Key>, Option<usize>) {
        let ledger = &self.ledgers[kind as usize];
        let mut gone = Vec::new();
        let mut look = |key: &Key, had| {
            if ledger.is_absent(key, had) {
                gone.push(key.clone());
            }
        };
        let to = from.saturating_add(most.max(1));
        let rows = match kind {
            Kind::DaemonSet => {
                for (key, entry) in &self.daemon_sets {
                    look(key, entry.daemon_set.version);
                }
                0
            }
            Kind::Revision => {
                for (key, revision) in self.revisions.iter() {
                    look(&key, revision.version);
                }
                0
            }
            Kind::Node => {
                for node in self.nodes.within(from..to) {
                    look(&Key::new("", node.name.clone()), node.version);
                }
                self.nodes.slots()
            }
            Kind::Pod => {
                for (key, pod) in self.pods.within(from..to) {
                    look(key, pod.version);
                }
                self.pods.rows()
            }
        };
        (gone, (to < rows).then_some(to))
    }
}
