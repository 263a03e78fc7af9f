//! The state that the server and its watches share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::core::Core;
use super::deliveries::Deliveries;
use super::faults::Faults;
use super::log::Entry;
use super::resource::{self, Resource};
use super::store;

/// Everything that changes while the server runs.
pub struct State {
    /// The objects, and the source of everything random.
    pub core: Core,
    /// The faults that are in force.
    pub faults: Faults,
    /// The deliveries of watches to each client, with their times.
    pub deliveries: Deliveries,
    /// All requests so far, in the order in which they came in.
    pub log: Vec<Entry>,
}

/// The state behind a lock, with its clock. Clones share it.
#[derive(Clone)]
pub struct Shared {
    state: Arc<Mutex<State>>,
    /// One for each table of the store. Tokio's `watch` would wake its receivers in a random order.
    changed: Arc<[Notify; resource::ALL.len()]>,
    start: Instant,
}

impl Shared {
    /// The state of an empty server that starts now. Everything random follows from the seed.
    pub fn new(seed: u64) -> Shared {
        Shared {
            state: Arc::new(Mutex::new(State {
                core: Core::new(seed),
                faults: Faults::default(),
                deliveries: Deliveries::default(),
                log: Vec::new(),
            })),
            changed: Arc::default(),
            start: Instant::now(),
        }
    }

    /// Lends the state, locked.
    pub fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.lock())
    }

    /// Locks the state. A lock that a panic poisoned is used all the same.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest version that watches of this resource can begin at; None while the state is
    /// locked.
    pub fn try_oldest(&self, resource: &Resource) -> Option<u64> {
        let state = self.state.try_lock().ok()?;
        Some(state.core.store.oldest(resource))
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notified of every write to this resource, and whenever its watches may deliver something
    /// new.
    pub fn changes(&self, resource: &Resource) -> &Notify {
        &self.changed[store::table(resource)]
    }

    /// Wakes the watches of everything that was written since this was called last.
    pub fn notify_of_writes(&self) {
        let written = self.lock().core.store.take_written();
        for table in written {
            self.changed[table].notify_waiters();
        }
    }

    /// Wakes all watches, which look for something new to deliver.
    pub fn notify(&self) {
        self.changed.iter().for_each(Notify::notify_waiters);
    }
}
