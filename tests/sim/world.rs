//! A cluster with nodes and the DaemonSet `default/web`, and what tests do to it and ask of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Duration;

use daemonset_controller::plan::names::digest;
use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::api::{ApiServer, Resource, resource};
use daemonset_controller::sim::cluster::{Cluster, KUBELETS, Part};
use daemonset_controller::sim::kubelets::script::PREFIX;
use daemonset_controller::sim::kubelets::{Detail, GROUP_LABEL, Linger};
use serde_json::{Value, json};
use tokio::time::sleep;

pub use daemonset_controller::sim::api::{Act, ApiStatus, Entry, Gate};
pub use daemonset_controller::sim::cluster::Controller;

pub use super::controllers::*;

/// The UID of `default/web`.
pub const UID: &str = "ds-web";

/// A cluster; what its server can do, it can.
pub struct World {
    pub(super) cluster: RefCell<Cluster>,
    server: ApiServer,
    /// The names of all controllers that were started.
    pub(super) controllers: RefCell<BTreeSet<&'static str>>,
}

impl Deref for World {
    type Target = ApiServer;

    fn deref(&self) -> &ApiServer {
        &self.server
    }
}

/// So many nodes `n0`, `n1`, … and the DaemonSet.
pub fn world(nodes: usize) -> World {
    let world = seeded(1);
    (0..nodes).for_each(|n| world.add("nodes", node(&format!("n{n}"))));
    world.add("daemonsets", daemon_set("default", "web"));
    world
}

/// A cluster with nothing in it.
pub fn seeded(seed: u64) -> World {
    let cluster = Cluster::new(seed);
    World {
        server: cluster.server.clone(),
        cluster: RefCell::new(cluster),
        controllers: RefCell::default(),
    }
}

/// Lets so many seconds pass.
pub async fn seconds(n: u64) {
    sleep(Duration::from_secs(n)).await;
}

/// Lets so many milliseconds pass.
pub async fn millis(n: u64) {
    sleep(Duration::from_millis(n)).await;
}

/// A DaemonSet whose UID is `ds-` and its name, for nodes without `away=yes` taints.
pub fn daemon_set(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "uid": format!("ds-{name}")},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
            "updateStrategy": {"type": "OnDelete"},
        },
    })
}

/// A node that is ready.
pub fn node(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, GROUP_LABEL: KUBELETS}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "allocatable": {"cpu": "32", "memory": "128Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

/// A running pod on a node, as another controller of `default/web` might have made it.
pub fn pod(name: &str, node: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default", "labels": {"app": "web"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": UID, "controller": true,
            }],
        },
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]},
        "status": ready("Running"),
    })
}

/// The same without an owner.
pub fn orphan(name: &str, node: &str) -> Value {
    let mut pod = pod(name, node);
    pod["metadata"]["ownerReferences"] = json!([]);
    pod
}

/// A pod's status; ready when it is running.
pub fn ready(phase: &str) -> Value {
    let is = if phase == "Running" { "True" } else { "False" };
    json!({"phase": phase, "conditions": [
        {"type": "Ready", "status": is, "lastProbeTime": null, "lastTransitionTime": "2026-01-01T00:00:00Z"},
    ]})
}

/// The taint that no pod of ours tolerates.
pub fn away(yes: bool) -> Value {
    let taint = json!([{"key": "away", "value": "yes", "effect": "NoExecute"}]);
    json!({"spec": {"taints": if yes { taint } else { Value::Null }}})
}

/// The name of a pod of `default/web` on a node where `newest` was the newest one.
pub fn name(parts: &[&str]) -> String {
    let parts: Vec<&str> = [UID].iter().chain(parts).copied().collect();
    format!("web-{}", digest(&parts))
}

/// The node that a pod is on or pinned to.
pub fn target(pod: &Value) -> &str {
    let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let pinned = pod.pointer(&format!("{terms}/0/matchFields/0/values/0"));
    let pinned = pinned.and_then(Value::as_str).unwrap_or("");
    pod["spec"]["nodeName"].as_str().unwrap_or(pinned)
}

