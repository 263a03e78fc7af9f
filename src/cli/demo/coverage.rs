//! The progress of the DaemonSet, by zone.

use std::collections::BTreeMap;

use super::names::NAMED;
use super::rollout_view::{RolloutView, used};

/// The counts of some nodes and their pods.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Nodes that are to have a pod.
    pub desired: u64,
    /// Nodes with a pod.
    pub created: u64,
    /// Nodes whose pod is running.
    pub running: u64,
    /// Nodes whose pod is ready.
    pub ready: u64,
    /// During an update: pods of the current template.
    pub new: u64,
    /// During an update: ready pods of the current template.
    pub new_ready: u64,
}

/// The counts of all nodes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// The counts by zone.
    pub zones: BTreeMap<String, Counts>,
    /// Pods that are terminating or terminal.
    pub unsettled: u64,
    /// The rollout, if an update is shown.
    pub update: Option<RolloutView>,
}

impl Coverage {
    /// The sum of all zones.
    pub fn total(&self) -> Counts {
        let zones = self.zones.values();
        zones.fold(Counts::default(), |sum, zone| sum.plus(zone))
    }

    /// Whether every node has what it is to have, and no pod is terminating or terminal.
    pub fn is_complete(&self) -> bool {
        let total = self.total();
        total.ready == total.desired && self.unsettled == 0
    }

    /// How much of a bar is full, and the words next to it.
    pub fn bar(&self, counts: &Counts) -> (u64, String) {
        match self.update {
            Some(_) if counts.desired > 0 => (
                counts.new_ready,
                counts.update() + &format!(" of {}", counts.desired),
            ),
            _ => (counts.ready, counts.words()),
        }
    }

    /// The counts of all zones in words.
    pub fn words(&self) -> String {
        let total = self.total();
        let Some(update) = &self.update else {
            return total.words();
        };
        match update.standing() {
            Some(standing) => {
                let used = update.rollout.as_ref().map(|rollout| used(rollout) + ", ");
                let used = used.unwrap_or_default();
                format!("{} new, {used}{standing}", self.by_zone())
            }
            None => format!("{}, {}", total.update(), update.short()),
        }
    }

    /// During an update: the nodes of each zone that have a ready pod of the current template, of
    /// those that are to have one. Of many zones the first ones are named.
    pub fn by_zone(&self) -> String {
        let zones = self.zones.iter().filter(|(_, counts)| counts.desired > 0);
        let mut words = Vec::new();
        let mut others = Counts::default();
        for (n, (zone, counts)) in zones.enumerate() {
            match n < NAMED {
                true => words.push(format!("{zone} {}/{}", counts.new_ready, counts.desired)),
                false => others = others.plus(counts),
            }
        }
        if others.desired > 0 {
            let Counts {
                new_ready, desired, ..
            } = others;
            words.push(format!("others {new_ready}/{desired}"));
        }
        words.join(" ")
    }
}

impl Counts {
    /// Both together.
    pub fn plus(&self, other: &Counts) -> Counts {
        self.each(other, |a, b| a + b)
    }

    /// These without those, which are part of them.
    pub fn minus(&self, other: &Counts) -> Counts {
        self.each(other, |a, b| a - b)
    }

    fn each(&self, other: &Counts, of: impl Fn(u64, u64) -> u64) -> Counts {
        Counts {
            desired: of(self.desired, other.desired),
            created: of(self.created, other.created),
            running: of(self.running, other.running),
            ready: of(self.ready, other.ready),
            new: of(self.new, other.new),
            new_ready: of(self.new_ready, other.new_ready),
        }
    }

    /// New and old pods, in words.
    fn update(&self) -> String {
        format!(
            "{:>3} new {:>3} ready {:>3} old",
            self.new,
            self.new_ready,
            self.old()
        )
    }

    /// During an update: pods of older templates.
    pub fn old(&self) -> u64 {
        self.created - self.new
    }

    /// Without an update: the counts in words.
    fn words(&self) -> String {
        if self.desired == 0 {
            return "no node is to have one".to_owned();
        }
        format!(
            "{:>3} created {:>3} running {:>3} ready of {}",
            self.created, self.running, self.ready, self.desired
        )
    }
}
