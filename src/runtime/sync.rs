//! One sync of one DaemonSet: plan, carry out the plan, plan again for the status, and write the
//! status if it changed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::{
    apply::{
        CarryOut, Failure, Observer,
        client::{Api, ApiError, paths},
    },
    model::{Conditions, DaemonSet, Key, Kind, Settings, Uid},
    plan::{self, Event, LeftAlone, Plan, control::pause, hold::HoldRule, short_lived, unwatched},
    wire,
};

use super::{monitor::Synced, pace, queue::Outcome, shared::Shared, status::Written};

/// How long after an eviction was refused the next plan lets others go, with so many pods refused
/// by now. Other nodes wait, so it is short; but a budget may refuse all of them, and then each try
/// costs a plan over all nodes and is in vain. So the pause grows with what was in vain.
fn after_refusal(refused: usize) -> Duration {
    let refused = u32::try_from(refused).unwrap_or(u32::MAX);
    let pause = Duration::from_millis(5).saturating_mul(refused);
    pause.clamp(Duration::from_millis(200), Duration::from_secs(30))
}

/// A plan and what it was made for.
struct Planned {
    ds: DaemonSet,
    plan: Plan,
    /// How many rows it looked at.
    rows: usize,
}

/// Syncs DaemonSets; shared by all workers.
pub struct Syncer {
    shared: Arc<Shared>,
    carry_out: CarryOut,
    api: Api,
    settings: Settings,
    /// DaemonSet to what was last logged and written for it.
    notes: Mutex<HashMap<Key, Notes>>,
}

#[derive(Default, Clone)]
struct Notes {
    /// The status as it was last written.
    written: Option<Written>,
    /// The kind of the error of the last sync, so that it is logged once.
    error: Option<String>,
    /// Why the DaemonSet is left alone, so that it is logged once.
    left_alone: Option<LeftAlone>,
    /// Reasons of the warnings about short-lived pods that go with the last plan.
    waiting: Vec<&'static str>,
    /// Those of them that were logged since all pods were available.
    logged: Vec<&'static str>,
    /// The DaemonSet of this name that was last planned for, and what held its rollout.
    held: Option<(Uid, Option<HoldRule>)>,
}

impl Syncer {
    /// Syncs the DaemonSets of `shared`. `api` reads single objects.
    pub fn new(shared: Arc<Shared>, carry_out: CarryOut, api: Api, settings: Settings) -> Syncer {
        Syncer {
            shared,
            carry_out,
            api,
            settings,
            notes: Mutex::default(),
        }
    }

    /// Syncs one DaemonSet. Returns what the queue does next with it.
    pub async fn sync(&self, key: &Key) -> Outcome {
        let ticket = self.shared.cache().request_began();
        let result = self.try_sync(key).await;
        self.shared.cache().request_ended(ticket);
        self.shared.monitor.synced(match &result {
            Ok(false) => Synced::Ok,
            Ok(true) => Synced::Again,
            Err(_) => Synced::Failed,
        });
        match result {
            Ok(again) => {
                if let Some(error) = self.note(key, |n| n.error.take()) {
                    tracing::info!(daemonset = %key, "sync succeeded again; the last error was: {error}");
                }
                if again {
                    Outcome::Retry { at_least: None }
                } else {
                    Outcome::Ok
                }
            }
            Err(failures) => {
                let at_least = failures.iter().filter_map(|f| f.error.retry_after()).max();
                self.log_failures(key, &failures);
                Outcome::Retry { at_least }
            }
        }
    }