/// Neither terminating nor terminal.
pub fn is_live(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    pod["metadata"]["deletionTimestamp"].is_null() && !["Failed", "Succeeded"].contains(&phase)
}

/// Terminating, and its containers may still run.
pub fn is_going(pod: &Value) -> bool {
    let phase = pod["status"]["phase"].as_str().unwrap_or("");
    pod["metadata"]["deletionTimestamp"].is_string() && !["Failed", "Succeeded"].contains(&phase)
}

/// The controller of an object, by UID.
pub fn owner(object: &Value) -> &str {
    object["metadata"]["ownerReferences"][0]["uid"]
        .as_str()
        .unwrap_or("")
}

/// The resource of this plural.
pub fn resource(plural: &str) -> &'static Resource {
    let mut all = resource::ALL.into_iter();
    all.find(|r| r.plural == plural).expect("a resource")
}

impl World {
    /// The API server, whose methods know other namespaces than `default`.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// Switches a part of the cluster on or off.
    pub fn switch(&self, part: Part, on: bool) {
        self.cluster.borrow_mut().switch(part, on);
    }

    /// Binds pods and runs them.
    pub fn kubelet(&self) {
        self.switch(Part::Scheduler, true);
        self.switch(Part::Kubelets, true);
    }

    /// As [`World::kubelet`]; on nodes that there are now all pods do what this annotation says.
    pub fn kubelet_that(&self, annotation: &str, value: &str) {
        let key = format!("{PREFIX}{annotation}");
        for node in self.all("nodes") {
            let name = node["metadata"]["name"].as_str().expect("a name");
            self.edit(
                "nodes",
                name,
                json!({"metadata": {"annotations": { (key.clone()): value }}}),
            );
        }
        self.kubelet();
    }

    /// From now on deleted pods are removed as soon as they have ended, all alike. No real kubelet
    /// is so quick: for tests that count time.
    pub fn removes_at_once(&self) {
        self.cluster.borrow_mut().linger = Linger::always(Duration::ZERO);
        self.kubelets_again();
    }

    /// From now on kubelets make all writes of real ones.
    pub fn in_full(&self) {
        self.cluster.borrow_mut().detail = Detail::Full;
        self.kubelets_again();
    }

    fn kubelets_again(&self) {
        self.switch(Part::Kubelets, false);
        self.switch(Part::Kubelets, true);
    }

    /// Somebody creates an object: complete and valid as the API server has it, but with the UID
    /// and status given.
    pub fn add(&self, plural: &str, object: Value) {
        let resource = resource(plural);
        let namespace = object["metadata"]["namespace"].as_str();
        let namespace = namespace.unwrap_or(namespace_of(resource));
        if resource.namespaced
            && self
                .server
                .get(&resource::NAMESPACES, "", namespace)
                .is_none()
        {
            let object = json!({"metadata": {"name": namespace}});
            let made = self.perform("POST", "/api/v1/namespaces", &object);
            made.expect("a namespace");
        }
        let path = format!("{}?dryRun=All", resource.path(namespace));
        let made = self.perform("POST", &path, &object);
        let mut made = made.unwrap_or_else(|why| panic!("{why}: {object}"));
        if object["metadata"]["uid"].is_string() {
            made["metadata"]["uid"] = object["metadata"]["uid"].clone();
        }
        if object["status"].is_object() {
            json_patch::merge(&mut made["status"], &object["status"]);
        }
        self.put(plural, made);
    }

