//! `replace-by: eviction`: deletes of the rollout go by the eviction API, so that disruption
//! budgets have a say. A pod whose eviction was refused is passed over until its backoff ends;
//! others go on within the same budget, as it is still available.

use crate::model::{Pod, Refusal, Str, Uid, Unallowed};

use super::{draft::Draft, facts::Facts, hold::HoldRule, holds::NodeHold};

/// Whether the pod waits because its last eviction was refused. Then there is a hold.
pub fn waits(facts: &Facts<'_, '_>, node: &Str, pod: &Pod, draft: &mut Draft) -> bool {
    let refusal = refusal(facts, &pod.uid).filter(|refusal| refusal.until > facts.now);
    let Some(refusal) = refusal else {
        return false;
    };
    draft.wake(refusal.until);
    draft.holds.on_node(NodeHold {
        until: Some(refusal.until),
        ..hold(node, &pod.name, refusal)
    });
    true
}

/// Whether the pod's eviction was refused, whether or not it is tried again now: as long as it is
/// there, it takes its place.
pub fn was_refused(facts: &Facts<'_, '_>, pod: &Pod) -> bool {
    refusal(facts, &pod.uid).is_some()
}

/// On these nodes the rollout waits for its turn. A refused eviction that would be tried again is
/// held all the same: what it says must not come and go with the budget.
pub fn hold_later(facts: &Facts<'_, '_>, nodes: &[Str], draft: &mut Draft) {
    // Nearly all plans leave here.
    if !facts.evicts() || facts.snapshot.evictions_refused.is_empty() {
        return;
    }
    for name in nodes {
        let Some(id) = facts.snapshot.nodes.id(name) else {
            continue;
        };
        for pod in facts.visible(id).filter(|pod| pod.is_live()) {
            let refusal = refusal(facts, &pod.uid).filter(|refusal| refusal.until <= facts.now);
            if let Some(refusal) = refusal {
                draft.holds.on_node(hold(name, &pod.name, refusal));
            }
        }
    }
}

/// Evictions that were refused are tried again, and held until one is accepted.
pub fn hold_tried(facts: &Facts<'_, '_>, draft: &mut Draft) {
    for delete in draft.deletes.iter().filter(|delete| delete.by.evicts()) {
        if let Some(refusal) = refusal(facts, &delete.pod.uid) {
            let hold = hold(&delete.node, &delete.pod.name, refusal);
            draft.holds.on_node(hold);
        }
    }
}

fn refusal<'a>(facts: &Facts<'_, 'a>, pod: &Uid) -> Option<&'a Refusal> {
    let refusals = facts.snapshot.evictions_refused;
    facts.evicts().then(|| refusals.of(pod)).flatten()
}

fn hold(node: &Str, pod: &Str, refusal: &Refusal) -> NodeHold {
    let rule = match &refusal.why {
        Unallowed::Now(words) => HoldRule::EvictionRefused(words.clone()),
        Unallowed::Ever(words) => HoldRule::DisruptionBudgetUnusable(words.clone()),
    };
    NodeHold {
        pod: Some(pod.clone()),
        since: Some(refusal.since),
        ..NodeHold::new(node, rule)
    }
}
