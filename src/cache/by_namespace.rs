//! Objects by namespace and name: what concerns one namespace does not grow with the others.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Key, Str};

/// Objects of one kind.
#[derive(Clone, Debug)]
pub(super) struct ByNamespace<T>(HashMap<Str, BTreeMap<Str, T>>);

impl<T> Default for ByNamespace<T> {
    fn default() -> Self {
        ByNamespace(HashMap::new())
    }
}

impl<T> ByNamespace<T> {
    pub fn get(&self, key: &Key) -> Option<&T> {
        self.0.get(&key.namespace)?.get(&key.name)
    }

    pub fn get_mut(&mut self, key: &Key) -> Option<&mut T> {
        self.0.get_mut(&key.namespace)?.get_mut(&key.name)
    }

    /// Puts an object in, and returns the one before.
    pub fn insert(&mut self, key: Key, object: T) -> Option<T> {
        let objects = self.0.entry(key.namespace).or_default();
        objects.insert(key.name, object)
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &Key) -> Option<T> {
        let objects = self.0.get_mut(&key.namespace)?;
        let removed = objects.remove(&key.name);
        if objects.is_empty() {
            self.0.remove(&key.namespace);
        }
        removed
    }

    /// All objects, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.0.iter().flat_map(|(namespace, objects)| {
            let key = |name: &Str| Key::new(namespace.clone(), name.clone());
            objects
                .iter()
                .map(move |(name, object)| (key(name), object))
        })
    }

    /// The objects of a namespace, sorted by name.
    pub fn of_namespace(&self, namespace: &Str) -> impl Iterator<Item = &T> {
        self.0.get(namespace).into_iter().flat_map(BTreeMap::values)
    }
}
