//! The store: objects, one version counter for all of them, and the history of every write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::protobuf;
use super::resource::{self, Resource};

/// Namespace (empty outside of namespaces) and name.
pub type Name = (String, String);

/// The type of a write, in the words of watch events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The object was created.
    Added,
    /// The object was changed.
    Modified,
    /// The object was removed.
    Deleted,
}

impl Change {
    /// The word of a watch event.
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Added => "ADDED",
            Change::Modified => "MODIFIED",
            Change::Deleted => "DELETED",
        }
    }
}

/// One write, as the history keeps it.
#[derive(Clone, Debug)]
pub struct Write {
    /// The resourceVersion that it made.
    pub version: u64,
    /// The time since the start.
    pub at: Duration,
    /// The resource of the object.
    pub resource: &'static Resource,
    /// The type of the write.
    pub change: Change,
    /// The object after it; of a removed object the last state, with the version of the removal.
    pub object: Arc<Value>,
    /// The object before it; None if it did not exist.
    pub before: Option<Arc<Value>>,
    /// The number of its request in the log.
    pub request: usize,
    text: OnceLock<Arc<str>>,
    message: OnceLock<Bytes>,
    /// By the change that a watch tells of.
    lines: [OnceLock<Bytes>; 3],
    /// The same in protobuf.
    frames: [OnceLock<Bytes>; 3],
}

impl Write {
    /// The object as JSON, as it is stored. It is encoded once: lists, watches and answers share
    /// it.
    pub fn text(&self) -> Arc<str> {
        let text = self.text.get_or_init(|| encoded(&self.object).into());
        text.clone()
    }

    /// The object as a message of protobuf, encoded once as well.
    pub fn message(&self) -> Bytes {
        let encode = || protobuf::message(self.resource.kind, &self.object).into();
        self.message.get_or_init(encode).clone()
    }

    /// The line of a watch that tells of this write as of such a change. It is made once: watches
    /// share it.
    pub fn line(&self, told: Change, make: impl FnOnce() -> Bytes) -> Bytes {
        self.lines[told as usize].get_or_init(make).clone()
    }

    /// As [`Write::line`], the frame of a watch in protobuf.
    pub fn frame(&self, told: Change, make: impl FnOnce() -> Bytes) -> Bytes {
        self.frames[told as usize].get_or_init(make).clone()
    }
}

#[derive(Default, Debug)]
struct Table {
    rows: BTreeMap<Name, Arc<Value>>,
    writes: Vec<Write>,
    /// Watches and lists cannot go back to before this version.
    cut: u64,
}

/// All objects, with their history.
#[derive(Debug)]
pub struct Store {
    version: u64,
    tables: Vec<Table>,
    /// The tables that were written since somebody asked.
    written: BTreeSet<usize>,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            version: 1,
            tables: resource::ALL.iter().map(|_| Table::default()).collect(),
            written: BTreeSet::new(),
        }
    }
}

/// The index of a resource's table. Both forms of events share one.
pub fn table(resource: &Resource) -> usize {
    let stored = if *resource == resource::NEW_EVENTS {
        &resource::EVENTS
    } else {
        resource
    };
    let found = resource::ALL.iter().position(|r| *r == stored);
    found.expect("ALL has every resource")
}

