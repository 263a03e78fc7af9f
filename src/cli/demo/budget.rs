//! The cost of an update: the most nodes that were unavailable at a time, read from the history of
//! the pods.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::sim::api::{
    resource::PODS,
    store::{Change, Store},
};

use super::objects::{is_live, is_of, is_ready, target, text};

/// The nodes that are to have a pod of a DaemonSet.
pub struct Places<'a> {
    pub uid: String,
    /// `spec.minReadySeconds` of the DaemonSet.
    pub min_ready: i64,
    /// The time of day when the server started.
    pub epoch: Timestamp,
    /// The names of the nodes.
    pub nodes: &'a [String],
}

/// The most nodes in each state at any moment.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Peak {
    /// Nodes without an available pod.
    pub unavailable: usize,
    /// Nodes with more than one live pod, not all of which are available.
    pub doubled: usize,
    /// When the last pod changed, since the server's start.
    pub last: Duration,
}

/// The pods on a node: name to the time at which the pod becomes available, if it is ready.
type Place = BTreeMap<String, Option<i64>>;

impl Places<'_> {
    /// The peak after a version of the store, until now. A count can grow only at a write, so the
    /// counts are taken there.
    pub fn peak(&self, store: &Store, since: u64) -> Peak {
        let mut places: BTreeMap<&str, Place> = BTreeMap::new();
        places.extend(self.nodes.iter().map(|node| (&**node, Place::new())));
        let mut peak = Peak::default();
        for write in store.history(&PODS) {
            let pod = &*write.object;
            let node = target(pod);
            if let Some(place) = places.get_mut(&*node).filter(|_| is_of(pod, &self.uid)) {
                let name = text(pod, "/metadata/name");
                if write.change == Change::Deleted || !is_live(pod) {
                    place.remove(&name);
                } else {
                    place.insert(name, self.available_at(pod));
                }
            }
            if write.version <= since {
                continue;
            }
            let at = i64::try_from(write.at.as_secs()).unwrap_or(i64::MAX);
            let now = self.epoch.as_second().saturating_add(at);
            let is_available = |at: &Option<i64>| at.is_some_and(|at| at <= now);
            let unavailable = |place: &&Place| !place.values().any(is_available);
            let doubled = |place: &&Place| place.len() > 1 && !place.values().all(is_available);
            peak.unavailable = peak
                .unavailable
                .max(places.values().filter(unavailable).count());
            peak.doubled = peak.doubled.max(places.values().filter(doubled).count());
            peak.last = write.at;
        }
        peak
    }

    fn available_at(&self, pod: &Value) -> Option<i64> {
        let mut conditions = pod["status"]["conditions"].as_array()?.iter();
        let ready = conditions.find(|c| c["type"] == "Ready")?;
        let since: Option<Timestamp> = text(ready, "/lastTransitionTime").parse().ok();
        let since = since?.as_second();
        is_ready(pod).then_some(since + self.min_ready)
    }
}
