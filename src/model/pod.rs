//! Pods, as far as the controller keeps them.

use std::{cmp::Ordering, sync::Arc};

use super::{Labels, NodeId, PodDetail, Str, Time, Uid, Version};

/// `status.phase`, as far as it decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PodPhase {
    /// Pending, Running or Unknown.
    Active,
    /// All containers ended and at least one of them failed, or the kubelet rejected the pod.
    Failed,
    /// All containers ended with exit code 0.
    Succeeded,
}

impl PodPhase {
    /// Failed or Succeeded: no container runs, and none will be started.
    pub fn is_terminal(self) -> bool {
        self != PodPhase::Active
    }
}

/// The condition `Ready`, as far as it decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// The condition is absent, or its status is not `True`.
    NotReady,
    /// The status is `True` since this time, its lastTransitionTime.
    Since(Time),
    /// The status is `True` and lastTransitionTime is zero: such a pod is never available where
    /// minReadySeconds is set.
    SinceUnknown,
}

/// The owner reference with `controller: true`, the first of several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Controller {
    /// There is none: the object is an orphan.
    None,
    /// The owner with this UID.
    Uid(Uid),
    /// The owner references could not be decoded.
    Unreadable,
}

impl Controller {
    /// Whether the owner with this UID is the controller.
    pub fn is(&self, uid: &Uid) -> bool {
        matches!(self, Controller::Uid(u) if u == uid)
    }
}

/// The scheduling gate that the pods of a DaemonSet with the key `exclusive` are created with.
pub const EXCLUSIVE_GATE: &str = "daemonset-controller.io/exclusive";

/// A pod: what decisions are made from, and what explains it. Its namespace is known from the
/// context: it is that of the DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pod {
    /// `metadata.name`.
    pub name: Str,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// `metadata.creationTimestamp`.
    pub created: Time,
    /// Its controller, by `metadata.ownerReferences`.
    pub controller: Controller,
    /// `metadata.labels`.
    pub labels: Labels,
    /// The annotation `daemonset-controller.io/resources`: what it was made with, or resized to,
    /// beyond its template.
    pub resources: Option<Str>,
    /// The node that it runs on or is pinned to: `spec.nodeName`, else the one value of the
    /// `metadata.name In [...]` in its required node affinity.
    pub node: Option<NodeId>,
    /// `spec.nodeName` is set.
    pub scheduled: bool,
    /// `spec.schedulingGates` has [`EXCLUSIVE_GATE`]: it has never run, and nobody may start it.
    pub gated: bool,
    /// `status.phase`, as far as it decides.
    pub phase: PodPhase,
    /// The condition `Ready`, as far as it decides.
    pub readiness: Readiness,
    /// `metadata.deletionTimestamp` is set, or a delete of ours is pending.
    pub terminating: bool,
    /// `metadata.deletionTimestamp`: when the grace period of its deletion ends.
    pub deletion: Option<Time>,
    /// It was terminal before its deletion was asked for: it ended by itself ([`super::End`]).
    pub ended: bool,
    /// False for a pod that could not be decoded: it exists, its node is taken, and the controller
    /// never writes to it.
    pub readable: bool,
    /// Facts that explain why it is not available. They decide nothing, but for
    /// [`Pod::is_unschedulable`] and [`Pod::failed_by_node_shutdown`]. None where there is nothing
    /// to explain, and for a pod that is controlled by an object of another kind than DaemonSet.
    pub detail: Option<Arc<PodDetail>>,
}

impl Pod {
    /// A pod of which nothing is known but its name and UID: on no node, active, and not ready.
    pub fn new(name: Str, uid: Uid) -> Pod {
        Pod {
            name,
            uid,
            version: Version::default(),
            created: Time::default(),
            controller: Controller::None,
            labels: Labels::default(),
            resources: None,
            node: None,
            scheduled: false,
            gated: false,
            phase: PodPhase::Active,
            readiness: Readiness::NotReady,
            terminating: false,
            deletion: None,
            ended: false,
            readable: true,
            detail: None,
        }
    }

    /// Neither terminating nor terminal. A node has at most one such pod of a DaemonSet, or two
    /// while the DaemonSet surges.
    pub fn is_live(&self) -> bool {
        !self.terminating && !self.phase.is_terminal()
    }

    /// Whether a container of it may run, now or later: it is not over, and it has not our gate. A
    /// pod that terminates runs on until it has ended.
    pub fn may_run(&self) -> bool {
        !self.gated && !self.phase.is_terminal()
    }

    /// Terminal and terminating: only a finalizer or the kubelet keeps it, and decisions ignore it.
    pub fn is_terminal_and_terminating(&self) -> bool {
        self.terminating && self.phase.is_terminal()
    }

    /// When its deletion was asked for: deletionTimestamp less deletionGracePeriodSeconds. None
    /// where one of them is not known.
    pub fn deletion_requested(&self) -> Option<Time> {
        Some(self.deletion? - self.detail.as_ref()?.deletion_grace_period?)
    }

    /// Whether the scheduler says that no node fits: it is `Unschedulable`.
    pub fn is_unschedulable(&self) -> bool {
        let detail = self.detail.as_deref();
        let unscheduled = detail.and_then(|d| d.unscheduled.as_ref());
        unscheduled.is_some_and(|u| &*u.reason == "Unschedulable")
    }

    /// Whether it failed because its node shuts down: the kubelet rejected it, or ended it.
    pub fn failed_by_node_shutdown(&self) -> bool {
        let reason = self.detail.as_deref().and_then(|d| d.reason.as_deref());
        self.phase == PodPhase::Failed && matches!(reason, Some("NodeShutdown" | "Terminated"))
    }

    /// Whether the status of the condition `Ready` is `True`.
    pub fn is_ready(&self) -> bool {
        self.readiness != Readiness::NotReady
    }

    /// When it became available or, if nothing else happens, becomes available: when it has been
    /// ready for `min_ready_seconds`. None where waiting does not help.
    pub fn available_at(&self, min_ready_seconds: i32) -> Option<Time> {
        match self.readiness {
            Readiness::NotReady => None,
            _ if min_ready_seconds == 0 => Some(Time::from_secs(i64::MIN / 1_000_000)),
            Readiness::SinceUnknown => None,
            // The API server refuses a negative minReadySeconds. It counts as 0.
            Readiness::Since(t) => Some(
                t + std::time::Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0)),
            ),
        }
    }

    /// Whether it has been ready for `min_ready_seconds` at `now`.
    pub fn is_available(&self, min_ready_seconds: i32, now: Time) -> bool {
        self.available_at(min_ready_seconds)
            .is_some_and(|t| t <= now)
    }

    /// Upstream's order, the oldest pod first: scheduled before unscheduled, then by
    /// creationTimestamp, then by name. A pod that has our gate still comes after one that has not.
    pub fn oldest_first(&self, other: &Pod) -> Ordering {
        other
            .scheduled
            .cmp(&self.scheduled)
            .then(self.gated.cmp(&other.gated))
            .then(self.created.cmp(&other.created))
            .then_with(|| self.name.cmp(&other.name))
    }
}
