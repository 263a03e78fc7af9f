//! Nodes in numbered slots, so that facts about each node are plain vectors in a plan.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::{Existing, Labels, NodeDetail, Str, Taint, Time, Uid, Version};

/// A node: what placement looks at, and what explains it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// `metadata.name`.
    pub name: Str,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// `metadata.creationTimestamp`; None where it is absent or malformed.
    pub created: Option<Time>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.taints`.
    pub taints: Box<[Taint]>,
    /// A digest of `status.nodeInfo.bootID`, which is another one after each start of the machine.
    /// None where it is not known.
    pub boot: Option<u64>,
    /// False for a node that could not be decoded: it exists, and nothing else is known of it.
    pub readable: bool,
    /// Facts that explain why pods do not run there. Some of them decide where a DaemonSet asks for
    /// it: see [`Node::health`]. None where there is nothing to explain.
    pub detail: Option<Arc<NodeDetail>>,
}

/// The slot of a node's name in [`Nodes`]. It is valid while the node exists or a pod points at it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The index of the slot, for vectors of [`Nodes::slots`] entries.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug)]
struct Slot {
    name: Str,
    node: Option<Node>,
    /// The value of [`Nodes::stamp`] when the slot last changed: what placement looks at, or its
    /// node.
    stamp: u32,
    /// How many pods point at the slot.
    pods: u32,
}

/// All nodes, and the names of nodes that are gone while pods still point at them.
#[derive(Clone, Default, Debug)]
pub struct Nodes {
    slots: Vec<Slot>,
    by_name: HashMap<Str, NodeId>,
    free: Vec<NodeId>,
    stamp: u32,
    present: usize,
}

impl Nodes {
    /// Adds a node or replaces its state. True when something that placement looks at has changed:
    /// labels, taints, whether it could be decoded, or the UID. A heartbeat changes none of these.
    pub fn put(&mut self, node: Node) -> bool {
        let id = self.slot(&node.name);
        let slot = &mut self.slots[id.index()];
        let changed = match &slot.node {
            Some(old) => {
                old.labels != node.labels
                    || old.taints != node.taints
                    || old.readable != node.readable
                    || old.uid != node.uid
            }
            None => true,
        };
        self.present += usize::from(slot.node.is_none());
        slot.node = Some(node);
        if changed {
            self.stamp += 1;
            slot.stamp = self.stamp;
        }
        changed
    }

    /// Removes a node. False when there was none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(&id) = self.by_name.get(name) else {
            return false;
        };
        let slot = &mut self.slots[id.index()];
        let was = slot.node.take().is_some();
        if was {
            self.present -= 1;
            self.stamp += 1;
            slot.stamp = self.stamp;
        }
        self.release_if_empty(id);
        was
    }

    /// The slot of a node's name, for a pod that points at it from now on. [`Nodes::unpoint`] ends
    /// that.
    pub fn point(&mut self, name: &str) -> NodeId {
        let id = match self.by_name.get(name) {
            Some(&id) => id,
            None => self.slot(&name.into()),
        };
        self.slots[id.index()].pods += 1;
        id
    }

    /// A pod no longer points at the slot, which may become invalid.
    pub fn unpoint(&mut self, id: NodeId) {
        self.slots[id.index()].pods -= 1;
        self.release_if_empty(id);
    }

    fn slot(&mut self, name: &Str) -> NodeId {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        self.stamp += 1;
        let slot = Slot {
            name: name.clone(),
            node: None,
            stamp: self.stamp,
            pods: 0,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id.index()] = slot;
                id
            }
            None => {
                let id = NodeId(u32::try_from(self.slots.len()).expect("fewer than 2^32 nodes"));
                self.slots.push(slot);
                id
            }
        };
        self.by_name.insert(name.clone(), id);
        id
    }

    fn release_if_empty(&mut self, id: NodeId) {
        let slot = &self.slots[id.index()];
        if slot.node.is_none() && slot.pods == 0 {
            self.by_name.remove(&slot.name);
            self.free.push(id);
        }
    }

    /// How many pods point at a slot.
    pub fn pods_at(&self, id: NodeId) -> u32 {
        self.slots[id.index()].pods
    }

    /// The node in a slot; None where the node is gone or was never seen.
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.slots[id.index()].node.as_ref()
    }

    /// The node of that name and its slot; None where the node is gone or was never seen.
    pub fn by_name(&self, name: &str) -> Option<(NodeId, &Node)> {
        let id = *self.by_name.get(name)?;
        Some((id, self.get(id)?))
    }

    /// The slot of that name. The node may be gone while pods still point at it.
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    /// The name of the slot's node, which may be gone.
    pub fn name(&self, id: NodeId) -> &Str {
        &self.slots[id.index()].name
    }

    /// All nodes that exist, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..)
            .map(NodeId)
            .zip(&self.slots)
            .filter_map(|(id, s)| Some((id, s.node.as_ref()?)))
    }

    /// The nodes that exist in these slots, as far as there are so many.
    pub fn within(&self, slots: Range<usize>) -> impl Iterator<Item = &Node> {
        let slots = slots.start..slots.end.min(self.slots.len());
        let slots = self.slots.get(slots).unwrap_or_default();
        slots.iter().filter_map(|slot| slot.node.as_ref())
    }

    /// One more than the largest index of a slot: the length of vectors with an entry for each
    /// node.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How many nodes exist.
    pub fn len(&self) -> usize {
        self.present
    }

    /// Whether no node exists.
    pub fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// Rises whenever something that placement looks at changes on any node.
    pub fn stamp(&self) -> u32 {
        self.stamp
    }

    /// The value of [`Nodes::stamp`] when the slot last changed.
    pub fn slot_stamp(&self, id: NodeId) -> u32 {
        self.slots[id.index()].stamp
    }
}

/// Whether the pods of a DaemonSet belong on a node, and the first reason why they do not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The node gets a pod.
    Eligible,
    /// The template's `spec.nodeName` names another node.
    NodeName,
    /// An entry of the template's nodeSelector does not match: its index, in the order of keys.
    NodeSelector(u16),
    /// No term of the required node affinity matches.
    NodeAffinity,
    /// The cluster defaults exclude the node.
    NodeExcluded {
        /// The index of the exclusion that decides.
        by: u16,
        /// What becomes of a running pod.
        existing: Existing,
    },
    /// A taint with effect `NoSchedule` is not tolerated: its index. A running pod stays.
    NoSchedule(u16),
    /// A taint with effect `NoExecute` is not tolerated: its index. A running pod is deleted.
    NoExecute(u16),
    /// The node could not be decoded. A running pod stays, and no pod is created.
    Unreadable,
}

impl Verdict {
    /// Whether a node without a pod gets one.
    pub fn should_run(self) -> bool {
        self == Verdict::Eligible
    }

    /// Whether a pod that already runs there stays.
    pub fn should_continue_running(self) -> bool {
        matches!(
            self,
            Verdict::Eligible
                | Verdict::NodeExcluded {
                    existing: Existing::Keep,
                    ..
                }
                | Verdict::NoSchedule(_)
                | Verdict::Unreadable
        )
    }

    /// Whether a pod stays for no other reason than that the cluster defaults keep it: it has no
    /// successor, so it is not replaced either.
    pub fn keeps_excluded(self) -> bool {
        matches!(
            self,
            Verdict::NodeExcluded {
                existing: Existing::Keep,
                ..
            }
        )
    }
}

/// The verdicts on all nodes for one template, kept between plans.
#[derive(Clone, Default, Debug)]
pub struct Verdicts {
    /// The value of [`Nodes::stamp`] for which they are up to date.
    pub stamp: u32,
    /// For each slot, by index: the stamp for which its verdict is up to date, and the verdict. The
    /// verdict of a slot without a node means nothing.
    pub by_slot: Vec<(u32, Verdict)>,
}

impl Verdicts {
    /// The verdict on the node in this slot.
    pub fn get(&self, id: NodeId) -> Verdict {
        self.by_slot[id.index()].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, zone: &str) -> Node {
        Node {
            name: name.into(),
            uid: Uid::from(name),
            version: Version(1),
            created: None,
            labels: [("zone", zone)].into_iter().collect(),
            taints: Box::default(),
            boot: None,
            readable: true,
            detail: None,
        }
    }

    #[test]
    fn a_slot_lives_while_a_node_or_a_pod_needs_it() {
        let mut nodes = Nodes::default();
        assert!(nodes.put(node("a", "1")));
        let pod = nodes.point("a");
        assert!(nodes.remove("a"));
        assert_eq!(&**nodes.name(pod), "a");
        assert_eq!(nodes.len(), 0);
        assert!(nodes.put(node("a", "1")));
        assert_eq!(nodes.by_name("a").unwrap().0, pod);
        nodes.remove("a");
        nodes.unpoint(pod);
        assert!(nodes.put(node("b", "1")));
        assert_eq!(
            nodes.by_name("b").unwrap().0,
            pod,
            "the free slot is used again"
        );
        assert!(nodes.by_name("a").is_none());
    }

    #[test]
    fn the_stamp_moves_with_what_placement_looks_at_only() {
        let mut nodes = Nodes::default();
        nodes.put(node("a", "1"));
        let before = nodes.stamp();
        let mut heartbeat = node("a", "1");
        heartbeat.version = Version(9);
        assert!(!nodes.put(heartbeat));
        assert_eq!(nodes.stamp(), before);
        assert!(nodes.put(node("a", "2")));
        assert!(nodes.stamp() > before);
    }
}
