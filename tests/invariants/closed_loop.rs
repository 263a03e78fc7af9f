//! A cluster without faults: plans are carried out on the objects at once, and the cache hears of
//! every change, as from watches. `tests/sim` has the faults.

use std::collections::{BTreeMap, BTreeSet};

use daemonset_controller::{
    model::{Key, Kind, Time},
    plan::{Plan, PodRef, revisions::RevisionRef},
    wire::canonical,
};
use serde_json::{Value, json, value::to_raw_value};

use crate::{arbitrary::World, support::*};

/// The objects of the cluster, and a controller's cache of them.
pub struct Loop {
    /// The cache of the controller, and the time.
    pub cluster: Cluster,
    objects: BTreeMap<(Kind, Key), Object>,
    version: u64,
    /// Deleted pods terminate for a round before they are gone.
    graceful: bool,
}

impl Loop {
    /// The world, and a controller that has just started.
    pub fn new(world: &World, graceful: bool) -> Loop {
        Loop {
            cluster: world.cluster(None),
            objects: world
                .objects
                .iter()
                .map(|o| ((o.kind, o.key()), o.clone()))
                .collect(),
            version: 1_000,
            graceful,
        }
    }

    /// The names of our live pods by node.
    pub fn live(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.ours(|pod| !is_terminal(pod))
    }

    /// The names of our failed and finished pods by node.
    pub fn terminal(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.ours(is_terminal)
    }

