//! The keys to work on, and when each is due: the queue without its workers. No clock and no tasks:
//! `now` is an argument.
//!
//! A key is in at most one place: waiting (to be due, or for a worker), in processing, or in
//! processing and due again. So no two workers have the same key, and however often a key is added
//! it waits once.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::Instant;

/// The first delay of a key that failed; it doubles with each failure in a row.
pub const FIRST_DELAY: Duration = Duration::from_millis(50);

/// The longest delay, before jitter of at most a tenth.
pub const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// The longest rest that a `Retry-After` of the API server can impose.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// How the work on a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded: the key's backoff is reset.
    Ok,
    /// The key is due again after its own backoff.
    Retry {
        /// The least delay, as a `Retry-After` asks. Adding the key does not shorten it, up to
        /// [`LONGEST_REST`].
        at_least: Option<Duration>,
    },
}

/// The keys and their times.
#[derive(Debug)]
pub struct State<K> {
    /// Every key of which something is remembered.
    keys: BTreeMap<K, Entry>,
    /// Waiting keys, by the time at which they are due, then in the order in which they came.
    waiting: BTreeMap<Slot, K>,
    /// The number of keys in processing.
    processing: usize,
    /// The number of slots that there have been.
    arrivals: u64,
    /// How often a key that did not wait was made to wait.
    adds: u64,
    /// How often work ended with a retry.
    retries: u64,
    rng: StdRng,
    /// The least time between the beginnings of work on one key.
    gap: Duration,
}

/// A time, and a number that orders slots of the same time.
type Slot = (Instant, u64);

#[derive(Debug, Default)]
struct Entry {
    /// The key's place in `waiting`; never set while in processing.
    slot: Option<Slot>,
    /// Set while the key is in processing.
    work: Option<Work>,
    /// The time at which the key is due again, although it is in processing.
    again: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// The earliest time at which work on the key may begin again.
    rested: Option<Instant>,
    /// The last delay. The next one is never shorter, whatever the jitter.
    delay: Duration,
}

/// The work of a worker on a key.
#[derive(Clone, Copy, Debug)]
struct Work {
    begun: Instant,
    /// The last progress that was reported.
    heard: Instant,
}

impl<K: Ord + Clone> State<K> {
    /// An empty queue. `rng` makes the jitter. Work on one key begins at intervals of `gap` at
    /// least, so that a burst of changes is worked on once. With a gap, keys are remembered until
    /// [`forget`](Self::forget).
    pub fn new(rng: StdRng, gap: Duration) -> Self {
        Self {
            keys: BTreeMap::new(),
            waiting: BTreeMap::new(),
            processing: 0,
            arrivals: 0,
            adds: 0,
            retries: 0,
            rng,
            gap,
        }
    }

    /// The key is due at `at`, or now where that is past. The earliest time counts: a key that
    /// waits for an earlier time keeps it, and one that waits for a later time (a backoff too) is
    /// moved forward, to the end of its rest at most.
    pub fn add(&mut self, key: K, at: Instant, now: Instant) {
        let entry = self.keys.entry(key.clone()).or_default();
        let at = at.max(now).max(entry.rested.unwrap_or(now));
        if entry.slot.is_none() && entry.again.is_none() {
            self.adds += 1;
        }
        if entry.work.is_some() {
            entry.again = Some(entry.again.map_or(at, |again| again.min(at)));
            return;
        }
        if let Some(slot) = entry.slot {
            if slot.0 <= at {
                return;
            }
            self.waiting.remove(&slot);
        }
        let slot = (at, self.arrivals);
        self.arrivals += 1;
        entry.slot = Some(slot);
        self.waiting.insert(slot, key);
    }

    /// The key that has been due longest. It is in processing until [`done`](Self::done).
    pub fn take(&mut self, now: Instant) -> Option<K> {
        let first = self
            .waiting
            .first_entry()
            .filter(|first| first.key().0 <= now)?;
        let key = first.remove();
        let entry = self.keys.entry(key.clone()).or_default();
        entry.slot = None;
        entry.work = Some(Work {
            begun: now,
            heard: now,
        });
        entry.rested = (!self.gap.is_zero()).then(|| now + self.gap);
        self.processing += 1;
        Some(key)
    }

