//! The queue between watches and workers. Keys go in, each waits once, and workers take them in
//! turn.
//!
//! [`state::State`] decides; this adds the clock, the lock, and the waiting.

pub mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use prometheus_client::metrics::histogram::Histogram;
pub use state::Outcome;
use state::State;

/// Upper bounds of the histograms' buckets, in seconds. The bounds of Kubernetes' work queues, from
/// 10 µs on, are among them.
const BUCKETS: [f64; 20] = [
    0.000_01, 0.000_1, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0, 60.0, 100.0, 300.0, 1000.0,
];

/// A queue that several tasks share in an `Arc`.
#[derive(Debug)]
pub struct Queue<K> {
    inner: Mutex<Inner<K>>,
    /// Wakes one worker: a key may be ready, or the next time to wait for has changed.
    changed: Notify,
    /// Wakes the callers of [`Queue::drained`].
    idle: Notify,
    /// How long keys waited for a worker after they were due, in seconds.
    waited: Histogram,
    /// How long workers had keys, in seconds.
    worked: Histogram,
}

/// What the metrics say of the queue at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Keys that wait for a worker. Keys that wait for a time to come do not count.
    pub depth: usize,
    /// How often a key that did not wait was made to wait.
    pub adds: u64,
    /// How often work ended with a retry.
    pub retries: u64,
    /// The time that all keys in processing have been in processing, added up.
    pub unfinished: Duration,
    /// The time that the key which has been in processing longest has been so.
    pub longest: Duration,
}

#[derive(Debug)]
struct Inner<K> {
    state: State<K>,
    closed: bool,
}

/// What a worker finds.
enum Found<K> {
    Key(K),
    Nothing(Option<Instant>),
    Closed,
}

impl<K: Ord + Clone> Queue<K> {
    /// An empty queue. `rng` makes the jitter of delays. The work on one key begins at intervals of
    /// `gap` at least.
    pub fn new(rng: StdRng, gap: Duration) -> Self {
        let inner = Inner {
            state: State::new(rng, gap),
            closed: false,
        };
        Self {
            inner: Mutex::new(inner),
            changed: Notify::new(),
            idle: Notify::new(),
            waited: Histogram::new(BUCKETS),
            worked: Histogram::new(BUCKETS),
        }
    }

    /// The key is due now, even if it waits for a later time.
    pub fn add(&self, key: K) {
        self.add_at(key, Instant::now());
    }

    /// The key is due at `at`, or at the earlier time that it waits for already.
    pub fn add_at(&self, key: K, at: Instant) {
        self.lock().state.add(key, at, Instant::now());
        self.changed.notify_one();
    }

    /// Waits for a key that is due. No other caller gets the key until [`done`](Self::done) is
    /// called with it. None once the queue is closed. May be dropped while it waits, by a worker
    /// that calls it again.
    pub async fn take(&self) -> Option<K> {
        loop {
            let found = self.find();
            match found {
                Found::Key(key) => {
                    // The rest is for another worker, which may wait for a time that is no longer
                    // the next.
                    self.changed.notify_one();
                    return Some(key);
                }
                Found::Nothing(Some(at)) => {
                    tokio::select! {
                        biased;
                        () = self.changed.notified() => {}
                        () = sleep_until(at) => {}
                    }
                }
                Found::Nothing(None) => self.changed.notified().await,
                Found::Closed => {
                    // A wake-up is for one worker, so each wakes the next.
                    self.changed.notify_one();
                    return None;
                }
            }
        }
    }

    fn find(&self) -> Found<K> {
        let mut inner = self.lock();
        if inner.closed {
            return Found::Closed;
        }
        let now = Instant::now();
        let waited = inner.state.oldest(now);
        match inner.state.take(now) {
            Some(key) => {
                self.waited
                    .observe(waited.unwrap_or_default().as_secs_f64());
                Found::Key(key)
            }
            None => Found::Nothing(inner.state.next_at()),
        }
    }

