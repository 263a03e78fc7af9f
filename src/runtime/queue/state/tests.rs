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
fn work_that_is_dear_begins_again_after_its_gap_whenever_it_was_added() {
    let (mut queue, t) = state();
    queue.add(1, t, t);
    assert_eq!(queue.take(t), Some(1));
    queue.add(1, at(t, 1), at(t, 1));
    queue.rest(&1, Duration::from_millis(260));
    assert!(queue.is_due_again(&1));
    queue.done(&1, Outcome::Ok, at(t, 40));
    assert_eq!(queue.next_at(), Some(at(t, 260)));
    queue.add(1, at(t, 50), at(t, 50));
    assert_eq!(queue.take(at(t, 259)), None);
    assert_eq!(queue.take(at(t, 260)), Some(1));
    assert!(!queue.is_due_again(&1));
}

#[test]
fn a_gap_is_no_matter_of_other_keys_or_of_keys_that_nobody_works_on() {
    let (mut queue, t) = state();
    queue.rest(&1, Duration::from_secs(1));
    queue.add(1, t, t);
    queue.add(2, t, t);
    assert_eq!(queue.take(t), Some(1));
    queue.rest(&1, Duration::from_secs(1));
    assert_eq!(queue.take(t), Some(2));
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
        // The backoff does not concern another key.
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
    keys: Vec<ModelKey>,
    arrivals: u64,
    rng: StdRng,
}

struct ModelKey {
    key: u8,
    slot: Option<Slot>,
    processing: bool,
    again: Vec<Instant>,
    failures: u32,
    delay: Duration,
}

impl ModelKey {
    fn is_ready(&self, now: Instant) -> bool {
        self.slot.is_some_and(|(at, _)| at <= now)
    }
}

impl Model {
    fn add(&mut self, key: u8, at: Instant, now: Instant) {
        let at = at.max(now);
        if !self.keys.iter().any(|known| known.key == key) {
            self.keys.push(ModelKey {
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

#[test]
fn what_comes_to_wait_is_counted_once_and_so_is_each_retry() {
    let (mut queue, t) = state();
    queue.add(1, at(t, 50), t);
    queue.add(1, t, t);
    queue.add(1, t, t);
    assert_eq!(
        queue.totals(),
        (1, 0),
        "it waits once, however often it is added"
    );
    queue.take(t);
    queue.add(1, t, t);
    queue.add(1, t, t);
    assert_eq!(queue.totals(), (2, 0), "once more while it is worked on");
    queue.done(&1, Outcome::Ok, t);
    assert_eq!(queue.totals(), (2, 0), "what then waits is the same");
    queue.take(t);
    queue.done(&1, RETRY, t);
    assert_eq!(queue.totals(), (3, 1), "a retry is to wait again");
    queue.take(at(t, 100));
    queue.add(1, at(t, 100), at(t, 100));
    queue.done(&1, RETRY, at(t, 100));
    assert_eq!(queue.totals(), (4, 2), "a retry of what waits anyway");
}

#[test]
fn what_is_worked_on_is_known_with_its_times() {
    let (mut queue, t) = state();
    queue.add(1, t, t);
    queue.add(2, t, t);
    queue.take(at(t, 10));
    queue.hear(&1, at(t, 30));
    queue.hear(&2, at(t, 30));
    let works: Vec<_> = queue
        .works()
        .map(|(k, begun, heard)| (*k, begun, heard))
        .collect();
    assert_eq!(works, [(1, at(t, 10), at(t, 30))]);
    assert_eq!(queue.worked(&1, at(t, 40)), Some(Duration::from_millis(30)));
    assert_eq!(queue.worked(&2, at(t, 40)), None);
    queue.forget(&1);
    assert_eq!(queue.works().count(), 1, "forgotten, and still worked on");
    queue.done(&1, Outcome::Ok, at(t, 50));
    assert_eq!(queue.works().count(), 0);
}
