//! Carries one plan out, in its order: revisions, claims, then creates and deletes together, then old
//! history. What each answer says goes to whoever keeps what is known, at once.
//!
//! Nothing is decided here but when to stop: a failed claim stops everything after it, a failed create
//! stops the creates, a plan that has become old is made anew.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    model::{BackoffChange, DaemonSet, DaemonSetStatus, Key, Kind, Settings, Uid},
    plan::{Event, EventType, Plan},
    wire::{body, raw},
};

use super::{
    action::Action,
    client::{Api, ApiError, PatchType, paths},
    events::{self, EventKind, EventSink, ObjectRef},
};

/// A plan older than this begins nothing new: what it was made from may be generations behind.
pub const MAX_PLAN_AGE: Duration = Duration::from_secs(15);

/// Where answers go. Called from many calls of one plan; must not block.
pub trait Known: Send + Sync {
    /// A state of an object.
    fn observe(&self, kind: Kind, raw: &RawValue);
    /// A pod that holds a name we wanted, whoever owns it.
    fn holder(&self, raw: &RawValue);
    /// The object is gone.
    fn gone(&self, kind: Kind, key: &Key, uid: &Uid);
    /// Whether there is a pod of the DaemonSet on this node that is not among `seen`.
    fn has_other_pod(&self, daemon_set: &Key, node: &str, seen: &[Uid]) -> bool;
    /// Whether the process was halted since then, so that what is known may be far behind, or may not work now.
    fn interrupted_since(&self, then: Instant) -> bool;
    /// A delete is about to be sent. False when the pod is not there any more.
    fn delete_pending(&self, key: &Key, uid: &Uid) -> bool;
    /// The delete is known not to have happened. Brings no other plan: this one's outcome says when there is one.
    fn delete_settled(&self, key: &Key, uid: &Uid);
    /// A backoff's attempt is made.
    fn attempt(&self, change: &BackoffChange);
    /// The API server did this.
    fn acted(&self, action: Action);
}

/// What carries plans out; cheap to clone.
#[derive(Clone)]
pub struct CarryOut {
    pub(super) api: Api,
    pub(super) known: Arc<dyn Known>,
    pub(super) events: EventSink,
    /// What the operator chose.
    pub settings: Settings,
    /// At most so many creates, and so many deletes, a plan.
    pub burst: usize,
    /// At most so many calls of one plan under way.
    pub max_in_flight: usize,
}

/// One step that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {what}: {error}")]
pub struct Failure {
    /// What was tried, on which object.
    pub what: String,
    /// Why it did not succeed.
    pub error: ApiError,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What did not succeed; empty when all did.
    pub failures: Vec<Failure>,
    /// Something was not as the plan supposed, or there is more to do: plan again.
    pub again: bool,
    /// The current revision exists, so the generation may count as observed.
    pub revision_known: bool,
    /// Pods could not be created, for a reason that is not their name: what is left of a rolling update rests.
    pub creates_refused: bool,
}

impl Outcome {
    /// The longest wait that the API server asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        self.failures
            .iter()
            .filter_map(|f| f.error.retry_after())
            .max()
    }

    pub(super) fn fail(&mut self, what: impl Into<String>, error: ApiError) {
        self.failures.push(Failure {
            what: what.into(),
            error,
        });
    }
}

/// A plan on its way.
pub(super) struct Job<'p> {
    pub ds: &'p DaemonSet,
    pub key: &'p Key,
    pub plan: &'p Plan,
    pub begun: Instant,
}

impl Job<'_> {
    pub fn is_old(&self) -> bool {
        self.begun.elapsed() > MAX_PLAN_AGE
    }

    /// The key of another object in the DaemonSet's namespace.
    pub fn sibling(&self, name: &crate::model::Str) -> Key {
        Key {
            namespace: self.key.namespace.clone(),
            name: name.clone(),
        }
    }
}

impl CarryOut {
    /// What carries plans out with this API, telling answers to `known`.
    pub fn new(
        api: Api,
        known: Arc<dyn Known>,
        events: EventSink,
        settings: Settings,
        burst: usize,
        max_in_flight: usize,
    ) -> Self {
        CarryOut {
            api,
            known,
            events,
            settings,
            burst: burst.max(1),
            max_in_flight: max_in_flight.max(1),
        }
    }

