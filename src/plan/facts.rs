//! What all rules of one plan look at: the snapshot, sorted out once.

use std::collections::{BTreeSet, HashSet};

use crate::model::{
    BackoffKey, BackoffKind, DaemonSet, Labels, NodeId, Pod, Snapshot, Str, Time, Verdict,
};

use super::{
    by_node::ByNode,
    control::{assign::Assignment, classes::Classes, exempt::Exempt},
    leaving::LeavingNodes,
    names,
    revisions::{self, History},
    target::Targets,
};

/// What the rules of one plan share. Nothing here changes while the plan is made.
pub struct Facts<'s, 'a> {
    /// The snapshot.
    pub snapshot: &'s Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'s History,
    /// Claimed pods by node.
    pub by_node: &'s ByNode<'a>,
    /// The time of the plan.
    pub now: Time,
    /// Which revision each node is to have.
    pub targets: Targets<'s>,
    /// The nodes that are exempt from the rollout.
    pub exempt: Exempt,
    /// In a rollback the nodes that go first; None where there is none.
    pub back: Option<BTreeSet<NodeId>>,
    /// The classes of nodes by the resources of their pods.
    pub classes: Classes<'s>,
    /// The nodes that are about to go, where the operator asks for that.
    pub leaving: LeavingNodes,
    /// Whether a node may have a second pod during a rollout.
    pub surging: bool,
    /// Whether a pod has our scheduling gate.
    pub gated: bool,
    /// Whether a pod that may run has no readable node, so that it may be on any.
    pub stray: bool,
    /// Whether a pod that the DaemonSet controls has no readable node.
    pub homeless: bool,
    /// Nodes whose first pod name is held by a pod of this DaemonSet with no readable node.
    pub named: HashSet<NodeId>,
    /// The deprecated template generation as its label is written.
    template_generation: Option<String>,
}

