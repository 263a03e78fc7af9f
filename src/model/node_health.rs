//! Whether a node is out of order or about to go: what `budget: bad-nodes` looks at, and where the
//! operator asks for it, the rule of leaving nodes.
//!
//! A change of it concerns the DaemonSets with that key, or those whose pods belong on the node,
//! and no other. A heartbeat changes nothing of it.

use super::{ConditionState, ConditionStatus, Node, Settings};

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

/// The signs by which a node is leaving, of those that the operator asks for. The default is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeavingSigns {
    /// The condition `GracefulNodeShutdownInProgress` is `True`.
    pub shutting_down: bool,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// It has a taint by which an autoscaler is about to remove it.
    pub tainted: bool,
    /// The kubelet says that it is shutting down, or no longer says anything. It is leaving only
    /// where a pod failed because of that. A node that is up again and not ready yet is not shut
    /// down: its network may be what a DaemonSet brings.
    pub shut_down: bool,
}

impl Node {
    /// Whether it has the condition `Ready`, and the status of that is not `True`.
    pub fn is_unready(&self) -> bool {
        let detail = self.detail.as_ref();
        detail.is_some_and(|detail| detail.unready.is_some())
    }

    /// The signs by which it is leaving, of those that the operator asks for.
    pub fn leaving_signs(&self, settings: Settings) -> LeavingSigns {
        let any = settings.suppress_on_leaving_nodes;
        // Nearly all clusters leave here.
        if !settings.minds_leaving_nodes() {
            return LeavingSigns::default();
        }
        let NodeHealth {
            terminating,
            leaving,
            shutting_down,
            unready,
            ..
        } = self.health();
        let is_lost = unready.is_some_and(|ready| ready.status == ConditionStatus::Unknown);
        let says_shutdown = self.detail.as_deref().is_some_and(|d| d.says_shutdown);
        LeavingSigns {
            shutting_down,
            terminating: any && terminating,
            tainted: any && leaving,
            shut_down: any && (says_shutdown || is_lost),
        }
    }

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
