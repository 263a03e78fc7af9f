//! Which nodes fail with a revision, as `on-failure` asks.
//!
//! It follows from their pods, so whoever plans for the same state finds the same. Restarts only
//! grow, so what failed by them goes on failing until somebody approves: then the counts of that
//! moment are recorded, and only what comes on top of them counts. A node that fails otherwise does
//! so for as long as its pod does.
//!
//! What a node does to a pod is no failure of the revision: nodes that are exempt, and pods that
//! ended by a shutdown, by pressure or by preemption. A node that is not ready since after it got
//! the revision is one: a new agent may have taken it down.

use std::time::Duration;

use crate::model::{
    Approved, Node, OnFailure, Pod, PodDetail, PodPhase, Snapshot, Str, Time, Verdicts,
};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

use super::{
    exempt::Exempt,
    failing::Failing,
    failure::{CRASH_LOOP, Failure, RESTARTS},
};

/// For so long a container may wait for its image or its configuration.
const PATIENCE: Duration = Duration::from_secs(60);

/// Within this time of its Node a kubelet says for the first time how its node stands.
const REGISTERS: Duration = Duration::from_secs(10);

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
        let mut failing = Failing::default();
        failing.is_judged = true;
        failing.action = on_failure.action;
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
        // A creation has whole seconds. In doubt the pod is of what came in that second: one that
        // crashes goes at once, and its successor is made then.
        is_of
            && self
                .since
                .is_none_or(|since| pod.created >= since.whole_seconds())
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
