//! Which keys are to be worked on and when: the queue without its workers. No clock, no tasks: `now` is an argument.
//!
//! A key is in at most one place: waiting (for its turn, or for a time), in processing, or both "in processing" and "to be
//! done again". So two workers never have the same key, and however often a key is added it waits once.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use tokio::time::Instant;

/// The first delay of a key that failed; it doubles with each failure in a row.
pub const FIRST_DELAY: Duration = Duration::from_millis(50);

/// No delay is longer than this, jitter of a tenth aside.
pub const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// No server can ask for a longer rest than this.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// How the work on a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well: the key's backoff begins anew.
    Ok,
    /// Again after the key's own backoff.
    Retry {
        /// And not before this, as a `Retry-After` may ask: changes do not move it forward, for up to [`LONGEST_REST`].
        at_least: Option<Duration>,
    },
}

/// The keys and their times.
#[derive(Debug)]
pub struct State<K> {
    /// Every key of which there is something to remember.
    keys: BTreeMap<K, Entry>,
    /// Waiting keys by the time that their turn comes, and then in the order in which they came.
    waiting: BTreeMap<Slot, K>,
    /// How many keys are in processing.
    processing: usize,
    /// How many slots there have ever been.
    arrivals: u64,
    rng: StdRng,
    /// Two turns of one key begin at least so far apart.
    gap: Duration,
}

/// A time and a number that tells apart what has the same time.
type Slot = (Instant, u64);

#[derive(Debug, Default)]
struct Entry {
    /// Where the key stands in `waiting`; never set while in processing.
    slot: Option<Slot>,
    /// Whether a worker has it.
    processing: bool,
    /// When it is due again although it is in processing.
    again: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// When its next turn may begin.
    rested: Option<Instant>,
    /// The last delay, which the next one is never below, whatever the jitter.
    delay: Duration,
}

impl<K: Ord + Clone> State<K> {
    /// Nothing to do. `rng` makes the jitter; two turns of one key begin at least `gap` apart, so that a burst of
    /// changes is one turn's work. With a gap, keys are remembered until [`forget`](Self::forget).
    pub fn new(rng: StdRng, gap: Duration) -> Self {
        Self {
            keys: BTreeMap::new(),
            waiting: BTreeMap::new(),
            processing: 0,
            arrivals: 0,
            rng,
            gap,
        }
    }

