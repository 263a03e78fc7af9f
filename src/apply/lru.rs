//! A map of bounded size that forgets the entry that was used least recently.

use std::collections::BTreeMap;

/// A map of at most `capacity` entries.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: BTreeMap<K, (u64, V)>,
    /// The keys in the order of their last use.
    uses: BTreeMap<u64, K>,
    used: u64,
    capacity: usize,
}

impl<K: Ord + Clone, V> Lru<K, V> {
    /// An empty map for at most `capacity` entries, and at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            uses: BTreeMap::new(),
            used: 0,
            capacity: capacity.max(1),
        }
    }

    /// The value of `key`, made by `new` where there is none. The entry counts as used now.
    pub fn entry(&mut self, key: K, new: impl FnOnce() -> V) -> &mut V {
        self.used += 1;
        let now = self.used;
        if let Some((used, _)) = self.entries.get(&key) {
            self.uses.remove(used);
        } else if self.entries.len() >= self.capacity
            && let Some((_, unused)) = self.uses.pop_first()
        {
            self.entries.remove(&unused);
        }
        self.uses.insert(now, key.clone());
        let (used, value) = self.entries.entry(key).or_insert_with(|| (now, new()));
        *used = now;
        value
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the map has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_unused_longest_goes() {
        let mut lru = Lru::new(2);
        assert!(lru.is_empty());
        *lru.entry("a", || 0) += 1;
        *lru.entry("b", || 0) += 1;
        *lru.entry("a", || 0) += 1;
        *lru.entry("c", || 0) += 1;
        assert_eq!((lru.len(), lru.uses.len()), (2, 2));
        assert_eq!(*lru.entry("a", || 0), 2);
        assert_eq!(*lru.entry("b", || 0), 0);
    }
}
