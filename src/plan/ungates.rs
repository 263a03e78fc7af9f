//! Which pods have our scheduling gate still, and which of them are to lose it.
//!
//! With the key `exclusive` pods are created with the gate. Where the key is gone, those that have
//! it lose it all the same. The plan goes by what the cache knows; the read that decides comes
//! later, in [`super::exclusive`].

use crate::model::{HoldScope, NodeId};

use super::{action::Ungate, draft::Draft, facts::Facts, hold::HoldRule, holds::NodeHold};

/// Adds the pods that lose their gate to the draft, which has all deletes already, and holds for
/// those that wait.
pub fn plan(facts: &Facts<'_, '_>, draft: &mut Draft) {
    if !facts.gated {
        return;
    }
    let control = facts.ds().control.as_deref();
    let all_held = control.is_some_and(|control| control.hold == Some(HoldScope::All));
    let nodes = facts.snapshot.nodes;
    for id in (0..).map(NodeId).take(nodes.slots()) {
        let Some(node) = nodes.get(id) else {
            continue;
        };
        let here = facts.by_node.on(id);
        let another = facts.stray || here.iter().any(|pod| pod.may_run());
        let waiting = here.iter().filter(|pod| pod.gated && pod.is_live());
        for pod in waiting {
            if draft.deletes.iter().any(|d| d.pod.uid == pod.uid) {
                continue;
            }
            let hold = |rule: HoldRule| NodeHold {
                pod: Some(pod.name.clone()),
                ..NodeHold::new(&node.name, rule)
            };
            if let Some(why) = facts.leaving.reason(id) {
                draft.holds.on_node(NodeHold {
                    pod: Some(pod.name.clone()),
                    ..NodeHold::leaving(node, why)
                });
            } else if all_held {
                draft.holds.on_node(hold(HoldRule::AllHeldByAnnotation));
            } else if another {
                draft.holds.on_node(hold(HoldRule::PodGated));
            } else {
                draft.ungates.push(Ungate {
                    pod: (*pod).into(),
                    node: node.name.clone(),
                });
            }
        }
    }
}
