//! `canary`: a few nodes get the current revision first.
//!
//! Which nodes they are follows from what is there, so whoever plans for the same state chooses the
//! same ones: nodes that have the current revision stay in; then those without a live pod, where
//! nothing is lost; then those with a revision of neither side, as after another change in the
//! middle of a canary; then those with the oldest pods, ties by name. Once chosen a node stays in,
//! because it has the current revision or no pod. With `order` they are spread over its groups:
//! one of each group, then a second one of each.
//!
//! Nodes that are exempt (`budget: bad-nodes`) are passed over: another one takes their place.

use std::collections::BTreeMap;

use crate::model::{Canary, Group, Node, NodeId, Order, Str, Time};

use crate::plan::revisions;

use super::{assign::Assignment, stages::Facts};

impl Facts<'_, '_> {
    /// The nodes of the canary.
    pub fn choose(
        &self,
        canary: &Canary,
        order: Option<&Order>,
        assignment: &Assignment<'_>,
    ) -> Vec<NodeId> {
        let mut eligible: Vec<(NodeId, &Node)> = self.eligible().collect();
        let desired = eligible.len();
        eligible.retain(|(id, _)| !self.exempt.is(*id));
        let most = match canary {
            Canary::Selector(selector) => {
                let is_selected = |node: &Node| selector.matches(|key| node.labels.get(key));
                let selected = eligible.into_iter().filter(|(_, node)| is_selected(node));
                return selected.map(|(id, _)| id).collect();
            }
            Canary::Nodes(count) => *count,
            Canary::Percent(percent) => (desired * percent).div_ceil(100).max(1),
        };
        // Also one whose new pod failed beside the old one.
        let has_one = |id: NodeId| self.by_node.on(id).iter().any(|pod| self.is_current(pod));
        let has_current = |id: &NodeId| {
            has_one(*id) || assignment.of(*id).is_none() && !assignment.is_missing(*id)
        };
        let ids = eligible.into_iter().map(|(id, _)| id);
        let (mut chosen, mut others): (Vec<NodeId>, Vec<NodeId>) = ids.partition(has_current);
        others.sort_by_cached_key(|id| self.turn(*id));
        if let Some(order) = order {
            self.spread(order, &chosen, &mut others);
        }
        others.truncate(most.saturating_sub(chosen.len()));
        chosen.extend(others);
        chosen
    }

    /// Sorts the others so that no group has more nodes in the canary than another one has
    /// needlessly. Their order stays as it is within a group.
    fn spread(&self, order: &Order, chosen: &[NodeId], others: &mut [NodeId]) {
        let nodes = self.snapshot.nodes;
        let group = |id: NodeId| nodes.get(id).map(|node| order.group(&node.labels));
        let mut taken: BTreeMap<Option<Group>, usize> = BTreeMap::new();
        for id in chosen {
            *taken.entry(group(*id)).or_default() += 1;
        }
        others.sort_by_cached_key(|id| {
            let group = group(*id);
            let place = taken.entry(group.clone()).or_default();
            *place += 1;
            (*place, group)
        });
    }

    /// What orders the nodes that have another revision.
    fn turn(&self, id: NodeId) -> (bool, bool, Option<Time>, Str) {
        let newest = self.live(id).max_by_key(|p| p.created);
        let stable = self.stable.map(|(_, hash)| hash);
        let is_stable = newest.is_some_and(|p| revisions::hash_of(p, self.history) == stable);
        let name = self.snapshot.nodes.name(id).clone();
        (newest.is_some(), is_stable, newest.map(|p| p.created), name)
    }
}
