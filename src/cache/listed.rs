//! The keys that a list has brought so far.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use crate::model::Key;

/// In how many sets they are. One set of a million keys would stop everything while it grows, and
/// while it is forgotten.
const SETS: usize = 256;

/// Keys in many small sets.
#[derive(Clone, Default, Debug)]
pub(super) struct ListedKeys(Vec<HashSet<Key>>);

impl ListedKeys {
    pub fn insert(&mut self, key: Key) {
        if self.0.is_empty() {
            self.0.resize_with(SETS, HashSet::new);
        }
        self.0[place(&key)].insert(key);
    }

    pub fn contains(&self, key: &Key) -> bool {
        let set = self.0.get(place(key));
        set.is_some_and(|set| set.contains(key))
    }

    /// Forgets whole sets until these were `most` keys. True when none is left: nothing may be
    /// looked up after the first call.
    pub fn forget(&mut self, most: usize) -> bool {
        let mut forgotten = 0;
        while forgotten < most
            && let Some(set) = self.0.pop()
        {
            forgotten += set.len();
        }
        self.0.is_empty()
    }
}

fn place(key: &Key) -> usize {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    usize::try_from(hasher.finish() % SETS as u64).expect("a place")
}