    /// An object is there, whatever the API server would say to it.
    pub fn put(&self, plural: &str, mut object: Value) {
        let resource = resource(plural);
        let fields = object.as_object_mut().expect("an object");
        fields.retain(|field, _| field != "kind" && field != "apiVersion");
        for (field, value) in [
            ("namespace", namespace_of(resource)),
            ("uid", &*format!("uid-{}", self.read(|s| s.version()))),
            ("creationTimestamp", &*format!("{:.0}", self.now())),
        ] {
            let metadata = object["metadata"].as_object_mut().expect("metadata");
            if !value.is_empty() {
                metadata.entry(field).or_insert(json!(value));
            }
        }
        if resource.generation && object["metadata"]["generation"].is_null() {
            object["metadata"]["generation"] = json!(1);
        }
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or("").to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        self.meddle(resource, &namespace, &name, |_| Some(object));
    }

    /// Somebody changes any part of an object.
    pub fn edit(&self, plural: &str, name: &str, patch: Value) {
        let resource = resource(plural);
        self.meddle(resource, namespace_of(resource), name, |mut object| {
            assert!(!object.is_null(), "{plural} {name} is there");
            let spec = object["spec"].clone();
            json_patch::merge(&mut object, &patch);
            if resource.generation && object["spec"] != spec {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or(0);
                object["metadata"]["generation"] = json!(generation + 1);
            }
            Some(object)
        });
    }

    /// It is gone.
    pub fn remove(&self, plural: &str, name: &str) {
        let resource = resource(plural);
        self.meddle(resource, namespace_of(resource), name, |_| None);
    }

    /// Another object takes its name, at one blow for whoever reads.
    pub fn replace(&self, plural: &str, name: &str, object: Value) {
        self.remove(plural, name);
        self.add(plural, object);
    }

    /// Somebody asks for its deletion, as kubectl does.
    pub fn ask_to_delete(&self, plural: &str, name: &str) {
        let path = resource(plural).path(namespace_of(resource(plural)));
        let gone = self.perform("DELETE", &format!("{path}/{name}"), &Value::Null);
        gone.unwrap_or_else(|why| panic!("{why}"));
    }

    /// An object; null where there is none.
    pub fn get(&self, plural: &str, name: &str) -> Value {
        let resource = resource(plural);
        let object = self.server.get(resource, namespace_of(resource), name);
        object.unwrap_or(Value::Null)
    }

    /// All objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        self.server.all(resource(plural))
    }

    /// Live pods of the DaemonSet with this UID by node.
    pub fn covered_by(&self, uid: &str) -> BTreeMap<String, usize> {
        let mut by_node = BTreeMap::new();
        for pod in self
            .all("pods")
            .iter()
            .filter(|p| is_live(p) && owner(p) == uid)
        {
            *by_node.entry(target(pod).to_owned()).or_default() += 1;
        }
        by_node
    }

    /// Live pods of `default/web` by node.
    pub fn covered(&self) -> BTreeMap<String, usize> {
        self.covered_by(UID)
    }

    /// Asserts that each of so many nodes has exactly one live pod.
    pub fn assert_covered(&self, nodes: usize) {
        let covered = self.covered();
        assert!(
            covered.len() == nodes && covered.values().all(|n| *n == 1),
            "{covered:?}"
        );
    }

    /// When live pods of `default/web` were on so many nodes for the first time.
    pub async fn until_covered(&self, nodes: usize, patience: Duration) -> Duration {
        let begun = self.elapsed();
        while self.covered().len() < nodes {
            millis(1).await;
            let took = self.elapsed() - begun;
            assert!(took < patience, "{} of {nodes}", self.covered().len());
        }
        self.elapsed() - begun
    }

    /// How many pods there ever were.
    pub fn pods_ever(&self) -> usize {
        self.read(|store| {
            let history = store.history(&resource::PODS).iter();
            history.filter(|w| w.change == Change::Added).count()
        })
    }
}

fn namespace_of(resource: &Resource) -> &'static str {
    if resource.namespaced { "default" } else { "" }
}

/// The seeds that `SIM_SEEDS` asks for, or these: `FROM-TO`, without the last.
pub fn seeds(by_default: &str) -> std::ops::Range<u64> {
    let range = std::env::var("SIM_SEEDS").unwrap_or(by_default.into());
    let (from, to) = range.split_once('-').expect("FROM-TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}