impl Store {
    /// The resourceVersion of the last write.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The tables that were written since this was called last.
    pub fn take_written(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.written)
    }

    /// One object; None if it does not exist.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.tables[table(resource)].rows.get(&key)
    }

    /// An object that is there, as JSON, as it is stored.
    pub fn text(&self, object: &Value, resource: &Resource) -> Arc<str> {
        match self.write_of(object, resource) {
            Some(write) => write.text(),
            None => encoded(object).into(),
        }
    }

    /// The same as a message of protobuf.
    pub fn message(&self, object: &Value, resource: &Resource) -> Bytes {
        match self.write_of(object, resource) {
            Some(write) => write.message(),
            None => protobuf::message(resource.kind, object).into(),
        }
    }

    /// The write that made an object what it is.
    fn write_of(&self, object: &Value, resource: &Resource) -> Option<&Write> {
        let version = object["metadata"]["resourceVersion"].as_str();
        let version: u64 = version.and_then(|v| v.parse().ok()).unwrap_or(0);
        let writes = &self.tables[table(resource)].writes;
        let at = writes.partition_point(|w| w.version < version);
        writes.get(at).filter(|w| w.version == version)
    }

    /// All objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> &BTreeMap<Name, Arc<Value>> {
        &self.tables[table(resource)].rows
    }

    /// The objects of a resource at a version, by namespace and name; None if history does not go
    /// back so far.
    pub fn at(&self, resource: &Resource, version: u64) -> Option<BTreeMap<Name, Arc<Value>>> {
        let table = &self.tables[table(resource)];
        if version < table.cut {
            return None;
        }
        let mut rows = table.rows.clone();
        for write in table.writes.iter().rev() {
            if write.version <= version {
                break;
            }
            let key = name_of(&write.object);
            match &write.before {
                Some(before) => rows.insert(key, before.clone()),
                None => rows.remove(&key),
            };
        }
        Some(rows)
    }

    /// The writes to a resource after a version, oldest first; None if history does not go back so
    /// far.
    pub fn since(&self, resource: &Resource, version: u64) -> Option<&[Write]> {
        let table = &self.tables[table(resource)];
        if version < table.cut {
            return None;
        }
        let first = table.writes.partition_point(|w| w.version <= version);
        Some(&table.writes[first..])
    }

    /// All writes to a resource, oldest first, including those before the cut.
    pub fn history(&self, resource: &Resource) -> &[Write] {
        &self.tables[table(resource)].writes
    }

    /// Cuts the history of a resource: no watch and no list goes back to before now.
    pub fn cut(&mut self, resource: &Resource) {
        self.tables[table(resource)].cut = self.version;
    }

    /// The oldest version that watches of this resource can begin at.
    pub fn oldest(&self, resource: &Resource) -> u64 {
        self.tables[table(resource)].cut
    }

    /// Writes an object, and sets its resourceVersion. Returns its new state.
    pub fn put(
        &mut self,
        resource: &'static Resource,
        mut object: Value,
        at: Duration,
        request: usize,
    ) -> Arc<Value> {
        let object = {
            self.version += 1;
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
            Arc::new(object)
        };
        let version = self.version;
        let table = table(resource);
        self.written.insert(table);
        let table = &mut self.tables[table];
        let before = table.rows.insert(name_of(&object), object.clone());
        let change = if before.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        table.writes.push(Write {
            version,
            at,
            resource,
            change,
            object: object.clone(),
            before,
            request,
            text: OnceLock::new(),
            message: OnceLock::new(),
            lines: Default::default(),
            frames: Default::default(),
        });
        object
    }

    /// Removes an object, whose last state is `object`. Returns it with the version of the removal.
    pub fn remove(
        &mut self,
        resource: &'static Resource,
        mut object: Value,
        at: Duration,
        request: usize,
    ) -> Arc<Value> {
        self.version += 1;
        let version = self.version;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let object = Arc::new(object);
        let table = table(resource);
        self.written.insert(table);
        let table = &mut self.tables[table];
        let before = table.rows.remove(&name_of(&object));
        table.writes.push(Write {
            version,
            at,
            resource,
            change: Change::Deleted,
            object: object.clone(),
            before,
            request,
            text: OnceLock::new(),
            message: OnceLock::new(),
            lines: Default::default(),
            frames: Default::default(),
        });
        object
    }
}

/// An object as JSON. The `to_string` of a value takes longer: it checks each piece of text again.
pub fn encoded(object: &Value) -> String {
    serde_json::to_string(object).expect("a value is JSON")
}

/// An object's namespace and name.
pub fn name_of(object: &Value) -> Name {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (text("namespace"), text("name"))
}
