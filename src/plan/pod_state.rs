//! How a pod stands, in one word, with since when, until when, and the words of the scheduler or
//! the kubelet.
//!
//! This explains and does not decide: rules look at the pod itself.

use crate::model::{Node, Pod, PodPhase, Readiness, Time};

/// How a pod stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PodState {
    /// Ready for `minReadySeconds`.
    Available,
    /// Ready, but not yet for `minReadySeconds`.
    MinReadySeconds,
    /// Its node is NotReady, or nobody has heard of the node for a while.
    NodeNotReady,
    /// The scheduler has no node for it.
    Unschedulable,
    /// A container crashes again and again: the kubelet waits before it starts it anew.
    CrashLoopBackOff,
    /// A container waits for another reason: its image, its configuration, its volumes.
    ContainerWaiting,
    /// Not ready, for no reason that its status names.
    NotReady,
    /// Phase Failed.
    Failed,
    /// Phase Succeeded.
    Finished,
    /// It has a deletionTimestamp.
    Terminating,
    /// A delete was sent, and neither an answer nor a watch has told what became of it.
    DeletePending,
    /// It could not be decoded by this build.
    Unreadable,
}

impl PodState {
    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            PodState::Available => "Available",
            PodState::MinReadySeconds => "MinReadySeconds",
            PodState::NodeNotReady => "NodeNotReady",
            PodState::Unschedulable => "Unschedulable",
            PodState::CrashLoopBackOff => "CrashLoopBackOff",
            PodState::ContainerWaiting => "ContainerWaiting",
            PodState::NotReady => "NotReady",
            PodState::Failed => "Failed",
            PodState::Finished => "Finished",
            PodState::Terminating => "Terminating",
            PodState::DeletePending => "DeletePending",
            PodState::Unreadable => "Unreadable",
        }
    }

    /// As a phrase about the pod, for people.
    pub fn describe(self) -> &'static str {
        match self {
            PodState::Available => "available",
            PodState::MinReadySeconds => "ready, but not yet for minReadySeconds",
            PodState::NodeNotReady => "not ready: its node is not ready",
            PodState::Unschedulable => "not scheduled",
            PodState::CrashLoopBackOff => "not ready: a container crashes again and again",
            PodState::ContainerWaiting => "not ready: a container waits",
            PodState::NotReady => "not ready",
            PodState::Failed => "failed",
            PodState::Finished => "finished",
            PodState::Terminating => "terminating",
            PodState::DeletePending => "asked to go, not confirmed yet",
            PodState::Unreadable => "not understood by this build",
        }
    }
}

/// A pod's state with all that is known of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// The state.
    pub state: PodState,
    /// Since when it has been in that state, where that is known.
    pub since: Option<Time>,
    /// Until when, where a time ends it: the end of `minReadySeconds`, or of the grace period.
    pub until: Option<Time>,
    /// The scheduler's, the kubelet's or the API server's words, and how often containers were
    /// restarted.
    pub message: Option<String>,
}

/// Describes a pod on `node` (None where that is gone or not known).
pub fn describe(pod: &Pod, node: Option<&Node>, min_ready_seconds: i32, now: Time) -> Described {
    let mut described = outline(pod, node, min_ready_seconds, now);
    described.message = message(described.state, pod, node, now);
    described
}

/// The same without the message, which costs texts.
pub fn outline(pod: &Pod, node: Option<&Node>, min_ready_seconds: i32, now: Time) -> Described {
    let state = state(pod, node, min_ready_seconds, now);
    Described {
        state,
        since: since(state, pod, node),
        until: match state {
            PodState::MinReadySeconds => pod.available_at(min_ready_seconds),
            PodState::Terminating => pod.deletion.filter(|at| *at > now),
            _ => None,
        },
        message: None,
    }
}

