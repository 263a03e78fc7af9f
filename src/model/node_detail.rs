//! Facts that explain why pods do not run on a node.
//!
//! They decide nothing, but for what [`NodeHealth`](super::NodeHealth) has of them, where a
//! DaemonSet asks for `budget: bad-nodes`, and for whether a node is leaving, where the operator
//! asks for that. The cache keeps their newest values. A change of them alone wakes only what asks
//! for it; a heartbeat concerns none.

use super::{ConditionState, Time};

/// Facts that explain a node.
///
/// A node of which there is nothing to explain has none of it
/// ([`Node::detail`](super::Node::detail) is None): it is ready, no maintenance or shutdown is in
/// progress, and it is not terminating. Fields that are absent or malformed count as not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeDetail {
    /// The condition `Ready`, where its status is not `True`. A node without that condition, which
    /// no kubelet has written to, has none.
    pub unready: Option<ConditionState>,
    /// The condition `MaintenanceInProgress`, where its status is `True`.
    pub maintenance: Option<ConditionState>,
    /// The condition `GracefulNodeShutdownInProgress`, where its status is `True`.
    pub graceful_shutdown: Option<ConditionState>,
    /// The condition `Ready` is `False`, and the kubelet says there that the node is shutting down.
    pub says_shutdown: bool,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `metadata.deletionTimestamp`: when the deletion was asked for.
    pub deletion: Option<Time>,
}
