//! Pods that a kubelet does not admit, and its words for them.

use serde_json::{Value, json};

use crate::sim::host_ports;

/// Why a kubelet does not admit a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Its node shuts down.
    NodeShutdown,
    /// Another pod on the node has one of its host ports.
    NodePorts,
    /// Its node selector or affinity does not match the node, as the kubelet knows it.
    NodeAffinity,
    /// The node has not enough cpu left.
    OutOfCpu,
    /// The node has not enough memory left.
    OutOfMemory,
    /// The node has no room for one more pod.
    OutOfPods,
}

const ALL: [Rejection; 6] = [
    Rejection::NodeShutdown,
    Rejection::NodePorts,
    Rejection::NodeAffinity,
    Rejection::OutOfCpu,
    Rejection::OutOfMemory,
    Rejection::OutOfPods,
];

impl Rejection {
    /// The rejection with this `status.reason`; None if there is none.
    pub fn of(reason: &str) -> Option<Rejection> {
        ALL.into_iter().find(|one| one.reason() == reason)
    }

    /// `status.reason`.
    pub fn reason(self) -> &'static str {
        match self {
            Rejection::NodeShutdown => "NodeShutdown",
            Rejection::NodePorts => "NodePorts",
            Rejection::NodeAffinity => "NodeAffinity",
            Rejection::OutOfCpu => "OutOfcpu",
            Rejection::OutOfMemory => "OutOfmemory",
            Rejection::OutOfPods => "OutOfpods",
        }
    }

    /// What `status.message` says after "Pod was rejected: ". Amounts are made up.
    fn message(self) -> String {
        let resource = |name: &str| {
            format!("Node didn't have enough resource: {name}, requested: 1, used: 1, capacity: 1")
        };
        match self {
            Rejection::NodeShutdown => "Pod was rejected as the node is shutting down.".to_owned(),
            Rejection::NodePorts => format!("Predicate NodePorts failed: {}", host_ports::TAKEN),
            Rejection::NodeAffinity => {
                let why = "node(s) didn't match Pod's node affinity/selector";
                format!("Predicate NodeAffinity failed: {why}")
            }
            Rejection::OutOfCpu => resource("cpu"),
            Rejection::OutOfMemory => resource("memory"),
            Rejection::OutOfPods => resource("pods"),
        }
    }

    /// The status of such a pod: it has neither conditions (the scheduler's goes too) nor
    /// container statuses.
    pub fn status(self, generation: i64) -> Value {
        json!({
            "phase": "Failed", "reason": self.reason(),
            "message": format!("Pod was rejected: {}", self.message()),
            "observedGeneration": generation, "conditions": [{ "$patch": "replace" }],
        })
    }
}