    /// Carries the plan out, but for the status. `begun` is when its snapshot was taken.
    pub async fn run(&self, key: &Key, ds: &DaemonSet, plan: &Plan, begun: Instant) -> Outcome {
        let timely = CarryOut {
            api: self.api.before(begun + MAX_PLAN_AGE),
            ..self.clone()
        };
        let mut outcome = timely.run_timely(key, ds, plan, begun).await;
        outcome.again |= begun.elapsed() > MAX_PLAN_AGE;
        outcome
    }

    async fn run_timely(&self, key: &Key, ds: &DaemonSet, plan: &Plan, begun: Instant) -> Outcome {
        let mut outcome = Outcome::default();
        let job = Job {
            ds,
            key,
            plan,
            begun,
        };
        for event in plan.events.iter().filter(|e| e.node.is_none()) {
            self.publish(ds, event);
        }
        if plan.left_alone.is_some() {
            return outcome;
        }
        if !self.may_adopt(&job, &mut outcome).await {
            return outcome;
        }
        if !self.revisions(&job, &mut outcome).await {
            return outcome;
        }
        outcome.revision_known = true;
        if !self.claims(&job, &mut outcome).await {
            return outcome;
        }
        self.pods(&job, &mut outcome).await;
        if outcome.failures.is_empty() {
            self.delete_old_revisions(&job, &mut outcome).await;
        }
        outcome
    }

    /// Writes the status, for just the DaemonSet that was seen. True when it was written.
    pub async fn status(
        &self,
        key: &Key,
        ds: &DaemonSet,
        status: &DaemonSetStatus,
    ) -> Result<bool, Failure> {
        let path = paths::daemon_set_status(key);
        match self
            .api
            .patch(&path, PatchType::Merge, body::status(ds, status))
            .await
        {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                Ok(true)
            }
            Err(e) if e.is_not_found() => {
                self.known.gone(Kind::DaemonSet, key, &ds.uid);
                Ok(false)
            }
            Err(error) => Err(Failure {
                what: format!("write the status of daemonset {key}"),
                error,
            }),
        }
    }

    /// Reads the DaemonSet from the API server before anything is adopted: one that is gone, another of its
    /// name, or being deleted adopts nothing (kubernetes/kubernetes#42639).
    async fn may_adopt(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        if job.plan.claims.adopt.is_empty() && job.plan.revision_ops.adopt.is_empty() {
            return true;
        }
        let what = format!("read daemonset {} before it adopts", job.key);
        match self.api.get(&paths::daemon_set(job.key)).await {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                let fresh = serde_json::from_slice::<&RawValue>(&answer).ok();
                let metadata = |field| fresh.and_then(|raw| raw::find(raw, &["metadata", field]));
                let uid =
                    metadata("uid").and_then(|u| serde_json::from_str::<String>(u.get()).ok());
                let deleting = metadata("deletionTimestamp").is_some_and(|t| !raw::is_null(t));
                if uid.is_some_and(|u| u == job.ds.uid.as_str()) && !deleting {
                    return true;
                }
                tracing::info!(daemonset = %job.key, "adopts nothing: it is being deleted or another one by now");
                outcome.again = true;
            }
            Err(e) if e.is_not_found() => self.known.gone(Kind::DaemonSet, job.key, &job.ds.uid),
            Err(error) => outcome.fail(what, error),
        }
        false
    }

    /// An answer that holds an object.
    pub(super) fn observe(&self, kind: Kind, answer: &[u8]) {
        match serde_json::from_slice::<&RawValue>(answer) {
            Ok(raw) => self.known.observe(kind, raw),
            Err(e) => tracing::warn!(
                kind = kind.as_str(),
                "an answer of the API server is no JSON: {e}"
            ),
        }
    }

    pub(super) fn publish(&self, ds: &DaemonSet, event: &Event) {
        let kind = match event.kind {
            EventType::Normal => EventKind::Normal,
            EventType::Warning => EventKind::Warning,
        };
        self.say(ds, kind, event.reason, event.message.clone());
    }

    /// Says of a DaemonSet that something is wrong: an event of this reason.
    pub fn warn(&self, ds: &DaemonSet, reason: &'static str, message: String) {
        self.say(ds, EventKind::Warning, reason, message);
    }

    pub(super) fn say(
        &self,
        ds: &DaemonSet,
        kind: EventKind,
        reason: &'static str,
        message: String,
    ) {
        let object = ObjectRef {
            namespace: ds.namespace.to_string(),
            name: ds.name.to_string(),
            uid: ds.uid.to_string(),
            resource_version: ds.version.to_string(),
        };
        self.events.send(
            object,
            events::Event {
                kind,
                reason: reason.into(),
                message,
            },
        );
    }
}
