//! Creates of pods that may still take effect although nobody waits for them any more.
//!
//! The name of a pod keeps a create from making a second pod only while a pod has it. So a name of
//! which a create may be under way is not set free, and where it is free it is the next one to be
//! used (docs/design.md, "Known gap").

use std::collections::HashMap;
use std::time::Duration;

use super::{Str, Time};

/// For so long after it was sent a create may take effect. The API server ends a request after
/// 60 s, and each admission webhook has 30 s at most; but nothing bounds what a network or a proxy
/// holds back.
pub const LATEST: Duration = Duration::from_secs(125);

/// For one DaemonSet: node name to the names of pods for it whose create was sent by this process
/// and has an unknown outcome, each with the time until which it may take effect.
#[derive(Clone, Default, Debug)]
pub struct UnsettledCreates(HashMap<Str, Vec<(Str, Time)>>);

impl UnsettledCreates {
    /// It is not known, at `now`, what became of a create of a pod of this name for this node. What
    /// was over long ago is forgotten.
    pub fn add(&mut self, node: &Str, name: &Str, now: Time) {
        let names = self.0.entry(node.clone()).or_default();
        names.retain(|(other, until)| other != name && *until + LATEST > now);
        names.push((name.clone(), now + LATEST));
    }

    /// The names of pods for this node of which a create may be under way, the latest first.
    pub fn names(&self, node: &str, now: Time) -> impl Iterator<Item = &Str> {
        let names = self.on(node).rev().filter(move |(_, until)| *until > now);
        names.map(|(name, _)| name)
    }

    /// Until when a create of this name for this node may take effect, or might have.
    pub fn until(&self, node: &str, name: &str) -> Option<Time> {
        let mut names = self.on(node);
        names.find(|(other, _)| **other == *name).map(|(_, at)| *at)
    }

    /// Whether there is no such create for this node.
    pub fn is_none_on(&self, node: &str) -> bool {
        self.0.is_empty() || !self.0.contains_key(node)
    }

    /// The node is gone.
    pub fn forget(&mut self, node: &str) {
        self.0.remove(node);
    }

    fn on(&self, node: &str) -> impl DoubleEndedIterator<Item = &(Str, Time)> {
        self.0.get(node).into_iter().flatten()
    }
}

/// What this process knows of creates that other processes sent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tenure {
    /// Only the holder of a Lease makes pods.
    pub elected: bool,
    /// When this process acquired the Lease from a holder that had not released it: creates of
    /// that one may be under way. None where it had, or where there is no election.
    pub seized: Option<Time>,
}
