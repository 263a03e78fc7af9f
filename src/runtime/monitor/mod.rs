//! Metrics and health of a running controller: counts, gauges, and whether it is alive and ready.
//!
//! The parts that do the work report what happened ([`Monitor`]'s methods, [`Tally`]). What is only
//! of interest at a scrape or a probe (the queue, ages, halts) is read then, from the running
//! controller's own queue and pulse ([`Monitor::attach`]). Nothing here waits, and no decision
//! depends on what is counted here.

mod exposition;
mod health;
mod held;
mod process;
#[cfg(test)]
mod tests;
mod watched;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;

use crate::{
    apply::{
        Action,
        client::{
            Tally,
            verbs::{Resource, Verb},
        },
    },
    model::{DaemonSet, DaemonSetStatus, Key, Kind, Time, Uid},
    plan::{Plan, rollout::progress::Progress},
};

use super::{pulse::Pulse, queue::Queue, secure::certificate::Shown};

pub use exposition::CONTENT_TYPE;
pub use health::{DEAD_WATCH, Report, STUCK_WORKER, Weight};

use health::Check;
use held::{Held, Stalled};
use watched::Watched;

/// How a sync ended, as the metrics' label `result`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Synced {
    /// `ok`: nothing failed, and nothing is left to do but what later events bring.
    Ok,
    /// `again`: nothing failed, and the DaemonSet is synced again soon, because something was not
    /// as the plan supposed or there is more to do.
    Again,
    /// `error`: something failed, and it is retried with backoff.
    Failed,
}

impl Synced {
    const ALL: [Synced; 3] = [Synced::Ok, Synced::Again, Synced::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Synced::Ok => "ok",
            Synced::Again => "again",
            Synced::Failed => "error",
        }
    }
}

/// What the metrics of a DaemonSet are made from.
#[derive(Debug)]
struct Row {
    uid: Uid,
    /// The status of the last plan.
    status: DaemonSetStatus,
    /// The rollout that is under way; None where there is none.
    rollout: Option<Progress>,
    /// The time since which the API server refuses to create pods.
    refused: Option<Time>,
    /// What the rules of rollout control hold.
    held: Held,
    /// Why it goes on only when a person acts.
    stalled: Option<Stalled>,
}

/// The parts of the running controller. Before it runs, and after it, there are none.
#[derive(Clone, Default)]
struct Running {
    queue: Weak<Queue<Key>>,
    pulse: Weak<Pulse>,
}

