//! How kubelets behave, and which nodes they serve.

use std::time::Duration;

use crate::sim::{Clock, wall_clock};

/// The label that says which kubelets serve a node.
pub const GROUP_LABEL: &str = "sim.daemonset-controller.io/kubelets";

/// How kubelets behave.
#[derive(Clone)]
pub struct KubeletOptions {
    /// The group of nodes to serve: the value of [`GROUP_LABEL`].
    pub group: String,
    /// Watch the pods of this namespace only.
    pub namespace: Option<String>,
    /// Requests under way at once.
    pub in_flight: usize,
    /// Room for pods on a node that is registered.
    pub pods_per_node: u32,
    /// How often a node's lease is renewed, where somebody looks at it (the node lifecycle controller).
    pub heartbeat: Option<Duration>,
    /// The time for timestamps.
    pub clock: Clock,
}

impl KubeletOptions {
    /// For the nodes of `group`: all namespaces, 16 requests at once, 110 pods a node, no heartbeat, wall clock.
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            namespace: None,
            in_flight: 16,
            pods_per_node: 110,
            heartbeat: None,
            clock: wall_clock(),
        }
    }
}
