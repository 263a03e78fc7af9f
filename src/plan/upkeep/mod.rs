//! One live pod on every eligible node and none elsewhere: what to create and delete for that,
//! node by node (upstream's `manage`).
//!
//! Where upstream is left:
//! - A failed or finished pod's successor, on a node that has no other pod, is created before that
//!   pod is deleted ([`ActionPhase::Successor`]): whoever sees the old one gone has seen the new
//!   one.
//! - Finished pods have a backoff of their own (upstream replaces them at once, for ever).
//! - While a failed or finished pod waits for a backoff that began in an earlier plan, nothing is
//!   created on its node, when surging too.
//! - An unscheduled pod whose node is gone is deleted once, not again at every sync while it
//!   terminates.
//! - A node with a pod that could not be decoded is left as it is.
//! - Where the operator asks for it, nothing is created on a node that is
//!   [leaving](super::leaving).

mod surge;
mod terminal;

use crate::model::{Node, NodeId, Pod, Verdict};

use super::{
    action::{ActionPhase, CreateCause, DeleteCause},
    draft::{Draft, Held},
    facts::Facts,
    hold::HoldRule,
    holds::NodeHold,
    leaving::Leaving,
};

use terminal::{Found, PodEvent};

/// Goes over all nodes.
pub fn plan(facts: &Facts<'_, '_>, draft: &mut Draft) {
    let mut events: Vec<PodEvent> = Vec::new();
    for (id, node) in facts.snapshot.nodes.iter() {
        let pods = facts.by_node.on(id);
        // Nearly all nodes of a settled cluster leave here.
        if let [pod] = pods
            && pod.is_live()
            && pod.readable
            && facts.verdict(id).should_continue_running()
        {
            continue;
        }
        plan_node(facts, id, node, draft, &mut events);
    }
    draft.work_out_creates(facts);
    plan_gone_nodes(facts, draft);
    events.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    draft.events.extend(events.into_iter().map(|(_, _, e)| e));
    draft.backoff.sort();
}

fn plan_node(
    facts: &Facts<'_, '_>,
    id: NodeId,
    node: &Node,
    draft: &mut Draft,
    events: &mut Vec<PodEvent>,
) {
    let verdict = facts.verdict(id);
    let visible = facts.visible(id);
    if let Some(pod) = visible.clone().find(|p| !p.readable) {
        return draft.holds.on_node(NodeHold {
            pod: Some(pod.name.clone()),
            ..NodeHold::new(&node.name, HoldRule::UnreadablePod)
        });
    }
    if verdict == Verdict::Unreadable {
        if facts.targets.is_missing(id) {
            let hold = NodeHold::new(&node.name, HoldRule::PinnedRevisionMissing);
            draft.holds.on_node(hold);
        }
        return;
    }
    if visible.clone().next().is_none() {
        if verdict.should_run() {
            // A hold says why where it is not created.
            let cause = CreateCause::NodeWithoutPod;
            let _: Result<(), Held> = draft.create(facts, id, node, ActionPhase::Manage, cause);
        }
        return;
    }
    if !verdict.should_continue_running() {
        for pod in visible.filter(|p| !p.terminating) {
            let cause = DeleteCause::NodeNotEligible(verdict);
            draft.delete(pod, &node.name, ActionPhase::Manage, cause);
        }
        return;
    }

    let first_delete = draft.deletes.len();
    let mut found = terminal::sort_out(facts, id, node, visible, draft, events);
    if found.in_backoff {
        draft.in_backoff.insert(id);
    }
    found.running.sort_by(|a, b| a.oldest_first(b));
    if let Some(why) = facts.leaving.reason(id) {
        return leave(node, why, &found, verdict, draft);
    }
    let is_free = found.running.is_empty() && !found.in_backoff && verdict.should_run();
    if facts.surging {
        surge::prune(facts, id, node, &found.running, draft);
        if is_free {
            let cause = CreateCause::OnlyTerminatingPods;
            let _: Result<(), Held> = draft.create(facts, id, node, ActionPhase::Manage, cause);
        }
        return;
    }
    for pod in found.running.iter().skip(1) {
        draft.delete(pod, &node.name, ActionPhase::Manage, DeleteCause::Duplicate);
    }
    if !is_free {
        return;
    }
    if let Some(pod) = found.terminating {
        return draft.holds.on_node(terminating(node, pod));
    }
    if let Some(cause) = found.replaced
        && draft.create(facts, id, node, ActionPhase::Successor, cause) == Ok(())
    {
        for d in &mut draft.deletes[first_delete..] {
            d.phase = ActionPhase::Successor;
        }
    }
}

/// The node is leaving. What failed there goes, as its backoff allows; what runs there stays, even
/// where there are several, and nothing follows.
fn leave(node: &Node, why: Leaving, found: &Found<'_>, verdict: Verdict, draft: &mut Draft) {
    let lacks_one = found.running.is_empty() && !found.in_backoff && verdict.should_run();
    let pod = match (&found.running[..], found.sign) {
        ([oldest, _, ..], _) => Some(oldest.name.clone()),
        (_, Some(sign)) => Some(sign.name.clone()),
        _ if lacks_one => None,
        _ => return,
    };
    draft.holds.on_node(NodeHold {
        pod,
        ..NodeHold::leaving(node, why)
    });
}

/// The node waits for a terminating pod: one that the API server knows to be terminating, or one
/// that we asked to go and have heard nothing of.
fn terminating(node: &Node, pod: &Pod) -> NodeHold {
    let rule = match pod.deletion {
        Some(_) => HoldRule::PodTerminating,
        None => HoldRule::DeletePending,
    };
    NodeHold {
        pod: Some(pod.name.clone()),
        since: pod.deletion_requested(),
        ..NodeHold::new(&node.name, rule)
    }
}

/// Pods pinned to a node that is gone: one that is not scheduled is deleted, because neither the
/// scheduler nor the pod garbage collector will ever deal with it. Scheduled ones are left to the
/// latter.
fn plan_gone_nodes(facts: &Facts<'_, '_>, draft: &mut Draft) {
    let nodes = facts.snapshot.nodes;
    for slot in (0..).map(NodeId).take(nodes.slots()) {
        if nodes.get(slot).is_some() {
            continue;
        }
        let name = nodes.name(slot);
        for pod in facts.visible(slot) {
            if !pod.scheduled && !pod.terminating && pod.readable {
                draft.delete(pod, name, ActionPhase::Manage, DeleteCause::NodeGone);
            } else {
                draft.holds.on_node(NodeHold {
                    pod: Some(pod.name.clone()),
                    ..NodeHold::new(name, HoldRule::NodeGone)
                });
            }
        }
    }
}
