//! Pods that leave as the budget allows, because they are no longer wanted on their node: with
//! `budget: strict` where a changed selector or label does not select it any more (the built-in
//! controller takes all of them at once, kubernetes#54565), and in any case where the cluster
//! defaults exclude it.

use std::collections::BTreeSet;

use crate::model::{NodeId, Pod, Str, Time, Uid, Verdict};

use crate::plan::{
    action::{Delete, DeleteBy, DeleteCause},
    draft::Draft,
    eviction,
    facts::Facts,
    hold::HoldRule,
};

use super::gates::Budget;

/// Whether the pod leaves as the budget allows. A taint that takes effect at once is no matter of a
/// budget.
fn is_removal(delete: &Delete, strict: bool) -> bool {
    let DeleteCause::NodeNotEligible(verdict) = delete.cause else {
        return false;
    };
    match verdict {
        Verdict::NodeExcluded { .. } => true,
        Verdict::NodeName | Verdict::NodeSelector(_) | Verdict::NodeAffinity => strict,
        _ => false,
    }
}

/// Whether the node is exempt: what goes from it is no matter of the budget either.
fn is_excused(facts: &Facts<'_, '_>, delete: &Delete) -> bool {
    let node = facts.snapshot.nodes.id(&delete.node);
    node.is_some_and(|id| facts.exempt.excuses(id))
}

/// Holds the removals that the budget has no room for. Pods that are not available leave first,
/// then the oldest. At least one leaves at a time, whatever the budget comes to: where no node is
/// wanted any more, every percentage is nothing. Returns the nodes whose removals are held: they
/// take no part in the rollout.
pub fn limit(
    facts: &Facts<'_, '_>,
    budget: Budget,
    strict: bool,
    draft: &mut Draft,
) -> BTreeSet<NodeId> {
    // Nearly all plans leave here.
    let is_removal = |delete: &Delete| is_removal(delete, strict);
    if !draft.deletes.iter().any(is_removal) {
        return BTreeSet::new();
    }
    let (mut all, kept): (Vec<Delete>, Vec<Delete>) = std::mem::take(&mut draft.deletes)
        .into_iter()
        .partition(|d| is_removal(d) && !is_excused(facts, d));
    draft.deletes = kept;
    all.sort_by_cached_key(|delete| turn(facts, delete));
    let (waiting, mut removals) = evictions(facts, all, draft);
    let most = budget.max_unavailable.max(budget.max_surge).max(1);
    let room = most.saturating_sub(in_flight(facts, &removals));
    let held = removals.split_off(room.min(removals.len()));
    let nodes: Vec<Str> = held.iter().map(|delete| delete.node.clone()).collect();
    draft
        .holds
        .in_turn(HoldRule::RemovalBudget, &nodes, nodes.len());
    eviction::hold_later(facts, &nodes, draft);
    draft.deletes.extend(removals);
    let ids = nodes
        .iter()
        .chain(&waiting)
        .filter_map(|name| facts.snapshot.nodes.id(name));
    ids.collect()
}

/// Makes evictions of them where the DaemonSet asks for that. Returns the nodes of those that were
/// refused and wait, and the others.
fn evictions(
    facts: &Facts<'_, '_>,
    mut removals: Vec<Delete>,
    draft: &mut Draft,
) -> (Vec<Str>, Vec<Delete>) {
    if !facts.evicts() {
        return (Vec::new(), removals);
    }
    let mut waiting = Vec::new();
    removals.retain_mut(|delete| {
        delete.by = DeleteBy::Eviction;
        let pod = pod(facts, &delete.pod.name);
        let waits = pod.is_some_and(|pod| eviction::waits(facts, &delete.node, pod, draft));
        if waits {
            waiting.push(delete.node.clone());
        }
        !waits
    });
    (waiting, removals)
}

/// What orders the removals: whether the pod is available, its age, its node.
fn turn(facts: &Facts<'_, '_>, delete: &Delete) -> (bool, Option<Time>, Str) {
    let pod = pod(facts, &delete.pod.name);
    let available = pod.is_some_and(|p| is_available(facts, p));
    (available, pod.map(|p| p.created), delete.node.clone())
}

fn pod<'a>(facts: &Facts<'_, 'a>, name: &str) -> Option<&'a Pod> {
    (facts.snapshot.find_pod)(name)
}

fn is_available(facts: &Facts<'_, '_>, pod: &Pod) -> bool {
    pod.is_available(facts.ds().min_ready_seconds, facts.now)
}

/// Nodes that are without an available pod, or about to be: those that are wanted and have none,
/// and those that are not wanted any more and whose pod is on its way out. Exempt ones do not
/// count, unless there are too many.
fn in_flight(facts: &Facts<'_, '_>, removals: &[Delete]) -> usize {
    let leaving: BTreeSet<&Uid> = removals.iter().map(|delete| &delete.pod.uid).collect();
    let counts = |id: NodeId| {
        let mut pods = facts.visible(id).filter(|p| !leaving.contains(&p.uid));
        match facts.is_eligible(id) {
            true => !pods.any(|p| !p.terminating && is_available(facts, p)),
            false => pods.any(|p| p.terminating),
        }
    };
    let nodes = facts.snapshot.nodes.iter();
    let nodes = nodes.filter(|(id, _)| !facts.exempt.excuses(*id));
    nodes.filter(|(id, _)| counts(*id)).count()
}
