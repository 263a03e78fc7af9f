//! What came of many histories.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::faults::Fault;
use crate::history::{Controllers, History};
use crate::outcome::{FreedBy, Outcome};

/// A history that broke something.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Its seed.
    pub seed: u64,
    /// The promise that was broken first.
    pub promise: &'static str,
    /// What is wrong, in words.
    pub what: String,
}

/// The sums over histories.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// How many there were.
    pub histories: usize,
    /// Of which controllers.
    pub controllers: BTreeMap<Controllers, usize>,
    /// Requests of all clients.
    pub calls: usize,
    /// Requests of controllers.
    pub controllers_calls: usize,
    /// Writes of everybody.
    pub writes: u64,
    /// Steps that were carried out, by kind.
    pub steps: BTreeMap<Fault, usize>,
    /// Steps that were skipped.
    pub skipped: usize,
    /// The time that passed in clusters.
    pub elapsed: Duration,
    /// Violations of S1 by the known gap, by who had freed the name.
    pub known_gap: BTreeMap<FreedBy, usize>,
    /// How many histories had one.
    pub with_known_gap: usize,
    /// The histories that broke something, by their seeds.
    pub broken: BTreeMap<u64, Broken>,
}

impl Tally {
    /// Takes a history in.
    pub fn add(&mut self, history: &History, outcome: &Outcome) {
        self.histories += 1;
        *self.controllers.entry(history.controllers).or_default() += 1;
        self.calls += outcome.calls;
        self.controllers_calls += outcome.controllers_calls;
        self.writes += outcome.writes;
        self.skipped += outcome.skipped;
        self.elapsed += outcome.elapsed;
        for (fault, count) in &outcome.steps {
            *self.steps.entry(*fault).or_default() += count;
        }
        for (freed, _) in &outcome.known_gap {
            *self.known_gap.entry(*freed).or_default() += 1;
        }
        self.with_known_gap += usize::from(!outcome.known_gap.is_empty());
        if let Some(first) = outcome.violations.first() {
            let broken = Broken {
                seed: history.seed,
                promise: first.promise,
                what: first.to_string(),
            };
            self.broken.insert(history.seed, broken);
        }
    }

    /// How many steps were carried out.
    pub fn events(&self) -> usize {
        self.steps.values().sum()
    }

    /// The first history that broke each promise.
    pub fn firsts(&self) -> Vec<&Broken> {
        let mut firsts: BTreeMap<&str, &Broken> = BTreeMap::new();
        for broken in self.broken.values() {
            firsts.entry(broken.promise).or_insert(broken);
        }
        firsts.into_values().collect()
    }
}
