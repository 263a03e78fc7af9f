//! Label (and annotation) sets.

use std::sync::Arc;

use super::Str;

/// A sorted, shared set of labels. Equal pointers mean equal sets, see [`Labels::same`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Labels(Arc<[(Str, Str)]>);

impl Default for Labels {
    fn default() -> Self {
        Labels(Arc::from([]))
    }
}

impl Labels {
    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_shared(key).map(|v| &**v)
    }

    /// The value of a label, shared.
    pub fn get_shared(&self, key: &str) -> Option<&Str> {
        // Most keys differ in length already, which is known without looking at the text: on sets of a usual
        // size this is quicker than halving, which must compare texts.
        if self.0.len() <= 32 {
            return self.0.iter().find(|(k, _)| **k == *key).map(|(_, v)| v);
        }
        self.0
            .binary_search_by(|(k, _)| (**k).cmp(key))
            .ok()
            .map(|i| &self.0[i].1)
    }

    /// All labels, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// Whether both are the very same allocation (which implies equality, not the other way round).
    pub fn same(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many hold this allocation.
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl<K: Into<Str>, V: Into<Str>> FromIterator<(K, V)> for Labels {
    /// Of entries with the same key the last one counts, as in JSON.
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