    /// The names of our pods by node that are not terminating.
    fn ours(&self, which: impl Fn(&Object) -> bool) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pod in self.objects.values().filter(|o| o.kind == Kind::Pod) {
            let asked = which(pod) && pod.at("/metadata/deletionTimestamp").is_null();
            let ours = pod.at("/metadata/ownerReferences/0/uid") == DS_UID
                || pod.at("/metadata/ownerReferences/0").is_null();
            let matching = pod.at("/metadata/labels/app") == "web";
            if let (true, Some(node)) = (asked && ours && matching, target(pod)) {
                found
                    .entry(node.into())
                    .or_default()
                    .insert(pod.name().into());
            }
        }
        found
    }

    /// Plans, carries the plan out, and lets the cluster do its part. None when nothing changed at
    /// all and nothing will: the plan has settled.
    pub fn round(&mut self) -> Option<Plan> {
        let plan = self.cluster.plan();
        let before = self.version;
        self.carry_out(&plan);
        self.nodes_and_garbage();
        match plan.wake_at {
            _ if self.version != before => self.cluster.now = self.second(),
            Some(at) => self.cluster.now = at,
            None => return None,
        }
        Some(plan)
    }

    /// All objects of a kind.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |o| o.kind == kind)
    }

    fn second(&self) -> Time {
        self.cluster.now + std::time::Duration::from_secs(1)
    }

    fn now(&self) -> String {
        // Kubernetes' own timestamps have whole seconds.
        Time::from_secs(self.cluster.now.timestamp().as_second()).to_string()
    }

    fn carry_out(&mut self, plan: &Plan) {
        if !plan.revision_ops.read_data.is_empty() {
            for r in &plan.revision_ops.read_data {
                let key = Key::new("default", r.name.clone());
                let data = stored_data(&self.objects[&(Kind::Revision, key.clone())]);
                let cache = &mut self.cluster.cache;
                cache.stored_data(&key, &r.uid, Some(data.as_bytes()));
            }
            self.version += 1;
            return;
        }
        let owner = json!([{
            "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": DS_UID, "controller": true,
        }]);
        for p in &plan.claims.adopt {
            self.change_pod(p, json!({"metadata": {"ownerReferences": owner}}));
        }
        for p in &plan.claims.release {
            self.change_pod(p, json!({"metadata": {"ownerReferences": []}}));
        }
        self.change_revisions(plan, &owner);
        let hash = plan.revision.as_ref().map_or("", |r| &*r.hash);
        for r in &plan.relabels {
            self.change_pod(
                &r.pod,
                json!({"metadata": {"labels": {"controller-revision-hash": &*r.hash}}}),
            );
        }
        for c in &plan.creates {
            let pod = pod(&c.pod_name).pinned(&[&c.node]).hash(hash).with(json!({
                "metadata": {"uid": format!("uid-{}", self.version), "creationTimestamp": self.now()},
            }));
            assert!(
                !self.objects.contains_key(&(Kind::Pod, pod.key())),
                "409 AlreadyExists for {}",
                c.pod_name
            );
            self.put(pod);
        }
        self.cluster.cache.attempt(&plan.backoff, self.cluster.now);
        for d in &plan.deletes {
            let key = Key::new("default", d.pod.name.clone());
            let pod = self.objects[&(Kind::Pod, key)].clone();
            if self.graceful && !is_terminal(&pod) && !pod.at("/spec/nodeName").is_null() {
                self.put(pod.with(json!({"metadata": {"deletionTimestamp": self.now()}})));
            } else {
                self.remove(&pod);
            }
        }
        if let Some(s) = plan.status {
            let ds = self.objects[&(Kind::DaemonSet, key())].clone();
            let written = ds.clone().with(json!({"status": {
                "currentNumberScheduled": s.current_number_scheduled,
                "numberMisscheduled": s.number_misscheduled,
                "desiredNumberScheduled": s.desired_number_scheduled,
                "numberReady": s.number_ready,
                "updatedNumberScheduled": s.updated_number_scheduled,
                "numberAvailable": s.number_available,
                "numberUnavailable": s.number_unavailable,
                "observedGeneration": s.observed_generation,
                "collisionCount": s.collision_count,
            }}));
            if written != ds {
                self.put(written);
            }
        }
    }

    fn change_revisions(&mut self, plan: &Plan, owner: &Value) {
        let ops = &plan.revision_ops;
        for r in &ops.adopt {
            self.change_revision(r, json!({"metadata": {"ownerReferences": owner}}));
        }
        for r in &ops.release {
            self.change_revision(r, json!({"metadata": {"ownerReferences": []}}));
        }
        for (r, hash) in &ops.set_label {
            self.change_revision(
                r,
                json!({"metadata": {"labels": {"controller-revision-hash": &**hash}}}),
            );
        }
        if let Some((r, number)) = &ops.set_number {
            self.change_revision(r, json!({"revision": number}));
        }
        if let Some(current) = plan.revision.as_ref().filter(|r| r.create) {
            let ds = &self.objects[&(Kind::DaemonSet, key())];
            let made = revision(
                &current.hash,
                current.number,
                &ds.json["spec"]["template"].clone(),
            );
            assert_eq!(made.name(), &*current.name);
            self.put(made);
        }
        for r in ops.delete_duplicates.iter().chain(&ops.delete_old) {
            let key = Key::new("default", r.name.clone());
            let gone = self.objects[&(Kind::Revision, key)].clone();
            self.remove(&gone);
        }
    }

    /// Kubelets, scheduler and garbage collector: bound pods start, terminating ones go, pods on
    /// nodes that are gone go too.
    fn nodes_and_garbage(&mut self) {
        let pods: Vec<Object> = self
            .objects
            .values()
            .filter(|o| o.kind == Kind::Pod)
            .cloned()
            .collect();
        for pod in pods {
            let Some(node) = target(&pod).map(str::to_owned) else {
                continue;
            };
            let exists = self
                .objects
                .contains_key(&(Kind::Node, Key::new("", &*node)));
            let bound = !pod.at("/spec/nodeName").is_null();
            let terminating = !pod.at("/metadata/deletionTimestamp").is_null();
            if terminating || bound && !exists {
                self.remove(&pod);
            } else if !is_terminal(&pod) && exists && !(bound && is_ready(&pod)) {
                let condition =
                    json!([{"type": "Ready", "status": "True", "lastTransitionTime": self.now()}]);
                self.put(pod.on(&node).with(json!({
                    "status": {"phase": "Running", "conditions": condition},
                })));
            }
        }
    }

    fn change_pod(&mut self, p: &PodRef, patch: Value) {
        self.change(Kind::Pod, &p.name, p.uid.as_str(), patch);
    }

    fn change_revision(&mut self, r: &RevisionRef, patch: Value) {
        self.change(Kind::Revision, &r.name, r.uid.as_str(), patch);
    }

    fn change(&mut self, kind: Kind, name: &str, uid: &str, patch: Value) {
        let object = self.objects[&(kind, Key::new("default", name))].clone();
        assert_eq!(object.at("/metadata/uid"), uid);
        self.put(object.with(patch));
    }

    fn put(&mut self, object: Object) {
        self.version += 1;
        let version = self.version.to_string();
        let object = object.with(json!({"metadata": {"resourceVersion": version}}));
        self.cluster.put(&object);
        self.objects.insert((object.kind, object.key()), object);
    }

    fn remove(&mut self, object: &Object) {
        self.version += 1;
        self.objects.remove(&(object.kind, object.key()));
        self.cluster.cache.tick(self.cluster.now);
        self.cluster.cache.deleted(object.kind, &object.raw());
    }
}

/// Marks a revision whose stored bytes are not the canonical ones.
const SPACED: &str = "/metadata/annotations/spaced";

/// The bytes that the API server has stored as a revision's data.
pub fn stored_data(revision: &Object) -> String {
    let data = to_raw_value(&revision.json["data"]).expect("JSON");
    let data = canonical::canonical(&data).expect("JSON");
    let spaced = !revision.at(SPACED).is_null();
    if spaced { data + " " } else { data }
}

fn target(pod: &Object) -> Option<&str> {
    let pinned = pod
        .at("/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchFields/0/values");
    match (pod.at("/spec/nodeName").as_str(), pinned.as_array()) {
        (Some(node), _) => Some(node),
        (None, Some(nodes)) if nodes.len() == 1 => nodes[0].as_str(),
        _ => None,
    }
}

fn is_terminal(pod: &Object) -> bool {
    matches!(
        pod.at("/status/phase").as_str(),
        Some("Failed" | "Succeeded")
    )
}

fn is_ready(pod: &Object) -> bool {
    pod.at("/status/conditions/0/status") == "True"
}
