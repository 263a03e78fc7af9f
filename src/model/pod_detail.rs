//! Facts that explain why a pod is not available, in the words of the scheduler, the kubelet and
//! the API server.
//!
//! They decide nothing, but for [`Pod::is_unschedulable`](super::Pod::is_unschedulable), where a
//! DaemonSet asks for `budget: bad-nodes`, and for
//! [`Pod::failed_by_node_shutdown`](super::Pod::failed_by_node_shutdown), where the operator asks
//! for `--suppress-on-leaving-nodes`. The cache keeps their newest values. A change of that
//! alone wakes such a DaemonSet; a change of the others concerns none and wakes no sync.

use std::{borrow::Cow, time::Duration};

use super::{ConditionState, Str, Time};

/// Longest reason or message that is kept, in bytes. A longer text is cut and ends with `…`.
pub const TEXT_LIMIT: usize = 512;

/// Facts that explain a pod.
///
/// A pod of which there is nothing to explain has none of it ([`Pod::detail`](super::Pod::detail)
/// is None): it is scheduled and ready, no container waits or was ever restarted, and it is not
/// terminating. Fields that are absent, malformed or empty are None or empty here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodDetail {
    /// The scheduler has no node for it: condition `PodScheduled` with status `False`.
    pub unscheduled: Option<Unscheduled>,
    /// The condition `Ready`, where its status is not `True`.
    pub unready: Option<ConditionState>,
    /// Containers, init containers first, whose `state` is `waiting`.
    pub waiting: Box<[WaitingContainer]>,
    /// The container, init containers included, with the highest `restartCount`, unless that is 0.
    /// The first one of several.
    pub restarts: Option<Restarts>,
    /// The termination that ended last: of each container's `lastState.terminated`, and of its
    /// `state.terminated` where the exit code is not 0.
    pub last_termination: Option<Termination>,
    /// `status.reason`: `Evicted`, `NodeShutdown`, `OutOfcpu` and the like.
    pub reason: Option<Str>,
    /// `status.message`, cut at [`TEXT_LIMIT`].
    pub message: Option<Str>,
    /// `metadata.deletionGracePeriodSeconds` of a pod that has a deletionTimestamp.
    pub deletion_grace_period: Option<Duration>,
    /// `metadata.finalizers` of a pod that has a deletionTimestamp: what keeps it once it has
    /// ended.
    pub finalizers: Box<[Str]>,
}

/// Why the scheduler has no node for a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unscheduled {
    /// `reason`, as a rule `Unschedulable` or `SchedulingGated`.
    pub reason: Str,
    /// `message`: how many nodes do not fit, and why. Cut at [`TEXT_LIMIT`].
    pub message: Str,
    /// `lastTransitionTime`.
    pub since: Option<Time>,
}

/// A container that is not running yet, or not running again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingContainer {
    /// The container's name.
    pub container: Str,
    /// `state.waiting.reason`: `CrashLoopBackOff`, `ImagePullBackOff`,
    /// `CreateContainerConfigError`, `ContainerCreating` and the like.
    pub reason: Str,
    /// `state.waiting.message`, cut at [`TEXT_LIMIT`].
    pub message: Str,
}

/// How often the kubelet restarted a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restarts {
    /// The container's name.
    pub container: Str,
    /// `restartCount`.
    pub count: u32,
}

/// How a container ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Termination {
    /// The container's name.
    pub container: Str,
    /// `exitCode`. A container that was killed by signal `n` has 128 + `n`.
    pub exit_code: i32,
    /// `reason`: `Error`, `OOMKilled`, `Completed` and the like.
    pub reason: Str,
    /// `finishedAt`.
    pub finished: Option<Time>,
}

/// The text with at most [`TEXT_LIMIT`] bytes. It is cut between characters.
pub fn cut(text: &str) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text.len() <= TEXT_LIMIT {
        return Cow::Borrowed(text);
    }
    let mut end = TEXT_LIMIT - ELLIPSIS.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_the_limit_and_between_characters() {
        let whole = "x".repeat(TEXT_LIMIT);
        assert_eq!(cut(&whole), whole);
        for (text, expected) in [
            ("x".repeat(TEXT_LIMIT + 1), TEXT_LIMIT),
            // Two bytes each: the limit less three is in the middle of one.
            ("ä".repeat(TEXT_LIMIT), TEXT_LIMIT - 1),
        ] {
            let short = cut(&text);
            assert_eq!(short.len(), expected);
            assert!(text.starts_with(short.strip_suffix('…').expect("the sign of a cut")));
        }
    }
}
