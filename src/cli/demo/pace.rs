//! The speed at which the cluster's time passes.
//!
//! The runtime's time is paused: it jumps to the next timer when there is nothing to do. So the
//! events in the cluster, and their times, do not depend on this machine. Only the observer is held
//! up: the thread sleeps until as much time has passed outside, and nothing happens meanwhile.

use std::thread;
use std::time::{Duration, Instant};

/// The time of the cluster that passes between two looks at it.
const STEP: Duration = Duration::from_millis(10);

/// The longest sleep, so that signals are not missed.
const DOZE: Duration = Duration::from_millis(50);

/// Lets the cluster's time pass in steps.
pub struct Pace {
    speed: f64,
    begun: Instant,
    passed: Duration,
}

impl Pace {
    /// A pace of `speed` seconds in the cluster for each second outside, from now on.
    pub fn new(speed: f64) -> Pace {
        Pace {
            speed,
            begun: Instant::now(),
            passed: Duration::ZERO,
        }
    }

    /// Lets one step pass in the cluster, and as much time outside as the speed asks for.
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
            // Lets the runtime look at the signals.
            tokio::task::yield_now().await;
        }
    }
}
