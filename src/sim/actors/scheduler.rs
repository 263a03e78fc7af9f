//! A scheduler: binds pods to nodes that they fit on, one after another, and reports pods that fit
//! on none.
//!
//! It applies the filters of the real scheduler's default plugins that matter to daemon pods:
//! cordons, taints, node selector and required node affinity, host ports, resources. Of the nodes
//! that are left the one with the fewest pods gets the pod. It does not preempt, and ignores other
//! pods' affinity, volumes and topology.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::objects::{Container, Object};
use super::task::{Call, Task};
use super::world::World;
use crate::model::{FeatureGates, Requirement, Term};
use crate::plan::tolerations;
use crate::sim::api::Resource;
use crate::sim::api::resource::{NODES, PODS};
use crate::sim::host_ports::{self, HostPorts};

/// `spec.schedulerName` of the pods that it binds by default.
pub const DEFAULT: &str = "default-scheduler";

/// The scheduler. It has no memory between decisions.
#[derive(Debug, Clone)]
pub struct Scheduler {
    name: String,
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler::new(DEFAULT)
    }
}

impl Scheduler {
    /// A scheduler for the pods with this `spec.schedulerName`.
    pub fn new(name: impl Into<String>) -> Scheduler {
        Scheduler { name: name.into() }
    }
}

/// Starts the default scheduler.
pub fn start(client: kube::Client, options: ActorOptions) -> Running {
    actor::start(client, Scheduler::default(), options)
}

/// Amounts by resource.
type Amounts = BTreeMap<String, i128>;

/// A node, and what its pods take of it.
struct Room<'a> {
    node: &'a Object,
    used: Amounts,
    ports: HostPorts,
    pods: i128,
}

/// What a pod takes of its node.
struct Needs {
    requests: Amounts,
    ports: HostPorts,
}

impl Needs {
    fn of(pod: &Object) -> Needs {
        Needs {
            requests: requests(pod),
            ports: ports(pod),
        }
    }
}

/// The reasons against a node, in the real scheduler's words, and whether deleting other pods could
/// help.
#[derive(Debug, PartialEq, Eq)]
struct Against {
    reasons: Vec<String>,
    preemptible: bool,
}

impl Actor for Scheduler {
    fn name(&self) -> &'static str {
        "scheduler"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&NODES, &PODS]
    }

    fn decide(&mut self, known: &World, now: Timestamp) -> Decision {
        let waits = |pod: &&Object| {
            pod.spec.node_name.is_empty()
                && pod.spec.scheduler_name == self.name
                && !pod.terminating()
                && pod.spec.scheduling_gates.is_empty()
                && !pod.is_terminal()
        };
        let mut waiting: Vec<&Object> = known.all(&PODS).filter(waits).collect();
        if waiting.is_empty() {
            return Decision::default();
        }
        let mut rooms: BTreeMap<&str, Room<'_>> = known
            .all(&NODES)
            .map(|node| (node.metadata.name.as_str(), Room::new(node)))
            .collect();
        // If all are for nodes of their own, what is on other nodes does not matter.
        let named: Option<Vec<_>> = waiting.iter().map(|pod| named_nodes(pod)).collect();
        let named: Option<BTreeSet<&str>> = named.map(|all| all.into_iter().flatten().collect());
        for pod in known.all(&PODS).filter(|pod| !pod.is_terminal()) {
            let node = pod.spec.node_name.as_str();
            let counts = named.as_ref().is_none_or(|named| named.contains(node));
            if let Some(room) = rooms.get_mut(node).filter(|_| counts) {
                room.take(&Needs::of(pod));
            }
        }
        // In the order of the real queue: by priority, then by age.
        waiting.sort_by_key(|pod| {
            let metadata = &pod.metadata;
            let name = (&metadata.namespace, &metadata.name);
            (-pod.spec.priority, metadata.creation_timestamp, name)
        });
        let mut decision = Decision::default();
        for pod in waiting {
            let needs = Needs::of(pod);
            let task = match place(pod, &needs, &rooms) {
                Ok(node) => {
                    let to = format!(" to {node}");
                    let task = Task::about(&PODS, pod, "bind", &to).call(Call::Bind(node.clone()));
                    if let Some(room) = rooms.get_mut(node.as_str()) {
                        room.take(&needs);
                    }
                    Some(task)
                }
                Err(message) => refuse(pod, &message, now),
            };
            decision.tasks.extend(task);
        }
        decision
    }
}

