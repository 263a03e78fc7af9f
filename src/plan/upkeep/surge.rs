//! Pruning while surging: of several live pods on a node, which go.

use crate::model::{Node, NodeId, Pod};

use crate::plan::{
    action::{ActionPhase, DeleteCause},
    draft::Draft,
    eviction,
    facts::Facts,
    hold::HoldRule,
    holds::NodeHold,
};

/// Surging allows two pods on a node while the older revision's is ready and the newer one's is not
/// available yet; pruning keeps the oldest with the node's hash and the oldest without. `running`
/// is sorted, oldest first.
pub fn prune(facts: &Facts<'_, '_>, id: NodeId, node: &Node, running: &[&Pod], draft: &mut Draft) {
    if running.len() <= 1 {
        return;
    }
    let hash = facts.targets.of(id).hash;
    let phase = ActionPhase::Manage;
    let mut new: Option<&Pod> = None;
    let mut old: Option<&Pod> = None;
    for &pod in running {
        let place = if facts.has_hash(pod, hash) {
            &mut new
        } else {
            &mut old
        };
        if place.is_none() {
            *place = Some(pod);
        } else {
            draft.delete(pod, &node.name, phase, DeleteCause::Duplicate);
        }
    }
    let (Some(new), Some(old)) = (new, old) else {
        return;
    };
    if !old.is_ready() {
        if eviction::waits(facts, &node.name, old, draft) {
            return;
        }
        return draft.delete(old, &node.name, phase, DeleteCause::OldNotReady);
    }
    let available_at = new.available_at(facts.ds().min_ready_seconds);
    if available_at.is_some_and(|at| at <= facts.now) {
        if eviction::waits(facts, &node.name, old, draft) {
            return;
        }
        return draft.delete(old, &node.name, phase, DeleteCause::Replaced);
    }
    if let Some(at) = available_at {
        draft.wake(at);
    }
    draft.holds.on_node(NodeHold {
        pod: Some(old.name.clone()),
        since: Some(new.created),
        until: available_at,
        ..NodeHold::new(&node.name, HoldRule::SuccessorNotAvailable)
    });
}