    /// The work on a key has ended.
    pub fn done(&self, key: &K, outcome: Outcome) {
        let idle = {
            let mut inner = self.lock();
            let now = Instant::now();
            if let Some(worked) = inner.state.worked(key, now) {
                self.worked.observe(worked.as_secs_f64());
            }
            inner.state.done(key, outcome, now);
            inner.state.processing() == 0
        };
        self.changed.notify_one();
        if idle {
            self.idle.notify_waiters();
        }
    }

    /// The work on a key has made progress: the key counts as heard of now.
    pub fn hear(&self, key: &K) {
        self.lock().state.hear(key, Instant::now());
    }

    /// The work on a key is dear: it begins again `gap` after it began, at the earliest.
    pub fn rest(&self, key: &K, gap: Duration) {
        self.lock().state.rest(key, gap);
    }

    /// Whether a key in processing is due again when the work on it has ended.
    pub fn is_due_again(&self, key: &K) -> bool {
        self.lock().state.is_due_again(key)
    }

    /// Drops the key's place in the queue and its backoff.
    pub fn forget(&self, key: &K) {
        self.lock().state.forget(key);
    }

    /// No key is given out any more, and all callers of [`take`](Self::take) get None at once.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Waits until no key is in processing. Of use after [`close`](Self::close).
    pub async fn drained(&self) {
        loop {
            // Subscribed before looking, so that a change in between wakes it.
            let idle = self.idle.notified();
            if self.lock().state.processing() == 0 {
                return;
            }
            idle.await;
        }
    }

    /// The number of keys that wait for a worker. Keys that wait for a time to come do not count.
    pub fn len(&self) -> usize {
        self.lock().state.ready(Instant::now())
    }

    /// Whether no key waits for a worker.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of keys that wait for a time to come.
    pub fn delayed(&self) -> usize {
        self.lock().state.delayed(Instant::now())
    }

    /// The number of keys in processing.
    pub fn processing(&self) -> usize {
        self.lock().state.processing()
    }

    /// How long the key at the head of the queue has waited for a worker.
    pub fn oldest(&self) -> Option<Duration> {
        self.lock().state.oldest(Instant::now())
    }

    /// The key in processing that was not heard of for longest, and for how long. With `since`,
    /// silence before that time does not count.
    pub fn quietest(&self, since: Option<Instant>) -> Option<(K, Duration)> {
        let inner = self.lock();
        let works = inner.state.works();
        let (key, _, heard) = works.min_by_key(|(_, _, heard)| *heard)?;
        let heard = since.map_or(heard, |since| heard.max(since));
        Some((key.clone(), heard.elapsed()))
    }

    /// What the metrics say of the queue now.
    pub fn gauges(&self) -> Gauges {
        let inner = self.lock();
        let now = Instant::now();
        let (adds, retries) = inner.state.totals();
        let mut gauges = Gauges {
            depth: inner.state.ready(now),
            adds,
            retries,
            ..Gauges::default()
        };
        for (_, begun, _) in inner.state.works() {
            gauges.unfinished += now - begun;
            gauges.longest = gauges.longest.max(now - begun);
        }
        gauges
    }

    /// How long keys waited for a worker after they were due, in seconds.
    pub fn waited(&self) -> &Histogram {
        &self.waited
    }

