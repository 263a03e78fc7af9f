//! What a person can do about a rollout, given how it stands.

use serde::{Deserialize, Serialize};

use crate::{
    model::{Key, control::PREFIX},
    plan::{DetailedPlan, HoldRule, Progress},
};

/// One thing that a person can do.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What it leads to, as a sentence.
    pub what: String,
    /// The command, where one does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Step {
    fn by(command: String, what: &str) -> Step {
        Step {
            what: what.to_owned(),
            command: Some(command),
        }
    }

    fn by_hand(what: impl Into<String>) -> Step {
        Step {
            what: what.into(),
            command: None,
        }
    }
}

/// What can be done about the rollout of this plan, the most obvious first. `program` is how our
/// commands begin.
pub fn steps(detailed: &DetailedPlan, key: &Key, program: &str) -> Vec<Step> {
    let plan = &detailed.plan;
    let (Some(standing), Some(revision)) = (&plan.standing, &plan.revision) else {
        let rule = plan.holds.first().map(|hold| hold.rule.until_what());
        let until = rule.map(|until| Step::by_hand(format!("nothing is done until {until}")));
        return until.into_iter().collect();
    };
    let hash = &revision.hash;
    let hold = || {
        let command = format!("{program} hold {key}");
        Step::by(command, "no further pod is replaced")
    };
    let approve = |what: &str| Step::by(format!("{program} approve {key} {hash}"), what);
    let undo = || {
        let command = format!(
            "kubectl rollout undo daemonset/{} -n {}",
            key.name, key.namespace
        );
        // Without a number kubectl takes the one before, which may have failed as well.
        match plan.stable_number {
            Some(number) => Step::by(
                format!("{command} --to-revision={number}"),
                "all nodes go back to the stable revision",
            ),
            None => Step::by(command, "all nodes go back to the revision before"),
        }
    };
    let mut steps: Vec<Step> = match &standing.progress {
        Progress::Complete => Vec::new(),
        Progress::Rolling => vec![hold(), undo()],
        Progress::Canary => vec![
            approve("all nodes follow, without waiting for the canary"),
            hold(),
            undo(),
        ],
        Progress::Baking(_) => vec![
            approve("the rollout goes on at once, without waiting for the time"),
            hold(),
            undo(),
        ],
        Progress::AwaitingApproval(_) => {
            vec![approve("all other nodes follow"), hold(), undo()]
        }
        Progress::RollingBack => vec![approve("the revision that failed is tried again"), undo()],
        Progress::AutoPaused(_) => vec![
            approve("the rollout goes on; what failed until now is forgiven"),
            undo(),
        ],
        Progress::Paused(rule) => of_rule(rule, key, program),
    };
    let is_told = |rule: &HoldRule| match &standing.progress {
        Progress::Paused(told) | Progress::AutoPaused(told) => told == rule,
        _ => false,
    };
    if let Some(rule) = standing.stalled.as_ref().filter(|rule| !is_told(rule)) {
        steps.extend(of_rule(rule, key, program));
    }
    let by_hand = plan
        .holds
        .iter()
        .any(|hold| hold.rule == HoldRule::OnDelete);
    if by_hand && matches!(standing.progress, Progress::Canary | Progress::Rolling) {
        let what =
            "delete the old pods of the nodes whose turn it is, each of which is then replaced";
        steps.insert(0, Step::by_hand(what));
    }
    if standing.stalled == Some(HoldRule::NoCanaryNode) {
        steps.push(approve("all nodes follow, without a canary"));
    }
    steps
}

/// What ends this rule.
fn of_rule(rule: &HoldRule, key: &Key, program: &str) -> Vec<Step> {
    match rule {
        HoldRule::HeldByAnnotation | HoldRule::AllHeldByAnnotation => {
            let command = format!("{program} resume {key}");
            vec![Step::by(command, "the rollout goes on")]
        }
        HoldRule::InvalidAnnotation(words) => {
            vec![Step::by_hand(format!("correct or remove it: {words}"))]
        }
        HoldRule::NoCanaryNode => vec![Step::by_hand(format!(
            "give nodes the labels, or change {PREFIX}canary"
        ))],
        HoldRule::OnDelete => vec![Step::by_hand(
            "delete the old pods, each of which is then replaced",
        )],
        rule => vec![Step::by_hand(format!(
            "it goes on when {}",
            rule.until_what()
        ))],
    }
}
