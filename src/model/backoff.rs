//! How long a node's next pod waits where the last ones failed, finished, or were taken away by
//! others (state of the snapshot: the planner reads it).

use std::{collections::BTreeMap, time::Duration};

use super::{DaemonSet, Str, Time, Uid};

/// A pod that others take away sooner than this after it appeared counts as short-lived. Long
/// enough for the scheduler, the kubelet, a webhook and any controller to act on a new pod; short
/// enough for a person who deletes pods by hand.
pub const SHORT_LIVED: Duration = Duration::from_secs(10);
/// So many short-lived pods in a row are replaced at once, as upstream replaces every one. One may
/// be chance, and two or three a person who looks at what happens; a fourth is a program that will
/// go on.
pub const FREE: u32 = 3;
/// The first wait.
pub const INITIAL: Duration = Duration::from_secs(1);
/// The longest wait. An entry untouched for twice as long starts over, as client-go's
/// `flowcontrol.Backoff` does.
pub const MAX: Duration = Duration::from_secs(15 * 60);

/// What a key counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BackoffKind {
    /// Failed pods (upstream's only kind).
    Failed,
    /// Pods that failed because their node shuts down. They say nothing of what comes once it works
    /// again (upstream counts them with the others).
    ShutDown,
    /// Finished pods (upstream has none there, and spins).
    Succeeded,
    /// Short-lived pods that somebody else deleted (upstream spins).
    Deleted,
    /// Short-lived pods that were released, because they stopped matching the selector (upstream
    /// spins).
    Released,
    /// Resizes that the API server refused. The generation of such a key is a digest of what was
    /// asked for, and a key without a node is about all of them.
    Resize,
}

impl BackoffKind {
    /// How many attempts in a row are followed by no wait.
    fn free(self) -> u32 {
        match self {
            BackoffKind::Failed
            | BackoffKind::ShutDown
            | BackoffKind::Succeeded
            | BackoffKind::Resize => 0,
            BackoffKind::Deleted | BackoffKind::Released => FREE,
        }
    }

    /// The wait after so many attempts in a row.
    fn wait(self, attempts: u32) -> Duration {
        match attempts.saturating_sub(self.free()) {
            0 => Duration::ZERO,
            n => MAX.min(INITIAL * (1 << (n - 1).min(16))),
        }
    }
}

/// One backoff: a change of the DaemonSet that was acted upon starts another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BackoffKey {
    /// The DaemonSet.
    pub daemon_set: Uid,
    /// Its `status.observedGeneration`.
    pub generation: i64,
    /// The node.
    pub node: Str,
    /// What is counted.
    pub kind: BackoffKind,
}

impl BackoffKey {
    /// The key of a DaemonSet in its present state.
    pub fn of(daemon_set: &DaemonSet, node: &str, kind: BackoffKind) -> BackoffKey {
        BackoffKey {
            daemon_set: daemon_set.uid.clone(),
            generation: daemon_set.status.observed_generation,
            node: node.into(),
            kind,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    /// Attempts in a row.
    attempts: u32,
    /// When the last one was made.
    since: Time,
}

/// A key's next attempt is made now.
pub type BackoffChange = BackoffKey;

/// All running backoffs.
#[derive(Clone, Default, Debug)]
pub struct Backoff {
    entries: BTreeMap<BackoffKey, Entry>,
}

impl Backoff {
    /// When the key's wait ends; None when nothing is waited for.
    pub fn waits_until(&self, key: &BackoffKey, now: Time) -> Option<Time> {
        let entry = self.entries.get(key)?;
        let end = entry.since + key.kind.wait(entry.attempts);
        (end > now).then_some(end)
    }

    /// When the key's last attempt was made.
    pub fn since(&self, key: &BackoffKey) -> Option<Time> {
        self.entries.get(key).map(|entry| entry.since)
    }

    /// When the attempt after one made now may be made.
    pub fn after_attempt(&self, key: &BackoffKey, now: Time) -> Time {
        now + key.kind.wait(self.next(key, now))
    }

    /// An attempt is made: the next one waits for twice as long as this one did.
    pub fn attempt(&mut self, key: BackoffKey, now: Time) {
        let attempts = self.next(&key, now);
        let entry = Entry {
            attempts,
            since: now,
        };
        self.entries.insert(key, entry);
    }

    /// How many attempts in a row one made now would be.
    fn next(&self, key: &BackoffKey, now: Time) -> u32 {
        match self.entries.get(key) {
            Some(e) if now.since(e.since) <= 2 * MAX => e.attempts.saturating_add(1),
            _ => 1,
        }
    }

    /// The attempts were none in a row: the next one is the first. False where there were none.
    pub fn start_over(&mut self, key: &BackoffKey) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Forgets entries that have started over anyway. Returns how many went.
    pub fn sweep(&mut self, now: Time) -> usize {
        let before = self.entries.len();
        self.entries.retain(|_, e| now.since(e.since) <= 2 * MAX);
        before - self.entries.len()
    }

    /// Forgets all of a DaemonSet that is gone.
    pub fn forget(&mut self, daemon_set: &Uid) {
        self.entries.retain(|k, _| &k.daemon_set != daemon_set);
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: BackoffKind) -> BackoffKey {
        BackoffKey {
            daemon_set: Uid::from("u"),
            generation: 1,
            node: "n".into(),
            kind,
        }
    }

    #[test]
    fn a_second_doubling_to_fifteen_minutes_and_over_after_thirty() {
        let mut b = Backoff::default();
        let mut now = Time::from_secs(0);
        let mut waits = vec![];
        for _ in 0..13 {
            b.attempt(key(BackoffKind::Failed), now);
            let end = b.waits_until(&key(BackoffKind::Failed), now).unwrap();
            assert_eq!(
                b.waits_until(&key(BackoffKind::Succeeded), now),
                None,
                "a key of its own"
            );
            assert_eq!(b.waits_until(&key(BackoffKind::Failed), end), None);
            waits.push(end.since(now).as_secs());
            now = end;
        }
        assert_eq!(
            waits,
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
        );
        now = now + Duration::from_secs(1801);
        b.attempt(key(BackoffKind::Failed), now);
        assert_eq!(
            b.waits_until(&key(BackoffKind::Failed), now),
            Some(now + INITIAL)
        );
        assert_eq!(b.sweep(now + Duration::from_secs(1800)), 0);
        assert_eq!(b.sweep(now + Duration::from_secs(1801)), 1);
    }

    #[test]
    fn short_lived_pods_wait_only_after_three_in_a_row() {
        for kind in [BackoffKind::Deleted, BackoffKind::Released] {
            let mut b = Backoff::default();
            let now = Time::from_secs(0);
            let waits = |b: &mut Backoff| {
                b.attempt(key(kind), now);
                let end = b.waits_until(&key(kind), now);
                end.map_or(0, |end| end.since(now).as_secs())
            };
            let first: Vec<u64> = (0..8).map(|_| waits(&mut b)).collect();
            assert_eq!(first, [0, 0, 0, 1, 2, 4, 8, 16]);
            for _ in 0..1000 {
                assert!(waits(&mut b) <= 900);
            }
            b.start_over(&key(kind));
            assert_eq!(waits(&mut b), 0);
        }
    }
}
