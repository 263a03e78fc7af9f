//! The steps of a history, as data. A step that lasts says for how long: whoever drops it from a
//! history drops its end with it.

use std::fmt;

use daemonset_controller::sim::api::{Resource, resource};
use daemonset_controller::sim::cluster::Part;
use serde_json::Value;

use crate::faults::Fault;

/// Time in milliseconds.
pub type Millis = u64;

/// A controller: the first or the second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Who(pub usize);

impl Who {
    /// The name of its client.
    pub fn name(self) -> &'static str {
        ["a", "b"][self.0]
    }
}

/// What controllers watch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// DaemonSets.
    Sets,
    /// Nodes.
    Nodes,
    /// ControllerRevisions.
    Revisions,
    /// Pods.
    Pods,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Sets, Kind::Nodes, Kind::Revisions, Kind::Pods];

    /// Its resource.
    pub fn resource(self) -> &'static Resource {
        match self {
            Kind::Sets => &resource::DAEMON_SETS,
            Kind::Nodes => &resource::NODES,
            Kind::Revisions => &resource::CONTROLLER_REVISIONS,
            Kind::Pods => &resource::PODS,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// No effect, the connection fails.
    Lost,
    /// It takes effect, the connection fails.
    AnswerLost,
    /// It takes effect later, if its sender still waits.
    Slow(Millis),
    /// It takes effect, and is answered later.
    AnswerSlow(Millis),
    /// No effect, no answer.
    Hangs,
    /// This code; with `Retry-After` in seconds, if any.
    Refused(u16, Option<u64>),
}

/// How a pod meets its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Failed, with this reason, which may be empty.
    Fails(&'static str),
    /// Somebody deletes it; at once (without grace) if so.
    Deleted(bool),
    /// Failed, and deleted without grace before anybody can have acted on it.
    FailedAndDeleted,
    /// Evicted.
    Evicted,
    /// The label that it is selected by has another value.
    LabelStolen,
    /// It has no owner.
    Disowned,
}

/// What admission does with which requests of controllers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It denies them.
    Denies,
    /// It does not answer.
    Hangs,
    /// The quota is exceeded.
    Quota,
}

/// An event. Numbers of nodes and DaemonSets are taken modulo how many there are.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The next requests of a controller with this method meet trouble.
    Requests {
        /// Whose.
        who: Who,
        /// The method.
        method: &'static str,
        /// What becomes of them.
        trouble: Trouble,
        /// How many.
        times: usize,
    },
    /// A controller is killed at one of its next calls, and started again.
    Killed {
        /// Which.
        who: Who,
        /// At the call after so many others.
        after: usize,
        /// Whether that call takes effect.
        takes_effect: bool,
        /// How long it stays away.
        back: Millis,
    },
    /// A controller is asked to end, and started again.
    Stopped {
        /// Which.
        who: Who,
        /// How long it stays away.
        back: Millis,
    },
    /// No request of a controller is answered, and none of its watches delivers.
    Partitioned {
        /// Which.
        who: Who,
        /// For how long.
        lasts: Millis,
    },
    /// A controller's watches are so late from now on.
    Lag {
        /// Whose.
        who: Who,
        /// Of which kind; None for all.
        kind: Option<Kind>,
        /// By how much.
        lag: Millis,
    },
    /// A controller's watches of a kind deliver nothing.
    Silent {
        /// Whose.
        who: Who,
        /// Of which kind.
        kind: Kind,
        /// For how long.
        lasts: Millis,
    },
    /// All watches of a kind end.
    Cut {
        /// Of which kind.
        kind: Kind,
        /// With 410.
        expired: bool,
    },
    /// A node is added, of this pool.
    NodeAdded {
        /// The pool.
        pool: u8,
    },
    /// A node is removed.
    NodeRemoved {
        /// Which.
        node: u32,
        /// How long it stays away.
        back: Millis,
    },
    /// A node changes its pool.
    Pool {
        /// Which.
        node: u32,
        /// The pool.
        pool: u8,
    },
    /// A node is tainted.
    Tainted {
        /// Which.
        node: u32,
        /// With this effect.
        effect: &'static str,
        /// For how long.
        lasts: Millis,
    },
    /// A node is not ready. Its pods go on.
    NotReady {
        /// Which.
        node: u32,
        /// For how long.
        lasts: Millis,
    },
    /// All pods of a node do this, by an annotation of the simulated kubelets.
    Script {
        /// Which.
        node: u32,
        /// The annotation.
        what: &'static str,
        /// Its value.
        after: &'static str,
        /// For how long.
        lasts: Millis,
    },
    /// A pod of a node meets its end.
    Pod {
        /// The DaemonSet whose pod it is.
        set: usize,
        /// The node.
        node: u32,
        /// How.
        end: End,
    },
    /// The template changes.
    Template {
        /// The DaemonSet.
        set: usize,
        /// The version, which is an annotation.
        version: u32,
        /// An annotation that makes its pods bad, with its value.
        flaw: Option<(&'static str, &'static str)>,
    },
    /// A merge patch of the DaemonSet's spec.
    Spec {
        /// The DaemonSet.
        set: usize,
        /// The patch of the spec.
        patch: Value,
    },
    /// A key of rollout control is set, or (None) removed. An empty value stands for the hash of
    /// the newest revision.
    Key {
        /// The DaemonSet.
        set: usize,
        /// The key, without its prefix.
        key: &'static str,
        /// The value.
        value: Option<&'static str>,
    },
    /// A state annotation is removed from a revision.
    StateRemoved {
        /// The DaemonSet.
        set: usize,
        /// Which of those that are there, modulo how many.
        nth: usize,
    },
    /// A DaemonSet is deleted, and made again under its name.
    SetDeleted {
        /// The DaemonSet.
        set: usize,
        /// `propagationPolicy`.
        cascade: &'static str,
        /// How long it stays away.
        back: Millis,
    },
    /// There is a PodDisruptionBudget.
    Disruption {
        /// How many disruptions it allows.
        allowed: u32,
        /// For how long.
        lasts: Millis,
    },
    /// Admission of pods fails.
    Admission {
        /// The method of the requests.
        method: &'static str,
        /// How.
        how: Admission,
        /// For how long.
        lasts: Millis,
    },
    /// A part of the cluster is not there.
    PartGone {
        /// Which.
        part: Part,
        /// For how long.
        lasts: Millis,
    },
    /// A client with the name of a controller makes a second pod: for the search's own tests.
    Planted {
        /// On which node.
        node: u32,
    },
}

