//! The ends of what lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daemonset_controller::sim::cluster::Part;
use serde_json::Value;

use super::Runner;
use crate::step::{Kind, Who};

/// An end.
pub(super) enum Undo {
    /// A controller is started again.
    Start(Who),
    /// A controller that has not died at a call dies now: the death has this number.
    Kill(Who, usize),
    /// A controller's watches of a kind deliver again.
    Deliver(Who, Kind),
    /// A rule does not match any more.
    Rule(Arc<AtomicBool>),
    /// A node is patched.
    Node(u32, Value),
    /// A node is ready again.
    Ready(u32),
    /// A node is added again.
    AddNode(u32),
    /// A DaemonSet is made again.
    AddSet(usize),
    /// The disruption budget is removed.
    Disruption,
    /// A part is there again.
    Part(Part),
}

impl Runner<'_> {
    pub(super) async fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Start(who) => self.start(who),
            Undo::Kill(who, number) => self.kill_anyway(who, number).await,
            Undo::Deliver(who, kind) => self.deliver(who, kind),
            Undo::Rule(is_on) => is_on.store(false, Ordering::Relaxed),
            Undo::Node(node, patch) => drop(self.patch_node(node, &patch)),
            Undo::Ready(node) => drop(self.turn_node(node, true)),
            Undo::AddNode(node) => self.add_node_again(node),
            Undo::AddSet(set) => self.add_set(set),
            Undo::Disruption => self.end_disruption(),
            Undo::Part(part) => self.cluster.switch(part, true),
        }
    }
}
