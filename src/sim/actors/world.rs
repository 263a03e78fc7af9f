//! The cluster as an actor has seen it.

use std::collections::BTreeMap;

use kube::core::{ObjectList, Request};

use super::objects::Object;
use crate::sim::api::Resource;
use crate::sim::follow::Event;

/// Namespace and name.
pub type Key = (String, String);

/// The objects of some resources, by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct World {
    tables: BTreeMap<String, BTreeMap<Key, Object>>,
}

/// An object's namespace and name.
pub fn key(object: &Object) -> Key {
    let metadata = &object.metadata;
    (metadata.namespace.clone(), metadata.name.clone())
}

impl World {
    /// Adds these objects of a resource; for tests.
    pub fn with(mut self, resource: &Resource, objects: impl IntoIterator<Item = Object>) -> Self {
        let table = self.table(resource);
        table.extend(objects.into_iter().map(|object| (key(&object), object)));
        self
    }

    fn table(&mut self, resource: &Resource) -> &mut BTreeMap<Key, Object> {
        self.tables.entry(resource.path("")).or_default()
    }

    /// All objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> impl Iterator<Item = &Object> {
        self.tables
            .get(&resource.path(""))
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// One object; `namespace` is empty for objects outside of namespaces.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Object> {
        let key = (namespace.to_owned(), name.to_owned());
        self.tables.get(&resource.path(""))?.get(&key)
    }

    /// Takes in a watch event. Of an object the last state stays.
    pub fn learn(&mut self, resource: &Resource, event: Event<Object>) {
        let table = self.table(resource);
        match event {
            Event::Listed(objects) => {
                *table = objects.into_iter().map(|o| (key(&o), o)).collect();
            }
            Event::Applied(object) => {
                table.insert(key(&object), object);
            }
            Event::Deleted(object) => {
                table.remove(&key(&object));
            }
        }
    }

    /// Reads the objects of a resource from the API server: those of one namespace, or all if that
    /// is empty.
    pub async fn read(
        &mut self,
        client: &kube::Client,
        resource: &Resource,
        namespace: &str,
    ) -> kube::Result<()> {
        // Without a resourceVersion and without pages the list is consistent and the newest.
        let request = Request::new(resource.path(namespace))
            .list(&kube::api::ListParams::default())
            .map_err(kube::Error::BuildRequest)?;
        let list: ObjectList<Object> = client.request(request).await?;
        let table = self.table(resource);
        table.retain(|key, _| !namespace.is_empty() && key.0 != namespace);
        table.extend(list.items.into_iter().map(|object| (key(&object), object)));
        Ok(())
    }
}
