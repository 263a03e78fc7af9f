//! Nodes that have something in common: how many, and the first few.

use crate::model::Str;

/// How many nodes are named.
pub const NAMED: usize = 5;

/// A count of nodes and the first few of them. Its size does not grow with the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeGroup {
    /// How many nodes.
    pub count: usize,
    /// The first [`NAMED`] of them: by name, or in the order of their turn.
    pub first: Vec<Str>,
}

impl NodeGroup {
    /// One node.
    pub fn of(node: &Str) -> Self {
        NodeGroup {
            count: 1,
            first: vec![node.clone()],
        }
    }

    /// Nodes that wait for their turn, the next first: `count` nodes, of which these are the first.
    pub fn in_turn(first: &[Str], count: usize) -> Self {
        NodeGroup {
            count,
            first: first.iter().take(NAMED).cloned().collect(),
        }
    }

    /// One more node; the first few are those with the lowest names.
    pub fn add(&mut self, node: &Str) {
        self.count += 1;
        // Nearly all nodes of a large group leave here.
        if self.first.len() == NAMED && self.first.last().is_some_and(|last| last <= node) {
            return;
        }
        let at = self.first.partition_point(|n| n < node);
        if at < NAMED {
            self.first.insert(at, node.clone());
            self.first.truncate(NAMED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_names_stay_whatever_order_they_come_in() {
        let mut group = NodeGroup::default();
        for n in [7, 3, 9, 1, 8, 2, 6, 5, 4] {
            group.add(&format!("n{n}").into());
        }
        assert_eq!(group.count, 9);
        let first: Vec<&str> = group.first.iter().map(|n| &**n).collect();
        assert_eq!(first, ["n1", "n2", "n3", "n4", "n5"]);
    }

    #[test]
    fn a_turn_is_kept() {
        let nodes: Vec<Str> = ["z", "a", "m"].map(Into::into).into();
        let group = NodeGroup::in_turn(&nodes, nodes.len());
        assert_eq!((group.count, group.first), (3, nodes));
    }
}
