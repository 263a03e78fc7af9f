//! The pod garbage collector: marks pods as failed that no kubelet will ever end, and deletes them
//! by force.
//!
//! These are pods bound to a node that has been gone for a while, terminating pods that were never
//! bound, and terminating pods on a node that is marked as out of service. The real controller
//! looks every 20 seconds; this one looks when something changes or is due.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::objects::Object;
use super::task::{Absent, Call, Delete, Task};
use super::world::World;
use crate::sim::api::Resource;
use crate::sim::api::resource::{NODES, PODS};

/// How long a node must be gone by default.
pub const QUARANTINE: Duration = Duration::from_secs(40);
/// The taint that people give to a node that will not come back.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The pod garbage collector.
#[derive(Debug, Clone)]
pub struct PodGarbageCollector {
    quarantine: Duration,
    /// By node that pods are bound to: since when it has been gone.
    gone: BTreeMap<String, Timestamp>,
}

impl Default for PodGarbageCollector {
    fn default() -> Self {
        PodGarbageCollector::new(QUARANTINE)
    }
}

impl PodGarbageCollector {
    /// A collector that deletes the pods of a node that has been gone for this long.
    pub fn new(quarantine: Duration) -> Self {
        PodGarbageCollector {
            quarantine,
            gone: BTreeMap::new(),
        }
    }
}

/// Starts the pod garbage collector.
pub fn start(client: kube::Client, options: ActorOptions) -> Running {
    actor::start(client, PodGarbageCollector::default(), options)
}

impl Actor for PodGarbageCollector {
    fn name(&self) -> &'static str {
        "pod garbage collector"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&NODES, &PODS]
    }

    fn decide(&mut self, known: &World, now: Timestamp) -> Decision {
        let node = |pod: &Object| known.get(&NODES, "", &pod.spec.node_name);
        let unbound = |pod: &Object| pod.spec.node_name.is_empty();
        let lost = |pod: &Object| !unbound(pod) && node(pod).is_none();
        let mut gone = BTreeMap::new();
        // Most pods are where they should be: they are looked up once.
        let odd = |pod: &&Object| pod.terminating() || lost(pod);
        let odd: Vec<&Object> = known.all(&PODS).filter(odd).collect();
        for pod in odd.iter().filter(|pod| lost(pod)) {
            let name = &pod.spec.node_name;
            let since = self.gone.get(name).copied().unwrap_or(now);
            gone.insert(name.clone(), since);
        }
        self.gone = gone;
        let mut decision = Decision::default();
        for pod in odd {
            if lost(pod) {
                let since = self.gone[&pod.spec.node_name];
                let due = since + self.quarantine;
                if due > now {
                    decision.look_again(due);
                    continue;
                }
                let condition = json!([{
                    "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
                    "message": "PodGC: node no longer exists", "lastTransitionTime": format!("{now:.0}"),
                }]);
                let mut task = remove(pod, ", whose node is gone", Some(condition));
                task.absent = vec![Absent::name(&NODES, &pod.spec.node_name)];
                decision.tasks.push(task);
            } else if pod.terminating() && unbound(pod) {
                let task = remove(pod, ", which was never bound", None);
                decision.tasks.push(task);
            } else if pod.terminating() && node(pod).is_some_and(out_of_service) {
                let task = remove(pod, ", whose node is out of service", None);
                decision.tasks.push(task);
            }
        }
        decision
    }
}

fn out_of_service(node: &Object) -> bool {
    let mut taints = node.spec.taints.iter();
    node.condition("Ready") != Some("True") && taints.any(|t| &*t.taint.key == OUT_OF_SERVICE)
}

/// The task that marks a pod as failed unless it is terminal, and deletes it with a grace period of
/// zero.
fn remove(pod: &Object, why: &str, conditions: Option<Value>) -> Task {
    let mut task = Task::about(&PODS, pod, "remove", why);
    if !pod.is_terminal() {
        let mut status = json!({ "phase": "Failed" });
        if let Some(conditions) = conditions {
            status["conditions"] = conditions;
        }
        task = task.call(Call::Status(json!({ "status": status })));
    }
    task.call(Call::Delete(Delete {
        grace: Some(0),
        ..Delete::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    fn pod(node: &str, phase: &str, deleting: bool) -> Object {
        let mut pod = object(json!({
            "metadata": { "namespace": "x", "name": "p", "uid": "p" },
            "spec": { "nodeName": node }, "status": { "phase": phase },
        }));
        pod.metadata.deletion_timestamp = deleting.then_some(Timestamp::UNIX_EPOCH);
        pod
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn by_table() {
        let node = |taints: Value, ready: &str| {
            object(json!({
                "metadata": { "name": "n" }, "spec": { "taints": taints },
                "status": { "conditions": [{ "type": "Ready", "status": ready }] },
            }))
        };
        let down = || {
            node(
                json!([{ "key": OUT_OF_SERVICE, "effect": "NoExecute" }]),
                "Unknown",
            )
        };
        let back = || {
            node(
                json!([{ "key": OUT_OF_SERVICE, "effect": "NoExecute" }]),
                "True",
            )
        };
        let plain = || node(json!([]), "Unknown");
        // The number of requests, at once.
        for (why, node, pod, calls) in [
            ("running", plain(), pod("n", "Running", false), None),
            ("going", plain(), pod("n", "Running", true), None),
            (
                "going, out of service",
                down(),
                pod("n", "Running", true),
                Some(2),
            ),
            (
                "going, back in service",
                back(),
                pod("n", "Running", true),
                None,
            ),
            ("out of service", down(), pod("n", "Running", false), None),
            ("waiting", plain(), pod("", "Pending", false), None),
            (
                "going, never bound",
                plain(),
                pod("", "Pending", true),
                Some(2),
            ),
            ("going, ended", down(), pod("n", "Failed", true), Some(1)),
        ] {
            let known = World::default().with(&NODES, [node]).with(&PODS, [pod]);
            let tasks = PodGarbageCollector::default().decide(&known, at(0)).tasks;
            assert_eq!(tasks.first().map(|t| t.calls.len()), calls, "{why}");
        }
    }

    #[test]
    fn a_node_must_be_gone_for_the_quarantine_without_a_break() {
        let node = object(json!({ "metadata": { "name": "n" } }));
        let without = World::default().with(&PODS, [pod("n", "Running", false)]);
        let with = without.clone().with(&NODES, [node]);
        let mut actor = PodGarbageCollector::default();
        for (second, known, tasks, again) in [
            (0, &without, 0, Some(40)),
            (39, &without, 0, Some(40)),
            (39, &with, 0, None),
            (40, &without, 0, Some(80)),
            (80, &without, 1, None),
        ] {
            let decision = actor.decide(known, at(second));
            let got = (decision.tasks.len(), decision.again);
            assert_eq!(got, (tasks, again.map(at)), "at {second}");
            for task in decision.tasks {
                assert_eq!(task.absent, [Absent::name(&NODES, "n")]);
            }
        }
    }
}
