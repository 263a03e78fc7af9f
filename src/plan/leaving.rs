//! Nodes that are leaving: nothing is created there, running pods are left alone, and rollouts pass
//! them by. A pod that failed is deleted and has no successor, and the node stays desired.
//!
//! Off by default, as upstream: there pods are made again and again on a node whose kubelet rejects
//! them (kubernetes#122912). The feature gate `DaemonSetGracefulNodeShutdown` (KEP-6249) looks at
//! one condition of the node, and `--suppress-on-leaving-nodes` at what kubelets and autoscalers
//! tell besides. A cordon or a drain is no sign: daemon pods run on meanwhile.
//!
//! Where a pod that failed by the shutdown is the only sign, it stays until the node is back, or is
//! gone. Without it the next plan would know of nothing, and create a pod.

use std::collections::BTreeMap;

use crate::model::{LeavingSigns, Node, NodeId, Pod, Settings, Snapshot, Time};

use super::by_node::ByNode;

/// By what a node is known to be leaving: of several signs the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Leaving {
    /// Its condition `GracefulNodeShutdownInProgress` is `True`.
    ShuttingDown,
    /// It has a deletionTimestamp.
    Terminating,
    /// It has a taint by which an autoscaler is about to remove it.
    AboutToGo,
    /// A pod of the DaemonSet failed there because the node shuts down, and it does so still.
    PodShutDown,
}

impl Leaving {
    /// What is the matter with the node, as a phrase.
    pub fn describe(self) -> &'static str {
        match self {
            Leaving::ShuttingDown => "the node is shutting down",
            Leaving::Terminating => "the node is being deleted",
            Leaving::AboutToGo => "an autoscaler is about to remove the node",
            Leaving::PodShutDown => "the node is shut down, and a pod failed there because of that",
        }
    }

    /// What ends it, as a phrase after "until".
    pub fn until_what(self) -> &'static str {
        match self {
            Leaving::ShuttingDown => "the condition is no longer True",
            Leaving::Terminating => "the node is gone",
            Leaving::AboutToGo => "the node is gone, or the taint is removed",
            Leaving::PodShutDown => "the node is back or gone",
        }
    }

    /// Since when, where that is known.
    pub fn since(self, node: &Node) -> Option<Time> {
        let detail = node.detail.as_deref()?;
        match self {
            Leaving::ShuttingDown => detail.graceful_shutdown?.since,
            Leaving::Terminating => detail.deletion,
            Leaving::AboutToGo => None,
            Leaving::PodShutDown => detail.unready?.since,
        }
    }

    /// Whether this pod is all that tells of it: then it stays.
    pub fn is_told_by(self, pod: &Pod) -> bool {
        self == Leaving::PodShutDown && pod.failed_by_node_shutdown()
    }
}

/// By what a node is known to be leaving, with these pods of the DaemonSet on it.
fn why(node: &Node, here: &[&Pod], settings: Settings) -> Option<Leaving> {
    let signs = node.leaving_signs(settings);
    // Nearly all nodes leave here.
    if signs == LeavingSigns::default() {
        return None;
    }
    let failed = || here.iter().any(|pod| pod.failed_by_node_shutdown());
    let signs = [
        (signs.shutting_down, Leaving::ShuttingDown),
        (signs.terminating, Leaving::Terminating),
        (signs.tainted, Leaving::AboutToGo),
        (signs.shut_down && failed(), Leaving::PodShutDown),
    ];
    let mut leaving = signs.into_iter().filter(|(is_so, _)| *is_so);
    leaving.next().map(|(_, why)| why)
}

/// The leaving nodes of one DaemonSet. By default there is none.
#[derive(Clone, Default, Debug)]
pub struct LeavingNodes(BTreeMap<NodeId, Leaving>);

impl LeavingNodes {
    /// Looks at all nodes, and at the DaemonSet's pods on them.
    pub fn find(snapshot: &Snapshot<'_>, by_node: &ByNode<'_>) -> LeavingNodes {
        let settings = snapshot.settings;
        if !settings.minds_leaving_nodes() {
            return LeavingNodes::default();
        }
        let why = |(id, node)| Some((id, why(node, by_node.on(id), settings)?));
        LeavingNodes(snapshot.nodes.iter().filter_map(why).collect())
    }

    /// By what this node is known to be leaving; None where it is not.
    pub fn reason(&self, node: NodeId) -> Option<Leaving> {
        self.0.get(&node).copied()
    }
}
