//! A history: a cluster, its controllers, and steps.

use std::fmt;

use daemonset_controller::sim::api::late::LateWrites;
use serde_json::Value;

use crate::faults::Faults;
use crate::step::{Millis, Step};

/// The controllers of a history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, clap::ValueEnum)]
pub enum Controllers {
    /// One.
    One,
    /// Two that are both active.
    Two,
    /// Two with election.
    Election,
}

impl Controllers {
    /// How many there are.
    pub fn count(self) -> usize {
        if self == Controllers::One { 1 } else { 2 }
    }
}

/// What is searched.
#[derive(Clone, Debug)]
pub struct Scope {
    /// How many nodes there are at first.
    pub nodes: u32,
    /// How many steps there are.
    pub steps: usize,
    /// How often each kind of step is drawn.
    pub faults: Faults,
    /// How many of a thousand writes of controllers take effect late, by minutes at most.
    pub late_per_mille: u32,
    /// The controllers that histories must have; seeds with others are passed over.
    pub controllers: Option<Controllers>,
}

impl Scope {
    /// Ten nodes and 200 steps, without late writes.
    pub fn usual() -> Scope {
        Scope {
            nodes: 10,
            steps: 200,
            faults: Faults::usual(),
            late_per_mille: 0,
            controllers: None,
        }
    }

    /// Short histories of few nodes, for `cargo test`.
    pub fn short() -> Scope {
        Scope {
            nodes: 2,
            steps: 5,
            ..Scope::usual()
        }
    }
}

/// A DaemonSet as it is at first.
#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    /// Its spec, except for the selector and the template's labels.
    pub spec: Value,
}

/// A history. The same one always leads to the same requests.
#[derive(Clone, PartialEq, Debug)]
pub struct History {
    /// The seed of names, jitter and lengths of watches.
    pub seed: u64,
    /// Its controllers.
    pub controllers: Controllers,
    /// How many nodes there are at first.
    pub nodes: u32,
    /// The pools of nodes; their number is at least that of nodes that ever are.
    pub pools: Vec<u8>,
    /// The DaemonSets.
    pub sets: Vec<Set>,
    /// How far watches lag at most.
    pub lag: Millis,
    /// How long requests are under way at most.
    pub slow: Millis,
    /// Writes that take effect late, if any do.
    pub late: Option<Late>,
    /// What happens, in the order of time.
    pub steps: Vec<Step>,
}

/// Writes that take effect late.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Late {
    /// How many of a thousand.
    pub per_mille: u32,
    /// The seed of their dice.
    pub seed: u64,
}

impl Late {
    /// The longest delay, in seconds.
    pub const LONGEST: u64 = 120;

    /// As the simulated API server takes it.
    pub fn options(self) -> LateWrites {
        LateWrites {
            seed: self.seed,
            per_mille: self.per_mille,
            in_server_per_mille: 500,
            least: std::time::Duration::from_secs(1),
            most: std::time::Duration::from_secs(Self::LONGEST),
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let controllers = match self.controllers {
            Controllers::One => "one controller",
            Controllers::Two => "two controllers without election",
            Controllers::Election => "two controllers with election",
        };
        writeln!(
            f,
            "seed {}: {controllers}, {} nodes, lag to {} ms, requests to {} ms{}",
            self.seed,
            self.nodes,
            self.lag,
            self.slow,
            if self.late.is_some() {
                ", late writes"
            } else {
                ""
            },
        )?;
        for (number, set) in self.sets.iter().enumerate() {
            writeln!(f, "set {number}: {}", set.spec)?;
        }
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}
