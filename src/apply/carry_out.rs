//! Carries one plan out, in its order: revisions, claims, then creates and deletes together, then old
//! history. What each answer says goes to whoever keeps what is known, at once.
//!
//! Nothing is decided here but when to stop: a failed claim stops everything after it, a failed create
//! stops the creates, a plan that has become old is made anew.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    model::{DaemonSet, DaemonSetStatus, Key, Kind, Settings},
    plan::{Event, EventType, Plan},
    wire::{body, raw},
};

use super::{
    client::{Api, PatchType, paths},
    events::{self, EventKind, EventSink, ObjectRef},
    observer::Observer,
    outcome::{Failure, Outcome, StatusWrite, Stop},
};

/// A plan older than this begins nothing new: what it was made from may be generations behind.
pub const MAX_PLAN_AGE: Duration = Duration::from_secs(15);

/// What carries plans out; cheap to clone.
#[derive(Clone)]
pub struct CarryOut {
    pub(super) api: Api,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) events: EventSink,
    /// What the operator chose.
    pub settings: Settings,
    /// At most so many creates, and so many deletes, a plan.
    pub burst: usize,
    /// At most so many calls of one plan under way.
    pub max_in_flight: usize,
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
    /// What carries plans out with this API, telling answers to `observer`.
    pub fn new(
        api: Api,
        observer: Arc<dyn Observer>,
        events: EventSink,
        settings: Settings,
        burst: usize,
        max_in_flight: usize,
    ) -> Self {
        CarryOut {
            api,
            observer,
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
        if let Err(stop) = self.steps(&job, &mut outcome).await {
            outcome.stop(stop);
        }
        outcome
    }

    /// Revisions, claims, creates and deletes, old history. `outcome` learns what does not stop them.
    async fn steps(&self, job: &Job<'_>, outcome: &mut Outcome) -> Result<(), Stop> {
        self.may_adopt(job).await?;
        self.revisions(job, outcome).await?;
        outcome.revision_known = true;
        self.claims(job).await?;
        self.pods(job, outcome).await;
        if outcome.failures.is_empty() {
            self.delete_old_revisions(job, outcome).await?;
        }
        Ok(())
    }

    /// Writes the status of just the DaemonSet that was seen.
    pub async fn status(
        &self,
        key: &Key,
        ds: &DaemonSet,
        status: &DaemonSetStatus,
    ) -> Result<StatusWrite, Failure> {
        let path = paths::daemon_set_status(key);
        let body = body::status(ds, status);
        match self.api.patch(&path, PatchType::Merge, body).await {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                Ok(StatusWrite::Written)
            }
            Err(e) if e.is_not_found() => {
                self.observer.gone(Kind::DaemonSet, key, &ds.uid);
                Ok(StatusWrite::DaemonSetGone)
            }
            Err(error) => Err(Failure::new(
                format!("write the status of daemonset {key}"),
                error,
            )),
        }
    }

    /// Reads the DaemonSet from the API server before anything is adopted. One that is gone or
    /// terminating, or that another one of its name has replaced, adopts nothing
    /// (kubernetes/kubernetes#42639).
    async fn may_adopt(&self, job: &Job<'_>) -> Result<(), Stop> {
        if job.plan.claims.adopt.is_empty() && job.plan.revision_ops.adopt.is_empty() {
            return Ok(());
        }
        match self.api.get(&paths::daemon_set(job.key)).await {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                let fresh = serde_json::from_slice::<&RawValue>(&answer).ok();
                let metadata = |field| fresh.and_then(|raw| raw::find(raw, &["metadata", field]));
                let uid =
                    metadata("uid").and_then(|u| serde_json::from_str::<String>(u.get()).ok());
                let terminating = metadata("deletionTimestamp").is_some_and(|t| !raw::is_null(t));
                if uid.is_some_and(|u| u == job.ds.uid.as_str()) && !terminating {
                    return Ok(());
                }
                tracing::info!(daemonset = %job.key, "adopts nothing: it is being deleted or another one by now");
                Err(Stop::Changed)
            }
            Err(e) if e.is_not_found() => {
                self.observer.gone(Kind::DaemonSet, job.key, &job.ds.uid);
                Err(Stop::DaemonSetGone)
            }
            Err(error) => Err(Stop::failed(
                format!("read daemonset {} before it adopts", job.key),
                error,
            )),
        }
    }

    /// An answer that holds an object.
    pub(super) fn observe(&self, kind: Kind, answer: &[u8]) {
        match serde_json::from_slice::<&RawValue>(answer) {
            Ok(raw) => self.observer.observe(kind, raw),
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
