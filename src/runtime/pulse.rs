//! Notices that the process was halted: it was stopped, it got no CPU time, or its machine slept.
//!
//! After a halt the cache is stale, and its watches take a moment to catch up. Until they have, the
//! controller would post names that another controller has used and freed again, and spend a budget
//! that another has spent. So it behaves as one that has just started: it drops the plans under
//! way, and waits.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

/// The interval of the beats.
const BEAT: Duration = Duration::from_millis(100);

/// A beat that is this much late is a halt. A shorter delay is like a watch that is as much behind.
const HALT: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Beats {
    /// None before the first beat.
    last: Option<Instant>,
    /// The time at which the last halt was noticed.
    resumed: Option<Instant>,
}

/// The pulse of the process. It begins with [`Pulse::run`].
#[derive(Default)]
pub struct Pulse(Mutex<Beats>);

impl Pulse {
    /// Beats for ever. Any other method notices a halt at once, before the late beat.
    pub async fn run(&self) {
        loop {
            self.feel(true);
            sleep(BEAT).await;
        }
    }

    /// Whether a halt of the process ended at `then` or later.
    pub fn halted_since(&self, then: Instant) -> bool {
        self.feel(false).is_some_and(|resumed| resumed >= then)
    }

    /// The time at which the last halt ended; None where there was none.
    pub fn resumed(&self) -> Option<Instant> {
        self.feel(false)
    }

    /// Returns once no halt has ended within the last `rest`.
    pub async fn rested(&self, rest: Duration) {
        while let Some(resumed) = self.feel(false)
            && resumed.elapsed() < rest
        {
            sleep_until(resumed + rest).await;
        }
    }

    fn feel(&self, beats: bool) -> Option<Instant> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let late = state.last.is_some_and(|last| now - last > BEAT + HALT);
        if late {
            state.resumed = Some(now);
        }
        if late || beats {
            state.last = Some(now);
        }
        state.resumed
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_beat_is_a_halt_and_a_rest_follows_it() {
        let pulse = std::sync::Arc::new(Pulse::default());
        let begun = Instant::now();
        let beating = tokio::spawn({
            let pulse = pulse.clone();
            async move { pulse.run().await }
        });
        sleep(Duration::from_secs(10)).await;
        assert!(!pulse.halted_since(begun));
        let rest = Duration::from_secs(1);
        pulse.rested(rest).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(10), "no halt, no rest");

        let before = Instant::now();
        advance(Duration::from_millis(900)).await;
        assert!(pulse.halted_since(before));
        pulse.rested(rest).await;
        let waited = before.elapsed();
        assert!(waited >= Duration::from_millis(1900), "{waited:?}");
        assert!(!pulse.halted_since(before + waited));
        beating.abort();
    }
}
