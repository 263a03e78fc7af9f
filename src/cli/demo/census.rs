//! Counts the pods by zone. Each write is read once, however often counts are asked for: a cluster
//! of hundreds of nodes changes many times a second.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::sim::api::resource::{NODES, PODS};
use crate::sim::api::store::{Change, Name, Store, Write, name_of};

use super::coverage::{Counts, Coverage};
use super::nodes::ZONE;
use super::objects::{is_live, is_of, is_ready, revision, target, text};
use super::rollout_view::RolloutView;

/// What decides how an object counts, besides the object. If it changes, all are counted anew.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Basis {
    /// The UID of the DaemonSet.
    pub uid: String,
    /// During an update: the hash of the current revision.
    pub hash: Option<String>,
    /// How often verdicts on nodes changed.
    pub verdicts: u64,
}

/// How a pod counts.
#[derive(Clone, Copy, Default)]
struct Share {
    counts: Counts,
    unsettled: u64,
}

/// The counts as of a version of the store.
#[derive(Default)]
pub struct Census {
    basis: Option<Basis>,
    version: u64,
    /// The zones of nodes that are to have a pod.
    zone_of: BTreeMap<String, String>,
    pods: BTreeMap<Name, (String, Share)>,
    zones: BTreeMap<String, Counts>,
    unsettled: u64,
    /// How many objects were looked at so far.
    looks: usize,
}

impl Census {
    /// The counts at this moment.
    pub fn count(
        &mut self,
        store: &Store,
        basis: Basis,
        is_eligible: impl Fn(&str) -> bool,
        update: Option<RolloutView>,
    ) -> Coverage {
        let has_news = |all: &[Write]| all.last().is_some_and(|last| last.version > self.version);
        if self.basis.as_ref() != Some(&basis) || has_news(store.history(&NODES)) {
            self.begin(store, basis, is_eligible);
        } else if let Some(basis) = self.basis.take() {
            let all = store.history(&PODS);
            let first = all.partition_point(|w| w.version <= self.version);
            for write in &all[first..] {
                let name = name_of(&write.object);
                self.forget(&name);
                if write.change != Change::Deleted {
                    self.take(name, &write.object, &basis);
                }
            }
            self.basis = Some(basis);
        }
        self.version = store.version();
        Coverage {
            zones: self.zones.clone(),
            unsettled: self.unsettled,
            update,
        }
    }

    /// Counts everything.
    fn begin(&mut self, store: &Store, basis: Basis, is_eligible: impl Fn(&str) -> bool) {
        *self = Census {
            looks: self.looks,
            ..Census::default()
        };
        for node in store.all(&NODES).values() {
            self.looks += 1;
            let zone = node["metadata"]["labels"][ZONE].as_str().unwrap_or("-");
            let node = text(node, "/metadata/name");
            let counts = self.zones.entry(zone.to_owned()).or_default();
            if is_eligible(&node) {
                counts.desired += 1;
                self.zone_of.insert(node, zone.to_owned());
            }
        }
        for (name, pod) in store.all(&PODS) {
            self.take(name.clone(), pod, &basis);
        }
        self.basis = Some(basis);
    }

    /// Adds a pod.
    fn take(&mut self, name: Name, pod: &Value, basis: &Basis) {
        self.looks += 1;
        if !is_of(pod, &basis.uid) {
            return;
        }
        let zone = self.zone_of.get(&target(pod));
        let share = match zone {
            _ if !is_live(pod) => Share {
                unsettled: 1,
                ..Share::default()
            },
            None => return,
            Some(_) => {
                let ready = u64::from(is_ready(pod));
                let is_new = basis
                    .hash
                    .as_ref()
                    .is_some_and(|hash| revision(pod) == *hash);
                let counts = Counts {
                    desired: 0,
                    created: 1,
                    running: u64::from(pod["status"]["phase"] == "Running"),
                    ready,
                    new: u64::from(is_new),
                    new_ready: u64::from(is_new) * ready,
                };
                Share {
                    counts,
                    unsettled: 0,
                }
            }
        };
        let zone = zone.cloned().unwrap_or_default();
        self.unsettled += share.unsettled;
        if let Some(counts) = self.zones.get_mut(&zone) {
            *counts = counts.plus(&share.counts);
        }
        self.pods.insert(name, (zone, share));
    }

    /// Takes a pod off.
    fn forget(&mut self, name: &Name) {
        let Some((zone, share)) = self.pods.remove(name) else {
            return;
        };
        self.unsettled -= share.unsettled;
        if let Some(counts) = self.zones.get_mut(&zone) {
            *counts = counts.minus(&share.counts);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sim::api::{ApiServer, resource::Resource};

    const NODES_THERE: usize = 300;

    fn create(server: &ApiServer, resource: &Resource, object: &Value) {
        let made = server.perform(
            "POST",
            &resource.path(if *resource == PODS { "default" } else { "" }),
            object,
        );
        made.expect("it is created");
    }

    fn pod(n: usize, owner: &str) -> Value {
        json!({
            "metadata": { "name": format!("p{n}"), "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": owner, "controller": true,
            }] },
            "spec": { "nodeName": format!("n{n}"), "containers": [{ "name": "a", "image": "a" }] },
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_costs_one_look_however_many_pods_there_are() {
        let server = ApiServer::new(crate::sim::api::ServerOptions::default());
        for n in 0..NODES_THERE {
            let zone = ["a", "b"][n % 2];
            let labels = json!({ ZONE: zone });
            create(
                &server,
                &NODES,
                &json!({ "metadata": { "name": format!("n{n}"), "labels": labels } }),
            );
            create(&server, &PODS, &pod(n, "ours"));
        }
        let mut census = Census::default();
        let basis = || Basis {
            uid: "ours".to_owned(),
            ..Basis::default()
        };
        let mut count = |of: &Basis| {
            let coverage = server.read(|store| census.count(store, of.clone(), |_| true, None));
            let looks = std::mem::take(&mut census.looks);
            (coverage, looks)
        };
        let (first, looks) = count(&basis());
        assert_eq!((first.total().created, looks), (300, 2 * NODES_THERE));
        assert_eq!(count(&basis()), (first, 0));
        // One pod runs, one fails, one goes, and one is somebody else's.
        for (name, phase) in [("p1", "Running"), ("p2", "Failed")] {
            let path = format!("{}/{name}/status", PODS.path("default"));
            let patched = server.perform("PATCH", &path, &json!({ "status": { "phase": phase } }));
            patched.expect("it is patched");
        }
        server.meddle(&PODS, "default", "p3", |_| None);
        create(&server, &PODS, &pod(NODES_THERE, "other"));
        let (then, looks) = count(&basis());
        // The pod that is gone is not looked at.
        assert_eq!(looks, 3);
        let total = then.total();
        assert_eq!((total.created, total.running, then.unsettled), (298, 1, 1));
        let mut anew = Census::default();
        let same = server.read(|store| anew.count(store, basis(), |_| true, None));
        assert_eq!(then, same);
        // Other verdicts concern everything.
        let other = Basis {
            verdicts: 1,
            ..basis()
        };
        assert_eq!(count(&other), (then, 2 * NODES_THERE));
    }
}