/// Collects what the metrics and the probes of one process show.
pub struct Monitor {
    begun: Instant,
    leader: AtomicBool,
    conflict: AtomicBool,
    rollout_defaults_valid: AtomicBool,
    /// The certificate of the endpoints; None where they are served without TLS.
    certificate: Mutex<Option<Shown>>,
    kinds: [Mutex<Watched>; Kind::ALL.len()],
    requests: Mutex<BTreeMap<(Verb, Resource, &'static str), u64>>,
    /// Counts by action and cause.
    actions: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    syncs: Mutex<BTreeMap<Synced, u64>>,
    rows: Mutex<BTreeMap<Key, Row>>,
    /// The checks of `/readyz` besides those of the caches.
    checks: Mutex<Vec<Check>>,
    /// The parts of the running controller that are read at a scrape or a probe.
    running: Mutex<Running>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

/// Locks. Counts and gauges have no half-done states that a panic elsewhere could leave behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Monitor {
    /// A monitor that has counted nothing. Counts whose labels are known are there with the value
    /// 0, so that their first rise can be seen.
    pub fn new() -> Arc<Monitor> {
        let begun = Instant::now();
        let actions = Action::all();
        let actions = actions.iter().map(|a| ((a.as_str(), a.cause()), 0));
        Arc::new(Monitor {
            begun,
            leader: AtomicBool::new(false),
            conflict: AtomicBool::new(false),
            rollout_defaults_valid: AtomicBool::new(true),
            certificate: Mutex::default(),
            kinds: Kind::ALL.map(|_| Mutex::new(Watched::new(begun))),
            requests: Mutex::default(),
            actions: Mutex::new(actions.collect()),
            syncs: Mutex::new(Synced::ALL.into_iter().map(|s| (s, 0)).collect()),
            rows: Mutex::default(),
            checks: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// A controller runs with this queue and this pulse, for as long as they exist.
    pub fn attach(&self, queue: &Arc<Queue<Key>>, pulse: &Arc<Pulse>) {
        *lock(&self.running) = Running {
            queue: Arc::downgrade(queue),
            pulse: Arc::downgrade(pulse),
        };
    }

    /// This process became the leader, or stopped leading. Without leading it does not plan, so it
    /// drops what it knew of DaemonSets.
    pub fn set_leader(&self, leads: bool) {
        let mut rows = lock(&self.rows);
        self.leader.store(leads, Ordering::Relaxed);
        if !leads {
            rows.clear();
        }
    }

    /// Drops what is known of DaemonSets, because nothing keeps it up to date any more.
    pub fn forget_daemon_sets(&self) {
        lock(&self.rows).clear();
    }

    /// Another DaemonSet controller is active on the same DaemonSets, or no longer.
    pub fn set_conflict(&self, conflicts: bool) {
        self.conflict.store(conflicts, Ordering::Relaxed);
    }

    /// Whether another DaemonSet controller was active when it was last looked at.
    pub fn conflicts(&self) -> bool {
        self.conflict.load(Ordering::Relaxed)
    }

    /// Whether the file with the cluster defaults could be used when it was last read.
    pub fn set_rollout_defaults_valid(&self, valid: bool) {
        self.rollout_defaults_valid.store(valid, Ordering::Relaxed);
    }

    /// The endpoints show this certificate.
    pub fn set_certificate(&self, shown: Shown) {
        *lock(&self.certificate) = Some(shown);
    }

    /// A DaemonSet was planned for, when the wall clock showed `at`.
    pub fn planned(&self, key: &Key, ds: &DaemonSet, plan: &Plan, at: Time) {
        let mut rows = lock(&self.rows);
        let Some(status) = plan.status else {
            rows.remove(key);
            return;
        };
        // Asked under the lock: a sync that began before the process stopped leading leaves nothing
        // behind.
        if !self.leader.load(Ordering::Relaxed) {
            return;
        }
        let now = self.now();
        match rows.get_mut(key).filter(|row| row.uid == ds.uid) {
            Some(row) => {
                row.status = status;
                row.rollout = Progress::after(row.rollout.take(), ds, plan, now);
                row.held = Held::after(&row.held, plan, at);
                row.stalled = Stalled::after(row.stalled.take(), ds, plan, at);
            }
            None => {
                let row = Row {
                    uid: ds.uid.clone(),
                    status,
                    rollout: Progress::after(None, ds, plan, now),
                    refused: None,
                    held: Held::after(&Held::default(), plan, at),
                    stalled: Stalled::after(None, ds, plan, at),
                };
                rows.insert(key.clone(), row);
            }
        }
    }

    /// A plan was carried out, as far as possible. `refused` says that pods could not be created.
    pub fn carried_out(&self, key: &Key, refused: bool) {
        if let Some(row) = lock(&self.rows).get_mut(key) {
            let since = row.refused.take();
            row.refused = refused.then(|| since.unwrap_or_else(|| self.now()));
        }
    }

    /// The DaemonSet no longer exists.
    pub fn gone(&self, key: &Key) {
        lock(&self.rows).remove(key);
    }

    /// A sync ended.
    pub fn synced(&self, how: Synced) {
        *lock(&self.syncs).entry(how).or_default() += 1;
    }

    /// The time by which progress of rollouts is measured: a point on the monotonic clock, so that
    /// no step of the wall clock, back or forward, ages a rollout or makes one stuck. A halt of the
    /// process counts in full, because nothing was rolled out in it. The first node that is done
    /// afterwards ends what it made stuck.
    fn now(&self) -> Time {
        Time::default() + self.begun.elapsed()
    }

    /// Reads or changes the record of the list and watch of a kind, at the current time.
    pub(super) fn watched<R>(&self, kind: Kind, f: impl FnOnce(&mut Watched, Instant) -> R) -> R {
        f(&mut lock(&self.kinds[kind as usize]), Instant::now())
    }

    /// An object of this kind could not be decoded.
    pub fn undecodable(&self, kind: Kind) {
        self.watched(kind, |w, _| w.undecodable += 1);
    }

    /// The API server did this.
    pub fn acted(&self, action: Action) {
        let mut actions = lock(&self.actions);
        *actions
            .entry((action.as_str(), action.cause()))
            .or_default() += 1;
    }
}

impl Tally for Monitor {
    fn called(&self, verb: Verb, resource: Resource, outcome: &'static str) {
        let mut requests = lock(&self.requests);
        *requests.entry((verb, resource, outcome)).or_default() += 1;
    }
}