impl<'a> Room<'a> {
    fn new(node: &'a Object) -> Self {
        Room {
            node,
            used: Amounts::new(),
            ports: HostPorts::default(),
            pods: 0,
        }
    }

    fn take(&mut self, needs: &Needs) {
        self.pods += 1;
        for (name, amount) in &needs.requests {
            match self.used.get_mut(name) {
                Some(used) => *used += amount,
                None => drop(self.used.insert(name.clone(), *amount)),
            }
        }
        self.ports.add(&needs.ports);
    }

    /// The reasons against the pod on this node: those of the first plugin that rejects it, in the
    /// real order.
    fn against(&self, pod: &Object, needs: &Needs) -> Option<Against> {
        let node = self.node;
        let because = |reason: &str, preemptible| {
            Some(Against {
                reasons: vec![reason.to_owned()],
                preemptible,
            })
        };
        let firm = |reason| because(reason, false);
        let gates = FeatureGates::default();
        let tolerated = |taint: &crate::model::Taint| {
            let mut all = pod.spec.tolerations.iter();
            all.any(|t| tolerations::tolerates(&t.of, taint, gates))
        };
        let cordon = crate::model::Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            value: "".into(),
            effect: crate::model::Effect::NoSchedule,
        };
        if node.spec.unschedulable && !tolerated(&cordon) {
            return firm("node(s) were unschedulable");
        }
        let mut taints = node.spec.taints.iter().map(|t| &t.taint);
        if taints.any(|t| tolerations::keeps_away(&t.effect) && !tolerated(t)) {
            return firm("node(s) had untolerated taint(s)");
        }
        if !wanted(pod, node) {
            return firm("node(s) didn't match Pod's node affinity/selector");
        }
        if needs.ports.clash(&self.ports) {
            return because(host_ports::TAKEN, true);
        }
        let mut against = Against {
            reasons: Vec::new(),
            preemptible: true,
        };
        let room = &node.status.allocatable.0;
        if self.pods + 1 > room.get("pods").map_or(0, |pods| pods / 1_000_000_000) {
            against.reasons.push("Too many pods".to_owned());
        }
        for (name, amount) in needs.requests.iter().filter(|(_, amount)| **amount > 0) {
            let all = room.get(name).copied().unwrap_or(0);
            if self.used.get(name).copied().unwrap_or(0) + amount > all {
                against.reasons.push(format!("Insufficient {name}"));
                against.preemptible &= *amount <= all;
            }
        }
        (!against.reasons.is_empty()).then_some(against)
    }
}

/// The node for a pod, or the message of the real scheduler that says why there is none.
fn place(pod: &Object, needs: &Needs, rooms: &BTreeMap<&str, Room<'_>>) -> Result<String, String> {
    if rooms.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut preemptible = 0;
    let mut best: Option<(i128, &str)> = None;
    let named = named_nodes(pod);
    let candidates: Vec<&Room<'_>> = match &named {
        Some(names) => names.iter().filter_map(|n| rooms.get(n)).collect(),
        None => rooms.values().collect(),
    };
    let left_out = rooms.len() - candidates.len();
    if named.as_ref().is_some_and(BTreeSet::is_empty) {
        reasons.insert("pod affinity terms conflict".to_owned(), 0);
    } else if left_out > 0 {
        let reason = "node(s) didn't satisfy plugin(s) [NodeAffinity]".to_owned();
        reasons.insert(reason, left_out);
    }
    for room in candidates {
        match room.against(pod, needs) {
            None => {
                let this = (room.pods, room.node.metadata.name.as_str());
                best = Some(best.map_or(this, |other| other.min(this)));
            }
            Some(against) => {
                preemptible += usize::from(against.preemptible);
                for reason in against.reasons {
                    *reasons.entry(reason).or_default() += 1;
                }
            }
        }
    }
    match best {
        Some((_, node)) => Ok(node.to_owned()),
        None => Err(said(rooms.len(), &reasons, preemptible)),
    }
}

