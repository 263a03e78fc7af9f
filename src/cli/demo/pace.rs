//! The cluster's time, and how fast it goes by for whoever watches.
//!
//! The runtime's time is paused: it jumps to the next timer when there is nothing to do. So what happens in the
//! cluster, and when by its own clock, does not depend on this machine. What is held up is the looking: the thread
//! sleeps until as much time went by outside, and nothing happens meanwhile.

use std::thread;
use std::time::{Duration, Instant};

/// How often the cluster is looked at, by its own time.
const STEP: Duration = Duration::from_millis(10);

/// At most so long nothing is listened to, a signal neither.
const DOZE: Duration = Duration::from_millis(50);

/// Goes through time in steps.
pub struct Pace {
    speed: f64,
    begun: Instant,
    passed: Duration,
}

impl Pace {
    /// So many seconds of the cluster in one outside, from now on.
    pub fn new(speed: f64) -> Pace {
        Pace {
            speed,
            begun: Instant::now(),
            passed: Duration::ZERO,
        }
    }

    /// Lets one step pass in the cluster, and as much of it outside as the speed asks for.
    pub async fn step(&mut self) {
        tokio::time::sleep(STEP).await;
        self.passed += STEP;
        loop {
            let due = self.begun + self.passed.div_f64(self.speed);
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(DOZE));
            // A look at the signals.
            tokio::task::yield_now().await;
        }
    }
}
