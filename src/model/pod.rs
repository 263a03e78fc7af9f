//! What the controller remembers of a pod.

use std::{cmp::Ordering, sync::Arc};

use super::{Labels, NodeId, PodDetail, Str, Time, Uid, Version};

/// `status.phase`, as far as it decides anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PodPhase {
    /// Pending, Running or Unknown.
    Active,
    /// All containers ended, at least one in failure; or rejected by the kubelet.
    Failed,
    /// All containers ended well.
    Succeeded,
}

impl PodPhase {
    /// Failed or Succeeded: nothing runs and nothing will.
    pub fn is_terminal(self) -> bool {
        self != PodPhase::Active
    }
}

/// The `Ready` condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Absent or not `True`.
    NotReady,
    /// `True` since this time.
    Since(Time),
    /// `True`, with a zero lastTransitionTime: never available where minReadySeconds is set.
    SinceUnknown,
}

/// The owner reference with `controller: true`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Controller {
    /// None: an orphan.
    None,
    /// The owner of this UID.
    Uid(Uid),
    /// The object could not be decoded far enough to tell.
    Unreadable,
}

impl Controller {
    /// Whether it is the owner of this UID.
    pub fn is(&self, uid: &Uid) -> bool {
        matches!(self, Controller::Uid(u) if u == uid)
    }
}

/// What decisions need to know of a pod. Its namespace is that of the DaemonSet at hand.
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
    /// Who controls it.
    pub controller: Controller,
    /// `metadata.labels`.
    pub labels: Labels,
    /// The node it runs on or is pinned to: `spec.nodeName`, else the one value of `metadata.name In [...]`.
    pub node: Option<NodeId>,
    /// Whether `spec.nodeName` is set.
    pub scheduled: bool,
    /// `status.phase`.
    pub phase: PodPhase,
    /// The Ready condition.
    pub readiness: Readiness,
    /// `metadata.deletionTimestamp` is set, or a delete of ours is on its way.
    pub terminating: bool,
    /// `metadata.deletionTimestamp`: when its grace period ends.
    pub deletion: Option<Time>,
    /// It was terminal before its deletion was asked for: it ended by itself, and is to have another name after it.
    pub ended: bool,
    /// False for a pod that could not be decoded: it exists, its node is taken, it is never touched.
    pub readable: bool,
    /// What explains why it is not available, and decides nothing. None where there is nothing to
    /// explain, and for a pod that some other kind of object controls.
    pub detail: Option<Arc<PodDetail>>,
}

impl Pod {
    /// No deletionTimestamp and not terminal: counts against "one on a node".
    pub fn is_live(&self) -> bool {
        !self.terminating && !self.phase.is_terminal()
    }

    /// Terminal and terminating: only a finalizer or the kubelet keeps it; invisible to decisions.
    pub fn is_terminal_and_terminating(&self) -> bool {
        self.terminating && self.phase.is_terminal()
    }

    /// Terminating and terminal, so about to be gone for good: only a finalizer keeps such a pod for longer. Until this time.
    pub fn expected_gone_by(&self) -> Option<Time> {
        let deletion = self
            .deletion
            .filter(|_| self.is_terminal_and_terminating() && !self.ended)?;
        Some(deletion + std::time::Duration::from_secs(30))
    }

    /// When its deletion was asked for: deletionTimestamp less deletionGracePeriodSeconds. None where
    /// one of them is not known.
    pub fn deletion_requested(&self) -> Option<Time> {
        Some(self.deletion? - self.detail.as_ref()?.deletion_grace_period?)
    }

    /// Whether the Ready condition is true.
    pub fn is_ready(&self) -> bool {
        self.readiness != Readiness::NotReady
    }

    /// When it becomes (or became) available: ready for minReadySeconds. None: not by waiting.
    pub fn available_at(&self, min_ready_seconds: i32) -> Option<Time> {
        match self.readiness {
            Readiness::NotReady => None,
            _ if min_ready_seconds == 0 => Some(Time::from_secs(i64::MIN / 1_000_000)),
            Readiness::SinceUnknown => None,
            // A negative minReadySeconds cannot pass validation; it would mean "at once".
            Readiness::Since(t) => Some(
                t + std::time::Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0)),
            ),
        }
    }

    /// Whether it has been ready for minReadySeconds.
    pub fn is_available(&self, min_ready_seconds: i32, now: Time) -> bool {
        self.available_at(min_ready_seconds)
            .is_some_and(|t| t <= now)
    }

    /// Upstream's order of "oldest": scheduled before unscheduled, then creationTimestamp, then name.
    pub fn oldest_first(&self, other: &Pod) -> Ordering {
        other
            .scheduled
            .cmp(&self.scheduled)
            .then(self.created.cmp(&other.created))
            .then_with(|| self.name.cmp(&other.name))
    }
}
