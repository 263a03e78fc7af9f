//! How a node stands in a rollout, in one letter.

use crate::model::{Pod, Time};

/// How a node stands. "New" is the revision that is rolled out, "old" is any other one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NodeState {
    /// It has not joined yet.
    Absent,
    /// It is to have no pod. One that is there may stay.
    NotWanted,
    /// It is to have a pod, and has none.
    Missing,
    /// It has an available old pod.
    Old,
    /// It has an old pod that is not available.
    OldUnavailable,
    /// It has an available old pod and a new one beside it that is not.
    Surging,
    /// It has a new pod that is not available yet.
    Starting,
    /// It has an available new pod.
    New,
    /// Its pods are all on their way out.
    Terminating,
    /// A container of its new pod crashes or cannot be started.
    Failing,
    /// The node is not ready.
    NodeNotReady,
}

impl NodeState {
    /// Every one.
    pub const ALL: [NodeState; 11] = [
        NodeState::New,
        NodeState::Old,
        NodeState::Surging,
        NodeState::Starting,
        NodeState::Terminating,
        NodeState::Missing,
        NodeState::OldUnavailable,
        NodeState::Failing,
        NodeState::NodeNotReady,
        NodeState::NotWanted,
        NodeState::Absent,
    ];

    /// The letter, for grids and for programs.
    pub fn letter(self) -> char {
        match self {
            NodeState::Absent => ' ',
            NodeState::NotWanted => '-',
            NodeState::Missing => 'm',
            NodeState::Old => 'o',
            NodeState::OldUnavailable => 'u',
            NodeState::Surging => '+',
            NodeState::Starting => 's',
            NodeState::New => 'n',
            NodeState::Terminating => 't',
            NodeState::Failing => 'f',
            NodeState::NodeNotReady => 'x',
        }
    }

    /// As a phrase about the node, for people.
    pub fn describe(self) -> &'static str {
        match self {
            NodeState::Absent => "not joined yet",
            NodeState::NotWanted => "is to have no pod",
            NodeState::Missing => "has no pod yet",
            NodeState::Old => "old pod, available",
            NodeState::OldUnavailable => "old pod, not available",
            NodeState::Surging => "old pod available, new one starts beside it",
            NodeState::Starting => "new pod starts",
            NodeState::New => "new pod, available",
            NodeState::Terminating => "pod terminates",
            NodeState::Failing => "new pod fails",
            NodeState::NodeNotReady => "node not ready",
        }
    }

    /// Whether the node is to have a pod.
    pub fn is_wanted(self) -> bool {
        !matches!(self, NodeState::NotWanted | NodeState::Absent)
    }

    /// Whether a pod on it is available, and nobody has asked it to go.
    pub fn is_available(self) -> bool {
        matches!(self, NodeState::Old | NodeState::Surging | NodeState::New)
    }
}

/// What a node's state follows from.
pub(super) struct Seen<'a> {
    /// Whether it is to have a pod.
    pub wanted: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// The pods of the DaemonSet on it.
    pub pods: Vec<&'a Pod>,
}

impl Seen<'_> {
    /// The state at `now`. `is_new` tells pods of the revision that is rolled out.
    pub fn state(
        &self,
        min_ready_seconds: i32,
        now: Time,
        is_new: impl Fn(&Pod) -> bool,
    ) -> NodeState {
        let live = self.pods.iter().filter(|pod| pod.is_live());
        let (new, old): (Vec<&Pod>, Vec<&Pod>) = live.copied().partition(|pod| is_new(pod));
        let any_available = |pods: &[&Pod]| {
            let mut pods = pods.iter();
            pods.any(|pod| pod.is_available(min_ready_seconds, now))
        };
        let (has_new, has_old) = (any_available(&new), any_available(&old));
        if !self.wanted {
            return NodeState::NotWanted;
        }
        if !self.ready {
            return NodeState::NodeNotReady;
        }
        match (has_new, has_old) {
            (true, _) => NodeState::New,
            (false, true) if new.is_empty() => NodeState::Old,
            (false, true) => NodeState::Surging,
            _ if new.iter().any(|pod| is_failing(pod)) => NodeState::Failing,
            _ if !new.is_empty() => NodeState::Starting,
            _ if !old.is_empty() => NodeState::OldUnavailable,
            _ if self
                .pods
                .iter()
                .any(|pod| pod.terminating && !pod.phase.is_terminal()) =>
            {
                NodeState::Terminating
            }
            _ => NodeState::Missing,
        }
    }
}

/// Whether a container of the pod was restarted, or waits for another start or for its image.
fn is_failing(pod: &Pod) -> bool {
    let Some(detail) = pod.detail.as_deref() else {
        return false;
    };
    let mut waiting = detail.waiting.iter();
    detail.restarts.is_some()
        || waiting.any(|w| {
            let reason = &*w.reason;
            reason.ends_with("BackOff") || reason.ends_with("Error") || reason.starts_with("Err")
        })
}
