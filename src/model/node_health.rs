//! Whether a node is out of order or about to go: what `budget: bad-nodes` looks at.
//!
//! A change of it concerns the DaemonSets with that key, and no other. A heartbeat changes nothing
//! of it.

use super::{ConditionState, Node};

/// The taints by which an autoscaler says that it is about to remove a node: the cluster
/// autoscaler's, and karpenter's, which had another name before its version 1.
const LEAVING: [&str; 3] = [
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
];

/// How a node stands. The default is a node that is well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NodeHealth {
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// It has a taint by which an autoscaler is about to remove it.
    pub leaving: bool,
    /// The condition `GracefulNodeShutdownInProgress` is `True`.
    pub shutting_down: bool,
    /// The condition `MaintenanceInProgress` is `True`.
    pub maintenance: bool,
    /// The condition `Ready`, where its status is not `True`.
    pub unready: Option<ConditionState>,
}

impl Node {
    /// How it stands.
    pub fn health(&self) -> NodeHealth {
        let leaving = self.taints.iter().any(|t| LEAVING.contains(&&*t.key));
        let Some(detail) = self.detail.as_deref() else {
            return NodeHealth {
                leaving,
                ..NodeHealth::default()
            };
        };
        NodeHealth {
            terminating: detail.terminating,
            leaving,
            shutting_down: detail.graceful_shutdown.is_some(),
            maintenance: detail.maintenance.is_some(),
            unready: detail.unready,
        }
    }
}
