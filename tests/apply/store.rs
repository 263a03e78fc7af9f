//! What the scripted API server holds: objects, one version for all of them, and every write since the start.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Plural, namespace and name.
pub type Id = (String, String, String);

/// A write, as a watch tells it.
pub struct Event {
    /// The version of the write.
    pub version: u64,
    /// `pods`.
    pub plural: String,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub what: &'static str,
    /// The object after it, or the last state of one that is gone.
    pub object: Value,
}

/// HTTP code, reason and message of an error.
pub type Refusal = (u16, &'static str, String);

/// All objects.
#[derive(Default)]
pub struct Store {
    pub version: u64,
    pub objects: BTreeMap<Id, Value>,
    pub events: Vec<Event>,
    uids: u64,
}

/// An object's id.
pub fn id(plural: &str, object: &Value) -> Id {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
    (plural.to_owned(), text("namespace"), text("name"))
}

fn missing(id: &Id) -> Refusal {
    (404, "NotFound", format!("{} \"{}\" not found", id.0, id.2))
}

/// Whether the object is in the state, and is the object, that somebody saw.
fn seen(object: &Value, seen: &Value, other_uid: (u16, &'static str)) -> Result<(), Refusal> {
    let differs = |field: &str| !seen[field].is_null() && seen[field] != object["metadata"][field];
    if differs("uid") {
        return Err((
            other_uid.0,
            other_uid.1,
            "Precondition failed: UID in precondition".into(),
        ));
    }
    if differs("resourceVersion") {
        return Err((409, "Conflict", "the object has been modified".into()));
    }
    Ok(())
}

impl Store {
    /// Creates it; what the server sets is set unless it is there.
    pub fn create(&mut self, plural: &str, mut object: Value, now: &str) -> Result<Value, Refusal> {
        let id = id(plural, &object);
        if self.objects.contains_key(&id) {
            return Err((
                409,
                "AlreadyExists",
                format!("{plural} \"{}\" already exists", id.2),
            ));
        }
        self.uids += 1;
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata
            .entry("uid")
            .or_insert(json!(format!("uid-{}", self.uids)));
        metadata.entry("creationTimestamp").or_insert(json!(now));
        metadata.entry("generation").or_insert(json!(1));
        if plural == "pods" && object["status"]["phase"].is_null() {
            object["status"] = json!({"phase": "Pending"});
        }
        Ok(self.put(id, object, "ADDED"))
    }

    /// Patches it, or just its status.
    pub fn patch(&mut self, id: &Id, patch: Value, status: bool) -> Result<Value, Refusal> {
        let Some(before) = self.objects.get(id) else {
            return Err(missing(id));
        };
        seen(before, &patch["metadata"], (422, "Invalid"))?;
        let mut after = before.clone();
        let mut patch = patch;
        if status {
            patch = json!({"status": patch["status"]});
        }
        owners(&mut after, &mut patch);
        merge(&mut after, patch);
        if after == *before {
            return Ok(after);
        }
        if after["spec"] != before["spec"] {
            after["metadata"]["generation"] =
                json!(before["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        Ok(self.put(id.clone(), after, "MODIFIED"))
    }

    /// Deletes it: pods on a node terminate first, everything else vanishes.
    pub fn delete(&mut self, id: &Id, options: &Value, now: &str) -> Result<Value, Refusal> {
        let Some(object) = self.objects.get(id) else {
            return Err(missing(id));
        };
        seen(object, &options["preconditions"], (409, "Conflict"))?;
        let mut object = object.clone();
        if id.0 == "pods" && object["spec"]["nodeName"].is_string() {
            if object["metadata"]["deletionTimestamp"].is_null() {
                object["metadata"]["deletionTimestamp"] = json!(now);
                object = self.put(id.clone(), object, "MODIFIED");
            }
            return Ok(object);
        }
        self.remove(id);
        Ok(object)
    }

    /// Takes it out.
    pub fn remove(&mut self, id: &Id) {
        if let Some(object) = self.objects.remove(id) {
            self.write(&id.0, object, "DELETED");
        }
    }

    /// One page with everything of a kind, of one namespace or all, with these labels (`a=b,c=d`).
    pub fn list(&self, plural: &str, namespace: &str, labels: &str) -> Value {
        let labels: Vec<(&str, &str)> = labels
            .split(',')
            .filter_map(|l| l.split_once('='))
            .collect();
        let has = |o: &Value| {
            labels
                .iter()
                .all(|(k, v)| o["metadata"]["labels"][*k] == **v)
        };
        let of = self.objects.iter().filter(|(id, o)| {
            id.0 == plural && (namespace.is_empty() || id.1 == namespace) && has(o)
        });
        let items: Vec<&Value> = of.map(|(_, o)| o).collect();
        json!({"kind": "List", "metadata": {"resourceVersion": self.version.to_string()}, "items": items})
    }

    fn put(&mut self, id: Id, object: Value, what: &'static str) -> Value {
        let object = self.write(&id.0, object, what);
        self.objects.insert(id, object.clone());
        object
    }

    fn write(&mut self, plural: &str, mut object: Value, what: &'static str) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.events.push(Event {
            version: self.version,
            plural: plural.to_owned(),
            what,
            object: object.clone(),
        });
        object
    }
}

/// The strategic part: owners are merged by UID.
fn owners(object: &mut Value, patch: &mut Value) {
    let Some(changes) = patch["metadata"]["ownerReferences"].as_array().cloned() else {
        return;
    };
    let now = object["metadata"]["ownerReferences"].as_array().cloned();
    let mut now = now.unwrap_or_default();
    for change in changes {
        now.retain(|o| o["uid"] != change["uid"]);
        if change["$patch"] != "delete" {
            now.push(change);
        }
    }
    patch["metadata"]["ownerReferences"] = json!(now);
}

/// RFC 7386.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in patch {
        match value {
            Value::Null => {
                target.as_object_mut().expect("an object").remove(&key);
            }
            value => merge(&mut target[&key], value),
        }
    }
}
