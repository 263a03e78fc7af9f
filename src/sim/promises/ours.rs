//! S5: a controller writes to pods and revisions that its DaemonSet controls by UID, adopts objects
//! without a controller, and writes the status of DaemonSets. It writes to nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use super::facts::{owner, said, text};
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, LEASES, PODS};
use crate::sim::api::store::Change;

/// S5.
#[derive(Default)]
pub struct Ours {
    /// By UID: the namespaces of all DaemonSets, deleted ones included.
    namespaces: BTreeMap<String, String>,
}

impl Promise for Ours {
    fn name(&self) -> &'static str {
        "S5"
    }

    fn see(&mut self, step: &Step<'_>, _: &Past) -> Vec<String> {
        let write = step.write;
        if step.is_for(&DAEMON_SETS) {
            let uid = text(&write.object, "uid").to_owned();
            let namespace = text(&write.object, "namespace").to_owned();
            self.namespaces.insert(uid, namespace);
        }
        if step.request.is_none() || step.is_for(&LEASES) {
            return Vec::new();
        }
        let (object, kind) = (&*write.object, write.resource.kind);
        let before = write.before.as_deref();
        let wrong = if step.is_for(&DAEMON_SETS) {
            let only_status = before.is_some_and(|b| is_same_without(b, object, "status"));
            (!only_status || write.change == Change::Deleted)
                .then_some("more than its status is written")
        } else if !step.is_for(&PODS) && !step.is_for(&CONTROLLER_REVISIONS) {
            Some("it is no controller's to write")
        } else {
            match before {
                None => (!self.is_ours(object)).then_some("no DaemonSet controls what is created"),
                Some(before) if self.is_ours(before) => None,
                Some(before) if !owner(before).is_empty() => Some("somebody else controls it"),
                Some(_) if write.change == Change::Deleted => Some("nobody controls it"),
                Some(before) => self.adoption(before, object),
            }
        };
        let wrong = wrong.map(|why| format!("{kind} {}: {why}", said(object)));
        wrong.into_iter().collect()
    }
}

impl Ours {
    fn is_ours(&self, object: &Value) -> bool {
        let namespace = self.namespaces.get(owner(object));
        namespace.is_some_and(|n| n == text(object, "namespace"))
    }

    fn adoption(&self, before: &Value, after: &Value) -> Option<&'static str> {
        if !self.is_ours(after) {
            return Some("nobody controls it");
        }
        let same = is_same_without(before, after, "ownerReferences");
        (!same).then_some("more is written than an adoption")
    }
}

/// Whether two states of an object differ in nothing but this field, at the top or in the metadata,
/// and their resourceVersions.
fn is_same_without(one: &Value, other: &Value, field: &str) -> bool {
    fn rest<'a>(value: &'a Value, but: [&str; 2]) -> Vec<(&'a String, &'a Value)> {
        let members = value.as_object().into_iter().flatten();
        members.filter(|(key, _)| !but.contains(&&***key)).collect()
    }
    let metadata = |object| rest(object, ["resourceVersion", field]);
    rest(one, ["metadata", field]) == rest(other, ["metadata", field])
        && metadata(&one["metadata"]) == metadata(&other["metadata"])
}