fn state(pod: &Pod, node: Option<&Node>, min_ready_seconds: i32, now: Time) -> PodState {
    if !pod.readable {
        return PodState::Unreadable;
    }
    if pod.terminating {
        return match pod.deletion {
            Some(_) => PodState::Terminating,
            None => PodState::DeletePending,
        };
    }
    match pod.phase {
        PodPhase::Failed => return PodState::Failed,
        PodPhase::Succeeded => return PodState::Finished,
        PodPhase::Active => {}
    }
    if pod.is_available(min_ready_seconds, now) {
        return PodState::Available;
    }
    if pod.is_ready() {
        return PodState::MinReadySeconds;
    }
    let detail = pod.detail.as_deref();
    if detail.is_some_and(|d| d.unscheduled.is_some()) {
        return PodState::Unschedulable;
    }
    // What a dead node's kubelet wrote last is old: the node explains more than its containers.
    if node.is_some_and(Node::is_unready) {
        return PodState::NodeNotReady;
    }
    let mut waiting = detail.iter().flat_map(|d| &d.waiting);
    if waiting.clone().any(|w| &*w.reason == "CrashLoopBackOff") {
        PodState::CrashLoopBackOff
    } else if waiting.any(|w| !is_starting(&w.reason)) {
        PodState::ContainerWaiting
    } else {
        PodState::NotReady
    }
}

/// A container that waits in the ordinary way: it has not been started yet.
fn is_starting(reason: &str) -> bool {
    matches!(reason, "ContainerCreating" | "PodInitializing" | "")
}

fn since(state: PodState, pod: &Pod, node: Option<&Node>) -> Option<Time> {
    let detail = pod.detail.as_deref();
    match state {
        PodState::Available | PodState::MinReadySeconds => match pod.readiness {
            Readiness::Since(at) => Some(at),
            Readiness::SinceUnknown | Readiness::NotReady => None,
        },
        PodState::NodeNotReady => node?.detail.as_deref()?.unready?.since,
        PodState::Unschedulable => detail?.unscheduled.as_ref()?.since,
        PodState::CrashLoopBackOff | PodState::ContainerWaiting | PodState::NotReady => {
            detail.and_then(|d| d.unready?.since).or(Some(pod.created))
        }
        PodState::Terminating => pod.deletion_requested(),
        PodState::Failed | PodState::Finished | PodState::DeletePending | PodState::Unreadable => {
            None
        }
    }
}

fn message(state: PodState, pod: &Pod, node: Option<&Node>, now: Time) -> Option<String> {
    if state == PodState::Terminating {
        return terminating(pod, node, now);
    }
    let detail = pod.detail.as_deref()?;
    let mut words: Vec<String> = Vec::new();
    match state {
        PodState::Unschedulable => {
            let u = detail.unscheduled.as_ref()?;
            words.push(join(&u.reason, &u.message));
        }
        PodState::CrashLoopBackOff | PodState::ContainerWaiting | PodState::NotReady => {
            let waiting = detail.waiting.iter();
            words.extend(waiting.map(|w| {
                let why = join(&w.reason, &w.message);
                format!("container {}: {why}", w.container)
            }));
            if let Some(r) = &detail.restarts {
                words.push(format!(
                    "container {} restarted {} times",
                    r.container, r.count
                ));
            }
            if let Some(t) = &detail.last_termination {
                let reason = join(&t.reason, &format!("exit code {}", t.exit_code));
                words.push(format!(
                    "container {} ended last with {reason}",
                    t.container
                ));
            }
        }
        PodState::Failed | PodState::Finished => {
            let reason = detail.reason.as_deref().unwrap_or_default();
            let said = join(reason, detail.message.as_deref().unwrap_or_default());
            if !said.is_empty() {
                words.push(said);
            }
        }
        _ => {}
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// What keeps a terminating pod.
fn terminating(pod: &Pod, node: Option<&Node>, now: Time) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(end) = pod.deletion.filter(|end| *end <= now) {
        words.push(format!("its grace period ended at {end}"));
    }
    let unready = node.and_then(|n| n.detail.as_deref()?.unready);
    if let Some(unready) = unready {
        let since = unready.since.map(|at| format!(" since {at}"));
        words.push(format!(
            "its node's Ready condition is {}{}, so no kubelet says that it has ended",
            unready.status.as_str(),
            since.unwrap_or_default()
        ));
    }
    if let Some(detail) = pod.detail.as_deref().filter(|d| !d.finalizers.is_empty()) {
        words.push(format!(
            "finalizers keep it: {}",
            detail.finalizers.join(", ")
        ));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// `reason: message`, or the one of them that is there.
fn join(reason: &str, message: &str) -> String {
    match (reason, message) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}
