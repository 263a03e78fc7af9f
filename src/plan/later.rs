//! Creates that one sync cannot reach: a plan for one sync works out the first of them and counts
//! the others.
//!
//! Otherwise each plan of a first cover would work out a pod for every node, and a few hundred of
//! them would be made. Only nodes of which nothing is remembered are left for later: there no rule
//! that looks at the name of the next pod can make a hold of the create.

use crate::model::{Node, NodeId, Str};

use super::facts::Facts;

/// The creates on nodes of which nothing is remembered.
#[derive(Debug)]
pub struct FreshNodes {
    /// So many of each kind may be carried out.
    most: usize,
    kinds: Vec<OfKind>,
    later: Vec<NodeId>,
}

/// What their pods are made from: where the API server denies one kind, others have their turn.
#[derive(Debug)]
struct OfKind {
    revision: Str,
    rule: Option<usize>,
    /// The first by name, sorted.
    first: Vec<(Str, NodeId)>,
}

impl FreshNodes {
    /// No nodes yet; of each kind the first `most` are worked out.
    pub fn new(most: usize) -> Self {
        FreshNodes {
            most,
            kinds: Vec::new(),
            later: Vec::new(),
        }
    }

    /// One more node that gets a pod.
    pub fn add(&mut self, facts: &Facts<'_, '_>, id: NodeId, node: &Node) {
        let revision = facts.targets.of(id).hash;
        let rule = facts.classes.of_new(node, revision).map(|rule| rule.number);
        let is_it = |kind: &OfKind| kind.rule == rule && kind.revision == *revision;
        let known = self.kinds.iter().position(is_it);
        let at = known.unwrap_or_else(|| {
            self.kinds.push(OfKind {
                revision: revision.clone(),
                rule,
                first: Vec::new(),
            });
            self.kinds.len() - 1
        });
        let first = &mut self.kinds[at].first;
        if first.len() == self.most && first.last().is_none_or(|(last, _)| *last < node.name) {
            return self.later.push(id);
        }
        let place = first.partition_point(|(name, _)| *name < node.name);
        first.insert(place, (node.name.clone(), id));
        if first.len() > self.most {
            self.later.extend(first.pop().map(|(_, id)| id));
        }
    }

    /// Those that are worked out, and those that are left for later.
    pub fn finish(self) -> (impl Iterator<Item = NodeId>, Vec<NodeId>) {
        let first = self.kinds.into_iter().flat_map(|kind| kind.first);
        (first.map(|(_, id)| id), self.later)
    }
}

/// Whether nothing is remembered of a node without a pod that its next pod's name could depend on.
pub fn is_fresh(facts: &Facts<'_, '_>, node: &Node) -> bool {
    let snapshot = facts.snapshot;
    !facts.homeless
        && snapshot.gone_pods.on(&node.name).is_empty()
        && snapshot.unsettled.is_none_on(&node.name)
}
