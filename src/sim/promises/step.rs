//! One write, as promises see it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::knowledge;
use crate::sim::api::store::{Change, Name, Write, name_of};
use crate::sim::api::{Entry, Resource, deliveries::Deliveries};

/// All objects at one version.
#[derive(Default)]
pub struct Objects(BTreeMap<&'static str, BTreeMap<Name, Arc<Value>>>);

impl Objects {
    /// The objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> impl Iterator<Item = &Arc<Value>> {
        self.0
            .get(resource.plural)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Applies a write.
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
    /// The write itself.
    pub write: &'a Write,
    /// The request that it came with; None if no controller sent it.
    pub request: Option<&'a Entry>,
    /// The objects before the write.
    pub before: &'a Objects,
    /// All requests, in the order in which they came in.
    pub log: &'a [Entry],
    /// The deliveries of watches to each client, with their times.
    pub deliveries: &'a Deliveries,
    /// The time of day at the start.
    pub epoch: Timestamp,
}

impl Step<'_> {
    /// Whether it was a write to this resource.
    pub fn is_for(&self, resource: &Resource) -> bool {
        *self.write.resource == *resource
    }

    /// The plan that this request belongs to was made no earlier than this.
    pub fn planned(&self, request: &Entry) -> Duration {
        knowledge::planned(self.log, request)
    }

    /// The moment up to which the sender of this request knew everything. Of the object that a
    /// delete is for it knew the very state; of other objects it may have used any state since that
    /// moment.
    pub fn known(&self, request: &Entry) -> Duration {
        knowledge::known(self.deliveries, request, self.planned(request))
    }

    /// The time of day at a moment since the start.
    pub fn time(&self, at: Duration) -> Timestamp {
        let elapsed = SignedDuration::try_from(at).unwrap_or_default();
        let epoch = self.epoch;
        epoch.checked_add(elapsed).unwrap_or(epoch)
    }
}
