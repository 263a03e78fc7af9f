//! The plan while it is being made: actions, wake-ups and holds, added to by one rule after
//! another.

use std::collections::HashSet;

use crate::model::{BackoffChange, Denial, Node, NodeId, Nodes, Pod, Str, Time, Uid};

use super::{
    action::{
        ActionPhase, Create, CreateCause, Delete, DeleteBy, DeleteCause, Event, Resize, Ungate,
    },
    facts::Facts,
    hold::HoldRule,
    holds::{Holds, NodeHold},
    late_creates,
    later::{self, FreshNodes},
    names,
    node_group::NAMED,
    short_lived, unwatched,
};

/// A pod is not created: the draft has a hold that says why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held;

/// What the rules of one plan have asked for so far.
#[derive(Default, Debug)]
pub struct Draft {
    /// Pods to create.
    pub creates: Vec<Create>,
    /// Nodes that get a pod too, but not in the sync for which the plan is made.
    pub later: Vec<NodeId>,
    /// Pods to resize.
    pub resizes: Vec<Resize>,
    /// Pods whose gate is to be removed.
    pub ungates: Vec<Ungate>,
    /// Pods to delete.
    pub deletes: Vec<Delete>,
    /// Events of the decision.
    pub events: Vec<Event>,
    /// Attempts that this plan makes.
    pub backoff: Vec<BackoffChange>,
    /// When to plan again although nothing changes.
    pub wake_at: Option<Time>,
    /// What is not done, and why.
    pub holds: Holds,
    /// Nodes with a failed or finished pod that waits for its backoff: nothing is created there.
    pub in_backoff: HashSet<NodeId>,
    /// Whether deletes of the rollout are evictions.
    evicts: bool,
    /// The creates that may be left for later; None where all are worked out.
    fresh: Option<FreshNodes>,
    /// Whether the plan is made for one sync.
    is_for_sync: bool,
}

impl Draft {
    /// An empty draft that collects its holds in `holds`. With `evicts` the deletes of the rollout
    /// are evictions. With `most` the plan is for one sync, which makes at most so many pods.
    pub fn new(holds: Holds, evicts: bool, most: Option<usize>) -> Self {
        Draft {
            holds,
            evicts,
            fresh: most.map(FreshNodes::new),
            is_for_sync: most.is_some(),
            ..Draft::default()
        }
    }

    /// Creates a pod on the node, unless the node is leaving, others took the last ones there away,
    /// the pod's name is taken or not settled, or a pod of this DaemonSet without a readable node
    /// may be meant for the node.
    pub fn create(
        &mut self,
        facts: &Facts<'_, '_>,
        id: NodeId,
        node: &Node,
        phase: ActionPhase,
        cause: CreateCause,
    ) -> Result<(), Held> {
        if let Some(why) = facts.leaving.reason(id) {
            return self.hold(NodeHold::leaving(node, why));
        }
        if self.waits(facts, node) {
            return Err(Held);
        }
        if facts.named.contains(&id) {
            return self.hold(NodeHold::new(&node.name, HoldRule::PodWithoutNode));
        }
        let here = facts.by_node.on(id);
        // It may live on: two are allowed while surging, but this one would be a third, or a second
        // of its revision.
        let unconfirmed =
            |p: &&&Pod| p.terminating && p.deletion.is_none() && !p.phase.is_terminal();
        if let Some(pod) = here.iter().find(unconfirmed) {
            return self.hold(NodeHold {
                pod: Some(pod.name.clone()),
                ..NodeHold::new(&node.name, HoldRule::DeletePending)
            });
        }
        if let Some(since) = unwatched::since(facts) {
            self.wake(facts.now + unwatched::RETRY);
            return self.hold(NodeHold {
                since: Some(since),
                ..NodeHold::new(&node.name, HoldRule::PodsNotWatched)
            });
        }
        if let Some(fresh) = &mut self.fresh
            && here.is_empty()
            && (phase, &cause) == (ActionPhase::Manage, &CreateCause::NodeWithoutPod)
            && later::is_fresh(facts, node)
        {
            fresh.add(facts, id, node);
            return Ok(());
        }
        self.name_and_create(facts, id, node, phase, cause)
    }

    /// Works out the creates that one sync can reach, of those that may be left for later.
    pub fn work_out_creates(&mut self, facts: &Facts<'_, '_>) {
        let Some(fresh) = self.fresh.take() else {
            return;
        };
        let (first, later) = fresh.finish();
        self.later = later;
        for id in first {
            if let Some(node) = facts.snapshot.nodes.get(id) {
                let cause = CreateCause::NodeWithoutPod;
                let phase = ActionPhase::Manage;
                let _: Result<(), Held> = self.name_and_create(facts, id, node, phase, cause);
            }
        }
    }

