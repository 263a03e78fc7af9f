//! What was learnt not long ago, by digests: of tokens, and of questions. Nothing that is secret is
//! kept.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ring::{hmac, rand::SystemRandom};
use tokio::time::Instant;

/// The digest of a text.
pub type Digest = [u8; 32];

/// Makes digests with a key that only this process has, so that what lies in its memory cannot be
/// compared with tokens from elsewhere.
pub struct Hasher(hmac::Key);

impl Default for Hasher {
    fn default() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        Self(key.expect("the operating system has random numbers"))
    }
}

impl Hasher {
    /// The digest of a list of texts. Where one ends and the next begins counts too.
    pub fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

/// Values that are kept for a time, and no more than a number of them.
pub struct Remembered<V> {
    values: BTreeMap<Digest, (Instant, V)>,
    /// Digests in the order in which their values were learnt.
    order: VecDeque<(Instant, Digest)>,
    time: Duration,
    capacity: usize,
}

impl<V> Remembered<V> {
    /// Keeps each value for this time. Where there are more than `capacity` the oldest goes.
    pub fn new(time: Duration, capacity: usize) -> Self {
        Self {
            values: BTreeMap::new(),
            order: VecDeque::new(),
            time,
            capacity,
        }
    }

    /// The value of this digest, where it is not too old.
    pub fn get(&self, digest: &Digest, now: Instant) -> Option<&V> {
        let (learnt, value) = self.values.get(digest)?;
        (now < *learnt + self.time).then_some(value)
    }

    /// Keeps a value from now on.
    pub fn learn(&mut self, digest: Digest, value: V, now: Instant) {
        if self.values.insert(digest, (now, value)).is_some() {
            self.order.retain(|(_, known)| *known != digest);
        }
        self.order.push_back((now, digest));
        while let Some((learnt, oldest)) = self.order.front().copied() {
            if now < learnt + self.time && self.values.len() <= self.capacity {
                break;
            }
            self.values.remove(&oldest);
            self.order.pop_front();
        }
    }

    /// How many values are kept, those that are too old included.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn digest(number: u64) -> Digest {
        let mut digest = Digest::default();
        digest[..8].copy_from_slice(&number.to_be_bytes());
        digest
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_counts_until_its_time_is_over_and_from_the_last_time_it_was_learnt() {
        let begun = Instant::now();
        let mut kept = Remembered::new(10 * SECOND, 8);
        kept.learn(digest(1), "a", begun);
        kept.learn(digest(1), "b", begun + 5 * SECOND);
        for (after, value) in [(0, "b"), (9, "b"), (14, "b")] {
            let at = begun + after * SECOND;
            assert_eq!(kept.get(&digest(1), at), Some(&value), "{after}");
        }
        assert_eq!(kept.get(&digest(1), begun + 15 * SECOND), None);
        assert_eq!(kept.get(&digest(2), begun), None);
        kept.learn(digest(2), "c", begun + 15 * SECOND);
        assert_eq!(
            (kept.len(), kept.order.len()),
            (1, 1),
            "the old one is gone"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_are_learnt_only_so_many_are_kept_and_the_oldest_goes() {
        let begun = Instant::now();
        let mut kept = Remembered::new(10 * SECOND, 3);
        for number in 0..1000 {
            kept.learn(digest(number), number, begun);
            assert!(kept.len() <= 3 && kept.order.len() <= 3);
        }
        for number in 0..1000 {
            assert_eq!(kept.get(&digest(number), begun).is_some(), number >= 997);
        }
        for _ in 0..1000 {
            kept.learn(digest(7), 7, begun);
        }
        assert_eq!(kept.len(), 3, "the same again pushes nobody out");
    }

    #[test]
    fn digests_tell_texts_apart_and_processes_too() {
        let (one, other) = (Hasher::default(), Hasher::default());
        assert_eq!(one.digest(&[b"token"]), one.digest(&[b"token"]));
        assert_ne!(one.digest(&[b"token"]), one.digest(&[b"token2"]));
        assert_ne!(one.digest(&[b"ab", b"c"]), one.digest(&[b"a", b"bc"]));
        assert_ne!(one.digest(&[b"token"]), other.digest(&[b"token"]));
    }
}
