//! The node lifecycle controller: marks silent nodes as unknown, and turns a node's conditions into
//! taints.
//!
//! A sign of life is a change of the node's lease, or of the heartbeat in its Ready condition. As
//! in the real controller its time is the moment at which this process saw the change, so that a
//! start gives every node its full grace period. The limits on how many nodes are tainted at once
//! are left out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::objects::{NodeTaint, Object};
use super::task::{Call, Task};
use super::world::World;
use crate::sim::api::Resource;
use crate::sim::api::resource::{LEASES, NODES, PODS};

/// The taint of a node whose Ready condition is unknown.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// The taint of a node whose Ready condition is false.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// The namespace of the leases of nodes.
const LEASE_NAMESPACE: &str = "kube-node-lease";
/// The conditions that only the kubelet reports.
const OF_THE_KUBELET: [&str; 4] = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
/// The conditions that keep pods away while they are true, with their taints.
const PRESSURES: [(&str, &str); 4] = [
    ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    (
        "NetworkUnavailable",
        "node.kubernetes.io/network-unavailable",
    ),
];
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// The options of the node lifecycle controller.
#[derive(Clone)]
pub struct NodeLifecycleOptions {
    /// How long a node may be silent before it is marked as unknown.
    pub grace: Duration,
    /// How long a new node may take until its kubelet reports for the first time.
    pub startup_grace: Duration,
    /// The options that every actor has.
    pub actor: ActorOptions,
}

impl NodeLifecycleOptions {
    /// The real controller's grace periods: 50 s, and 60 s for new nodes.
    pub fn new(actor: ActorOptions) -> Self {
        NodeLifecycleOptions {
            grace: Duration::from_secs(50),
            startup_grace: Duration::from_secs(60),
            actor,
        }
    }
}

/// The node lifecycle controller.
#[derive(Debug, Clone)]
pub struct NodeLifecycle {
    grace: Duration,
    startup_grace: Duration,
    /// By node: its last sign of life, and when this process saw it first.
    signs: BTreeMap<String, (Sign, Timestamp)>,
    /// By UID of a pod: the last outage of its node for which it was marked as not ready. A pod is
    /// marked once an outage.
    marked: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Sign {
    uid: String,
    renewed: Option<Timestamp>,
    heartbeat: Option<String>,
}

impl NodeLifecycle {
    /// A controller with these grace periods.
    pub fn new(options: &NodeLifecycleOptions) -> Self {
        NodeLifecycle {
            grace: options.grace,
            startup_grace: options.startup_grace,
            signs: BTreeMap::new(),
            marked: BTreeMap::new(),
        }
    }
}

/// Starts the node lifecycle controller.
pub fn start(client: kube::Client, options: NodeLifecycleOptions) -> Running {
    actor::start(client, NodeLifecycle::new(&options), options.actor)
}

impl Actor for NodeLifecycle {
    fn name(&self) -> &'static str {
        "node lifecycle"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&LEASES, &NODES, &PODS]
    }

    /// Leases change all the time, and no decision here is urgent.
    fn pace(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn decide(&mut self, known: &World, now: Timestamp) -> Decision {
        let mut decision = Decision::default();
        let mut signs = BTreeMap::new();
        for node in known.all(&NODES) {
            let name = &node.metadata.name;
            let sign = sign(known, node);
            let since = match self.signs.get(name) {
                Some((last, since)) if *last == sign => *since,
                _ => now,
            };
            signs.insert(name.clone(), (sign, since));
            let grace = match node.condition("Ready") {
                Some(_) => self.grace,
                None => self.startup_grace,
            };
            let due = since + grace;
            if due <= now {
                decision.tasks.extend(unknown(node, now));
            } else {
                decision.look_again(due);
            }
            decision.tasks.extend(taint(node, now));
        }
        self.signs = signs;
        decision.tasks.extend(self.not_ready(known, now));
        decision
    }
}

impl NodeLifecycle {
    /// The tasks that mark pods as not ready which are Ready on nodes that are not.
    fn not_ready(&mut self, known: &World, now: Timestamp) -> Vec<Task> {
        let outages: BTreeMap<&str, Option<String>> = known
            .all(&NODES)
            .filter(|node| matches!(node.condition("Ready"), Some("False" | "Unknown")))
            .map(|node| {
                let mut conditions = node.status.conditions.iter();
                let ready = conditions.find(|c| c.kind == "Ready");
                let since = ready.and_then(|c| c.last_transition_time.clone());
                (node.metadata.name.as_str(), since)
            })
            .collect();
        let mut marked = BTreeMap::new();
        let mut tasks = Vec::new();
        for pod in known.all(&PODS) {
            let Some(outage) = outages.get(pod.spec.node_name.as_str()) else {
                continue;
            };
            let uid = &pod.metadata.uid;
            let before = self.marked.get(uid);
            if pod.condition("Ready") != Some("True") {
                marked.insert(uid.clone(), outage.clone());
            } else if before == Some(outage) {
                // Its kubelet is alive after all, and its report counts.
                marked.insert(uid.clone(), outage.clone());
            } else {
                let task = Task::about(&PODS, pod, "mark", " as not ready, as its node is not");
                let condition = json!({
                    "type": "Ready", "status": "False", "lastTransitionTime": format!("{now:.0}"),
                });
                let patch = json!({ "status": { "conditions": [condition] } });
                tasks.push(task.call(Call::Status(patch)));
            }
        }
        self.marked = marked;
        tasks
    }
}

