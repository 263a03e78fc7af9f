//! `on-failure`: nodes that fail with the current revision.
//!
//! Which nodes fail follows from their pods, so whoever plans for the same state finds the same.
//! Restarts only grow, so what failed by them goes on failing until somebody approves: then the
//! counts of that moment are recorded, and only what comes on top of them counts. A node that
//! fails otherwise does so for as long as its pod does.
//!
//! What a node does to a pod is no failure of the revision: nodes that are exempt, and pods that
//! ended by a shutdown, by pressure or by preemption. A node that is not ready since after it got
//! the revision is one: a new agent may have taken it down.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{
    Approved, Clock, Failed, FailureAction, Node, NodeId, OnFailure, Pod, PodDetail, PodPhase,
    Snapshot, Str, Time, Verdicts,
};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

use super::exempt::Exempt;

/// So many restarts are no failure.
const RESTARTS: u32 = 2;

/// For so long a container may wait for its image or its configuration.
const PATIENCE: Duration = Duration::from_secs(60);

/// Within this time of its Node a kubelet says for the first time how its node stands.
const REGISTERS: Duration = Duration::from_secs(10);

/// What the kubelet says of a container that it restarts again and again.
const CRASH_LOOP: &str = "CrashLoopBackOff";

/// So many bytes of node names are recorded with an approval: an object's annotations have 256 KiB.
const RECORDED: usize = 64 * 1024;

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

/// More nodes fail than are tolerated, and the rollout is paused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AutoPause {
    /// The stage that was rolled out, where there are stages.
    pub stage: Option<Str>,
    /// The first node that fails, by name.
    pub node: Str,
    /// Why it does.
    pub failure: Failure,
    /// So many may fail.
    pub tolerated: usize,
    /// It was to be rolled back, and there is nothing to go back to.
    pub is_first: bool,
}

impl AutoPause {
    /// What is not done, and why.
    pub fn message(&self) -> String {
        let AutoPause {
            stage,
            node,
            failure,
            tolerated,
            is_first,
        } = self;
        let stage = stage.as_ref();
        let stage = stage.map_or_else(String::new, |stage| format!(" in stage {stage}"));
        let few = match tolerated {
            0 => "a node fails".to_owned(),
            few => format!("more than {few} nodes fail"),
        };
        let what = failure.describe();
        let no_way = if *is_first {
            "; there is no stable revision to go back to"
        } else {
            ""
        };
        format!(
            "no pod is replaced by one of another revision: {few}{stage}, first {node}: {what}{no_way}"
        )
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

    fn why(&self) -> String {
        let deadline = self.deadline.as_secs();
        let stage = self.stage.as_ref();
        let stage = stage.map_or_else(String::new, |stage| format!(" of stage {stage}"));
        let node = self.node.as_ref();
        let node = node.map_or_else(String::new, |node| format!("; that of {node} is not"));
        format!("for {deadline} s no further node{stage} got an available pod of it{node}")
    }
}

/// The nodes that fail.
#[derive(Default, Debug)]
pub struct Failing {
    /// Whether anything was judged: something asks for it, and the current revision is being rolled
    /// out.
    pub is_judged: bool,
    /// When a node begins to fail although nothing changes.
    pub wake_at: Option<Time>,
    /// What is to be recorded of the time of `deadline`.
    pub set_clock: Option<Clock>,
    /// The current revision failed before, and that stands.
    pub verdict: Option<Failed>,
    /// Why going back pauses.
    pub back: Option<AutoPause>,
    /// There is nothing to go back to.
    is_first: bool,
    /// The deadline is over.
    past: Option<PastDeadline>,
    action: FailureAction,
    tolerated: usize,
    /// Those that fail: why, and when the pod was created that fails.
    nodes: BTreeMap<NodeId, (Failure, Time)>,
    /// The first one, by name.
    first: Option<(Str, Failure)>,
    /// How often containers were restarted, of nodes that fail or where one was restarted at all.
    restarts: BTreeMap<Str, u32>,
}

impl Failing {
    /// Whether the rollout pauses, for whatever reason.
    pub fn pauses(&self) -> bool {
        self.verdict.is_some() || self.past().is_some() || self.pause().is_some()
    }

    /// That the deadline is over, and the rollout pauses; None where it does not for that.
    pub fn past(&self) -> Option<PastDeadline> {
        let pauses = self.action != FailureAction::Continue;
        self.past.clone().filter(|_| pauses)
    }

    /// Says whether there is anything to go back to.
    pub fn with_stable(mut self, is_there: bool) -> Failing {
        self.is_first = !is_there && self.action == FailureAction::Rollback;
        self
    }

    /// Takes in that the deadline is over. These nodes have a pod that is not available, which was
    /// created then: they fail. Where they may, the stage goes on without them; else, or where
    /// there is no stage that could, the rollout pauses.
    pub fn exceed(&mut self, past: PastDeadline, late: Vec<(NodeId, Time)>) {
        let is_none = late.is_empty();
        for (id, created) in late {
            let late = (Failure::Late, created);
            self.nodes.entry(id).or_insert(late);
        }
        let may = !is_none && past.stage.is_some() && !self.is_too_many();
        self.past = Some(past).filter(|_| !may);
    }

