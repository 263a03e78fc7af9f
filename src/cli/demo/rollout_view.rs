//! How an update stands: what the plan for this moment says of it.

use std::time::Duration;

use crate::{
    model::Time,
    plan::{ActionPhase, Plan, Rollout},
};

use super::chronicle::Chronicle;
use super::names::list_names;

/// So many names fit on a line.
const FIT: usize = 3;

/// How an update stands.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct RolloutView {
    /// The hash that pods of the current template carry.
    pub hash: String,
    /// How the rolling update stands; None where pods are not updated by the controller.
    pub rollout: Option<Rollout>,
    /// The nodes on which something is done for it now.
    pub now: Vec<String>,
    /// Nothing is to be done now.
    pub rests: bool,
    /// When that may be different although nothing changes.
    pub wake_at: Option<Time>,
}

impl RolloutView {
    /// As the plan for so long after the server's start has it.
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

    /// How much of the budget is used, and who is the first to wait for it.
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

    /// The same with more of those who wait, as far as they fit on a line.
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

/// Who waits for it, the first ones by name.
pub fn waiting(rollout: &Rollout) -> String {
    let names: Vec<&str> = rollout.next.iter().map(|node| &**node).collect();
    list_names(&names)
}

/// What the budget allows.
pub fn allowed(rollout: &Rollout) -> String {
    let of = rollout.desired;
    match (rollout.max_surge, rollout.max_unavailable) {
        (0, most) => format!("at most {most} of {of} nodes unavailable at a time"),
        (most, _) => format!("at most {most} of {of} nodes with a second pod at a time"),
    }
}
