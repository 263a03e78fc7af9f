//! `updateStrategy: OnDelete`, and strategies that this build does not know: old pods are replaced
//! when somebody deletes them.

use crate::model::{DaemonSetStatus, NodeId};

use crate::plan::{
    draft::Draft,
    facts::{Facts, Updated},
    hold::HoldRule,
    holds::NodeHold,
};

/// Holds every node with a live pod that is not of the node's revision.
pub fn hold(facts: &Facts<'_, '_>, status: &DaemonSetStatus, draft: &mut Draft) {
    let all_updated = status.updated_number_scheduled == status.current_number_scheduled
        && status.number_misscheduled == 0;
    // Nearly all DaemonSets leave here: the status has counted already.
    if all_updated {
        return;
    }
    let nodes = facts.snapshot.nodes;
    let mut updated = Updated::new(facts);
    for id in (0..).map(NodeId).take(nodes.slots()) {
        let verdict = facts.verdict(id);
        let stays = verdict.should_continue_running() && !verdict.keeps_excluded();
        if nodes.get(id).is_none() || !stays {
            continue;
        }
        let old = facts
            .visible(id)
            .find(|p| p.is_live() && p.readable && !updated.is(id, p));
        if let Some(pod) = old {
            draft.holds.on_node(NodeHold {
                pod: Some(pod.name.clone()),
                ..NodeHold::new(nodes.name(id), HoldRule::OnDelete)
            });
        }
    }
}
