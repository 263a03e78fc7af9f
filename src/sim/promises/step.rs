//! One write, as promises see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::knowledge;
use crate::sim::api::store::{Change, Name, Write, name_of};
use crate::sim::api::{Entry, Resource, deliveries::Deliveries};

/// The objects at a version.
#[derive(Default)]
pub struct Objects(BTreeMap<&'static str, BTreeMap<Name, Arc<Value>>>);

impl Objects {
    /// All of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> impl Iterator<Item = &Arc<Value>> {
        self.0
            .get(resource.plural)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Takes a write in.
    pub fn apply(&mut self, write: &Write) {
        let rows = self.0.entry(write.resource.plural).or_default();
        let name = name_of(&write.object);
        match write.change {
            Change::Deleted => rows.remove(&name),
            _ => rows.insert(name, write.object.clone()),
        };
    }
}

/// A write, and the cluster before it.
pub struct Step<'a> {
    /// The write.
    pub write: &'a Write,
    /// The request of a controller that it came with; None where it was somebody else's.
    pub request: Option<&'a Entry>,
    /// What there was before.
    pub before: &'a Objects,
    /// Every request.
    pub log: &'a [Entry],
    /// What watches told whom, and when.
    pub deliveries: &'a Deliveries,
    /// The time of day at the start.
    pub epoch: Timestamp,
}

impl Step<'_> {
    /// Whether it was a write to this resource.
    pub fn is_for(&self, resource: &Resource) -> bool {
        *self.write.resource == *resource
    }

    /// The moment before which the plan that this request is of was not made.
    pub fn planned(&self, request: &Entry) -> Duration {
        knowledge::planned(self.log, request)
    }

    /// The moment up to which whoever sent this request knew everything at the least. Of the object that a delete is for
    /// it knew the very state; of others it may have acted on what has been true since then.
    pub fn known(&self, request: &Entry) -> Duration {
        knowledge::known(self.deliveries, request, self.planned(request))
    }

    /// The time of day at a moment.
    pub fn time(&self, at: Duration) -> Timestamp {
        let elapsed = SignedDuration::try_from(at).unwrap_or_default();
        let epoch = self.epoch;
        epoch.checked_add(elapsed).unwrap_or(epoch)
    }
}
