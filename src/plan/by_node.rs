//! Pods grouped by node, without a map: two flat vectors over the nodes' slots.

use crate::model::{NodeId, Nodes, Pod};

/// Pods by the slot of the node that they are on or pinned to.
pub struct ByNode<'a> {
    starts: Vec<u32>,
    pods: Vec<&'a Pod>,
}

impl<'a> ByNode<'a> {
    /// Groups the pods; on each node they keep the order given. Pods without a node are left out.
    pub fn new(nodes: &Nodes, pods: &[&'a Pod]) -> Self {
        let mut starts = vec![0_u32; nodes.slots() + 1];
        for id in pods.iter().filter_map(|p| p.node) {
            starts[id.index() + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let Some(&first) = pods.iter().find(|p| p.node.is_some()) else {
            return ByNode {
                starts,
                pods: Vec::new(),
            };
        };
        let mut grouped = vec![first; starts[nodes.slots()] as usize];
        // Each start moves to its group's end while the group fills, then all are moved back by one
        // place.
        for &pod in pods {
            if let Some(id) = pod.node {
                let at = &mut starts[id.index()];
                grouped[*at as usize] = pod;
                *at += 1;
            }
        }
        starts.rotate_right(1);
        starts[0] = 0;
        ByNode {
            starts,
            pods: grouped,
        }
    }

    /// The pods on one node.
    pub fn on(&self, id: NodeId) -> &[&'a Pod] {
        let at = id.index();
        &self.pods[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}