    /// How long workers had keys, in seconds.
    pub fn worked(&self) -> &Histogram {
        &self.worked
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K>> {
        // No step of the state leaves it half done, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::SeedableRng;
    use tokio::time::{sleep, timeout};

    use super::*;

    fn queue() -> Arc<Queue<u32>> {
        Arc::new(Queue::new(StdRng::seed_from_u64(1), Duration::ZERO))
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_waits_for_a_late_key_gets_an_earlier_one() {
        let queue = queue();
        let start = Instant::now();
        queue.add_at(1, start + 60 * SECOND);
        let worker = tokio::spawn({
            let queue = queue.clone();
            async move { (queue.take().await, queue.take().await) }
        });
        sleep(SECOND).await;
        queue.add_at(2, start + 5 * SECOND);
        assert_eq!((queue.len(), queue.delayed()), (0, 2));
        assert_eq!(worker.await.expect("no panic"), (Some(2), Some(1)));
        assert_eq!(start.elapsed(), 60 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_goes_off_with_a_key_leaves_the_times_to_another() {
        let queue = queue();
        let start = Instant::now();
        let worker = || {
            let queue = queue.clone();
            tokio::spawn(async move {
                let key = queue.take().await;
                let at = start.elapsed();
                sleep(100 * SECOND).await;
                (key, at)
            })
        };
        let (first, second) = (worker(), worker());
        sleep(SECOND).await;
        // One wake-up for the time, and one for the key, which the same worker may get.
        queue.add_at(2, start + 5 * SECOND);
        queue.add(1);
        let mut got = [
            first.await.expect("no panic"),
            second.await.expect("no panic"),
        ];
        got.sort();
        assert_eq!(got, [(Some(1), SECOND), (Some(2), 5 * SECOND)]);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_wakes_all_workers_and_draining_waits_for_those_at_work() {
        let queue = queue();
        queue.add(1);
        queue.add(2);
        let worker = |work: Duration| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut count = 0;
                while let Some(key) = queue.take().await {
                    sleep(work).await;
                    queue.done(&key, Outcome::Ok);
                    count += 1;
                }
                count
            })
        };
        let workers: Vec<_> = (1..=8).map(|seconds| worker(seconds * SECOND)).collect();
        sleep(SECOND / 2).await;
        assert_eq!(queue.processing(), 2);
        queue.add(3);
        queue.add(1);
        sleep(SECOND / 10).await;
        queue.close();
        let start = Instant::now();
        queue.drained().await;
        assert!(start.elapsed() > SECOND);
        queue.drained().await;
        let mut total = 0;
        for worker in workers {
            total += timeout(SECOND, worker)
                .await
                .expect("woken")
                .expect("no panic");
        }
        assert_eq!(total, 3);
        assert_eq!(queue.take().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_broken_key_does_not_slow_the_others() {
        let queue = queue();
        for key in 0..100 {
            queue.add(key);
        }
        let start = Instant::now();
        let worker = tokio::spawn({
            let queue = queue.clone();
            async move {
                let mut done = Vec::new();
                while let Some(key) = queue.take().await {
                    let broken = key % 10 == 0;
                    let outcome = if broken {
                        Outcome::Retry { at_least: None }
                    } else {
                        Outcome::Ok
                    };
                    queue.done(&key, outcome);
                    if !broken {
                        done.push(start.elapsed());
                    }
                }
                done
            }
        });
        sleep(3600 * SECOND).await;
        queue.close();
        assert_eq!(worker.await.expect("no panic"), vec![Duration::ZERO; 90]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_key_is_lost_and_none_is_given_out_twice_at_a_time() {
        let queue = queue();
        let held = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (queue, held, seen) = (queue.clone(), held.clone(), seen.clone());
                tokio::spawn(async move {
                    while let Some(key) = queue.take().await {
                        assert!(held.lock().unwrap().insert(key));
                        tokio::task::yield_now().await;
                        seen.lock().unwrap().insert(key);
                        assert!(held.lock().unwrap().remove(&key));
                        queue.done(&key, Outcome::Ok);
                    }
                })
            })
            .collect();
        for key in 0..5000 {
            queue.add(key);
            queue.add(key % 7);
        }
        let all = async {
            while seen.lock().unwrap().len() < 5000 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(20 * SECOND, all).await.expect("every key");
        queue.close();
        for worker in workers {
            worker.await.expect("no panic");
        }
    }
}
