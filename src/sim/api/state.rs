//! The state that the server and its watches share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::core::Core;
use super::deliveries::Deliveries;
use super::faults::Faults;
use super::log::Entry;
use super::resource::Resource;

/// All that changes while the server runs.
pub struct State {
    /// Objects, and the source of all that is random.
    pub core: Core,
    /// What goes wrong.
    pub faults: Faults,
    /// What watches told.
    pub deliveries: Deliveries,
    /// All requests so far, in the order in which they came in.
    pub log: Vec<Entry>,
}

/// The state behind a lock, with the clock it goes by. Clones share it.
#[derive(Clone)]
pub struct Shared {
    state: Arc<Mutex<State>>,
    /// Not tokio's `watch`, which wakes its receivers in a random order.
    changed: Arc<Notify>,
    start: Instant,
}

impl Shared {
    /// The state of an empty server that starts now. All that is random follows from the seed.
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

    /// Locks the state. A thread that panicked with the lock spoils nothing for the others.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The oldest version that watches of this resource can begin at; None while the state is locked.
    pub fn try_oldest(&self, resource: &Resource) -> Option<u64> {
        let state = self.state.try_lock().ok()?;
        Some(state.core.store.oldest(resource))
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Notified of every write, and of every change of what watches tell.
    pub fn changes(&self) -> Arc<Notify> {
        self.changed.clone()
    }

    /// Wakes the watches: there is something new to look at.
    pub fn notify(&self) {
        self.changed.notify_waiters();
    }
}
