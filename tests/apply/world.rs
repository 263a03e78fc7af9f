//! A server with nodes and the DaemonSet `default/web`, and controllers on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemonset_controller::{
    model::Settings,
    plan::names::digest,
    runtime::run::{Connections, Options, run},
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::server::{Call, Server};
use super::store::{Id, id, merge};

/// The UID of `default/web`.
pub const UID: &str = "ds-web";

/// A running controller.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// Asks it to stop, and says how long that took.
    pub async fn stop(self) -> Duration {
        let begun = Instant::now();
        self.stop.send_replace(true);
        timeout(Duration::from_secs(60), self.task)
            .await
            .expect("it stops")
            .expect("no panic");
        begun.elapsed()
    }
}

/// A controller whose client has this name.
pub fn start(server: &Server, name: &'static str) -> Running {
    let connections = Connections {
        watches: server.client(name),
        writes: server.client(name),
        server: "https://test:6443".into(),
    };
    let options = Options {
        namespace: None,
        concurrent_syncs: 2,
        burst: 250,
        max_in_flight: 32,
        settings: Settings::default(),
        seed: name.bytes().map(u64::from).sum(),
    };
    let clock = server.clone();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(run(
        connections,
        options,
        std::sync::Arc::new(move || clock.time()),
        stopped,
    ));
    Running { stop, task }
}

/// So many nodes `n0`, `n1`, … and the DaemonSet.
pub fn world(nodes: usize) -> Server {
    let server = Server::new();
    (0..nodes).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
    server.add("daemonsets", daemon_set("default", "web"));
    server
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
            "revisionHistoryLimit": 10,
        },
        "status": {},
    })
}

/// A node.
pub fn node(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}, "spec": {}, "status": {}})
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
        {"type": "Ready", "status": is, "lastTransitionTime": "2026-01-01T00:00:00Z"},
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

/// The controller of an object, by UID.
pub fn owner(object: &Value) -> &str {
    object["metadata"]["ownerReferences"][0]["uid"]
        .as_str()
        .unwrap_or("")
}

/// The names that a POST asked for, or the last segment of any other call's path.
pub fn names(calls: &[Call]) -> Vec<String> {
    let name = |c: &Call| match c.body["metadata"]["name"].as_str() {
        Some(name) if c.verb == "POST" => name.to_owned(),
        _ => c.path.rsplit('/').next().unwrap_or("").to_owned(),
    };
    calls.iter().map(name).collect()
}

/// The codes of calls.
pub fn codes(calls: &[Call]) -> Vec<u16> {
    calls.iter().map(|c| c.code).collect()
}

/// The pauses between calls, in seconds, rounded.
pub fn pauses(calls: &[Call]) -> Vec<u64> {
    let pause = |w: &[Call]| (w[1].at - w[0].at).as_secs_f64().round();
    calls.windows(2).map(|w| pause(w) as u64).collect()
}

fn key(plural: &str, name: &str) -> Id {
    let namespace = if plural == "nodes" { "" } else { "default" };
    (plural.into(), namespace.into(), name.into())
}

impl Server {
    /// Somebody creates an object.
    pub fn add(&self, plural: &str, object: Value) {
        self.store(|s, now| s.create(plural, object, now).expect("a free name"));
    }

    /// Somebody changes any part of an object.
    pub fn edit(&self, plural: &str, name: &str, patch: Value) {
        self.store(|s, _| {
            s.patch(&key(plural, name), patch, false)
                .expect("it is there")
        });
    }

    /// It is gone.
    pub fn remove(&self, plural: &str, name: &str) {
        self.store(|s, _| s.remove(&key(plural, name)));
    }

    /// Another object takes its name, at one blow for whoever reads.
    pub fn replace(&self, plural: &str, name: &str, object: Value) {
        self.store(|s, now| {
            s.remove(&key(plural, name));
            s.create(plural, object, now).expect("a free name");
        });
    }

    /// An object; null where there is none.
    pub fn get(&self, plural: &str, name: &str) -> Value {
        let object = self.store(|s, _| s.objects.get(&key(plural, name)).cloned());
        object.unwrap_or(Value::Null)
    }

    /// All objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        self.store(|s, _| {
            let of = s.objects.iter().filter(|(id, _)| id.0 == plural);
            of.map(|(_, o)| o.clone()).collect()
        })
    }

    /// Live pods of `default/web` by node.
    pub fn covered(&self) -> BTreeMap<String, usize> {
        let mut by_node = BTreeMap::new();
        for pod in self
            .all("pods")
            .iter()
            .filter(|p| is_live(p) && owner(p) == UID)
        {
            *by_node.entry(target(pod).to_owned()).or_default() += 1;
        }
        by_node
    }

    /// That each of so many nodes has exactly one live pod.
    pub fn assert_covered(&self, nodes: usize) {
        let covered = self.covered();
        assert!(
            covered.len() == nodes && covered.values().all(|n| *n == 1),
            "{covered:?}"
        );
    }

    /// Versions at which a node had two live pods of one DaemonSet.
    pub fn doubles(&self) -> Vec<String> {
        self.store(|s, _| {
            let mut pods: BTreeMap<Id, Value> = BTreeMap::new();
            let mut doubles = Vec::new();
            for event in s.events.iter().filter(|e| e.plural == "pods") {
                pods.insert(id("pods", &event.object), event.object.clone());
                if event.what == "DELETED" {
                    pods.remove(&id("pods", &event.object));
                }
                let mut places = BTreeSet::new();
                for pod in pods.values().filter(|p| is_live(p) && !owner(p).is_empty()) {
                    if !places.insert((owner(pod), target(pod))) {
                        doubles.push(format!("{} on {}", event.version, target(pod)));
                    }
                }
            }
            doubles
        })
    }

    /// POSTs of pods.
    pub fn posts(&self) -> Vec<Call> {
        self.calls(|c| c.is("POST", "/pods"))
    }

    /// DELETEs of pods.
    pub fn deletes(&self) -> Vec<Call> {
        self.calls(|c| c.is_pod("DELETE"))
    }

    /// Patches of the status of `default/web`.
    pub fn statuses(&self) -> Vec<Call> {
        self.calls(|c| c.is("PATCH", "/daemonsets/web/status"))
    }

    /// Messages of events with this reason, as they were first written.
    pub fn events(&self, reason: &str) -> Vec<String> {
        let calls = self.calls(|c| c.is("POST", "/events") && c.body["reason"] == reason);
        let message = |c: &Call| c.body["message"].as_str().unwrap_or("").to_owned();
        calls.iter().map(message).collect()
    }

    /// Binds pods and gives them this status within 10 ms, and lets terminating ones go.
    pub fn kubelet(&self, status: Value) -> JoinHandle<()> {
        let server = self.clone();
        let mut changes = self.changes();
        tokio::spawn(async move {
            loop {
                millis(10).await;
                for pod in server.all("pods") {
                    let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
                    if !pod["metadata"]["deletionTimestamp"].is_null() {
                        server.remove("pods", &name);
                    } else if !pod["spec"]["nodeName"].is_string() {
                        let mut patch = json!({"spec": {"nodeName": target(&pod)}});
                        merge(&mut patch, json!({"status": status.clone()}));
                        server.edit("pods", &name, patch);
                    }
                }
                changes.borrow_and_update();
                if changes.changed().await.is_err() {
                    return;
                }
            }
        })
    }
}
