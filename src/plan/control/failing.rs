//! The nodes that fail with the current revision, and what follows from them.

use std::collections::BTreeMap;

use crate::model::{Clock, Failed, FailureAction, FailureCause, NodeId, Snapshot, Str, Time};

use super::failure::{AutoPause, Failure, NodeFailure, PastDeadline};

/// So many bytes of node names are recorded with an approval: an object's annotations have 256 KiB.
const RECORDED: usize = 64 * 1024;

/// Whether nodes can go back.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Way {
    /// There is a stable revision.
    #[default]
    Back,
    /// There is none.
    None,
    /// It may be the one that is gone.
    Lost,
}

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
    /// The current revision failed before, that stands, and nodes go back.
    pub verdict: Option<Failed>,
    /// Why going back pauses, and whether that is recorded.
    back: Option<FailureCause>,
    is_back_known: bool,
    /// The current revision failed before, that stands, and nodes do not go back.
    paused: Option<FailureCause>,
    /// Where nodes go back to.
    way: Way,
    /// The deadline is over.
    pub(super) past: Option<PastDeadline>,
    /// The current revision is approved with this plan, so what fails now is forgiven.
    is_forgiven: bool,
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

    /// Says whether what fails now is forgiven with this plan. It pauses until that is recorded,
    /// and is no verdict: of one with the same time nobody could say which came first.
    pub fn with_approval(self, is_forgiven: bool) -> Failing {
        Failing {
            is_forgiven,
            ..self
        }
    }

    /// Says where nodes would go back to.
    pub fn with_way(self, way: Way) -> Failing {
        Failing { way, ..self }
    }

    /// Takes in that the current revision failed before. A rollout that pauses for that goes on
    /// pausing, although the nodes that failed may be well for a moment or their pods gone.
    pub fn remember(&mut self, failed: &Failed) {
        self.paused = self.standing(&failed.cause);
    }

    /// Takes in that the current revision failed before, and that nodes go back, of which these
    /// fail with the stable revision. A pause for that stays as well.
    pub fn go_back(&mut self, failed: &Failed, back: Failing) {
        let known = failed.back.as_ref().and_then(|cause| self.standing(cause));
        self.is_back_known = known.is_some();
        self.back = known.or_else(|| back.too_many());
        self.back_nodes = back.nodes;
        self.verdict = Some(failed.clone());
    }

    /// The recorded cause, unless so many nodes may fail by now.
    fn standing(&self, cause: &FailureCause) -> Option<FailureCause> {
        let is_too_many = |count| count > self.tolerated;
        let stands = cause.failing.is_none_or(is_too_many);
        stands.then(|| cause.clone())
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
        if self.action == FailureAction::Continue {
            return None;
        }
        let cause = self.paused.clone().or_else(|| self.too_many())?;
        Some(self.pause_for(cause))
    }

    /// Why going back pauses; None where it does not.
    pub fn back_pause(&self) -> Option<AutoPause> {
        Some(self.pause_for(self.back.clone()?))
    }

    fn pause_for(&self, cause: FailureCause) -> AutoPause {
        let goes_back = self.action == FailureAction::Rollback;
        AutoPause {
            stage: None,
            node: cause.node,
            why: cause.why,
            tolerated: self.tolerated,
            is_first: goes_back && self.way != Way::Back,
        }
    }

    /// That more nodes fail than are tolerated; None where no more do.
    fn too_many(&self) -> Option<FailureCause> {
        let (node, failure) = self.first.as_ref().filter(|_| self.is_too_many())?;
        Some(FailureCause {
            node: Some(node.clone()),
            why: failure.describe().into(),
            failing: Some(self.nodes.len()),
        })
    }

    /// The verdict that is to be recorded, so that it stands whatever becomes of the nodes that
    /// failed. That the deadline is over is one only where nodes go back for it: a rollout that
    /// pauses for that goes on with the next node whose pod is available.
    pub fn sentence(&self, now: Time) -> Option<Failed> {
        if let Some(failed) = &self.verdict {
            let back = self.back.clone().filter(|_| !self.is_back_known)?;
            let back = Some(back);
            return Some(Failed {
                back,
                ..failed.clone()
            });
        }
        let is_lost = self.action == FailureAction::Rollback && self.way == Way::Lost;
        if self.action == FailureAction::Continue
            || is_lost
            || self.is_forgiven
            || self.paused.is_some()
        {
            return None;
        }
        // Then the late nodes are among those that fail.
        let past = self.past();
        if past.is_some() && !self.goes_back() {
            return None;
        }
        let past = past.map(|past| FailureCause {
            node: past.node.clone(),
            why: past.why().into(),
            failing: None,
        });
        Some(Failed {
            at: now,
            cause: past.or_else(|| self.too_many())?,
            back: None,
        })
    }

    /// The verdict that is to be recorded, where all nodes go back with it.
    pub fn taken_back(&self, now: Time) -> Option<Failed> {
        let is_new = self.goes_back() && self.verdict.is_none();
        self.sentence(now).filter(|_| is_new)
    }

    fn goes_back(&self) -> bool {
        self.action == FailureAction::Rollback && self.way == Way::Back
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
