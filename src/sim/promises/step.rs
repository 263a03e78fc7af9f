//! One write, as promises see it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::facts::target;
use super::knowledge;
use crate::sim::api::resource::PODS;
use crate::sim::api::store::{Change, Name, Write, name_of};
use crate::sim::api::{Entry, Resource, deliveries::Deliveries};

/// All objects at one version.
#[derive(Default)]
pub struct Objects {
    all: BTreeMap<&'static str, BTreeMap<Name, Arc<Value>>>,
    /// The names of pods, by the node that they are bound or pinned to.
    pods_on: BTreeMap<String, BTreeSet<Name>>,
}

impl Objects {
    /// The objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> impl Iterator<Item = &Arc<Value>> {
        self.all
            .get(resource.plural)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// The pods that are bound or pinned to a node.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Arc<Value>> {
        let pods = self.all.get(PODS.plural);
        let names = self.pods_on.get(node).into_iter().flatten();
        names.filter_map(move |name| pods?.get(name))
    }

    /// Applies a write.
    pub fn apply(&mut self, write: &Write) {
        let rows = self.all.entry(write.resource.plural).or_default();
        let name = name_of(&write.object);
        if *write.resource == PODS {
            if let Some(before) = &write.before
                && let Some(names) = self.pods_on.get_mut(target(before))
            {
                names.remove(&name);
            }
            if write.change != Change::Deleted {
                let node = target(&write.object).to_owned();
                self.pods_on.entry(node).or_default().insert(name.clone());
            }
        }
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
    /// All requests that may belong to a plan, in the order in which they came in.
    pub log: &'a [&'a Entry],
    /// When the plan of the request was made, once somebody has asked.
    pub plan: OnceCell<Duration>,
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
        let planned = self
            .plan
            .get_or_init(|| knowledge::planned(self.log, request));
        *planned
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
