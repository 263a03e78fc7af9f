//! Simulated nodes: their specification, and the Node object that registers one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Taint;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pod::{Condition, Metadata};
use super::script::PREFIX;
use crate::sim::follow::Followed;

/// A node to register.
#[derive(Debug, Clone, Default)]
pub struct NodeSpec {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`, besides the usual hostname, operating system and architecture.
    pub labels: BTreeMap<String, String>,
    /// `metadata.annotations`; those under [`super::script::PREFIX`] script every pod on the
    /// node.
    pub annotations: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
}

impl NodeSpec {
    /// A node of this name without labels, annotations and taints of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds a label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Adds a taint.
    pub fn taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        self.taints.push(Taint {
            key: key.to_owned(),
            value: Some(value.to_owned()),
            effect: effect.to_owned(),
            time_added: None,
        });
        self
    }

    /// The Node object to create: ready, with room for `pods` pods. `index` decides its address;
    /// `now` is RFC 3339.
    pub(crate) fn object(&self, group: &str, index: u32, pods: u32, now: &str) -> Value {
        let mut labels = self.labels.clone();
        for (key, value) in [
            ("kubernetes.io/hostname", self.name.as_str()),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
        ] {
            labels
                .entry(key.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": self.name, "labels": labels, "annotations": self.annotations },
            "spec": { "taints": self.taints },
        });
        completed(node, group, index, pods, now)
    }
}

/// A Node object for the kubelets of `group`. What its status lacks is that of a healthy node with
/// room for `pods` pods. An object that no API server takes stays as it is, to be refused.
pub(crate) fn completed(mut node: Value, group: &str, index: u32, pods: u32, now: &str) -> Value {
    let is_map = |value: &Value| value.is_object() || value.is_null();
    if !is_map(&node["metadata"]["labels"]) || !is_map(&node["status"]) {
        return node;
    }
    let labels = &mut node["metadata"]["labels"];
    if labels[super::options::GROUP_LABEL].is_null() {
        labels[super::options::GROUP_LABEL] = json!(group);
    }
    let label = |key: &str, default: &str| labels[key].as_str().unwrap_or(default).to_owned();
    let (os, arch) = (
        label("kubernetes.io/os", "linux"),
        label("kubernetes.io/arch", "amd64"),
    );
    let name = node["metadata"]["name"].clone();
    let first_boot = format!("{}-boot-1", name.as_str().unwrap_or(""));
    let room = json!({ "cpu": "32", "memory": "128Gi", "ephemeral-storage": "100Gi", "pods": pods.to_string() });
    let status = &mut node["status"];
    for (field, value) in [
        ("capacity", room.clone()),
        ("allocatable", room),
        (
            "addresses",
            json!([
                { "type": "InternalIP", "address": address(10, index) },
                { "type": "Hostname", "address": name },
            ]),
        ),
        ("conditions", healthy(now)),
        (
            "nodeInfo",
            json!({
                "architecture": arch, "operatingSystem": os, "kubeletVersion": "v1.37.1",
                "containerRuntimeVersion": "simulated://1", "kernelVersion": "simulated",
                "osImage": "simulated", "kubeProxyVersion": "", "bootID": first_boot, "machineID": "", "systemUUID": "",
            }),
        ),
    ] {
        if status[field].is_null() {
            status[field] = value;
        }
    }
    node
}

/// The reason of the Ready condition of a node that shuts down.
const NOT_READY: &str = "KubeletNotReady";
/// Its message.
const SHUTTING_DOWN: &str = "node is shutting down";

/// The conditions that the kubelet of a healthy node reports.
pub(super) fn healthy(now: &str) -> Value {
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "simulated",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    json!([
        condition("Ready", "True", "KubeletReady"),
        condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID"),
    ])
}

/// An address in the /8 network `first`; `index` makes it unique.
pub(super) fn address(first: u8, index: u32) -> String {
    let [_, b, c, d] = (index % 0xff_fffe + 1).to_be_bytes();
    format!("{first}.{b}.{c}.{d}")
}

/// The fields of a node that a kubelet reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub metadata: Metadata,
    pub status: NodeStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    addresses: Vec<NodeAddress>,
    conditions: Vec<Condition>,
    #[serde(rename = "nodeInfo")]
    node_info: NodeInfo,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct NodeInfo {
    #[serde(rename = "bootID")]
    boot_id: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct NodeAddress {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

impl Node {
    /// Whether its Ready condition is true; the node lifecycle controller sets it to unknown after
    /// a silence.
    pub fn ready(&self) -> bool {
        self.status
            .conditions
            .iter()
            .any(|c| c.kind == "Ready" && c.status == "True")
    }

    /// Whether it shuts down gracefully: the annotation `shutdown: "true"`.
    pub fn shuts_down(&self) -> bool {
        self.annotation("shutdown") == Some("true")
    }

    /// The boot that it is in: the annotation `boot`, where there is one.
    pub fn boot(&self) -> &str {
        self.annotation("boot").unwrap_or(self.reported_boot())
    }

    /// The boot that its status has.
    pub fn reported_boot(&self) -> &str {
        &self.status.node_info.boot_id
    }

    fn annotation(&self, key: &str) -> Option<&str> {
        let annotation = self.metadata.annotations.get(&format!("{PREFIX}{key}"));
        annotation.map(String::as_str)
    }

    /// The patch of its status that says what its kubelet has to say: that it shuts down, or no
    /// longer, and that it was booted. None if the status has it all.
    pub fn report(&self, now: &str) -> Option<Value> {
        let mut conditions = self.status.conditions.iter();
        let said_so = conditions
            .any(|c| c.kind == "Ready" && c.reason == NOT_READY && c.message == SHUTTING_DOWN);
        let mut status = json!({});
        if self.shuts_down() && !said_so {
            status["conditions"] = json!([{
                "type": "Ready", "status": "False", "reason": NOT_READY,
                "message": SHUTTING_DOWN, "lastHeartbeatTime": now, "lastTransitionTime": now,
            }]);
        } else if said_so && !self.shuts_down() {
            status["conditions"] = healthy(now);
        }
        if self.boot() != self.reported_boot() {
            status["nodeInfo"] = json!({ "bootID": self.boot() });
        }
        let news = status.as_object().is_some_and(|fields| !fields.is_empty());
        news.then(|| json!({ "status": status }))
    }

    /// Its internal address, empty if it has none.
    pub fn ip(&self) -> &str {
        self.status
            .addresses
            .iter()
            .find(|a| a.kind == "InternalIP")
            .map_or("", |a| &a.address)
    }
}

impl Followed for Node {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}
