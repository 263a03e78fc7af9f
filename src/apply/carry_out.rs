//! Carries out one plan, in the plan's order: revisions, claims, creates together with deletes, old
//! history. Each answer goes to the [`Observer`] at once.
//!
//! This room decides nothing but when to stop: a failed claim stops everything after it, a failed
//! create stops the creates, and a plan that has become old is made anew.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    model::{Conditions, DaemonSet, DaemonSetStatus, Key, Kind, Settings, Str},
    plan::{Event, EventType, Plan},
    wire::{body, raw},
};

use super::{
    client::{Api, PatchType, paths},
    event_correlator::tells_of_rollout,
    events::{EventSink, EventText, ObjectRef},
    observer::Observer,
    outcome::{Failure, Outcome, StatusWrite, Stop},
};

/// No call of a plan begins when the plan is older than this: the state that it was made from may
/// be far behind.
pub const MAX_PLAN_AGE: Duration = Duration::from_secs(15);

/// Carries out plans; cheap to clone.
#[derive(Clone)]
pub struct CarryOut {
    pub(super) api: Api,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) events: EventSink,
    /// Placement of pods and feature gates, as the operator chose them.
    pub settings: Settings,
    /// At most this many creates, and this many deletes, for each plan.
    pub burst: usize,
    /// At most this many calls of one plan in flight.
    pub max_in_flight: usize,
}

/// A plan that is being carried out.
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
    pub fn sibling(&self, name: &Str) -> Key {
        Key {
            namespace: self.key.namespace.clone(),
            name: name.clone(),
        }
    }
}

impl CarryOut {
    /// `observer` is told each answer. `burst` and `max_in_flight` are at least 1.
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

    /// Carries out the plan, except for the status. `begun` is the time when its snapshot was
    /// taken.
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
        let own = |e: &&Event| e.node.is_none() && !plan.goes_with_conditions(e);
        for event in plan.events.iter().filter(own) {
            self.publish(ds, event);
            // The begin and the end of a stage come once each; a warning comes with every plan.
            if event.kind == EventType::Normal && tells_of_rollout(event.reason) {
                tracing::info!(daemonset = %key, "{}: {}", event.reason, event.message);
            }
        }
        if plan.left_alone.is_some() {
            return outcome;
        }
        if let Err(stop) = self.steps(&job, &mut outcome).await {
            outcome.stop(stop);
        }
        outcome
    }

    /// All steps in their order. `outcome` receives what does not stop them.
    async fn steps(&self, job: &Job<'_>, outcome: &mut Outcome) -> Result<(), Stop> {
        self.may_adopt(job).await?;
        // A pod has to be ours before it gets the hash of the revision that stays.
        let relabels = !job.plan.relabels.is_empty();
        if relabels {
            self.claims(job).await?;
        }
        if let Err(stop) = self.revisions(job, outcome).await {
            self.tell_of_revisions(job, &stop, outcome);
            return Err(stop);
        }
        outcome.revision_known = true;
        if !relabels {
            self.claims(job).await?;
        }
        self.pods(job, outcome).await;
        self.gates(job, outcome).await;
        self.resizes(job, outcome).await;
        if outcome.failures.is_empty() {
            self.delete_old_revisions(job, outcome).await?;
        }
        Ok(())
    }

    /// Writes the status, and the conditions where they change. A DaemonSet that was recreated
    /// meanwhile is not touched, because the patch names the UID and the version that were seen.
    pub async fn status(
        &self,
        key: &Key,
        ds: &DaemonSet,
        status: &DaemonSetStatus,
        conditions: Option<&Conditions>,
    ) -> Result<StatusWrite, Failure> {
        let path = paths::daemon_set_status(key);
        let body = body::status(ds, status, conditions);
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

    /// Reads the DaemonSet from the API server before anything is adopted. A DaemonSet that is
    /// gone, terminating, or replaced by another one of its name adopts nothing
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
                tracing::info!(daemonset = %job.key, "adopts nothing: the DaemonSet is terminating, or another one has its name");
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

    /// Hands on an answer that holds an object.
    pub(super) fn observe(&self, kind: Kind, answer: &[u8]) {
        match serde_json::from_slice::<&RawValue>(answer) {
            Ok(raw) => self.observer.observe(kind, raw),
            Err(e) => tracing::warn!(
                kind = kind.as_str(),
                "the API server's answer is not JSON: {e}"
            ),
        }
    }

    /// Writes an event of a plan.
    pub fn publish(&self, ds: &DaemonSet, event: &Event) {
        self.say(ds, event.kind, event.reason, event.message.clone());
    }

    /// Writes a Warning event about a DaemonSet.
    pub fn warn(&self, ds: &DaemonSet, reason: &'static str, message: String) {
        self.say(ds, EventType::Warning, reason, message);
    }

    pub(super) fn say(
        &self,
        ds: &DaemonSet,
        kind: EventType,
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
            EventText {
                kind,
                reason,
                message,
            },
        );
    }
}
