//! A naive API server for one kind: the last state of each object, and the log of all writes.

use std::collections::BTreeMap;

use daemonset_controller::{
    cache::Cache,
    model::{Key, Kind, Uid, Version},
};
use serde_json::json;

use crate::support::*;

/// The number of names.
pub const NAMES: usize = 2;

/// A watch event.
pub struct Event {
    /// The version of the write.
    pub version: u64,
    /// The object after it, or the last state of one that is gone.
    pub object: Object,
    /// Whether it is gone.
    pub deleted: bool,
}

/// The server.
pub struct Api {
    kind: Kind,
    version: u64,
    objects: BTreeMap<Key, Object>,
    /// All writes.
    pub log: Vec<Event>,
}

/// Tells the cache of an event, as a watch does.
pub fn tell(cache: &mut Cache, kind: Kind, event: &Event) {
    let raw = event.object.raw();
    if event.deleted {
        cache.deleted(kind, &raw);
    } else {
        cache.observe(kind, &raw).expect("it decodes");
    }
}

/// UID and version.
pub fn identity(object: &Object) -> (Uid, Version) {
    let text = |field: &str| object.json["metadata"][field].as_str().expect("set");
    (
        Uid::from(text("uid")),
        Version::parse(text("resourceVersion")),
    )
}

impl Api {
    /// Nothing yet.
    pub fn new(kind: Kind) -> Api {
        Api {
            kind,
            version: 10,
            objects: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn blank(&self, name: usize) -> Object {
        let blank = match self.kind {
            Kind::DaemonSet => daemon_set(),
            Kind::Node => node("?"),
            Kind::Revision => revision(NEW, 1, &template(0)),
            Kind::Pod => pod("?"),
        };
        blank.with(json!({"metadata": {"name": format!("object-{name}")}}))
    }

    /// The key of a name.
    pub fn key(&self, name: usize) -> Key {
        self.blank(name).key()
    }

    /// All objects.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// A consistent list.
    pub fn list(&self) -> (u64, Vec<Object>) {
        (self.version, self.objects.values().cloned().collect())
    }

    /// Somebody writes: `how` chooses what.
    pub fn write(&mut self, name: usize, how: u8) {
        let key = self.key(name);
        let Some(object) = self.objects.get(&key).cloned() else {
            let uid = format!("uid-{}", self.version + 1);
            return self.put(
                self.blank(name)
                    .with(json!({"metadata": {"uid": uid, "labels": {"how": how.to_string()}}})),
            );
        };
        let object = match (self.kind, how % 8) {
            (_, 0 | 1) => return self.remove(&key),
            (Kind::Pod, 2) => object.orphan(),
            (Kind::Pod, 3) => object.owned_by("other"),
            (Kind::Pod, 4) => object.on(["a", "b"][usize::from(how) / 8 % 2]),
            (_, 5) => object.terminating(),
            _ => object.label("how", &how.to_string()),
        };
        self.put(object);
    }

    pub fn get(&self, key: &Key) -> Option<Object> {
        self.objects.get(key).cloned()
    }

    /// PATCH.
    pub fn change(&mut self, key: &Key) -> Option<Object> {
        let object = self.get(key)?;
        self.put(object.label("changed", &self.version.to_string()));
        self.get(key)
    }

    /// DELETE with a UID: every other object terminates first. None where nothing is left of it.
    pub fn delete(&mut self, key: &Key, uid: Option<&Uid>) -> Option<Object> {
        let object = self.get(key)?;
        if uid.is_some_and(|u| *u != identity(&object).0) {
            return None;
        }
        if self.version.is_multiple_of(2) {
            self.put(object.terminating());
            return self.get(key);
        }
        self.remove(key);
        None
    }

    fn put(&mut self, object: Object) {
        self.version += 1;
        let version = self.version.to_string();
        let object = object.with(json!({"metadata": {"resourceVersion": version}}));
        self.objects.insert(object.key(), object.clone());
        self.log.push(Event {
            version: self.version,
            object,
            deleted: false,
        });
    }

    fn remove(&mut self, key: &Key) {
        self.version += 1;
        let version = self.version.to_string();
        if let Some(object) = self.objects.remove(key) {
            self.log.push(Event {
                version: self.version,
                object: object.with(json!({"metadata": {"resourceVersion": version}})),
                deleted: true,
            });
        }
    }
}
