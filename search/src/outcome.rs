//! What came of a history.

use std::collections::BTreeMap;
use std::time::Duration;

use daemonset_controller::sim::promises::Violation;

use crate::faults::Fault;

/// Who took away the pod whose name a create posts that breaks S1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FreedBy {
    /// A DaemonSet controller.
    Controller,
    /// Somebody else.
    Others,
    /// Nobody had that name before.
    Nobody,
}

/// What came of a history.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// The promises that were broken; `panic` and `leak` among them.
    pub violations: Vec<Violation>,
    /// Violations of S1 by the known gap (docs/design.md), which late writes reach, and two
    /// controllers without election while a create of one of them is unsettled.
    pub known_gap: Vec<(FreedBy, Violation)>,
    /// How many steps of each kind were carried out.
    pub steps: BTreeMap<Fault, usize>,
    /// How many steps were skipped: there was nothing to do them to, or the known gap is near.
    pub skipped: usize,
    /// How many requests all clients sent.
    pub calls: usize,
    /// How many of them controllers sent.
    pub controllers_calls: usize,
    /// How many writes there were, of all clients and people.
    pub writes: u64,
    /// The time that passed in the cluster.
    pub elapsed: Duration,
}

impl Outcome {
    /// The name of the promise that was broken first.
    pub fn broken(&self) -> Option<&'static str> {
        self.violations.first().map(|violation| violation.promise)
    }
}

/// A violation that is no write's.
pub fn violation(promise: &'static str, at: Duration, what: impl Into<String>) -> Violation {
    Violation {
        promise,
        version: 0,
        at,
        request: String::new(),
        what: what.into(),
    }
}
