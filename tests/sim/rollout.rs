//! Rolling updates: the cluster that their tests begin with, and what they measure. The rules are
//! in `docs/decisions.md`; each file tests one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::kubelets::script::PREFIX;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::*;

/// `spec.updateStrategy` with this budget.
pub fn rolling(max_unavailable: impl Into<Value>, max_surge: impl Into<Value>) -> Value {
    json!({"type": "RollingUpdate", "rollingUpdate": {
        "maxUnavailable": max_unavailable.into(), "maxSurge": max_surge.into(),
    }})
}

/// So many nodes covered by the first version of `default/web`, and a controller that is at rest. A
/// new pod is ready two seconds after it runs.
pub async fn covered(nodes: usize, strategy: Value) -> (World, Controller) {
    let server = world(nodes);
    respec(&server, json!({"updateStrategy": strategy}));
    become_ready(&server, "2s");
    server.kubelet();
    let running = start(&server, "a");
    seconds(10).await;
    server.assert_covered(nodes);
    (server, running)
}

/// Somebody changes the DaemonSet's spec.
pub fn respec(server: &World, spec: Value) {
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    let changed = server.perform("PATCH", path, &json!({"spec": spec}));
    changed.unwrap_or_else(|why| panic!("{why}"));
}

/// Another version of the template.
pub fn change(server: &World, version: &str) {
    annotate(server, json!({"v": version}));
}

/// Another version of the template, whose pods become ready so long after they run.
pub fn change_to(server: &World, version: &str, ready_after: &str) {
    let key = format!("{PREFIX}ready-after");
    annotate(server, json!({"v": version, (key): ready_after}));
}

/// From now on pods become ready so long after they run.
pub fn become_ready(server: &World, after: &str) {
    annotate(server, json!({ (format!("{PREFIX}ready-after")): after }));
}

fn annotate(server: &World, annotations: Value) {
    let metadata = json!({"annotations": annotations});
    respec(server, json!({"template": {"metadata": metadata}}));
}

/// What the pods of a node do: `ready-after` and the like.
pub fn script(server: &World, node: &str, what: &str, when: Value) {
    let annotations = json!({ (format!("{PREFIX}{what}")): when });
    server.edit(
        "nodes",
        node,
        json!({"metadata": {"annotations": annotations}}),
    );
}

/// The pod that runs on a node is not ready any more, and does not become ready again. Its
/// successors do.
pub async fn lose_readiness(server: &World, node: &str) {
    script(server, node, "unready-after", json!("0s"));
    millis(20).await;
    script(server, node, "unready-after", Value::Null);
}

/// The version of each live pod, by node; of several, all.
pub fn versions(server: &World) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in server.all("pods").iter().filter(|p| is_live(p)) {
        let version = pod["metadata"]["annotations"]["v"].as_str().unwrap_or("1");
        let here = found.entry(target(pod).to_owned()).or_default();
        here.push(version.to_owned());
        here.sort();
    }
    found
}

/// The nodes all of whose live pods are of this version.
pub fn nodes_of(server: &World, version: &str) -> BTreeSet<String> {
    let found = versions(server).into_iter();
    let of = found.filter(|(_, all)| all.iter().all(|v| v == version));
    of.map(|(node, _)| node).collect()
}

/// Asserts that so many nodes have one pod each, of this version.
pub fn assert_rolled(server: &World, nodes: usize, version: &str) {
    server.assert_covered(nodes);
    let found = versions(server);
    assert!(found.values().flatten().all(|v| v == version), "{found:?}");
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["updatedNumberScheduled"], nodes, "{status}");
    assert_eq!(status["numberAvailable"], nodes, "{status}");
}

/// Deletes of pods that were carried out: when, and on which node.
pub fn departures(server: &World) -> Vec<(Duration, String)> {
    let places: BTreeMap<String, String> = server.read(|store| {
        let pods = store.history(resource("pods")).iter().map(|w| &w.object);
        let place = |pod: &Value| {
            let name = pod["metadata"]["name"].as_str().unwrap_or("");
            (name.to_owned(), target(pod).to_owned())
        };
        pods.map(|pod| place(pod)).collect()
    });
    let deletes = server.deletes().into_iter().filter(|d| d.code == 200);
    let name = |d: &Entry| d.path.rsplit('/').next().unwrap_or("").to_owned();
    deletes.map(|d| (d.at, places[&name(&d)].clone())).collect()
}

/// The nodes of [`departures`].
pub fn gone_from(server: &World) -> Vec<String> {
    departures(server)
        .into_iter()
        .map(|(_, node)| node)
        .collect()
}

/// The most there was of it at any version since one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Worst {
    /// Of the nodes that there are now, those without an available pod.
    pub unavailable: usize,
    /// Nodes with more than one live pod.
    pub doubled: usize,
}

/// The version that the server is at.
pub fn version(server: &World) -> u64 {
    server.read(|store| store.version())
}

/// The worst counts of nodes at any version since this one.
pub fn worst(server: &World, since: u64) -> Worst {
    let wait = &server.get("daemonsets", "web")["spec"]["minReadySeconds"];
    let wait = wait.as_i64().unwrap_or(0);
    let nodes = server.all("nodes").len();
    let epoch = server.epoch().as_second();
    let mut pods: BTreeMap<String, Value> = BTreeMap::new();
    let mut worst = Worst::default();
    for write in server.read(|store| store.history(resource("pods")).to_vec()) {
        let name = write.object["metadata"]["name"]
            .as_str()
            .unwrap_or("")
            .to_owned();
        if write.change == Change::Deleted || !is_live(&write.object) {
            pods.remove(&name);
        } else {
            pods.insert(name, (*write.object).clone());
        }
        if write.version <= since {
            continue;
        }
        let now = epoch + write.at.as_secs() as i64;
        let mut live: BTreeMap<&str, usize> = BTreeMap::new();
        let mut available = BTreeSet::new();
        for pod in pods.values() {
            *live.entry(target(pod)).or_default() += 1;
            if ready_at(pod).is_some_and(|at| at.as_second() + wait <= now) {
                available.insert(target(pod));
            }
        }
        worst.unavailable = worst.unavailable.max(nodes.saturating_sub(available.len()));
        let doubled = live.values().filter(|n| **n > 1).count();
        worst.doubled = worst.doubled.max(doubled);
    }
    worst
}

/// Since when a pod has been ready.
pub fn ready_at(pod: &Value) -> Option<Timestamp> {
    let mut conditions = pod["status"]["conditions"].as_array()?.iter();
    let ready = conditions.find(|c| c["type"] == "Ready" && c["status"] == "True")?;
    ready["lastTransitionTime"].as_str()?.parse().ok()
}

/// Waits until so many deletes have been carried out; at most so many seconds.
pub async fn until_departed(server: &World, count: usize, patience: u64) {
    let end = server.elapsed() + Duration::from_secs(patience);
    while departures(server).len() < count {
        millis(1).await;
        assert!(server.elapsed() < end, "{:?}", departures(server));
    }
}

/// Sets a key of rollout control; null removes it.
pub fn set_key(server: &World, key: &str, value: impl Into<Value>) {
    let annotations = json!({ (format!("daemonset-controller.io/{key}")): value.into() });
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": annotations}}),
    );
}

/// The nodes that ever had a pod of this version.
pub fn touched(server: &World, version: &str) -> BTreeSet<String> {
    server.read(|store| {
        let pods = store.history(resource("pods")).iter().map(|w| &w.object);
        let of = pods.filter(|pod| pod["metadata"]["annotations"]["v"] == version);
        of.map(|pod| target(pod).to_owned()).collect()
    })
}
