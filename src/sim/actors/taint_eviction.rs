//! The taint eviction controller: deletes pods from nodes with NoExecute taints that they do not
//! tolerate, or no longer tolerate.
//!
//! The time of a toleration begins when this process first sees the pod on such a node. Each taint
//! is tolerated by the first toleration that fits, and the shortest time of all taints counts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::objects::{Object, Toleration};
use super::task::{Call, Delete, Task};
use super::world::World;
use crate::model::{Effect, FeatureGates, Taint};
use crate::plan::tolerations;
use crate::sim::api::Resource;
use crate::sim::api::resource::{NODES, PODS};

/// The taint eviction controller.
#[derive(Debug, Clone, Default)]
pub struct TaintEviction {
    /// By the UID of a pod: since when it has been on a node with NoExecute taints.
    since: BTreeMap<String, Timestamp>,
}

/// Starts the taint eviction controller.
pub fn start(client: kube::Client, options: ActorOptions) -> Running {
    actor::start(client, TaintEviction::default(), options)
}

impl Actor for TaintEviction {
    fn name(&self) -> &'static str {
        "taint eviction"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&NODES, &PODS]
    }

    fn decide(&mut self, known: &World, now: Timestamp) -> Decision {
        let mut decision = Decision::default();
        let mut since = BTreeMap::new();
        let taints: BTreeMap<&str, Vec<&Taint>> = known
            .all(&NODES)
            .map(|node| {
                let all = node.spec.taints.iter().map(|t| &t.taint);
                let drastic = all.filter(|t| t.effect == Effect::NoExecute).collect();
                (node.metadata.name.as_str(), drastic)
            })
            .filter(|(_, taints): &(_, Vec<_>)| !taints.is_empty())
            .collect();
        for pod in known.all(&PODS).filter(|pod| !pod.terminating()) {
            let Some(taints) = taints.get(pod.spec.node_name.as_str()) else {
                continue;
            };
            let uid = &pod.metadata.uid;
            let start = self.since.get(uid).copied().unwrap_or(now);
            let due = match patience(&pod.spec.tolerations, taints) {
                // The time of a pod that may stay begins anew once it may no longer stay.
                Patience::Forever => continue,
                Patience::None => now,
                Patience::For(time) => start + time,
            };
            since.insert(uid.clone(), start);
            if due > now {
                decision.look_again(due);
            } else {
                decision.tasks.push(evict(pod, now));
            }
        }
        self.since = since;
        decision
    }
}

/// How long a pod tolerates its node's taints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Not at all.
    None,
    /// For this time.
    For(Duration),
    /// For ever.
    Forever,
}

fn patience(tolerations: &[Toleration], taints: &[&Taint]) -> Patience {
    let gates = FeatureGates::default();
    let mut shortest = None;
    for taint in taints {
        let mut fitting = tolerations.iter();
        let Some(used) = fitting.find(|t| tolerations::tolerates(&t.of, taint, gates)) else {
            return Patience::None;
        };
        if let Some(seconds) = used.seconds {
            // A longer time could leave the range of timestamps.
            let seconds = u64::try_from(seconds).unwrap_or(0).min(31_536_000);
            let time = Duration::from_secs(seconds);
            shortest = Some(shortest.map_or(time, |other: Duration| other.min(time)));
        }
    }
    shortest.map_or(Patience::Forever, Patience::For)
}

fn evict(pod: &Object, now: Timestamp) -> Task {
    let task = Task::about(
        &PODS,
        pod,
        "evict",
        ", which does not tolerate its node's taints",
    );
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": format!("{now:.0}"),
    });
    let patch = json!({ "status": { "conditions": [condition] } });
    task.call(Call::Status(patch))
        .call(Call::Delete(Delete::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: serde_json::Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_shortest_of_the_first_tolerations_that_fit_counts() {
        let taint = |key: &str| Taint {
            key: key.into(),
            value: "".into(),
            effect: Effect::NoExecute,
        };
        let (a, b) = (taint("a"), taint("b"));
        let for_ = |seconds| Patience::For(Duration::from_secs(seconds));
        for (tolerations, taints, expected) in [
            (json!([]), vec![&a], Patience::None),
            (
                json!([{ "key": "b", "operator": "Exists" }]),
                vec![&a],
                Patience::None,
            ),
            (
                json!([{ "key": "a", "operator": "Exists" }]),
                vec![&a],
                Patience::Forever,
            ),
            (
                json!([{ "key": "a", "operator": "Exists", "tolerationSeconds": 9 }]),
                vec![&a],
                for_(9),
            ),
            (
                json!([{ "key": "a", "operator": "Exists", "tolerationSeconds": 9 }]),
                vec![&a, &b],
                Patience::None,
            ),
            (
                json!([{ "operator": "Exists" }, { "key": "a", "operator": "Exists", "tolerationSeconds": 9 }]),
                vec![&a],
                Patience::Forever,
            ),
            (
                json!([
                    { "key": "a", "operator": "Exists", "tolerationSeconds": 9 },
                    { "key": "b", "operator": "Exists", "tolerationSeconds": 5 },
                ]),
                vec![&a, &b],
                for_(5),
            ),
            (
                json!([{ "operator": "Exists", "tolerationSeconds": -1 }]),
                vec![&a],
                for_(0),
            ),
        ] {
            let pod = object(json!({ "spec": { "tolerations": tolerations } }));
            let got = patience(&pod.spec.tolerations, &taints);
            assert_eq!(got, expected, "{tolerations} {taints:?}");
        }
    }

    #[test]
    fn a_pod_goes_when_its_time_is_up_and_has_a_new_one_after_the_taint_was_gone() {
        let node =
            |taints| object(json!({ "metadata": { "name": "n" }, "spec": { "taints": taints } }));
        let pod = object(json!({
            "metadata": { "namespace": "x", "name": "p", "uid": "1" },
            "spec": { "nodeName": "n", "tolerations": [{ "operator": "Exists", "tolerationSeconds": 60 }] },
        }));
        let with = |taints| {
            World::default()
                .with(&NODES, [node(taints)])
                .with(&PODS, [pod.clone()])
        };
        let tainted = with(json!([{ "key": "k", "effect": "NoExecute" }]));
        let untainted = with(json!([{ "key": "k", "effect": "NoSchedule" }]));
        let mut actor = TaintEviction::default();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for (second, known, tasks, again) in [
            (100, &tainted, 0, Some(160)),
            (130, &tainted, 0, Some(160)),
            (140, &untainted, 0, None),
            (150, &tainted, 0, Some(210)),
            (210, &tainted, 1, None),
        ] {
            let decision = actor.decide(known, at(second));
            let got = (decision.tasks.len(), decision.again);
            assert_eq!(got, (tasks, again.map(at)), "at {second}");
        }
    }
}
