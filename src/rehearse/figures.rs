//! What a rehearsal comes to, in numbers.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{Str, Time};

/// The most nodes at once, and when that was the case first.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Peak {
    /// How many nodes.
    pub nodes: usize,
    /// Since when.
    pub at: Time,
}

impl Peak {
    /// Takes in another moment.
    pub(super) fn raise(&mut self, other: Peak) {
        if other.nodes > self.nodes {
            *self = other;
        }
    }
}

/// Of the nodes that are to have a pod, the most without an available one at once.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Peaks {
    /// How many were before anything was done.
    pub before: usize,
    /// In the whole cluster.
    pub all: Peak,
    /// By zone. Nodes without a zone are in the one with the empty name.
    pub by_zone: BTreeMap<Str, Peak>,
}

/// The figures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    /// From the beginning until the last thing happened.
    pub duration: Duration,
    /// Nodes that are to have a pod, at the end.
    pub nodes: usize,
    /// Those of them with an available pod of the revision that is rolled out.
    pub updated: usize,
    /// Those of them without any available pod.
    pub unavailable: usize,
    /// The most without one at once.
    pub peaks: Peaks,
    /// Pods that were created.
    pub created: usize,
    /// Pods that were deleted.
    pub deleted: usize,
}

impl Figures {
    /// Nodes that are to have a pod and have no available one of the revision that is rolled out.
    pub fn not_updated(&self) -> usize {
        self.nodes - self.updated
    }

    /// The most nodes of one zone that were unavailable at once.
    pub fn most_in_a_zone(&self) -> usize {
        let zones = self.peaks.by_zone.values();
        zones.map(|peak| peak.nodes).max().unwrap_or(0)
    }
}
