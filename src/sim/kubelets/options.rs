//! The options of kubelets, and the label of the nodes that they serve.

use std::time::Duration;

use super::detail::{Detail, Linger};
use crate::sim::{Clock, wall_clock};

/// The label on a node whose value is the group of the kubelets that serve it.
pub const GROUP_LABEL: &str = "sim.daemonset-controller.io/kubelets";

/// The options of kubelets.
#[derive(Clone)]
pub struct KubeletOptions {
    /// The group of nodes to serve: the value of [`GROUP_LABEL`].
    pub group: String,
    /// The only namespace whose pods are served; None for all.
    pub namespace: Option<String>,
    /// The most requests under way at once.
    pub in_flight: usize,
    /// `status.allocatable.pods` of a node that is registered.
    pub pods_per_node: u32,
    /// How often a node's lease is renewed; None for never. Only the node lifecycle controller
    /// reads leases of nodes.
    pub heartbeat: Option<Duration>,
    /// How many of a real kubelet's writes are made.
    pub detail: Detail,
    /// How long a deleted pod stays after it has ended.
    pub linger: Linger,
    /// What `linger` follows from, with the UID of the pod.
    pub seed: u64,
    /// The clock for timestamps.
    pub clock: Clock,
}

impl KubeletOptions {
    /// The options for the nodes of `group`: all namespaces, 16 requests at once, 110 pods a node,
    /// no heartbeat, few writes, the usual linger, wall clock.
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            namespace: None,
            in_flight: 16,
            pods_per_node: 110,
            heartbeat: None,
            detail: Detail::Short,
            linger: Linger::default(),
            seed: 0,
            clock: wall_clock(),
        }
    }
}
