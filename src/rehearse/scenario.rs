//! What is supposed in a rehearsal: which nodes fail, are down, or join, and how long things take.

use std::{collections::BTreeSet, time::Duration};

use crate::model::{Node, Str};

use super::durations::ZONE;

/// How long a pod takes from its delete until its containers have ended, where nothing is said: so
/// long, or its grace period where that is shorter.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// How long is rehearsed where nothing is said.
pub const HORIZON: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What is supposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// All that differs from pod to pod, and which nodes are meant by a share, follows from it.
    pub seed: u64,
    /// The nodes on which containers of the new revision crash.
    pub fail: Vec<Nodes>,
    /// So many nodes that get pods are not ready from the beginning on, and stay so.
    pub not_ready: usize,
    /// Pods that are there and are not ready become ready, whatever kept them.
    pub heal: bool,
    /// So many nodes join, a while after the beginning. Each is like one that is there.
    pub join: usize,
    /// When they join.
    pub join_after: Duration,
    /// What a pod takes from its create to Ready; None for what the snapshot says.
    pub ready_after: Option<Duration>,
    /// What a pod takes from its delete until its containers have ended; None for
    /// [`GONE_AFTER`], or the grace period where that is shorter.
    pub gone_after: Option<Duration>,
    /// How long is rehearsed at most.
    pub horizon: Duration,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            seed: 1,
            fail: Vec::new(),
            not_ready: 0,
            heal: false,
            join: 0,
            join_after: Duration::from_secs(60),
            ready_after: None,
            gone_after: None,
            horizon: HORIZON,
        }
    }
}

/// Some of the nodes that get pods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Nodes {
    /// Those with these names.
    Named(BTreeSet<Str>),
    /// Those with this value of a label; of [`ZONE`] where the key is `zone`.
    Labelled(Str, Str),
    /// So many of them.
    Count(usize),
    /// This share of them in percent, rounded up.
    Percent(usize),
}

impl Nodes {
    /// Reads `nodes=a,b`, `zone=X`, `KEY=VALUE`, `5%` or `3`. The error says what would be right.
    pub fn parse(text: &str) -> Result<Nodes, String> {
        let wrong = || {
            format!(
                "`{text}` is not understood: nodes=NAME,NAME, zone=ZONE, KEY=VALUE for a label, a number \
                 as 3, or a share as 5% is needed"
            )
        };
        if let Some((key, value)) = text.split_once('=') {
            return match key {
                _ if key.is_empty() || value.is_empty() => Err(wrong()),
                "nodes" => {
                    let names = value.split(',').filter(|name| !name.is_empty());
                    Ok(Nodes::Named(names.map(Str::from).collect()))
                }
                "zone" => Ok(Nodes::Labelled(ZONE.into(), value.into())),
                _ => Ok(Nodes::Labelled(key.into(), value.into())),
            };
        }
        if let Some(share) = text.strip_suffix('%') {
            let share: usize = share.parse().map_err(|_| wrong())?;
            return match share {
                1..=100 => Ok(Nodes::Percent(share)),
                _ => Err(wrong()),
            };
        }
        match text.parse() {
            Ok(count) if count > 0 => Ok(Nodes::Count(count)),
            _ => Err(wrong()),
        }
    }

    /// Those of these nodes that are meant. Where a number or a share is, they follow from the
    /// seed.
    pub(super) fn choose(&self, nodes: &[&Node], seed: u64) -> BTreeSet<Str> {
        let count = match self {
            Nodes::Named(names) => {
                let there = nodes.iter().map(|node| &node.name);
                return there
                    .filter(|name| names.contains(*name))
                    .cloned()
                    .collect();
            }
            Nodes::Labelled(key, value) => {
                let has = |node: &&&Node| node.labels.get(key) == Some(&**value);
                let there = nodes.iter().filter(has);
                return there.map(|node| node.name.clone()).collect();
            }
            Nodes::Count(count) => *count,
            Nodes::Percent(share) => (nodes.len() * share).div_ceil(100),
        };
        pick(nodes, count, seed)
    }
}

/// So many of the nodes, by seed.
pub(super) fn pick(nodes: &[&Node], count: usize, seed: u64) -> BTreeSet<Str> {
    let mut drawn: Vec<(u64, &Str)> = nodes
        .iter()
        .map(|node| (draw(seed, &node.name, 0), &node.name))
        .collect();
    drawn.sort();
    let drawn = drawn.into_iter().take(count);
    drawn.map(|(_, name)| name.clone()).collect()
}

/// A number that looks drawn by lot and follows from the seed, a name and how often was drawn:
/// FNV-1a, then the last steps of SplitMix64.
pub(super) fn draw(seed: u64, name: &str, turn: u64) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let words = seed.to_le_bytes().into_iter().chain(turn.to_le_bytes());
    for byte in words.chain(name.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_read_and_what_is_wrong_is_told() {
        let names = |names: &[&str]| Nodes::Named(names.iter().map(|n| Str::from(*n)).collect());
        for (text, nodes) in [
            ("nodes=a,b", names(&["a", "b"])),
            ("zone=x", Nodes::Labelled(ZONE.into(), "x".into())),
            ("pool=gpu", Nodes::Labelled("pool".into(), "gpu".into())),
            ("5%", Nodes::Percent(5)),
            ("3", Nodes::Count(3)),
        ] {
            assert_eq!(Nodes::parse(text), Ok(nodes), "{text}");
        }
        for text in ["", "0", "0%", "101%", "=x", "zone=", "x%", "-1"] {
            let why = Nodes::parse(text).unwrap_err();
            assert!(why.contains("KEY=VALUE"), "{text}: {why}");
        }
    }
}
