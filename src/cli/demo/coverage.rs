//! The progress of the DaemonSet, by zone.

use std::collections::BTreeMap;

use crate::sim::api::{
    ApiServer,
    resource::{DAEMON_SETS, NODES, PODS},
};

use super::chronicle::Chronicle;
use super::input::Agent;
use super::nodes::ZONE;
use super::objects::{is_live, is_of, is_ready, revision, target, text};
use super::rollout_view::RolloutView;

/// The counts of some nodes and their pods.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Nodes that are to have a pod.
    pub desired: u64,
    /// Nodes with a pod.
    pub created: u64,
    /// Nodes whose pod is running.
    pub running: u64,
    /// Nodes whose pod is ready.
    pub ready: u64,
    /// During an update: pods of the current template.
    pub new: u64,
    /// During an update: ready pods of the current template.
    pub new_ready: u64,
}

/// The counts of all nodes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The counts by zone.
    pub zones: BTreeMap<String, Counts>,
    /// Pods that are terminating or terminal.
    pub unsettled: u64,
    /// The rollout, if an update is shown.
    pub update: Option<RolloutView>,
}

impl Coverage {
    /// The counts at this moment.
    pub fn now(
        server: &ApiServer,
        chronicle: &Chronicle,
        update: Option<RolloutView>,
        agent: &Agent,
    ) -> Coverage {
        let hash = update.as_ref().map(|update| update.hash.clone());
        server.read(|store| {
            let mut coverage = Coverage {
                update,
                ..Coverage::default()
            };
            let mut zone_of: BTreeMap<String, String> = BTreeMap::new();
            for node in store.all(&NODES).values() {
                let zone = node["metadata"]["labels"][ZONE].as_str().unwrap_or("-");
                let node = text(node, "/metadata/name");
                let counts = coverage.zones.entry(zone.to_owned()).or_default();
                if chronicle.is_eligible(&node) {
                    counts.desired += 1;
                    zone_of.insert(node, zone.to_owned());
                }
            }
            let daemon_set = store.get(&DAEMON_SETS, &agent.namespace, &agent.name);
            let uid = daemon_set
                .map(|ds| text(ds, "/metadata/uid"))
                .unwrap_or_default();
            for pod in store.all(&PODS).values().filter(|pod| is_of(pod, &uid)) {
                if !is_live(pod) {
                    coverage.unsettled += 1;
                    continue;
                }
                let Some(counts) = zone_of
                    .get(&target(pod))
                    .and_then(|zone| coverage.zones.get_mut(zone))
                else {
                    continue;
                };
                counts.created += 1;
                counts.running += u64::from(pod["status"]["phase"] == "Running");
                counts.ready += u64::from(is_ready(pod));
                if hash.as_ref().is_some_and(|hash| revision(pod) == *hash) {
                    counts.new += 1;
                    counts.new_ready += u64::from(is_ready(pod));
                }
            }
            coverage
        })
    }

    /// The sum of all zones.
    pub fn total(&self) -> Counts {
        let zones = self.zones.values();
        zones.fold(Counts::default(), |sum, zone| Counts {
            desired: sum.desired + zone.desired,
            created: sum.created + zone.created,
            running: sum.running + zone.running,
            ready: sum.ready + zone.ready,
            new: sum.new + zone.new,
            new_ready: sum.new_ready + zone.new_ready,
        })
    }

    /// Whether every node has what it is to have, and no pod is terminating or terminal.
    pub fn is_complete(&self) -> bool {
        let total = self.total();
        total.ready == total.desired && self.unsettled == 0
    }

    /// How much of a bar is full, and the words next to it.
    pub fn bar(&self, counts: &Counts) -> (u64, String) {
        match self.update {
            Some(_) if counts.desired > 0 => (
                counts.new_ready,
                counts.update() + &format!(" of {}", counts.desired),
            ),
            _ => (counts.ready, counts.words()),
        }
    }

    /// The counts of all zones in words.
    pub fn words(&self) -> String {
        let total = self.total();
        match &self.update {
            Some(update) => format!("{}, {}", total.update(), update.short()),
            None => total.words(),
        }
    }
}

impl Counts {
    /// New and old pods, in words.
    fn update(&self) -> String {
        format!(
            "{:>3} new {:>3} ready {:>3} old",
            self.new,
            self.new_ready,
            self.old()
        )
    }

    /// During an update: pods of older templates.
    pub fn old(&self) -> u64 {
        self.created - self.new
    }

    /// Without an update: the counts in words.
    fn words(&self) -> String {
        if self.desired == 0 {
            return "no node is to have one".to_owned();
        }
        format!(
            "{:>3} created {:>3} running {:>3} ready of {}",
            self.created, self.running, self.ready, self.desired
        )
    }
}