    /// Creates a pod on the node, if its name allows that.
    fn name_and_create(
        &mut self,
        facts: &Facts<'_, '_>,
        id: NodeId,
        node: &Node,
        phase: ActionPhase,
        cause: CreateCause,
    ) -> Result<(), Held> {
        let here = facts.by_node.on(id);
        let gone_pods = facts.snapshot.gone_pods.on(&node.name);
        // A pod that is on its way out is not waited for: the next one has another name. But a
        // create of its name may be under way.
        if let Some((pod, until)) = late_creates::in_use(facts, node, here) {
            self.wake(until);
            return self.hold(NodeHold {
                pod: Some(pod.name.clone()),
                until: Some(until),
                ..NodeHold::new(&node.name, HoldRule::NameInUse)
            });
        }
        let next = || {
            let next = names::next(facts.ds(), &node.name, here, gone_pods, facts.now);
            late_creates::begun_until(facts, node, here, gone_pods, &next)
                .map_or(next, names::Next::NotSettled)
        };
        let free = late_creates::free_name(facts, node, gone_pods).map(names::Next::Name);
        let base = match free.unwrap_or_else(next) {
            names::Next::Name(name) => name,
            names::Next::NotSettled(until) => {
                self.wake(until);
                return self.hold(NodeHold {
                    until: Some(until),
                    ..NodeHold::new(&node.name, HoldRule::NameNotSettled)
                });
            }
        };
        let free = names::free_name(facts.ds(), &node.name, base, facts.snapshot.find_pod);
        let names::Free::Name(pod_name) = free else {
            return self.hold(NodeHold::new(&node.name, HoldRule::PodWithoutNode));
        };
        let mut seen: Vec<Uid> = here.iter().map(|p| p.uid.clone()).collect();
        seen.sort();
        self.creates.push(Create {
            node_id: id,
            node: node.name.clone(),
            pod_name,
            revision: facts.targets.of(id).hash.clone(),
            phase,
            cause,
            resources: facts
                .classes
                .of_new(node, facts.targets.of(id).hash)
                .cloned(),
            gated: facts.ds().is_exclusive(),
            seen,
        });
        Ok(())
    }

    /// Whether the node's next pod waits because others took the last ones away. Then there is a
    /// hold.
    pub fn waits(&mut self, facts: &Facts<'_, '_>, node: &Node) -> bool {
        let Some(hold) = short_lived::hold(facts, node) else {
            return false;
        };
        if let Some(until) = hold.until {
            self.wake(until);
        }
        self.holds.on_node(hold);
        true
    }

    /// Deletes a pod.
    pub fn delete(&mut self, pod: &Pod, node: &Str, phase: ActionPhase, cause: DeleteCause) {
        let by = if self.evicts && cause.is_of_rollout() {
            DeleteBy::Eviction
        } else {
            DeleteBy::Delete
        };
        self.deletes.push(Delete {
            pod: pod.into(),
            node: node.clone(),
            phase,
            cause,
            by,
        });
    }

    /// How many of the nodes that wait for their turn are named.
    pub fn turns(&self, facts: &Facts<'_, '_>) -> usize {
        // A refused eviction is held on each of them.
        let needs_all = facts.evicts() && !facts.snapshot.evictions_refused.is_empty();
        if self.is_for_sync && !needs_all {
            NAMED
        } else {
            usize::MAX
        }
    }

    /// Plans again at this time at the latest.
    pub fn wake(&mut self, at: Time) {
        self.wake_at = Time::earliest(self.wake_at, Some(at));
    }

    fn hold(&mut self, hold: NodeHold) -> Result<(), Held> {
        self.holds.on_node(hold);
        Err(Held)
    }

    /// Creates that the API server denied the last time are tried again, and held until one is
    /// accepted.
    pub fn hold_denied(&mut self, nodes: &Nodes, denied: Option<&Denial>) {
        let Some(Denial { since, message }) = denied else {
            return;
        };
        let made = self.creates.iter().map(|create| &create.node);
        for node in made.chain(self.later.iter().map(|id| nodes.name(*id))) {
            self.holds.on_node(NodeHold {
                since: Some(*since),
                ..NodeHold::new(node, HoldRule::CreatesDenied(message.clone()))
            });
        }
    }

    /// Puts creates and deletes into their stated order.
    pub fn sort(&mut self) {
        self.creates.sort_by(|a, b| a.node.cmp(&b.node));
        self.resizes.sort_by(|a, b| {
            let node = a.node.cmp(&b.node);
            node.then_with(|| a.pod.name.cmp(&b.pod.name))
        });
        self.ungates.sort_by(|a, b| {
            let node = a.node.cmp(&b.node);
            node.then_with(|| a.pod.name.cmp(&b.pod.name))
        });
        self.deletes.sort_by(|a, b| {
            let node = a.node.cmp(&b.node);
            node.then_with(|| a.pod.name.cmp(&b.pod.name))
        });
    }
}