    /// Returns true when the DaemonSet is to be planned again soon, without an error.
    async fn try_sync(&self, key: &Key) -> Result<bool, Vec<Failure>> {
        if self.shared.cache().daemon_set(key).is_none() {
            self.shared.monitor.gone(key);
            self.notes
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(key);
            return Ok(false);
        }
        self.settle_deletes(key).await;
        self.read_pods(key).await.map_err(|f| vec![f])?;
        let mut begun = Instant::now();
        let mut planned = self.plan(key);
        if let Some(Planned { ds, plan, .. }) = &planned
            && unwatched::waits_for_read(plan)
        {
            if let Err(failure) = self.list_pods(key, ds).await {
                self.log_failures(key, &[failure]);
            }
            begun = Instant::now();
            planned = self.plan(key);
        }
        let Some(planned) = planned else {
            return Ok(false);
        };
        let (ds, plan) = (&planned.ds, &planned.plan);
        self.log_left_alone(key, plan);
        self.tell_of_short_lived_pods(key, ds, plan);
        self.tell_of_pause(key, ds, plan);
        if plan.left_alone.is_none() && plan.is_settled() {
            self.shared.monitor.carried_out(key, false);
            let conflict = self
                .status(key, ds, plan, true)
                .await
                .map_err(|f| vec![f])?;
            return Ok(conflict || self.has_pending_deletes(key));
        }
        self.shared.queue.hear(key);
        let outcome = self.carry_out.run(key, ds, plan, begun).await;
        self.shared.queue.hear(key);
        let refused = outcome.creates_refused;
        self.shared.monitor.carried_out(key, refused);
        if !plan.creates.is_empty() {
            let now = (self.shared.clock)();
            let denied = outcome.denial.map(Into::into);
            self.shared.cache().creates_carried_out(key, denied, now);
        }
        if outcome.evictions_refused {
            let refused = self.shared.cache().evictions_refused(key);
            let at = Instant::now() + after_refusal(refused);
            self.shared.queue.add_at(key.clone(), at);
        }
        let mut failures = outcome.failures;
        let mut again = outcome.again;
        let observed = outcome.revision_known;
        let was_complete = plan.revision_ops.set_completed.is_some();
        let leaves_status = observed && self.leaves_status(key, &planned);
        if (observed || outcome.revisions_refused)
            && !leaves_status
            && let Some(Planned { ds, mut plan, .. }) = self.plan(key)
        {
            // The cache has the answers to what was carried out. A rollout that is complete only
            // now is told of and recorded by the next plan, which sees by the conditions that it
            // was not before.
            if plan.revision_ops.set_completed.is_some() && !was_complete {
                plan.conditions = None;
                again = true;
            }
            match self.status(key, &ds, &plan, observed).await {
                Ok(conflict) => again |= conflict,
                Err(f) => failures.push(f),
            }
        }
        again |= self.has_pending_deletes(key);
        if failures.is_empty() {
            Ok(again)
        } else {
            Err(failures)
        }
    }

    /// Deletes whose outcome could not be read back either. They need another attempt, which
    /// nothing else asks for, because a pod that was not deleted does not change.
    fn has_pending_deletes(&self, key: &Key) -> bool {
        !self.shared.cache().pending_deletes(key).is_empty()
    }

    fn plan(&self, key: &Key) -> Option<Planned> {
        let now = (self.shared.clock)();
        let burst = self.carry_out.burst;
        let planned = self.shared.cache().snapshot(key, self.settings, |s| {
            let plan = plan::for_sync(s, now, burst);
            (s.daemon_set.clone(), plan, s.rows())
        });
        let (ds, plan, rows) = planned?;
        self.shared.monitor.planned(key, &ds, &plan, now);
        self.shared.queue.rest(key, pace::gap(rows));
        Some(Planned { ds, plan, rows })
    }

    /// Whether the next sync writes the status that follows from what this one has done. Where
    /// plans are dear this one makes no second plan for it, as the next sync is due already.
    fn leaves_status(&self, key: &Key, planned: &Planned) -> bool {
        let Planned { ds, plan, rows } = planned;
        let is_acknowledged = ds.status.observed_generation == ds.generation;
        let creates_revision = plan.revision.as_ref().is_none_or(|r| r.create);
        pace::is_dear(*rows)
            && is_acknowledged
            && !creates_revision
            && self.shared.queue.is_due_again(key)
    }