    /// The work on a key is dear: it begins again `gap` after it began, at the earliest. Without
    /// effect for a key that is not in processing.
    pub fn rest(&mut self, key: &K, gap: Duration) {
        if let Some(entry) = self.keys.get_mut(key)
            && let Some(work) = entry.work
        {
            entry.rested = entry.rested.max(Some(work.begun + gap));
        }
    }

    /// Whether a key in processing is due again.
    pub fn is_due_again(&self, key: &K) -> bool {
        self.keys.get(key).is_some_and(|e| e.again.is_some())
    }

    /// The work on a key has ended. Without effect for a key that is not in processing.
    pub fn done(&mut self, key: &K, outcome: Outcome, now: Instant) {
        let Some(entry) = self.keys.get_mut(key).filter(|entry| entry.work.is_some()) else {
            return;
        };
        entry.work = None;
        self.processing -= 1;
        let mut at = entry.again.take();
        // The key was counted when it was added, and `add` below counts it again.
        self.adds -= u64::from(at.is_some());
        match outcome {
            Outcome::Ok => {
                entry.failures = 0;
                entry.delay = Duration::ZERO;
            }
            Outcome::Retry { at_least } => {
                self.retries += 1;
                entry.delay = delay(entry.failures, &mut self.rng).max(entry.delay);
                entry.failures = entry.failures.saturating_add(1);
                let at_least = at_least.unwrap_or_default();
                let retry = now + entry.delay.max(at_least);
                if !at_least.is_zero() {
                    entry.rested = entry.rested.max(Some(now + at_least.min(LONGEST_REST)));
                }
                at = Some(at.map_or(retry, |again| again.min(retry)));
            }
        }
        match at {
            Some(at) => self.add(key.clone(), at, now),
            None if entry.rested.is_none() => {
                self.keys.remove(key);
            }
            None => {}
        }
    }

    /// Drops the key's place in the queue and its backoff. A key in processing stays so until it is
    /// done.
    pub fn forget(&mut self, key: &K) {
        let Some(entry) = self.keys.get_mut(key) else {
            return;
        };
        if let Some(slot) = entry.slot {
            self.waiting.remove(&slot);
        }
        if entry.work.is_some() {
            *entry = Entry {
                work: entry.work,
                ..Entry::default()
            };
        } else {
            self.keys.remove(key);
        }
    }

    /// The time at which the next key is due, past or future.
    pub fn next_at(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(slot, _)| slot.0)
    }

    /// The number of keys that could be taken now.
    pub fn ready(&self, now: Instant) -> usize {
        self.waiting.range(..=(now, u64::MAX)).count()
    }

    /// The number of keys that wait for a time to come.
    pub fn delayed(&self, now: Instant) -> usize {
        self.waiting.len() - self.ready(now)
    }

    /// The number of keys in processing.
    pub fn processing(&self) -> usize {
        self.processing
    }

    /// The work on a key has made progress.
    pub fn hear(&mut self, key: &K, now: Instant) {
        if let Some(work) = self.keys.get_mut(key).and_then(|e| e.work.as_mut()) {
            work.heard = now;
        }
    }

    /// How long a worker has had the key; None where none has it.
    pub fn worked(&self, key: &K, now: Instant) -> Option<Duration> {
        Some(now - self.keys.get(key)?.work?.begun)
    }

    /// The keys in processing, each with the beginning of the work and its last progress.
    pub fn works(&self) -> impl Iterator<Item = (&K, Instant, Instant)> {
        let works = self.keys.iter().filter_map(|(k, e)| Some((k, e.work?)));
        works.map(|(key, work)| (key, work.begun, work.heard))
    }

    /// How often a key that did not wait was made to wait, and how often work ended with a retry.
    pub fn totals(&self) -> (u64, u64) {
        (self.adds, self.retries)
    }

    /// How long the key that has been due longest has been so.
    pub fn oldest(&self, now: Instant) -> Option<Duration> {
        let at = self.next_at().filter(|at| *at <= now)?;
        Some(now - at)
    }
}

/// The delay after this many earlier failures in a row.
fn delay(failures: u32, rng: &mut StdRng) -> Duration {
    let full = FIRST_DELAY
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_DELAY);
    full.mul_f64(rng.random_range(1.0..=1.1))
}

#[cfg(test)]
mod tests;