fn sign(known: &World, node: &Object) -> Sign {
    let lease = known.get(&LEASES, LEASE_NAMESPACE, &node.metadata.name);
    let mut conditions = node.status.conditions.iter();
    let ready = conditions.find(|c| c.kind == "Ready");
    Sign {
        uid: node.metadata.uid.clone(),
        renewed: lease.and_then(|lease| lease.spec.renew_time),
        heartbeat: ready.and_then(|c| c.last_heartbeat_time.clone()),
    }
}

/// The task that marks the node's conditions as unknown, unless they are already.
fn unknown(node: &Object, now: Timestamp) -> Option<Task> {
    let conditions: Vec<Value> = OF_THE_KUBELET
        .iter()
        .filter(|kind| node.condition(kind) != Some("Unknown"))
        .map(|kind| {
            let (reason, message) = match node.condition(kind) {
                Some(_) => ("NodeStatusUnknown", "Kubelet stopped posting node status."),
                None => (
                    "NodeStatusNeverUpdated",
                    "Kubelet never posted node status.",
                ),
            };
            json!({
                "type": kind, "status": "Unknown", "reason": reason, "message": message,
                "lastTransitionTime": format!("{now:.0}"),
            })
        })
        .collect();
    let task = Task::about(&NODES, node, "declare", " unknown, as it is silent");
    let patch = json!({ "status": { "conditions": conditions } });
    (!conditions.is_empty()).then(|| task.call(Call::Status(patch)))
}

/// The taints that follow from a node's conditions: key and effect.
fn wanted(node: &Object) -> Vec<(&'static str, &'static str)> {
    let mut wanted = Vec::new();
    let outage = match node.condition("Ready") {
        Some("Unknown") => Some(UNREACHABLE),
        Some("False") => Some(NOT_READY),
        _ => None,
    };
    if let Some(key) = outage {
        wanted.extend([(key, "NoSchedule"), (key, "NoExecute")]);
    }
    for (kind, key) in PRESSURES {
        if node.condition(kind) == Some("True") {
            wanted.push((key, "NoSchedule"));
        }
    }
    if node.spec.unschedulable {
        wanted.push((UNSCHEDULABLE, "NoSchedule"));
    }
    wanted
}

/// Whether only this controller may set and remove a taint.
fn managed(taint: &NodeTaint) -> bool {
    let key = &*taint.taint.key;
    let outage = [UNREACHABLE, NOT_READY].contains(&key);
    match taint.taint.effect.as_str() {
        "NoSchedule" => outage || key == UNSCHEDULABLE || PRESSURES.iter().any(|(_, k)| *k == key),
        "NoExecute" => outage,
        _ => false,
    }
}

/// The task that makes a node's taints agree with its conditions. Taints of others stay, and a
/// taint that is already there is not written again.
fn taint(node: &Object, now: Timestamp) -> Option<Task> {
    let is = |taint: &NodeTaint, (key, effect): &(&str, &str)| {
        &*taint.taint.key == *key && taint.taint.effect.as_str() == *effect
    };
    let has = &node.spec.taints;
    let wanted = wanted(node);
    let (stay, go): (Vec<_>, Vec<_>) = has
        .iter()
        .partition(|t| !managed(t) || wanted.iter().any(|w| is(t, w)));
    let come: Vec<_> = wanted
        .iter()
        .filter(|w| !has.iter().any(|t| is(t, w)))
        .collect();
    if go.is_empty() && come.is_empty() {
        return None;
    }
    let mut taints: Vec<Value> = stay.into_iter().map(written).collect();
    taints.extend(come.iter().map(
        |(key, effect)| json!({ "key": key, "effect": effect, "timeAdded": format!("{now:.0}") }),
    ));
    let mut news: Vec<String> = come.iter().map(|(k, e)| format!("+{k}:{e}")).collect();
    news.extend(go.iter().map(|t| format!("-{}", t.taint)));
    let task = Task::about(&NODES, node, "taint", &format!(": {}", news.join(" ")));
    Some(task.call(Call::Merge(json!({ "spec": { "taints": taints } }))))
}

fn written(taint: &NodeTaint) -> Value {
    let mut written = json!({ "key": &*taint.taint.key, "effect": taint.taint.effect.as_str() });
    if !taint.taint.value.is_empty() {
        written["value"] = json!(&*taint.taint.value);
    }
    if let Some(time) = &taint.time_added {
        written["timeAdded"] = json!(time);
    }
    written
}

#[cfg(test)]
#[path = "node_lifecycle_tests.rs"]
mod tests;
