//! The nodes that fail with the current revision, and what follows from them.

use std::collections::BTreeMap;

use crate::model::{Clock, Failed, FailureAction, NodeId, Snapshot, Str, Time};

use super::failure::{AutoPause, Failure, NodeFailure, PastDeadline};

/// So many bytes of node names are recorded with an approval: an object's annotations have 256 KiB.
const RECORDED: usize = 64 * 1024;

/// The nodes that fail.
#[derive(Default, Debug)]
pub struct Failing {
    /// Whether anything was judged: something asks for it, and the current revision is being rolled
    /// out.
    pub is_judged: bool,
    /// When a node begins to fail although nothing changes.
    pub wake_at: Option<Time>,
    /// What is to be recorded of the time of `deadline`.
    pub set_clock: Option<Clock>,
    /// The current revision failed before, and that stands.
    pub verdict: Option<Failed>,
    /// Why going back pauses.
    pub back: Option<AutoPause>,
    /// There is nothing to go back to.
    pub(super) is_first: bool,
    /// The deadline is over.
    pub(super) past: Option<PastDeadline>,
    pub(super) action: FailureAction,
    pub(super) tolerated: usize,
    /// Those that fail: why, and when the pod was created that fails.
    pub(super) nodes: BTreeMap<NodeId, (Failure, Time)>,
    /// The same of those that went back.
    pub(super) back_nodes: BTreeMap<NodeId, (Failure, Time)>,
    /// The first one, by name.
    pub(super) first: Option<(Str, Failure)>,
    /// How often containers were restarted, of nodes that fail or where one was restarted at all.
    pub(super) restarts: BTreeMap<Str, u32>,
}

impl Failing {
    /// Whether the rollout pauses, for whatever reason.
    pub fn pauses(&self) -> bool {
        self.verdict.is_some() || self.past().is_some() || self.pause().is_some()
    }

    /// That the deadline is over, and the rollout pauses; None where it does not for that.
    pub fn past(&self) -> Option<PastDeadline> {
        let pauses = self.action != FailureAction::Continue;
        self.past.clone().filter(|_| pauses)
    }

    /// Says whether there is anything to go back to.
    pub fn with_stable(mut self, is_there: bool) -> Failing {
        self.is_first = !is_there && self.action == FailureAction::Rollback;
        self
    }

    /// Takes in that the deadline is over. These nodes have a pod that is not available, which was
    /// created then: they fail. Where they may, the stage goes on without them; else, or where
    /// there is no stage that could, the rollout pauses.
    pub fn exceed(&mut self, past: PastDeadline, late: Vec<(NodeId, Time)>) {
        let is_none = late.is_empty();
        for (id, created) in late {
            let late = (Failure::Late, created);
            self.nodes.entry(id).or_insert(late);
        }
        let may = !is_none && past.stage.is_some() && !self.is_too_many();
        self.past = Some(past).filter(|_| !may);
    }

    /// Why the rollout pauses; None where it does not for nodes that fail.
    pub fn pause(&self) -> Option<AutoPause> {
        if !self.is_too_many() || self.action == FailureAction::Continue {
            return None;
        }
        let (node, failure) = self.first.clone()?;
        Some(AutoPause {
            stage: None,
            node,
            failure,
            tolerated: self.tolerated,
            is_first: self.is_first,
        })
    }

    /// The verdict that is to be recorded, where that is what the DaemonSet asks for.
    pub fn sentence(&self, now: Time) -> Option<Failed> {
        if self.action != FailureAction::Rollback || self.is_first || self.verdict.is_some() {
            return None;
        }
        let (node, why) = match (self.past(), self.pause()) {
            (Some(past), _) => (past.node.clone(), past.why()),
            (None, Some(pause)) => (Some(pause.node), pause.failure.describe()),
            (None, None) => return None,
        };
        let why = why.into();
        Some(Failed { at: now, node, why })
    }

    /// Takes in the failures with the stable revision, of nodes that went back.
    pub fn go_back(&mut self, back: Failing) {
        self.back = back.pause();
        self.back_nodes = back.nodes;
    }

    /// Every node that fails, by slot; those that went back last.
    pub fn each(&self, snapshot: &Snapshot<'_>) -> Vec<NodeFailure> {
        let of = |nodes: &BTreeMap<NodeId, (Failure, Time)>, is_back| -> Vec<NodeFailure> {
            let each = nodes.iter().map(|(id, (failure, _))| NodeFailure {
                node: snapshot.nodes.name(*id).clone(),
                failure: failure.clone(),
                is_back,
            });
            each.collect()
        };
        let mut each = of(&self.nodes, false);
        each.extend(of(&self.back_nodes, true));
        each
    }

    /// The nodes that fail.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// A time for a node that fails, and that no stage waits for: its pod was created then. None
    /// for a node that does not fail, or while the rollout pauses.
    pub fn excused(&self, node: NodeId) -> Option<Time> {
        let (_, created) = self.nodes.get(&node)?;
        (!self.pauses()).then_some(*created)
    }

    /// What is recorded with an approval: the highest counts first, as far as there is room.
    pub fn restarts(&self) -> BTreeMap<Str, u32> {
        let mut all: Vec<(&Str, &u32)> = self.restarts.iter().collect();
        all.sort_by_key(|(node, count)| (std::cmp::Reverse(**count), *node));
        let mut room = RECORDED;
        let fits = all.into_iter().take_while(|(node, _)| {
            let fits = node.len() <= room;
            room = room.saturating_sub(node.len());
            fits
        });
        fits.map(|(node, count)| (node.clone(), *count)).collect()
    }

    fn is_too_many(&self) -> bool {
        self.nodes.len() > self.tolerated
    }
}
