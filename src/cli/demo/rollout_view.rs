//! The rollout as the plan for a moment has it, in words.

use std::time::Duration;

use crate::{
    model::Time,
    plan::{ActionPhase, Plan, Rollout},
};

use super::chronicle::Chronicle;
use super::names::list_names;

/// The most names on a line.
const FIT: usize = 3;

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
}

impl RolloutView {
    /// The rollout in the plan at a time since the server's start.
    pub fn at(chronicle: &mut Chronicle, at: Duration) -> RolloutView {
        chronicle
            .planned(at)
            .map(RolloutView::of)
            .unwrap_or_default()
    }

    fn of(plan: Plan) -> RolloutView {
        let rests = plan.is_settled();
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
        }
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