    /// Why the rollout pauses; None where it does not for nodes that fail.
    pub fn pause(&self) -> Option<AutoPause> {
        if !self.is_too_many() || self.action == FailureAction::Continue {
            return None;
        }
        let (node, failure) = self.first.clone()?;
        Some(AutoPause {
            stage: None,
            node,
            failure,
            tolerated: self.tolerated,
            is_first: self.is_first,
        })
    }

    /// The verdict that is to be recorded, where that is what the DaemonSet asks for.
    pub fn sentence(&self, now: Time) -> Option<Failed> {
        if self.action != FailureAction::Rollback || self.is_first || self.verdict.is_some() {
            return None;
        }
        let (node, why) = match (self.past(), self.pause()) {
            (Some(past), _) => (past.node.clone(), past.why()),
            (None, Some(pause)) => (Some(pause.node), pause.failure.describe()),
            (None, None) => return None,
        };
        let why = why.into();
        Some(Failed { at: now, node, why })
    }

    /// The nodes that fail.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// A time for a node that fails, and that no stage waits for: its pod was created then. None
    /// for a node that does not fail, or while the rollout pauses.
    pub fn excused(&self, node: NodeId) -> Option<Time> {
        let (_, created) = self.nodes.get(&node)?;
        (!self.pauses()).then_some(*created)
    }

    /// What is recorded with an approval: the highest counts first, as far as there is room.
    pub fn restarts(&self) -> BTreeMap<Str, u32> {
        let mut all: Vec<(&Str, &u32)> = self.restarts.iter().collect();
        all.sort_by_key(|(node, count)| (std::cmp::Reverse(**count), *node));
        let mut room = RECORDED;
        let fits = all.into_iter().take_while(|(node, _)| {
            let fits = node.len() <= room;
            room = room.saturating_sub(node.len());
            fits
        });
        fits.map(|(node, count)| (node.clone(), *count)).collect()
    }

    fn is_too_many(&self) -> bool {
        self.nodes.len() > self.tolerated
    }
}

/// What failures are judged by.
pub struct Judge<'j, 'a> {
    snapshot: &'j Snapshot<'a>,
    history: &'j History,
    /// The hash of the revision that is judged, which nodes its pods belong on, and since when they
    /// count.
    hash: &'j Str,
    verdicts: &'j Verdicts,
    since: Option<Time>,
    generation: Option<String>,
    approved: Option<&'j Approved>,
    now: Time,
}

impl<'j, 'a> Judge<'j, 'a> {
    /// `approved` is the approval that is recorded on the current revision.
    pub fn new(
        snapshot: &'j Snapshot<'a>,
        history: &'j History,
        approved: Option<&'j Approved>,
        now: Time,
    ) -> Self {
        let generation = snapshot.daemon_set.template_generation;
        Judge {
            snapshot,
            history,
            hash: &history.current.hash,
            verdicts: snapshot.verdicts,
            since: None,
            generation: generation.map(|g| g.to_string()),
            approved,
            now,
        }
    }

    /// The same for pods of an older revision, on its own nodes.
    pub fn of_older(
        self,
        hash: &'j Str,
        verdicts: &'j Verdicts,
        approved: Option<&'j Approved>,
    ) -> Self {
        Judge {
            hash,
            verdicts,
            generation: None,
            approved,
            ..self
        }
    }

    /// The same for pods that were created since.
    pub fn since(self, since: Time) -> Self {
        Judge {
            since: Some(since),
            ..self
        }
    }

    /// The nodes that fail, but for those that are exempt.
    pub fn find(&self, on_failure: OnFailure, by_node: &ByNode<'_>, exempt: &Exempt) -> Failing {
        let mut failing = Failing {
            is_judged: true,
            action: on_failure.action,
            ..Failing::default()
        };
        let mut desired = 0;
        for (id, node) in self.snapshot.nodes.iter() {
            let verdict = self.verdicts.get(id);
            desired += usize::from(verdict.should_run());
            if !verdict.should_continue_running() || exempt.is(id) {
                continue;
            }
            let here = by_node.on(id).iter().copied();
            let mut pods = here.filter(|pod| self.is_of_target(pod)).peekable();
            let Some(created) = pods.peek().map(|pod| pod.created) else {
                continue;
            };
            let mut restarts = 0;
            let mut failure = None;
            let mut got = created;
            for pod in pods {
                got = got.min(pod.created);
                restarts = restarts.max(restarts_of(pod));
                let of_pod = self.of_pod(node, pod, &mut failing.wake_at);
                failure = failure.or(of_pod.map(|failure| (failure, pod.created)));
            }
            let of_node = || {
                self.of_node(node, got)
                    .then_some((Failure::NodeNotReady, got))
            };
            let failure = failure.or_else(of_node);
            if failure.is_some() || restarts > 0 {
                failing.restarts.insert(node.name.clone(), restarts);
            }
            let Some((why, created)) = failure else {
                continue;
            };
            let is_first = failing.first.as_ref().is_none_or(|(f, _)| node.name < *f);
            if is_first {
                failing.first = Some((node.name.clone(), why.clone()));
            }
            failing.nodes.insert(id, (why, created));
        }
        failing.tolerated = on_failure.tolerated.of(desired);
        failing
    }

