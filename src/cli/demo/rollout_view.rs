//! The rollout as the plan for a moment has it, in words.

use std::time::Duration;

use crate::{
    model::{Str, Time},
    plan::{ActionPhase, Hold, HoldRule, Plan, Progress, Rollout},
};

use super::chronicle::Chronicle;
use super::names::list_names;

/// The most names on a line.
const FIT: usize = 3;

/// The most letters about the stage on a line of a terminal.
const LONGEST: usize = 70;

/// The rollout at one moment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RolloutView {
    /// The hash of the current revision.
    pub hash: String,
    /// The rollout of the plan; None if the controller does not update pods (OnDelete).
    pub rollout: Option<Rollout>,
    /// The nodes on which the plan replaces a pod now.
    pub now: Vec<String>,
    /// Whether the plan has nothing to do now.
    pub rests: bool,
    /// When the plan may change although nothing else does.
    pub wake_at: Option<Time>,
    /// With rollout control: how far the rollout is.
    pub progress: Option<Progress>,
    /// With rollout control: the stage that is open.
    pub stage: Option<Str>,
    /// With rollout control: what it holds.
    pub holds: Vec<Hold>,
}

impl RolloutView {
    /// The rollout in the plan at a time since the server's start. `control` says whether there is
    /// rollout control.
    pub fn at(chronicle: &mut Chronicle, at: Duration, control: bool) -> RolloutView {
        let plan = chronicle.planned(at);
        plan.map(|plan| RolloutView::of(plan, control))
            .unwrap_or_default()
    }

    fn of(plan: Plan, control: bool) -> RolloutView {
        let rests = plan.is_settled();
        let standing = plan.standing.filter(|_| control);
        let (progress, stage) = standing.map(|s| (s.progress, s.stage)).unzip();
        let holds = plan.holds.into_iter();
        let of_control = |hold: &Hold| control && hold.rule.is_by_annotation();
        let deletes = plan.deletes.iter().map(|d| (d.phase, &d.node));
        let creates = plan.creates.iter().map(|c| (c.phase, &c.node));
        let all = deletes.chain(creates);
        let of_rollout = all.filter(|(phase, _)| *phase == ActionPhase::Rollout);
        RolloutView {
            now: of_rollout.map(|(_, node)| node.to_string()).collect(),
            rests,
            hash: plan
                .revision
                .map(|r| r.hash.to_string())
                .unwrap_or_default(),
            rollout: plan.rollout,
            wake_at: plan.wake_at,
            progress,
            stage: stage.flatten(),
            holds: holds.filter(of_control).collect(),
        }
    }

    /// With rollout control: how far it is, with the stage that is open.
    pub fn standing(&self) -> Option<String> {
        let progress = self.progress.as_ref()?;
        let stage = match progress {
            Progress::AutoPaused(HoldRule::AutoPaused(pause)) => &pause.stage,
            _ => &self.stage,
        };
        let stage = stage.as_ref().map(|stage| format!(" {}", short(stage)));
        // Of the canary the word says it.
        let stage = stage.filter(|_| *progress != Progress::Canary);
        Some(progress.as_str().to_owned() + &stage.unwrap_or_default())
    }

    /// As [`RolloutView::standing`], with why it does not go on.
    pub fn standing_long(&self) -> Option<String> {
        let standing = self.standing()?;
        let why = match self.progress.as_ref()? {
            Progress::AutoPaused(HoldRule::AutoPaused(pause)) => {
                Some(format!("{}: {}", pause.node, pause.failure.describe()))
            }
            Progress::AutoPaused(HoldRule::RolledBack(back)) => {
                let node = back.node.as_ref().map(|node| format!("{node}: "));
                Some(node.unwrap_or_default() + &back.why)
            }
            _ => None,
        };
        let words = why.map_or(standing.clone(), |why| format!("{standing}, {why}"));
        Some(match words.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &words[..end]),
            None => words,
        })
    }

    /// How much of the budget is used, and which node is next.
    pub fn short(&self) -> String {
        match &self.rollout {
            Some(rollout) => {
                let next = rollout.next.first();
                let next = next.map(|node| format!(", next {node}"));
                used(rollout) + &next.unwrap_or_default()
            }
            None => "nothing is replaced".to_owned(),
        }
    }

    /// As [`RolloutView::short`], with as many of the next nodes as fit on a line.
    pub fn long(&self) -> String {
        match &self.rollout {
            Some(rollout) if !rollout.next.is_empty() => {
                let next = rollout.next.iter().take(FIT).map(|node| &**node);
                let next: Vec<&str> = next.collect();
                format!("{}, next {}", used(rollout), next.join(", "))
            }
            _ => self.short(),
        }
    }
}

/// The name of a stage, with the names of labels in place of their keys.
fn short(stage: &str) -> String {
    let names = stage.split(',');
    let names = names.map(|name| name.rsplit('/').next().unwrap_or(name));
    names.collect::<Vec<_>>().join(",")
}

/// How much of the budget is used.
pub fn used(rollout: &Rollout) -> String {
    let Rollout {
        max_surge,
        surging,
        max_unavailable,
        unavailable,
        ..
    } = rollout;
    match max_surge {
        0 => format!("{unavailable} of {max_unavailable} unavailable"),
        most => format!("{surging} of {most} surging"),
    }
}

/// The nodes that are next, the first ones by name.
pub fn waiting(rollout: &Rollout) -> String {
    let names: Vec<&str> = rollout.next.iter().map(|node| &**node).collect();
    list_names(&names)
}

/// The limit of the budget, in words.
pub fn allowed(rollout: &Rollout) -> String {
    let of = rollout.desired;
    match (rollout.max_surge, rollout.max_unavailable) {
        (0, most) => format!("at most {most} of {of} nodes unavailable at a time"),
        (most, _) => format!("at most {most} of {of} nodes with a second pod at a time"),
    }
}
