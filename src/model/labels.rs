//! Label sets and annotation sets.

use std::sync::Arc;

use super::Str;

/// A set of labels, sorted by key and shared. A clone costs a reference count.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Labels(Arc<[(Str, Str)]>);

impl Default for Labels {
    fn default() -> Self {
        Labels(Arc::from([]))
    }
}

impl Labels {
    /// The value of a label; None where the set has no such key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_shared(key).map(|v| &**v)
    }

    /// As [`Labels::get`], as a shared text.
    pub fn get_shared(&self, key: &str) -> Option<&Str> {
        // Most keys differ in length, and lengths are compared before texts. So in sets of up to 32
        // labels a linear search is faster than a binary search, which has to compare texts.
        if self.0.len() <= 32 {
            return self.0.iter().find(|(k, _)| **k == *key).map(|(_, v)| v);
        }
        self.0
            .binary_search_by(|(k, _)| (**k).cmp(key))
            .ok()
            .map(|i| &self.0[i].1)
    }

    /// All keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// Whether both are the same allocation. Sets for which this is true are equal; equal sets may
    /// be different allocations.
    pub fn same(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The reference count of this allocation.
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl<K: Into<Str>, V: Into<Str>> FromIterator<(K, V)> for Labels {
    /// Of several entries with one key the last one counts, as in JSON.
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let map: std::collections::BTreeMap<Str, Str> = iter
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        Labels(map.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_every_size_are_looked_up() {
        for size in [0_usize, 1, 31, 32, 33, 100] {
            let l: Labels = (0..size)
                .map(|i| (format!("k{i}"), format!("v{i}")))
                .collect();
            for i in 0..size {
                assert_eq!(l.get(&format!("k{i}")), Some(&*format!("v{i}")));
            }
            assert_eq!(l.get("k"), None);
            assert_eq!(l.get(&format!("k{size}")), None);
        }
    }

    #[test]
    fn the_last_of_equal_keys_counts_and_lookup_is_by_key() {
        let l: Labels = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        assert_eq!(l.get("b"), Some("3"));
        assert_eq!(l.get("c"), None);
        assert_eq!(l.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
    }
}
