//! Which revision each node is to have while a rollout is held.
//!
//! A node keeps the revision that it has: that of its newest pod, or of the last one that went. Of
//! two that live beside each other the current one is kept, also where the template was changed
//! back while a node surged away from it. A node without any pod gets the stable revision, so
//! nothing new starts anywhere. Where the revision of a node's pod is gone, the pod stays for as
//! long as it lives, and the next one is of the stable revision; where there is none, nothing is
//! created.
//!
//! Once the current revision has failed nothing of it is kept but the pods that live.

use crate::model::{GonePod, NodeId, Pod, Revision, Snapshot, Str, Time, Verdicts};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

use super::stable::Hashed;

/// A revision that nodes are assigned, with what follows from it.
#[derive(Clone, Copy, Debug)]
pub struct Assigned<'s> {
    /// The hash label of its pods.
    pub hash: &'s Str,
    /// Which nodes its template's pods belong on.
    pub verdicts: &'s Verdicts,
}

/// What a node is assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// The current revision.
    Current,
    /// The older revision with this index.
    Older(u16),
    /// An older revision that cannot be had: its ControllerRevision is gone, or no template can be
    /// read from it.
    Missing,
}

/// What nodes without a pod get.
#[derive(Clone, Copy, Debug)]
pub enum Stable<'s> {
    /// The current revision, because it is the one that completed last.
    Current,
    /// The current revision, because there is no other one: a first install.
    None,
    /// Nothing: pods run whose revision is gone, and no other one is stable.
    Lost,
    /// This older one.
    Older(Hashed<'s>),
}

/// Which pods that are gone say what their node had. A node may have lost its pod long ago, because
/// the rollout that completed since did not want it there.
#[derive(Clone, Copy, Debug)]
pub enum Gone<'s> {
    /// None does: a revision is complete now, so every node has what it is to have.
    Unheeded,
    /// Those of the revision with this hash, which completed last, and those that were created
    /// since then.
    Since(&'s Str, Time),
    /// All: nothing completed yet.
    All,
    /// None does, and neither does a pod on its way out: the current revision failed, so no further
    /// pod is made of it.
    Failed,
}

impl Gone<'_> {
    fn counts(self, pod: &GonePod) -> bool {
        match self {
            Gone::Unheeded | Gone::Failed => false,
            Gone::Since(hash, at) => pod.created > at || pod.revision.as_ref() == Some(hash),
            Gone::All => true,
        }
    }
}

/// The assignment of every node, by slot.
#[derive(Debug)]
pub struct Assignment<'s> {
    slots: Vec<Slot>,
    older: Vec<Assigned<'s>>,
}

impl<'s> Assignment<'s> {
    /// Every node keeps what it has. `old` are the revisions but the current one, `stable` is what
    /// nodes without a pod get, and `gone` which pods that are gone say what their node had.
    pub fn keep<'a: 's>(
        snapshot: &'s Snapshot<'a>,
        history: &History,
        old: &'s [(&'a Revision, Str)],
        stable: Stable<'_>,
        gone: Gone<'_>,
        by_node: &ByNode<'a>,
    ) -> Assignment<'s> {
        let known = old.iter().filter_map(|(revision, hash)| {
            let verdicts = snapshot.placed(revision)?.verdicts;
            Some(Assigned { hash, verdicts })
        });
        let older: Vec<Assigned<'s>> = known.collect();
        let at = |hash: &Str| {
            let at = older.iter().position(|assigned| assigned.hash == hash)?;
            u16::try_from(at).ok()
        };
        // What a node gets whose last revision cannot be had.
        let (stable, instead) = match stable {
            Stable::Current => (Slot::Current, Slot::Current),
            Stable::None => (Slot::Current, Slot::Missing),
            Stable::Lost => (Slot::Missing, Slot::Missing),
            Stable::Older((_, hash)) => {
                let slot = at(hash).map_or(Slot::Missing, Slot::Older);
                (slot, slot)
            }
        };
        let of_hash = |hash: &Str| match at(hash) {
            _ if *hash == history.current.hash => Some(Slot::Current),
            at => at.map(Slot::Older),
        };
        let generation = snapshot
            .daemon_set
            .template_generation
            .map(|g| g.to_string());
        let is_of_generation = |pod: &Pod| {
            let label = pod.labels.get("pod-template-generation");
            label.is_some() && label == generation.as_deref()
        };
        let of_pod = |pod: &Pod| {
            let hash = revisions::hash_of(pod, history);
            match hash.and_then(of_hash) {
                Some(slot) => slot,
                // A pod that an old release made, without a hash.
                None if hash.is_none() && is_of_generation(pod) => Slot::Current,
                None if pod.is_live() => Slot::Missing,
                None => instead,
            }
        };
        let nodes = snapshot.nodes;
        let has_failed = matches!(gone, Gone::Failed);
        let of_node = |id: NodeId| {
            let here = by_node.on(id).iter();
            let here = here.filter(|pod| pod.is_live() || !has_failed);
            // One that lives says more than one that is on its way out.
            let best = here
                .map(|pod| (pod.is_live(), of_pod(pod), pod.created))
                .max_by_key(|(live, slot, created)| {
                    let is_current = *slot == Slot::Current;
                    (
                        *live,
                        *live && is_current != has_failed,
                        *created,
                        is_current,
                    )
                });
            if let Some((_, slot, _)) = best {
                return slot;
            }
            let pods = snapshot.gone_pods.on(nodes.name(id)).iter();
            let newest = pods.max_by_key(|pod| pod.created);
            match newest.filter(|pod| gone.counts(pod)) {
                Some(gone) => gone.revision.as_ref().and_then(of_hash).unwrap_or(instead),
                None => stable,
            }
        };
        let slots = (0..).map(NodeId).take(nodes.slots()).map(of_node);
        Assignment {
            slots: slots.collect(),
            older,
        }
    }

    /// Assigns these nodes the current revision.
    pub fn release(&mut self, nodes: &[NodeId]) {
        for node in nodes {
            if let Some(slot) = self.slots.get_mut(node.index()) {
                *slot = Slot::Current;
            }
        }
    }

    /// Assigns all nodes the older revision with this hash.
    pub fn assign_all(&mut self, hash: &Str) {
        let at = self.older.iter().position(|older| older.hash == hash);
        let at = at.and_then(|at| u16::try_from(at).ok());
        self.slots.fill(at.map_or(Slot::Missing, Slot::Older));
    }

    /// The older revision that a node is assigned; None for the current one.
    pub fn of(&self, node: NodeId) -> Option<Assigned<'s>> {
        match self.slots.get(node.index())? {
            Slot::Older(at) => self.older.get(usize::from(*at)).copied(),
            Slot::Current | Slot::Missing => None,
        }
    }

    /// Whether the revision that the node is to have cannot be had.
    pub fn is_missing(&self, node: NodeId) -> bool {
        self.slots.get(node.index()) == Some(&Slot::Missing)
    }
}