/// An event and its time.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// Since the start.
    pub at: Millis,
    /// The kind of fault, which reports count.
    pub fault: Fault,
    /// What happens.
    pub event: Event,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} s  {}", self.at as f64 / 1e3, self.event)
    }
}

fn seconds(time: Millis) -> String {
    format!("{} s", time as f64 / 1e3)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Requests {
                who,
                method,
                trouble,
                times,
            } => {
                write!(
                    f,
                    "the next {times} {method} of {}: {trouble:?}",
                    who.name()
                )
            }
            Event::Killed {
                who,
                after,
                takes_effect,
                back,
            } => {
                let effect = if *takes_effect { "takes" } else { "takes no" };
                let (who, back) = (who.name(), seconds(*back));
                write!(
                    f,
                    "{who} is killed after {after} more calls, the next {effect} effect; back after {back}"
                )
            }
            Event::Stopped { who, back } => {
                write!(
                    f,
                    "{} is asked to end; back after {}",
                    who.name(),
                    seconds(*back)
                )
            }
            Event::Partitioned { who, lasts } => {
                write!(f, "{} is cut off for {}", who.name(), seconds(*lasts))
            }
            Event::Lag { who, kind, lag } => {
                let kind = kind.map_or("all kinds".into(), |kind| format!("{kind:?}"));
                write!(
                    f,
                    "{}'s watches of {kind} lag by {}",
                    who.name(),
                    seconds(*lag)
                )
            }
            Event::Silent { who, kind, lasts } => {
                let lasts = seconds(*lasts);
                write!(
                    f,
                    "{}'s watches of {kind:?} are silent for {lasts}",
                    who.name()
                )
            }
            Event::Cut { kind, expired } => {
                let how = if *expired { " with 410" } else { "" };
                write!(f, "watches of {kind:?} end{how}")
            }
            Event::NodeAdded { pool } => write!(f, "a node of pool {pool} is added"),
            Event::NodeRemoved { node, back } => {
                write!(f, "node n{node} is removed; back after {}", seconds(*back))
            }
            Event::Pool { node, pool } => write!(f, "node n{node} is of pool {pool}"),
            Event::Tainted {
                node,
                effect,
                lasts,
            } => {
                write!(
                    f,
                    "node n{node} is tainted {effect} for {}",
                    seconds(*lasts)
                )
            }
            Event::NotReady { node, lasts } => {
                write!(f, "node n{node} is not ready for {}", seconds(*lasts))
            }
            Event::Script {
                node,
                what,
                after,
                lasts,
            } => {
                write!(
                    f,
                    "pods of n{node}: {what} {after}, for {}",
                    seconds(*lasts)
                )
            }
            Event::Pod { set, node, end } => write!(f, "pod of set {set} on n{node}: {end:?}"),
            Event::Template { set, version, flaw } => {
                let flaw = flaw.map_or(String::new(), |(what, after)| format!(", {what} {after}"));
                write!(f, "set {set}: template {version}{flaw}")
            }
            Event::Spec { set, patch } => write!(f, "set {set}: {patch}"),
            Event::Key {
                set,
                key,
                value: None,
            } => write!(f, "set {set}: key {key} removed"),
            Event::Key {
                set,
                key,
                value: Some(value),
            } => {
                let value = if value.is_empty() {
                    "<newest hash>"
                } else {
                    value
                };
                write!(f, "set {set}: key {key}={value}")
            }
            Event::StateRemoved { set, nth } => {
                write!(
                    f,
                    "set {set}: state annotation {nth} of its revisions removed"
                )
            }
            Event::SetDeleted { set, cascade, back } => {
                write!(
                    f,
                    "set {set} is deleted ({cascade}); back after {}",
                    seconds(*back)
                )
            }
            Event::Disruption { allowed, lasts } => {
                write!(
                    f,
                    "a disruption budget allows {allowed}, for {}",
                    seconds(*lasts)
                )
            }
            Event::Admission { method, how, lasts } => {
                write!(
                    f,
                    "admission of {method} pods: {how:?}, for {}",
                    seconds(*lasts)
                )
            }
            Event::PartGone { part, lasts } => {
                write!(f, "no {} for {}", part.name(), seconds(*lasts))
            }
            Event::Planted { node } => write!(f, "planted: a second pod on n{node}"),
        }
    }
}
