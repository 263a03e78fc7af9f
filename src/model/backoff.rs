//! How long failed and finished pods are kept before they are replaced (state of the snapshot: the
//! planner reads it and returns its changes).

use std::{collections::BTreeMap, time::Duration};

use super::{Str, Time, Uid};

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
    /// Finished pods (upstream has none there, and spins).
    Succeeded,
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

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    wait: Duration,
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
        let end = entry.since + entry.wait;
        (end > now).then_some(end)
    }

    /// When the key's last attempt was made.
    pub fn since(&self, key: &BackoffKey) -> Option<Time> {
        self.entries.get(key).map(|entry| entry.since)
    }

    /// When the attempt after one made now may be made.
    pub fn after_attempt(&self, key: &BackoffKey, now: Time) -> Time {
        now + self.next_wait(key, now)
    }

    /// An attempt is made: the next one waits for twice as long as this one did.
    pub fn attempt(&mut self, key: BackoffKey, now: Time) {
        let wait = self.next_wait(&key, now);
        self.entries.insert(key, Entry { wait, since: now });
    }

    fn next_wait(&self, key: &BackoffKey, now: Time) -> Duration {
        match self.entries.get(key) {
            Some(e) if now.since(e.since) <= 2 * MAX => (e.wait * 2).min(MAX),
            _ => INITIAL,
        }
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
}
