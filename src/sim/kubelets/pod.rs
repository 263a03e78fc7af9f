//! Pods as kubelets read them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::sim::follow::Followed;
use crate::sim::host_ports::HostPorts;

/// The fields of a pod that a kubelet reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// `metadata`.
    pub metadata: Metadata,
    /// `spec`.
    pub spec: PodSpec,
    /// `status`.
    pub status: PodStatus,
}

/// The fields of `metadata` that kubelets read, of pods and of nodes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, empty for nodes.
    pub namespace: String,
    /// `metadata.uid`, a precondition of every write.
    pub uid: String,
    /// `metadata.resourceVersion`, a decimal number.
    pub resource_version: String,
    /// `metadata.generation`, which a delete raises.
    pub generation: i64,
    /// Set once the object is terminating.
    pub deletion_timestamp: Option<String>,
    /// Seconds that its end may take; 0 once its kubelet, or a forced delete, has asked for its
    /// removal.
    pub deletion_grace_period_seconds: Option<i64>,
    /// `metadata.labels`, of which those of nodes count.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`; those under [`PREFIX`](super::script::PREFIX) make the
    /// [`Script`](super::script::Script).
    pub annotations: BTreeMap<String, String>,
}

/// The fields of a pod's `spec` that kubelets read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodSpec {
    /// `spec.nodeName`: the node that it is bound to, empty before that.
    pub node_name: String,
    /// `spec.hostNetwork`: the pod has its node's address.
    pub host_network: bool,
    /// `spec.containers`, for their statuses and ports.
    pub containers: Vec<Container>,
    /// `spec.initContainers`, for the ports of sidecars.
    pub init_containers: Vec<Container>,
}

/// One of `spec.containers` or `spec.initContainers`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// `name`.
    pub name: String,
    /// `image`.
    pub image: String,
    /// `restartPolicy`; `Always` makes an init container a sidecar.
    pub restart_policy: String,
    /// `ports`: those of the node that it asks for.
    pub ports: HostPorts,
    /// `resources`, which its status repeats.
    pub resources: serde_json::Value,
}

/// The fields of a pod's `status` that kubelets read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    pub phase: String,
    /// `status.observedGeneration`: the generation that the kubelet has answered.
    pub observed_generation: i64,
    /// `status.startTime`.
    pub start_time: Option<String>,
    /// `status.podIP`.
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    /// `status.resources`, which is written last.
    pub resources: serde_json::Value,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// `status.containerStatuses`.
    pub container_statuses: Vec<ContainerStatus>,
}

/// One of `status.containerStatuses`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerStatus {
    /// `restartCount`.
    pub restart_count: u32,
    /// `state`.
    pub state: serde_json::Value,
    /// `lastState`.
    pub last_state: serde_json::Value,
}

/// The state of a pod's containers. Simulated kubelets move all of them at once, so the first one
/// tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers<'a> {
    /// The kubelet has reported none.
    Unknown,
    /// They wait, for this reason.
    Waiting(&'a str),
    /// They run.
    Running,
    /// They have ended, for this reason.
    Terminated(&'a str),
}

/// One of `status.conditions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// `Ready` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// `reason`, empty for none.
    pub reason: String,
    /// `message`, empty for none.
    pub message: String,
}

impl Followed for Pod {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Pod {
    /// Whether the Ready condition is true.
    pub fn ready(&self) -> bool {
        self.is("Ready")
    }

    /// Whether this condition is true.
    pub fn is(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|c| c.status == "True")
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|c| c.kind == kind)
    }

    /// What its containers do, as last reported.
    pub fn containers(&self) -> Containers<'_> {
        let Some(first) = self.status.container_statuses.first() else {
            return Containers::Unknown;
        };
        let reason = |kind: &str| first.state[kind]["reason"].as_str().unwrap_or("");
        if first.state["waiting"].is_object() {
            Containers::Waiting(reason("waiting"))
        } else if first.state["terminated"].is_object() {
            Containers::Terminated(reason("terminated"))
        } else {
            Containers::Running
        }
    }

    /// Whether its kubelet has still to admit it, or to start it.
    pub fn waits(&self) -> bool {
        matches!(self.status.phase.as_str(), "" | "Pending")
    }

    /// Whether a container waits for this reason.
    pub fn waits_for(&self, reason: &str) -> bool {
        let mut statuses = self.status.container_statuses.iter();
        statuses.any(|status| status.state["waiting"]["reason"] == reason)
    }

    /// How often the container with the most restarts was restarted.
    pub fn restarts(&self) -> u32 {
        let statuses = self.status.container_statuses.iter();
        statuses
            .map(|status| status.restart_count)
            .max()
            .unwrap_or(0)
    }

    /// Whether its phase is Failed or Succeeded.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Failed" | "Succeeded")
    }

    /// The ports of its node that it takes: those of its containers and sidecars.
    pub fn host_ports(&self) -> HostPorts {
        let starting = self.spec.init_containers.iter();
        let sidecars = starting.filter(|container| container.restart_policy == "Always");
        let mut all = HostPorts::default();
        for container in sidecars.chain(&self.spec.containers) {
            all.add(&container.ports);
        }
        all
    }
}
