//! How the rollout of a DaemonSet stands, in one value: what conditions, `status` and its exit code
//! are made from.

use crate::model::{DaemonSetStatus, Str, Time};

use crate::plan::{facts::Facts, hold::HoldRule, holds::Hold};

use super::{Gate, LastBake, stages::Stage};

/// How a rollout stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// How far it is, and what it waits for.
    pub progress: Progress,
    /// The stage that is rolled out, bakes, or is to be approved: `canary`, or a group of `order`.
    pub stage: Option<Str>,
    /// Why it does not go on unless a person acts.
    pub stalled: Option<HoldRule>,
}

/// How far a rollout is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Every eligible node has had an available pod of the current revision. What fails later is
    /// upkeep.
    Complete,
    /// Pods are replaced, or created, as the update strategy has it; with `order` those of one
    /// group.
    Rolling,
    /// So are those of the canary, and the other nodes wait.
    Canary,
    /// All pods of the stage are available and have to stay so until then.
    Baking(Time),
    /// The canary is available, and somebody is to approve the revision with this hash.
    AwaitingApproval(Str),
    /// No pod is replaced, by this rule.
    Paused(HoldRule),
    /// The current revision failed, and nodes go back to the stable one.
    RollingBack,
    /// No pod is replaced, because more nodes fail than are tolerated, or there was no progress for
    /// too long; or all nodes have gone back.
    AutoPaused(HoldRule),
}

impl Progress {
    /// In one word, as the reason of the condition `Progressing`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Progress::Complete => "Complete",
            Progress::Rolling => "Rolling",
            Progress::Canary => "Canary",
            Progress::Baking(_) => "Baking",
            Progress::AwaitingApproval(_) => "AwaitingApproval",
            Progress::Paused(_) => "Paused",
            Progress::RollingBack => "RollingBack",
            Progress::AutoPaused(rule) => rule.as_str(),
        }
    }
}

/// What the standing follows from, besides the facts.
pub struct Progressed<'p> {
    /// What keeps nodes from the current revision.
    pub gate: Option<&'p Gate>,
    /// How the last stage stands.
    pub last_bake: LastBake,
    /// Whether the current revision is the one that completed last.
    pub completed: bool,
    /// Whether every eligible node has an available pod of the current revision, exempt nodes
    /// aside.
    pub complete: bool,
    /// The counts.
    pub status: &'p DaemonSetStatus,
    /// What is not done.
    pub holds: &'p [Hold],
}

impl Progressed<'_> {
    /// How the rollout stands.
    pub fn standing(&self, facts: &Facts<'_, '_>) -> Standing {
        let mut rules = self.holds.iter().map(|hold| &hold.rule);
        let mut stalled = rules.find(|rule| rule.needs_a_person()).cloned();
        let progress = match stalled.clone() {
            // The annotation may have asked for anything.
            Some(rule @ HoldRule::InvalidAnnotation(_)) => Progress::Paused(rule),
            // Nothing completes meanwhile.
            Some(
                rule @ (HoldRule::AutoPaused(_)
                | HoldRule::ProgressDeadlineExceeded(_)
                | HoldRule::RollbackPaused(_)),
            ) => Progress::AutoPaused(rule),
            Some(rule) if !self.is_complete(facts) => Progress::Paused(rule),
            _ => match self.gate {
                Some(Gate::Back(rule)) if !is_going_back(facts) => {
                    stalled = Some(rule.clone());
                    Progress::AutoPaused(rule.clone())
                }
                Some(Gate::Back(_) | Gate::Held(HoldRule::RolledBack(_))) => Progress::RollingBack,
                _ => self.progress(facts),
            },
        };
        let stage = match (&progress, self.gate) {
            (Progress::Paused(_) | Progress::AutoPaused(_), _)
            | (_, None | Some(Gate::Held(_) | Gate::Back(_))) => None,
            (_, Some(Gate::Stage(stage))) => Some(stage.name.clone()),
        };
        Standing {
            progress,
            stage,
            stalled,
        }
    }

    fn progress(&self, facts: &Facts<'_, '_>) -> Progress {
        if let Some(Gate::Stage(Stage { rule, until, .. })) = self.gate {
            return match (rule, until) {
                (HoldRule::Baking, Some(until)) => Progress::Baking(*until),
                (HoldRule::AwaitingApproval(hash), _) => Progress::AwaitingApproval(hash.clone()),
                (HoldRule::StageNotRecorded | HoldRule::EarlierGroup(_), _) => Progress::Rolling,
                _ => Progress::Canary,
            };
        }
        match self.last_bake {
            LastBake::Until(until) => return Progress::Baking(until),
            LastBake::Interrupted => return Progress::Rolling,
            LastBake::Over => {}
        }
        if self.is_complete(facts) {
            return Progress::Complete;
        }
        let mut rules = self.holds.iter().map(|hold| &hold.rule);
        let pauses = rules.find(|rule| rule.holds_rollout() || **rule == HoldRule::OnDelete);
        pauses.map_or(Progress::Rolling, |rule| Progress::Paused(rule.clone()))
    }

    fn is_complete(&self, facts: &Facts<'_, '_>) -> bool {
        self.complete || self.status.is_complete() || (self.completed && !has_old(facts))
    }
}

/// Whether a node that counts has a pod of another revision than the one that it is to have. That
/// the pods which came in its place become available is upkeep: else each of them that is unready
/// for a moment would take back what was said. Nor is anything waited for on a node that is down:
/// in a large cluster one always is, and nobody would learn that a person has to act.
fn is_going_back(facts: &Facts<'_, '_>) -> bool {
    let nodes = facts.snapshot.nodes.iter();
    let up = nodes.filter(|(_, node)| node.health().unready.is_none());
    let mut counts = up
        .map(|(id, _)| id)
        .filter(|id| facts.is_eligible(*id) && !facts.exempt.is(*id));
    counts.any(|id| {
        let mut pods = facts.visible(id).filter(|p| !p.phase.is_terminal());
        pods.any(|pod| !facts.is_updated(id, pod))
    })
}

/// Whether a node that is to have a pod has one of another revision than the current one.
fn has_old(facts: &Facts<'_, '_>) -> bool {
    let nodes = facts.snapshot.nodes.iter();
    let mut eligible = nodes.map(|(id, _)| id).filter(|id| facts.is_eligible(*id));
    eligible.any(|id| {
        let mut live = facts.visible(id).filter(|p| p.is_live());
        live.any(|pod| !facts.is_of_current(pod))
    })
}
