//! A plan, whole: all that is done for one DaemonSet, and all that is not.

use std::sync::Arc;

use crate::model::{BackoffChange, DaemonSetStatus, Str, Template, Time};

use super::{
    action::{Claims, Create, Delete, Event, Relabel},
    hold::{Hold, HoldRule, Holds, NodeHold},
    left_alone::LeftAlone,
    revisions::{CurrentRevision, RevisionOps},
    rollout::{blocked::NodeBlock, counts::Rollout},
};

/// A decision, whole: what is to be done for one DaemonSet, in a stated order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Plan {
    /// Why nothing is done at all; everything else is empty then.
    pub left_alone: Option<LeftAlone>,
    /// The current revision.
    pub revision: Option<CurrentRevision>,
    /// What is to be done about revisions.
    pub revision_ops: RevisionOps,
    /// Pods whose hash label changes because their revision duplicates the current one, by name.
    pub relabels: Vec<Relabel>,
    /// Pods adopted and released, by name.
    pub claims: Claims,
    /// Pods to create, by node name; at most one a node.
    pub creates: Vec<Create>,
    /// The templates of the older revisions that creates are of, by hash.
    pub older_templates: Vec<(Str, Arc<Template>)>,
    /// Pods to delete, by node name, then pod name.
    pub deletes: Vec<Delete>,
    /// The status that the snapshot calls for (before any action of this plan).
    pub status: Option<DaemonSetStatus>,
    /// How the rolling update stands; None where pods are not updated by the controller.
    pub rollout: Option<Rollout>,
    /// What is not done although a rule would want it.
    pub holds: Vec<Hold>,
    /// Events of the decision, by node; those of carrying it out come from whoever does.
    pub events: Vec<Event>,
    /// Backoffs that begin or grow with this plan's deletes.
    pub backoff: Vec<BackoffChange>,
    /// When to plan again although nothing changes.
    pub wake_at: Option<Time>,
}

impl Plan {
    /// A plan that does nothing, and says why.
    pub fn leave_alone(why: LeftAlone) -> Plan {
        let mut holds = Holds::default();
        holds.on_daemon_set(HoldRule::LeftAlone(why.clone()));
        Plan {
            holds: holds.finish().0,
            events: why.event().into_iter().collect(),
            left_alone: Some(why),
            ..Plan::default()
        }
    }

    /// Whether it changes nothing but perhaps the status.
    pub fn is_settled(&self) -> bool {
        self.relabels.is_empty()
            && self.claims == Claims::default()
            && self.creates.is_empty()
            && self.deletes.is_empty()
            && self.revision_ops == RevisionOps::default()
            && self.revision.as_ref().is_none_or(|r| !r.create)
    }
}

/// The plan, with its holds and what uses its budget node by node.
#[derive(Clone, PartialEq, Debug)]
pub struct DetailedPlan {
    /// What [`plan`](super::plan) returns.
    pub plan: Plan,
    /// Every hold on a node, in the order in which the rules were met.
    pub holds: Vec<NodeHold>,
    /// Every node that counts against the rollout's budget, by slot.
    pub blocks: Vec<NodeBlock>,
}