/// The real scheduler's message: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) ... .
/// preemption: 0/3 nodes are available: ...`
fn said(nodes: usize, reasons: &BTreeMap<String, usize>, preemptible: usize) -> String {
    let list = |reasons: &mut dyn Iterator<Item = (usize, &str)>| {
        let mut said: Vec<String> = reasons
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{count} {reason}"))
            .collect();
        said.sort();
        said.join(", ")
    };
    let filters = match reasons.iter().next() {
        // The plugin that rejects the pod as a whole counts no nodes.
        Some((reason, 0)) => reason.clone(),
        _ => list(&mut reasons.iter().map(|(reason, n)| (*n, reason.as_str()))),
    };
    let preemption = [
        (preemptible, "No preemption victims found for incoming pod"),
        (
            nodes - preemptible,
            "Preemption is not helpful for scheduling",
        ),
    ];
    let preemption = list(&mut preemption.into_iter());
    format!(
        "0/{nodes} nodes are available: {filters}. \
         preemption: 0/{nodes} nodes are available: {preemption}."
    )
}

/// The task that reports why the pod is not scheduled, unless its condition has that reason
/// already.
fn refuse(pod: &Object, message: &str, now: Timestamp) -> Option<Task> {
    let mut conditions = pod.status.conditions.iter();
    let same = conditions.any(|c| {
        (c.kind.as_str(), c.status.as_str()) == ("PodScheduled", "False")
            && (c.reason.as_str(), c.message.as_str()) == ("Unschedulable", message)
    });
    if same {
        return None;
    }
    let task = Task::about(&PODS, pod, "say that there is no node for", "");
    Some(task.call(Call::Status(json!({ "status": { "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastTransitionTime": format!("{now:.0}"),
    }] } }))))
}

/// The nodes that the required affinity names. None unless every term names one; then no other node
/// is looked at.
fn named_nodes(pod: &Object) -> Option<BTreeSet<&str>> {
    let affinity = pod.spec.affinity.node_affinity.required.as_ref()?;
    let mut all = BTreeSet::new();
    for term in &affinity.terms {
        let fields = term.as_ref().map_or(&[][..], |term| &term.fields);
        let mut names = fields
            .iter()
            .filter(|f| f.equal && &*f.key == "metadata.name");
        let first = &*names.next()?.value;
        if names.all(|f| &*f.value == first) {
            all.insert(first);
        }
    }
    (!affinity.terms.is_empty()).then_some(all)
}

/// Whether node selector and required affinity let the pod onto the node.
fn wanted(pod: &Object, node: &Object) -> bool {
    let labels = &node.metadata.labels;
    let matches = |term: &Term| {
        let some = !term.expressions.is_empty() || !term.fields.is_empty();
        let mut fields = term.fields.iter();
        some && term.expressions.iter().all(|r| r.matches(labels))
            && fields.all(|f| {
                let is = &*f.key == "metadata.name" && *f.value == *node.metadata.name;
                is == f.equal
            })
    };
    let mut selector = pod.spec.node_selector.iter();
    selector.all(|(key, value)| Requirement::equals(key, value).matches(labels))
        && match &pod.spec.affinity.node_affinity.required {
            Some(affinity) => affinity.terms.iter().flatten().any(matches),
            None => true,
        }
}

/// The resources that a pod takes of its node: those of its containers and sidecars together, or
/// more if an init container (beside the sidecars that run by then) needs more, and its overhead.
fn requests(pod: &Object) -> Amounts {
    let add = |to: &mut Amounts, container: &Container| {
        for (name, amount) in &container.resources.requests.0 {
            *to.entry(name.clone()).or_default() += amount;
        }
    };
    let mut running = Amounts::new();
    let mut starting = Amounts::new();
    for container in &pod.spec.init_containers {
        let mut then = running.clone();
        add(&mut then, container);
        if container.restart_policy == "Always" {
            running = then.clone();
        }
        for (name, amount) in then {
            let most = starting.entry(name).or_default();
            *most = amount.max(*most);
        }
    }
    for container in &pod.spec.containers {
        add(&mut running, container);
    }
    for (name, amount) in starting {
        let most = running.entry(name).or_default();
        *most = amount.max(*most);
    }
    for (name, amount) in &pod.spec.overhead.0 {
        *running.entry(name.clone()).or_default() += amount;
    }
    running
}

/// The ports of its node that a pod takes: those of its containers and sidecars.
fn ports(pod: &Object) -> HostPorts {
    let starting = pod.spec.init_containers.iter();
    let sidecars = starting.filter(|container| container.restart_policy == "Always");
    let mut all = HostPorts::default();
    for container in sidecars.chain(&pod.spec.containers) {
        all.add(&container.ports);
    }
    all
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
