//! A plan, whole: all that is done for one DaemonSet, and all that is not.

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{
    BackoffChange, Conditions, DaemonSetStatus, NodeId, Snapshot, Str, Template, Time, Verdict,
};

use super::{
    action::{Claims, Create, Delete, Event, Relabel, Resize, Ungate},
    control::{
        failure::NodeFailure,
        standing::{Progress, Standing},
        transitions::{ROLLBACK_STARTED, ROLLOUT_FAILED},
    },
    hold::HoldRule,
    holds::{Hold, Holds, NodeHold},
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
    /// How many more pods there are to create: a plan for one sync has only those that it reaches.
    pub creates_left: usize,
    /// The templates of the older revisions that creates are of, by hash.
    pub older_templates: Vec<(Str, Arc<Template>)>,
    /// Pods to delete, by node name, then pod name.
    pub deletes: Vec<Delete>,
    /// Pods to resize, by node name, then pod name.
    pub resizes: Vec<Resize>,
    /// Pods whose scheduling gate is to be removed, by node name, then pod name.
    pub ungates: Vec<Ungate>,
    /// The status that the snapshot calls for (before any action of this plan).
    pub status: Option<DaemonSetStatus>,
    /// The conditions as they are to be stored; None where they are, and without rollout control.
    pub conditions: Option<Conditions>,
    /// How the rolling update stands; None where pods are not updated by the controller.
    pub rollout: Option<Rollout>,
    /// How the rollout stands, whoever replaces the pods; None where nothing is done at all.
    pub standing: Option<Standing>,
    /// The number of the stable revision, where that is an older one: what to go back to.
    pub stable_number: Option<i64>,
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
            && self.resizes.is_empty()
            && self.ungates.is_empty()
            && self.revision_ops == RevisionOps::default()
            && self.revision.as_ref().is_none_or(|r| !r.create)
    }

    /// Whether an event is sent with the conditions that say the same: that a rollout pauses, and
    /// that all nodes begin to go back. Both follow from the stored conditions, and a plan that
    /// only pauses is settled, so nothing else of it is carried out.
    pub fn goes_with_conditions(&self, event: &Event) -> bool {
        let standing = self.standing.as_ref();
        let pauses = standing.is_some_and(|s| matches!(s.progress, Progress::AutoPaused(_)));
        event.reason == ROLLBACK_STARTED || (event.reason == ROLLOUT_FAILED && pauses)
    }
}

/// An older revision that a node is to have while the rollout is held.
#[derive(Clone, PartialEq, Debug)]
pub struct OlderRevision {
    /// The hash label of its pods.
    pub hash: Str,
    /// Its template.
    pub template: Arc<Template>,
    /// Whether its pods belong on the node.
    pub verdict: Verdict,
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
    /// Every node that fails with the revision that is rolled out, or back.
    pub failing: Vec<NodeFailure>,
    /// The rule by which the rollout has failed, also where something else holds it.
    pub failed: Option<HoldRule>,
    /// The nodes that are to have an older revision.
    pub older: BTreeMap<NodeId, OlderRevision>,
}

impl DetailedPlan {
    /// A plan that does nothing, and says why.
    pub fn leave_alone(why: LeftAlone) -> DetailedPlan {
        DetailedPlan {
            plan: Plan::leave_alone(why),
            holds: Vec::new(),
            blocks: Vec::new(),
            failing: Vec::new(),
            failed: None,
            older: BTreeMap::new(),
        }
    }

    /// The verdict on a node and the template that it is about: those of the revision that the node
    /// is to have.
    pub fn placement<'a>(
        &'a self,
        snapshot: &'a Snapshot<'_>,
        node: NodeId,
    ) -> (Verdict, &'a Template) {
        match self.older.get(&node) {
            Some(older) => (older.verdict, &older.template),
            None => (snapshot.verdicts.get(node), &snapshot.daemon_set.template),
        }
    }
}