    fn is_of_target(&self, pod: &Pod) -> bool {
        let label = pod.labels.get("pod-template-generation");
        let is_of = revisions::hash_of(pod, self.history) == Some(self.hash)
            || label.is_some() && label == self.generation.as_deref();
        is_of && self.since.is_none_or(|since| pod.created >= since)
    }

    /// Why the pod makes its node fail.
    fn of_pod(&self, node: &Node, pod: &Pod, wake_at: &mut Option<Time>) -> Option<Failure> {
        let approved = self.approved.filter(|a| pod.created <= a.at);
        // What was there when somebody approved is forgiven.
        let known = approved.and_then(|a| a.restarts.get(&node.name)).copied();
        let ended = pod.detail.as_deref().and_then(ended);
        let is_later = |began: Option<Time>| match (known, approved) {
            (Some(_), Some(approved)) => began.is_some_and(|began| began > approved.at),
            _ => true,
        };
        if let Some(detail) = pod.detail.as_deref().filter(|_| !pod.terminating) {
            let allowed = known.unwrap_or(0).saturating_add(RESTARTS);
            if let Some(restarts) = detail.restarts.as_ref().filter(|r| r.count > allowed) {
                return Some(Failure::Restarted(restarts.container.clone()));
            }
            let mut waiting = detail.waiting.iter();
            let crashes = waiting.find(|w| &*w.reason == CRASH_LOOP);
            if let Some(container) = crashes.filter(|_| known.is_none()) {
                return Some(Failure::CrashLoop(container.container.clone()));
            }
            let mut waiting = detail.waiting.iter();
            let cannot = waiting.find_map(|w| Some((cannot_start(&w.reason)?, &w.container)));
            // There is no time of it: it is no older than the pod, the end of its last run, or the
            // time when the kubelet took the pod, or found that it was no longer ready.
            let unready = detail.unready.and_then(|ready| ready.since);
            let has_come = |at: &Time| *at <= self.now;
            let began = Some(pod.created).max(ended.filter(has_come));
            let began = began.max(unready.filter(has_come));
            if let Some((reason, container)) = cannot.filter(|_| is_later(began)) {
                let since = began.max(approved.map(|a| a.at))?;
                if since + PATIENCE <= self.now {
                    return Some(Failure::CannotStart(reason, container.clone()));
                }
                *wake_at = Time::earliest(*wake_at, Some(since + PATIENCE));
            }
        }
        let reason = pod.detail.as_deref().and_then(|d| d.reason.as_deref());
        let is_failed = pod.phase == PodPhase::Failed && !reason.is_some_and(is_of_the_node);
        (is_failed && is_later(ended)).then_some(Failure::PodFailed)
    }

    /// Whether the node, which got the revision at this time, is not ready since then.
    fn of_node(&self, node: &Node, got: Time) -> bool {
        let Some(unready) = node.health().unready else {
            return false;
        };
        // One that joined and was never ready since is no matter of the pods that it got.
        let is_joining = |since| node.created.is_some_and(|at| since <= at + REGISTERS);
        if unready.since.is_some_and(is_joining) {
            return false;
        }
        let approved = self.approved.map(|a| (a.at, a.restarts.get(&node.name)));
        match (unready.since, approved) {
            (Some(since), Some((at, _))) => since >= got && since > at,
            (Some(since), None) => since >= got,
            // In doubt it is the revision, until somebody approves.
            (None, approved) => approved.is_none_or(|(_, known)| known.is_none()),
        }
    }
}

fn restarts_of(pod: &Pod) -> u32 {
    let detail = pod.detail.as_deref().filter(|_| !pod.terminating);
    let restarts = detail.and_then(|detail| detail.restarts.as_ref());
    restarts.map_or(0, |restarts| restarts.count)
}

/// When the last run of a container ended.
fn ended(detail: &PodDetail) -> Option<Time> {
    detail.last_termination.as_ref()?.finished
}

/// That a container which waits for this reason cannot be started. The kubelet changes between both
/// words for an image that it cannot pull.
fn cannot_start(reason: &str) -> Option<&'static str> {
    match reason {
        "ErrImagePull" | "ImagePullBackOff" => Some("ImagePullBackOff"),
        "InvalidImageName" => Some("InvalidImageName"),
        "CreateContainerError" => Some("CreateContainerError"),
        "CreateContainerConfigError" => Some("CreateContainerConfigError"),
        _ => None,
    }
}

/// Whether a pod that failed for this reason did so because of its node: it shut down, had too
/// little of something, or made room for another pod.
fn is_of_the_node(reason: &str) -> bool {
    let reasons = [
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "Evicted",
        "Preempting",
        "Preempted",
        "NodeLost",
    ];
    reasons.contains(&reason) || reason.starts_with("OutOf")
}