    /// Writes the status and the conditions of this plan, without its generation unless that is
    /// `observed`. Returns true when the DaemonSet was in another state than the cache has.
    async fn status(
        &self,
        key: &Key,
        ds: &DaemonSet,
        plan: &Plan,
        observed: bool,
    ) -> Result<bool, Failure> {
        if let Some(at) = plan.wake_at {
            let now = (self.shared.clock)();
            self.shared
                .queue
                .add_at(key.clone(), Instant::now() + at.since(now));
        }
        let Some(mut status) = plan.status else {
            return Ok(false);
        };
        if !observed {
            status.observed_generation = ds.status.observed_generation;
            status.collision_count = ds.status.collision_count;
        } else if plan.revision.as_ref().is_none_or(|r| r.create) {
            return Ok(false);
        }
        let conditions: Option<&Conditions> = plan.conditions.as_ref();
        if status == ds.status && conditions.is_none() {
            return Ok(false);
        }
        let told = conditions.map(Conditions::told);
        let is_only_message =
            status == ds.status && conditions.is_some_and(|all| all.is_only_message);
        // A new generation is acknowledged without delay, because people and tools wait for it.
        let soonest = self.note(key, |n| {
            let written = n.written.as_ref()?;
            let soonest = written.soonest(&status, told.as_ref());
            Some(if is_only_message {
                soonest.max(written.soonest_message())
            } else {
                soonest
            })
        });
        if let Some(at) = soonest
            && at > Instant::now()
            && status.observed_generation == ds.status.observed_generation
        {
            self.shared.queue.add_at(key.clone(), at);
            return Ok(false);
        }
        let with_conditions = |e: &&Event| conditions.is_some() && plan.goes_with_conditions(e);
        for event in plan.events.iter().filter(with_conditions) {
            self.carry_out.publish(ds, event);
        }
        let begun = Instant::now();
        match self.carry_out.status(key, ds, &status, conditions).await {
            Ok(_) => {
                self.note(key, |n| {
                    n.written = Some(Written::next(n.written.as_ref(), &status, told, begun));
                });
                Ok(false)
            }
            Err(f) if f.error.is_conflict() || f.error.is_invalid() => {
                // The watch brings the newer state and with it the next sync. The read is for the
                // case that it does not.
                self.read_daemon_set(key).await;
                let now = self.shared.cache().daemon_set(key).map(|ds| ds.version);
                // 422 is also the word of a policy, which will say the same again.
                if f.error.is_invalid() && now == Some(ds.version) {
                    return Err(f);
                }
                Ok(true)
            }
            Err(f) => Err(f),
        }
    }

    async fn read_daemon_set(&self, key: &Key) {
        if let Ok(answer) = self.api.get(&paths::daemon_set(key)).await
            && let Ok(raw) = serde_json::from_slice::<&RawValue>(&answer)
        {
            Observer::observe(&*self.shared, Kind::DaemonSet, raw);
        }
    }

    /// Reads back the deletes whose outcome an earlier sync did not learn, before anything is
    /// planned.
    async fn settle_deletes(&self, key: &Key) {
        let pending = self.shared.cache().pending_deletes(key);
        for (pod, uid) in pending {
            self.carry_out.read_pod_back(&pod, &uid).await;
            self.shared.queue.hear(key);
        }
    }

    /// Reads the pods of a DaemonSet, consistently, where the cache may be stale about them.
    async fn read_pods(&self, key: &Key) -> Result<(), Failure> {
        let now = (self.shared.clock)();
        let ds = {
            let cache = self.shared.cache();
            let due = cache.pod_read_due(key);
            if let Some(at) = due.filter(|at| *at > now) {
                let at = Instant::now() + at.since(now);
                self.shared.queue.add_at(key.clone(), at);
            }
            match cache.daemon_set(key) {
                Some(ds) if due.is_some_and(|at| at <= now) => ds.clone(),
                _ => return Ok(()),
            }
        };
        self.list_pods(key, &ds).await
    }

    /// Reads the pods of a DaemonSet, consistently.
    async fn list_pods(&self, key: &Key, ds: &DaemonSet) -> Result<(), Failure> {
        let now = (self.shared.clock)();
        let selector = ds.selector.as_ref().map(ToString::to_string);
        let selector = selector.unwrap_or_default();
        let mut listed = BTreeSet::new();
        let take = |items: Vec<&RawValue>| {
            self.shared.queue.hear(key);
            for item in items {
                Observer::observe(&*self.shared, Kind::Pod, item);
                listed.extend(wire::identity(item).map(|identity| identity.uid));
            }
            Ok(())
        };
        let collection = paths::pods(&key.namespace);
        let read = self.api.list_pages(&collection, &selector, take).await;
        let failed = |error| Failure {
            what: format!("read the pods of daemonset {key}"),
            error,
        };
        let version = read.map_err(failed)?;
        let missing = self
            .carry_out
            .read_missing_pods(key, &ds.uid, version, &listed);
        missing.await.map_err(failed)?;
        self.shared.cache().pods_read(key, &ds.uid, now);
        Ok(())
    }