    /// The key is to be worked on at `at`, or now where that is past. The earliest time counts: a key that waits for an
    /// earlier time keeps it, one that waits for a later one (a backoff too) is moved forward, to the end of its rest.
    pub fn add(&mut self, key: K, at: Instant, now: Instant) {
        let entry = self.keys.entry(key.clone()).or_default();
        let at = at.max(now).max(entry.rested.unwrap_or(now));
        if entry.processing {
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

    /// The key whose turn has come first, which is then in processing until [`done`](Self::done).
    pub fn take(&mut self, now: Instant) -> Option<K> {
        let first = self
            .waiting
            .first_entry()
            .filter(|first| first.key().0 <= now)?;
        let key = first.remove();
        let entry = self.keys.entry(key.clone()).or_default();
        entry.slot = None;
        entry.processing = true;
        entry.rested = (!self.gap.is_zero()).then(|| now + self.gap);
        self.processing += 1;
        Some(key)
    }

    /// The work on a key has ended. Without effect for a key that is not in processing.
    pub fn done(&mut self, key: &K, outcome: Outcome, now: Instant) {
        let Some(entry) = self.keys.get_mut(key).filter(|entry| entry.processing) else {
            return;
        };
        entry.processing = false;
        self.processing -= 1;
        let mut at = entry.again.take();
        match outcome {
            Outcome::Ok => {
                entry.failures = 0;
                entry.delay = Duration::ZERO;
            }
            Outcome::Retry { at_least } => {
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

    /// Drops what is known of a key: that it waits, and its backoff. One in processing stays so until it is done.
    pub fn forget(&mut self, key: &K) {
        let Some(entry) = self.keys.get_mut(key) else {
            return;
        };
        if let Some(slot) = entry.slot {
            self.waiting.remove(&slot);
        }
        if entry.processing {
            *entry = Entry {
                processing: true,
                ..Entry::default()
            };
        } else {
            self.keys.remove(key);
        }
    }

    /// When the next key's turn comes, past or future.
    pub fn next_at(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(slot, _)| slot.0)
    }

    /// How many keys could be taken now.
    pub fn ready(&self, now: Instant) -> usize {
        self.waiting.range(..=(now, u64::MAX)).count()
    }

    /// How many keys wait for a time to come.
    pub fn delayed(&self, now: Instant) -> usize {
        self.waiting.len() - self.ready(now)
    }

    /// How many keys are in processing.
    pub fn processing(&self) -> usize {
        self.processing
    }

    /// How long the key that has been ready longest has been so.
    pub fn oldest(&self, now: Instant) -> Option<Duration> {
        let at = self.next_at().filter(|at| *at <= now)?;
        Some(now - at)
    }
}

/// The delay after this many failures before.
fn delay(failures: u32, rng: &mut StdRng) -> Duration {
    let full = FIRST_DELAY
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_DELAY);
    full.mul_f64(rng.random_range(1.0..=1.1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    const RETRY: Outcome = Outcome::Retry { at_least: None };

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    fn state() -> (State<u8>, Instant) {
        (
            State::new(StdRng::seed_from_u64(3), Duration::ZERO),
            Instant::now(),
        )
    }

    #[test]
    fn keys_come_in_the_order_in_which_they_became_ready() {
        let (mut queue, t) = state();
        queue.add(1, at(t, 30), t);
        queue.add(2, at(t, 10), t);
        queue.add(3, at(t, 20), at(t, 20));
        queue.add(2, at(t, 20), at(t, 20));
        assert_eq!((queue.ready(at(t, 20)), queue.delayed(at(t, 20))), (2, 1));
        assert_eq!(queue.oldest(at(t, 25)), Some(Duration::from_millis(15)));
        let taken: Vec<_> = std::iter::from_fn(|| queue.take(at(t, 60))).collect();
        assert_eq!(taken, [2, 3, 1]);
        assert_eq!(queue.oldest(at(t, 60)), None);
    }

    #[test]
    fn a_time_that_is_past_does_not_overtake() {
        let (mut queue, t) = state();
        queue.add(1, at(t, 50), at(t, 50));
        queue.add(2, t, at(t, 60));
        assert_eq!(queue.take(at(t, 60)), Some(1));
    }

    #[test]
    fn a_key_has_one_time_and_it_is_the_earliest() {
        let (mut queue, t) = state();
        queue.add(1, at(t, 50), t);
        queue.add(1, at(t, 20), t);
        queue.add(1, at(t, 40), t);
        assert_eq!(queue.next_at(), Some(at(t, 20)));
        assert_eq!(queue.take(at(t, 100)), Some(1));
        assert_eq!(queue.take(at(t, 100)), None);
    }

    #[test]
    fn a_key_in_processing_is_not_given_out_and_comes_again_if_it_was_added() {
        let (mut queue, t) = state();
        queue.add(1, t, t);
        assert_eq!(queue.take(t), Some(1));
        queue.add(1, t, t);
        queue.add(1, at(t, 5), t);
        assert_eq!(queue.take(at(t, 10)), None);
        queue.done(&1, Outcome::Ok, at(t, 10));
        assert_eq!(queue.take(at(t, 10)), Some(1));
        queue.done(&1, Outcome::Ok, at(t, 11));
        assert_eq!(queue.next_at(), None);
        assert!(queue.keys.is_empty());
    }

    #[test]
    fn backoff_is_per_key_grows_and_is_set_back_by_success() {
        let (mut queue, t) = state();
        let (mut now, mut last) = (t, Duration::ZERO);
        queue.add(1, t, t);
        for _ in 0..40 {
            assert_eq!(queue.take(now), Some(1));
            queue.done(&1, RETRY, now);
            let next = queue.next_at().expect("a retry");
            let delay = next - now;
            assert!(
                delay >= last && delay <= LONGEST_DELAY.mul_f64(1.1),
                "{delay:?} after {last:?}"
            );
            (now, last) = (next, delay);
            // Another key is as quick as ever.
            queue.add(2, now - delay, now - delay);
            assert_eq!(queue.take(now - delay), Some(2));
            queue.done(&2, Outcome::Ok, now - delay);
        }
        assert!(last >= LONGEST_DELAY);
        assert_eq!(queue.take(now), Some(1));
        queue.done(&1, Outcome::Ok, now);
        queue.add(1, now, now);
        assert_eq!(queue.take(now), Some(1));
        queue.done(&1, RETRY, now);
        assert!(queue.next_at().expect("a retry") - now <= Duration::from_millis(55));
    }

    #[test]
    fn retry_after_is_a_floor_and_not_remembered() {
        let (mut queue, t) = state();
        queue.add(1, t, t);
        queue.take(t);
        let at_least = Some(Duration::from_secs(9));
        queue.done(&1, Outcome::Retry { at_least }, t);
        assert_eq!(queue.next_at(), Some(at(t, 9000)));
        queue.take(at(t, 9000));
        queue.done(&1, RETRY, at(t, 9000));
        assert!(queue.next_at().expect("a retry") <= at(t, 9111));
    }

    #[test]
    fn two_turns_of_a_key_are_a_gap_apart_and_other_keys_do_not_wait() {
        let t = Instant::now();
        let mut queue = State::new(StdRng::seed_from_u64(3), Duration::from_millis(2));
        queue.add(1, t, t);
        assert_eq!(queue.take(t), Some(1), "the first turn begins at once");
        queue.add(1, t, t);
        queue.done(&1, Outcome::Ok, t);
        queue.add(2, t, t);
        assert_eq!(queue.take(t), Some(2));
        assert_eq!(queue.take(at(t, 1)), None);
        assert_eq!(queue.take(at(t, 2)), Some(1));
        queue.done(&1, Outcome::Ok, at(t, 2));
        queue.add(1, at(t, 3), at(t, 3));
        assert_eq!(
            queue.next_at(),
            Some(at(t, 4)),
            "added while nothing waited"
        );
        queue.forget(&1);
        queue.add(1, at(t, 3), at(t, 3));
        assert_eq!(queue.take(at(t, 3)), Some(1));
    }

    #[test]
    fn forgetting_drops_the_time_and_the_backoff() {
        let (mut queue, t) = state();
        queue.add(1, at(t, 5), t);
        queue.forget(&1);
        queue.forget(&2);
        assert_eq!(queue.take(at(t, 9)), None);
        queue.add(1, t, t);
        queue.take(t);
        queue.add(1, t, t);
        queue.forget(&1);
        assert_eq!(queue.processing(), 1);
        queue.done(&1, Outcome::Ok, t);
        queue.done(&1, Outcome::Ok, t);
        assert_eq!((queue.processing(), queue.next_at()), (0, None));
    }

    /// The same rules over a list, each time from the beginning.
    struct Model {
        keys: Vec<Known>,
        arrivals: u64,
        rng: StdRng,
    }

    struct Known {
        key: u8,
        slot: Option<Slot>,
        processing: bool,
        again: Vec<Instant>,
        failures: u32,
        delay: Duration,
    }

    impl Known {
        fn is_ready(&self, now: Instant) -> bool {
            self.slot.is_some_and(|(at, _)| at <= now)
        }
    }

    impl Model {
        fn add(&mut self, key: u8, at: Instant, now: Instant) {
            let at = at.max(now);
            if !self.keys.iter().any(|known| known.key == key) {
                self.keys.push(Known {
                    key,
                    slot: None,
                    processing: false,
                    again: Vec::new(),
                    failures: 0,
                    delay: Duration::ZERO,
                });
            }
            let known = self.keys.iter_mut().find(|known| known.key == key);
            let known = known.expect("pushed");
            if known.processing {
                known.again.push(at);
            } else if known.slot.is_none_or(|(old, _)| at < old) {
                known.slot = Some((at, self.arrivals));
                self.arrivals += 1;
            }
        }

        fn take(&mut self, now: Instant) -> Option<u8> {
            let ready = self.keys.iter_mut().filter(|known| known.is_ready(now));
            let first = ready.min_by_key(|known| known.slot)?;
            first.slot = None;
            first.processing = true;
            Some(first.key)
        }

        fn done(&mut self, key: u8, retry: bool, now: Instant) {
            let known = self
                .keys
                .iter_mut()
                .find(|known| known.key == key && known.processing);
            let Some(known) = known else { return };
            known.processing = false;
            let mut times = std::mem::take(&mut known.again);
            if retry {
                known.delay = known.delay.max(delay(known.failures, &mut self.rng));
                known.failures += 1;
                times.push(now + known.delay);
            } else {
                (known.failures, known.delay) = (0, Duration::ZERO);
            }
            if let Some(at) = times.into_iter().min() {
                self.add(key, at, now);
            }
        }
    }

    proptest! {
        #[test]
        fn it_behaves_as_the_list_does(steps in prop::collection::vec((0u8..5, 0u8..6, 0u64..200), 1..200)) {
            let (mut queue, start) = state();
            let mut model = Model { keys: Vec::new(), arrivals: 0, rng: StdRng::seed_from_u64(3) };
            let mut now = start;
            for (what, key, time) in steps {
                match what {
                    0 => {
                        queue.add(key, at(start, time * 20), now);
                        model.add(key, at(start, time * 20), now);
                    }
                    1 => {
                        let taken = queue.take(now);
                        prop_assert_eq!(taken, model.take(now));
                    }
                    2 | 3 => {
                        let outcome = if what == 2 { RETRY } else { Outcome::Ok };
                        queue.done(&key, outcome, now);
                        model.done(key, what == 2, now);
                    }
                    _ => now += Duration::from_millis(time),
                }
                let ready = model.keys.iter().filter(|known| known.is_ready(now)).count();
                prop_assert_eq!(queue.ready(now), ready);
                prop_assert_eq!(queue.processing(), model.keys.iter().filter(|known| known.processing).count());
                let next = model.keys.iter().filter_map(|known| known.slot).min();
                prop_assert_eq!(queue.next_at(), next.map(|(at, _)| at));
            }
        }
    }
}
