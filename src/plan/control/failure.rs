//! Why a node fails, and why a rollout pauses for it: each as a value and as a phrase.

use std::time::Duration;

use crate::model::Str;

/// So many restarts are no failure.
pub const RESTARTS: u32 = 2;

/// What the kubelet says of a container that it restarts again and again.
pub const CRASH_LOOP: &str = "CrashLoopBackOff";

/// Why a node fails: of several reasons the first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failure {
    /// This container has been restarted more than twice.
    Restarted(Str),
    /// This container crashes, and waits for its next start.
    CrashLoop(Str),
    /// This container cannot be started: the reason, and its name.
    CannotStart(&'static str, Str),
    /// Its pod failed, and not because of the node.
    PodFailed,
    /// It is not ready since after it got the revision.
    NodeNotReady,
    /// Its pod is not available, and the deadline is over.
    Late,
}

impl Failure {
    /// The reason in one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Failure::Restarted(_) => "Restarted",
            Failure::CrashLoop(_) => CRASH_LOOP,
            Failure::CannotStart(reason, _) => reason,
            Failure::PodFailed => "PodFailed",
            Failure::NodeNotReady => "NodeNotReady",
            Failure::Late => "DeadlineExceeded",
        }
    }

    /// What is the matter, as a phrase. It says no number that changes while it fails.
    pub fn describe(&self) -> String {
        match self {
            Failure::Restarted(container) => {
                format!("container {container} has been restarted more than {RESTARTS} times")
            }
            Failure::CrashLoop(container) => format!("container {container} is in {CRASH_LOOP}"),
            Failure::CannotStart(reason, container) => {
                format!("container {container} cannot be started: {reason}")
            }
            Failure::PodFailed => "its pod failed".to_owned(),
            Failure::Late => "its pod is not available, and the deadline is over".to_owned(),
            Failure::NodeNotReady => {
                "the node is not ready, and has not been since it got the new revision".to_owned()
            }
        }
    }
}

/// A node that fails.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeFailure {
    /// Its name.
    pub node: Str,
    /// Why.
    pub failure: Failure,
    /// Whether it does so with the stable revision, to which it went back.
    pub is_back: bool,
}

impl NodeFailure {
    /// What is the matter, as a phrase.
    pub fn describe(&self) -> String {
        let why = self.failure.describe();
        match self.is_back {
            true => format!("with the stable revision, {why}"),
            false => why,
        }
    }
}

/// More nodes fail than are tolerated, and the rollout is paused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AutoPause {
    /// The stage that was rolled out, where there are stages.
    pub stage: Option<Str>,
    /// The first node that failed, by name, where it was one.
    pub node: Option<Str>,
    /// Why it did, as a phrase.
    pub why: Str,
    /// So many may fail.
    pub tolerated: usize,
    /// It was to be rolled back, and there is nothing to go back to.
    pub is_first: bool,
}

impl AutoPause {
    /// What is not done, and why.
    pub fn message(&self) -> String {
        let stage = self.stage.as_ref();
        let stage = stage.map_or_else(String::new, |stage| format!(" in stage {stage}"));
        let no_way = if self.is_first {
            "; there is no stable revision to go back to"
        } else {
            ""
        };
        let why = self.why_with(&stage);
        format!("no pod is replaced by one of another revision: {why}{no_way}")
    }

    /// The same where nodes were on their way back.
    pub fn message_back(&self) -> String {
        let why = self.why_with(" with the stable revision");
        format!("no further pod goes back: {why}")
    }

    fn why_with(&self, what: &str) -> String {
        let few = match self.tolerated {
            0 => "a node failed".to_owned(),
            few => format!("more than {few} nodes failed"),
        };
        let node = self.node.as_ref();
        let node = node.map_or_else(String::new, |node| format!(", first {node}"));
        format!("{few}{what}{node}: {}", self.why)
    }
}

/// No further node got an available pod for too long, and the rollout is paused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PastDeadline {
    /// The stage that is rolled out, where there are stages.
    pub stage: Option<Str>,
    /// The first node, by name, whose pod of the revision is not available.
    pub node: Option<Str>,
    /// The deadline.
    pub deadline: Duration,
}

impl PastDeadline {
    /// What is not done, and why.
    pub fn message(&self) -> String {
        format!(
            "no pod is replaced by one of another revision: {}",
            self.why()
        )
    }

    /// The reason alone.
    pub fn why(&self) -> String {
        let deadline = self.deadline.as_secs();
        let stage = self.stage.as_ref();
        let stage = stage.map_or_else(String::new, |stage| format!(" of stage {stage}"));
        let node = self.node.as_ref();
        let node = node.map_or_else(String::new, |node| format!("; that of {node} is not"));
        format!("for {deadline} s no further node{stage} got an available pod of it{node}")
    }
}