    fn note<R>(&self, key: &Key, f: impl FnOnce(&mut Notes) -> R) -> R {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        f(notes.entry(key.clone()).or_default())
    }

    fn log_left_alone(&self, key: &Key, plan: &Plan) {
        let before = self.note(key, |n| {
            std::mem::replace(&mut n.left_alone, plan.left_alone.clone())
        });
        match &plan.left_alone {
            Some(LeftAlone::BeingDeleted) | None => {}
            why if *why == before => {}
            Some(why) => tracing::warn!(daemonset = %key, "left alone: {why}"),
        }
    }

    /// Nodes wait because others take their pods away. An event says so each time the first node
    /// begins to wait, and the log once, until all pods are available.
    fn tell_of_short_lived_pods(&self, key: &Key, ds: &DaemonSet, plan: &Plan) {
        let warnings: Vec<Event> = plan.holds.iter().filter_map(short_lived::warning).collect();
        let reasons: Vec<&'static str> = warnings.iter().map(|w| w.reason).collect();
        let complete = plan.status.is_some_and(|s| s.is_complete());
        let (before, logged) = self.note(key, |n| {
            let before = std::mem::replace(&mut n.waiting, reasons.clone());
            if complete {
                n.logged.clear();
            }
            let logged = n.logged.clone();
            n.logged
                .extend(reasons.iter().filter(|r| !logged.contains(r)));
            (before, logged)
        });
        for warning in warnings {
            if !logged.contains(&warning.reason) {
                tracing::warn!(daemonset = %key, "{}", warning.message);
            }
            if !before.contains(&warning.reason) {
                self.carry_out.warn(ds, warning.reason, warning.message);
            }
        }
    }

    /// Says when the rollout begins to be held, and when it goes on. What this process finds at its
    /// first plan for the DaemonSet is no transition that it saw; only what cannot be read is told.
    fn tell_of_pause(&self, key: &Key, ds: &DaemonSet, plan: &Plan) {
        if plan.left_alone.is_some() {
            return;
        }
        let now = (ds.uid.clone(), pause::rule(ds));
        let before = self.note(key, |n| n.held.replace(now));
        let events = match before.filter(|(uid, _)| *uid == ds.uid) {
            Some((_, before)) => pause::events(before.as_ref(), ds, plan),
            None => pause::first(ds, plan).into_iter().collect(),
        };
        for event in events {
            tracing::info!(daemonset = %key, "{}: {}", event.reason, event.message);
            self.carry_out.publish(ds, &event);
        }
    }

    /// Logs once what keeps a DaemonSet from being synced.
    fn log_failures(&self, key: &Key, failures: &[Failure]) {
        let Some(first) = failures.iter().find(|f| f.error != ApiError::Dropped) else {
            return;
        };
        // Names in the text change with every attempt, so the kind of error decides what is new.
        let kind = format!("{} {}", first.error.category(), first.error.reason());
        let before = self.note(key, |n| n.error.replace(kind.clone()));
        if before.as_ref() != Some(&kind) {
            let more = failures.len() - 1;
            let more = if more > 0 {
                format!(" (and {more} more)")
            } else {
                String::new()
            };
            tracing::warn!(daemonset = %key, "{first}{more}; retrying with backoff");
        } else {
            tracing::debug!(daemonset = %key, "{first}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_after_a_refusal_grows_with_what_was_in_vain() {
        let pauses = [0, 1, 40, 100, 1_500, 65_000, usize::MAX].map(after_refusal);
        assert_eq!(
            pauses.map(|pause| pause.as_millis()),
            [200, 200, 200, 500, 7_500, 30_000, 30_000]
        );
    }
}