impl<'s, 'a: 's> Facts<'s, 'a> {
    /// Sorts out what a plan needs; `pods` are all claimed pods. Without an `assignment` every node
    /// is to have the current revision. `bad` are the bad nodes.
    pub fn new(
        snapshot: &'s Snapshot<'a>,
        history: &'s History,
        by_node: &'s ByNode<'a>,
        pods: &[&'a Pod],
        assignment: Option<&'s Assignment<'s>>,
        bad: Exempt,
        now: Time,
    ) -> Self {
        let ds = snapshot.daemon_set;
        // One look at each pod: in a large cluster the looks are what a plan costs.
        let mut gated = false;
        let mut without_node: Vec<&Pod> = Vec::new();
        for pod in pods {
            gated |= pod.gated;
            if pod.node.is_none() {
                without_node.push(pod);
            }
        }
        let is_homeless = |pod: &&Pod| pod.node.is_none() && pod.controller.is(&ds.uid);
        // Pods that are released are not among those that count.
        let all_count = pods.len() == snapshot.pods.len();
        let homeless = without_node.iter().any(is_homeless)
            || !all_count && snapshot.pods.iter().any(is_homeless);
        let stray = without_node.iter().any(|pod| pod.may_run());
        let untargeted = without_node
            .into_iter()
            .filter(|p| !p.is_terminal_and_terminating());
        let targets = Targets::new(&history.current, snapshot.verdicts, assignment);
        Facts {
            snapshot,
            history,
            by_node,
            now,
            targets,
            leaving: LeavingNodes::find(snapshot, by_node),
            exempt: bad.limit(snapshot, by_node, |id| targets.verdict(id)),
            back: None,
            classes: Classes::default(),
            template_generation: ds.template_generation.map(|g| g.to_string()),
            surging: ds.update_strategy.allows_surge() && !ds.is_exclusive(),
            gated,
            stray,
            homeless,
            named: names::nodes_named_by(ds, snapshot.nodes, untargeted),
        }
    }

    /// Whether the node goes before all others.
    pub fn goes_first(&self, node: NodeId) -> bool {
        self.back
            .as_ref()
            .is_some_and(|first| first.contains(&node))
    }

    /// Whether deletes of the rollout are evictions.
    pub fn evicts(&self) -> bool {
        let control = self.ds().control.as_deref();
        control.is_some_and(|control| control.evicts)
    }

    /// The DaemonSet that is planned for.
    pub fn ds(&self) -> &'a DaemonSet {
        self.snapshot.daemon_set
    }

    /// The backoff of this kind on a node.
    pub fn backoff_key(&self, node: &Str, kind: BackoffKind) -> BackoffKey {
        BackoffKey::of(self.ds(), node, kind)
    }

    /// Whether the pods of the node's revision belong on it.
    pub fn verdict(&self, node: NodeId) -> Verdict {
        self.targets.verdict(node)
    }

    /// Whether the node exists and is to have a pod.
    pub fn is_eligible(&self, node: NodeId) -> bool {
        self.snapshot.nodes.get(node).is_some() && self.verdict(node).should_run()
    }

    /// The pods on a node that decisions see: all but those that are terminal and terminating.
    pub fn visible(&self, node: NodeId) -> impl Iterator<Item = &'a Pod> + Clone {
        self.by_node
            .on(node)
            .iter()
            .copied()
            .filter(|p| !p.is_terminal_and_terminating())
    }

    /// Whether a pod on this node is of the revision that the node is to have: by hash, or by the
    /// deprecated template generation.
    pub fn is_updated(&self, node: NodeId, pod: &Pod) -> bool {
        if self.targets.is_current(node) {
            return self.is_of_current(pod);
        }
        self.has_hash(pod, self.targets.of(node).hash)
    }

    /// Whether a pod is of the current revision: by hash, or by the deprecated template generation,
    /// which no older revision has.
    pub fn is_of_current(&self, pod: &Pod) -> bool {
        let generation = self.template_generation.as_deref();
        self.has_hash(pod, &self.history.current.hash)
            || generation.is_some_and(|g| pod.labels.get("pod-template-generation") == Some(g))
    }

    /// Whether a pod counts with this hash. A pod of a duplicate counts with the current one.
    pub fn has_hash(&self, pod: &Pod, hash: &Str) -> bool {
        revisions::hash_of(pod, self.history).is_some_and(|h| h == hash)
    }
}

/// Tells, pod after pod, which are of their node's revision. Pods of one revision share one label
/// set, so most answers are those of the pod before.
pub struct Updated<'f, 's, 'a> {
    facts: &'f Facts<'s, 'a>,
    last: Option<(&'a Labels, &'s Str, bool)>,
}

impl<'f, 's, 'a: 's> Updated<'f, 's, 'a> {
    /// Remembers no answer yet.
    pub fn new(facts: &'f Facts<'s, 'a>) -> Self {
        Updated { facts, last: None }
    }

    /// Whether this pod on this node is; see [`Facts::is_updated`].
    pub fn is(&mut self, node: NodeId, pod: &'a Pod) -> bool {
        let facts = self.facts;
        self.remember(facts.targets.of(node).hash, pod, |pod| {
            facts.is_updated(node, pod)
        })
    }

    /// Whether this pod is of the current revision; see [`Facts::is_of_current`].
    pub fn is_of_current(&mut self, pod: &'a Pod) -> bool {
        let facts = self.facts;
        self.remember(&facts.history.current.hash, pod, |pod| {
            facts.is_of_current(pod)
        })
    }

    fn remember(
        &mut self,
        wanted: &'s Str,
        pod: &'a Pod,
        answer: impl FnOnce(&'a Pod) -> bool,
    ) -> bool {
        match self.last {
            Some((labels, hash, updated))
                if labels.same(&pod.labels) && std::ptr::eq(hash, wanted) =>
            {
                updated
            }
            _ => {
                let updated = answer(pod);
                self.last = Some((&pod.labels, wanted, updated));
                updated
            }
        }
    }
}
