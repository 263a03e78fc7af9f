//! The cluster as an actor has seen it.

use std::collections::BTreeMap;

use kube::core::{ObjectList, Request};

use super::objects::Object;
use crate::sim::api::Resource;
use crate::sim::api::resource::ALL;
use crate::sim::follow::Event;

/// Namespace and name.
pub type Key = (String, String);

/// The objects of a resource, by namespace and then by name.
type Table = BTreeMap<String, BTreeMap<String, Object>>;

/// The objects of some resources.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// In the order of [`ALL`].
    tables: [Table; ALL.len()],
}

/// The place of a resource among [`ALL`].
fn place(resource: &Resource) -> usize {
    let found = ALL.iter().position(|r| *r == resource);
    found.expect("ALL has every resource")
}

/// An object's namespace and name.
pub fn key(object: &Object) -> Key {
    let metadata = &object.metadata;
    (metadata.namespace.clone(), metadata.name.clone())
}

fn insert(table: &mut Table, object: Object) {
    let (namespace, name) = key(&object);
    table.entry(namespace).or_default().insert(name, object);
}

impl World {
    /// Adds these objects of a resource; for tests.
    pub fn with(mut self, resource: &Resource, objects: impl IntoIterator<Item = Object>) -> Self {
        let table = self.table(resource);
        objects.into_iter().for_each(|object| insert(table, object));
        self
    }

    fn table(&mut self, resource: &Resource) -> &mut Table {
        &mut self.tables[place(resource)]
    }

    /// All objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> impl Iterator<Item = &Object> {
        let spaces = self.tables[place(resource)].values();
        spaces.flat_map(BTreeMap::values)
    }

    /// One object; `namespace` is empty for objects outside of namespaces.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Object> {
        let table = &self.tables[place(resource)];
        table.get(namespace)?.get(name)
    }

    /// Takes in a watch event. Of an object the last state stays.
    pub fn learn(&mut self, resource: &Resource, event: Event<Object>) {
        let table = self.table(resource);
        match event {
            Event::Listed(objects) => {
                table.clear();
                objects.into_iter().for_each(|object| insert(table, object));
            }
            Event::Applied(object) => insert(table, object),
            Event::Deleted(object) => {
                let metadata = &object.metadata;
                if let Some(space) = table.get_mut(&metadata.namespace) {
                    space.remove(&metadata.name);
                }
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
        table.retain(|space, _| !namespace.is_empty() && space != namespace);
        for object in list.items {
            insert(table, object);
        }
        Ok(())
    }
}
