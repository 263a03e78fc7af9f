//! When the status of a DaemonSet is written: the counts and, with rollout control, the conditions,
//! in one patch.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Condition, DaemonSetStatus};

/// The least time between two status writes of one DaemonSet: while a thousand pods become ready,
/// ten writes a second say as much as a thousand.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// The longest interval between two writes of the same status. It doubles up to this while another
/// client, such as a second controller with other caches, keeps writing another status over ours.
const LONGEST_STATUS_INTERVAL: Duration = Duration::from_secs(60);

/// The least time before a write of nothing but the message of `Available`: pods that crash change
/// their state again and again, and the counts with it no more.
const MESSAGE_INTERVAL: Duration = Duration::from_secs(10);

/// A write of the status.
#[derive(Clone)]
pub struct Written {
    at: Instant,
    status: DaemonSetStatus,
    /// What the conditions said that were last written.
    told: Option<Vec<Condition>>,
    /// How often in a row this same status had to be written again.
    again: u32,
}

impl Written {
    /// The record of the next write. Only writes of the same status count as repeated.
    pub fn next(
        before: Option<&Written>,
        status: &DaemonSetStatus,
        told: Option<Vec<Condition>>,
        at: Instant,
    ) -> Written {
        let again = before.filter(|w| w.is_same(status, told.as_ref()));
        let again = again.map(|w| w.again + 1);
        Written {
            at,
            status: *status,
            told: told.or_else(|| before?.told.clone()),
            again: again.unwrap_or(0),
        }
    }

    fn is_same(&self, status: &DaemonSetStatus, told: Option<&Vec<Condition>>) -> bool {
        self.status == *status && told.is_none_or(|told| self.told.as_ref() == Some(told))
    }

    /// The earliest time at which `status` may be written. A status that becomes complete is
    /// written without delay, because people and tools wait for it.
    pub fn soonest(&self, status: &DaemonSetStatus, told: Option<&Vec<Condition>>) -> Instant {
        let doublings = if self.is_same(status, told) {
            self.again + 1
        } else if status.is_complete() && !self.status.is_complete() {
            return self.at;
        } else {
            0
        };
        let interval = STATUS_INTERVAL * (1 << doublings.min(10));
        self.at + interval.min(LONGEST_STATUS_INTERVAL)
    }

    /// The earliest time at which the message of `Available` alone may be written.
    pub fn soonest_message(&self) -> Instant {
        self.at + MESSAGE_INTERVAL
    }
}
