//! How closely simulated kubelets follow real ones: how many of their writes they make, and how
//! long a pod stays after it has ended.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// How many of a real kubelet's writes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Those that decide: a pod runs and is ready (one write, or two), it ends, and is removed. A
    /// crash is one write, and so is an image that is not there. Searches live through many
    /// histories, and each write takes time.
    #[default]
    Short,
    /// All that were recorded: five for a start, an answer to a delete, every step of a crash loop
    /// and of an image that is not there.
    Full,
}

/// How long a deleted pod stays after the write of its terminal phase: a time between the two,
/// which follows from a seed and the UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linger {
    least: Duration,
    most: Duration,
}

impl Default for Linger {
    /// As real kubelets were seen: 0.2 to 1.5 s.
    fn default() -> Self {
        Linger {
            least: Duration::from_millis(200),
            most: Duration::from_millis(1_500),
        }
    }
}

impl Linger {
    /// Always this long. No real kubelet is so regular: only for tests that count time.
    pub fn always(time: Duration) -> Self {
        Linger {
            least: time,
            most: time,
        }
    }

    /// The time of the pod with this UID.
    pub fn of(self, seed: u64, uid: &str) -> Duration {
        let fold = |sum: u64, byte: u8| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte);
        let mut rng = StdRng::seed_from_u64(uid.bytes().fold(seed, fold));
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(rng.random_range(millis(self.least)..=millis(self.most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linger_is_between_its_ends_and_follows_from_seed_and_uid() {
        let linger = Linger::default();
        let times: Vec<Duration> = (0..100)
            .map(|n| linger.of(7, &format!("uid-{n}")))
            .collect();
        let (least, most) = (times.iter().min(), times.iter().max());
        assert!(least >= Some(&linger.least) && most <= Some(&linger.most));
        assert!(most > least, "{times:?}");
        assert_eq!(times[3], linger.of(7, "uid-3"));
        assert_ne!(times[3], linger.of(8, "uid-3"));
    }
}
