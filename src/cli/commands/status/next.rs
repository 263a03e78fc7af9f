//! What a person can do about a rollout, given how it stands.

use serde::{Deserialize, Serialize};

use crate::{
    model::{Key, Snapshot, Time, control::PREFIX},
    plan::{DetailedPlan, HoldRule, Progress, control::stable, revisions},
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
    fn by(command: String, what: impl Into<String>) -> Step {
        Step {
            what: what.into(),
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

/// What can be done about the rollout of this plan, which was made from this snapshot at `now`, the
/// most obvious first. `program` is how our commands begin.
pub fn steps(
    snapshot: &Snapshot<'_>,
    detailed: &DetailedPlan,
    now: Time,
    key: &Key,
    program: &str,
) -> Vec<Step> {
    let plan = &detailed.plan;
    let (Some(standing), Some(revision)) = (&plan.standing, &plan.revision) else {
        let rule = plan.holds.first().map(|hold| hold.rule.until_what());
        let until = rule.map(|until| Step::by_hand(format!("nothing is done until {until}")));
        return until.into_iter().collect();
    };
    let advice = Advice {
        detailed,
        key,
        program,
        hash: &revision.hash,
        undo: undo_to(snapshot, detailed, now),
    };
    let mut steps: Vec<Step> = match &standing.progress {
        Progress::Complete => Vec::new(),
        Progress::Rolling => vec![advice.hold()],
        Progress::Canary => vec![
            advice.approve("all nodes follow, without waiting for the canary"),
            advice.hold(),
        ],
        Progress::Baking(_) => vec![
            advice.approve("the rollout goes on at once, without waiting for the time"),
            advice.hold(),
        ],
        Progress::AwaitingApproval(_) => {
            vec![advice.approve("all other nodes follow"), advice.hold()]
        }
        Progress::RollingBack => vec![advice.template(), advice.try_again()],
        Progress::AutoPaused(rule) => advice.after_failure(rule),
        Progress::Paused(rule) => advice.of_rule(rule),
    };
    let goes_forward = matches!(
        standing.progress,
        Progress::Rolling
            | Progress::Canary
            | Progress::Baking(_)
            | Progress::AwaitingApproval(_)
            | Progress::RollingBack
    );
    steps.extend(advice.undo().filter(|_| goes_forward));
    let is_told = |rule: &HoldRule| match &standing.progress {
        Progress::Paused(told) | Progress::AutoPaused(told) => told == rule,
        _ => false,
    };
    if let Some(rule) = standing.stalled.as_ref().filter(|rule| !is_told(rule)) {
        steps.extend(advice.of_rule(rule));
    }
    let by_hand = advice.has(|rule| *rule == HoldRule::OnDelete);
    if by_hand && matches!(standing.progress, Progress::Canary | Progress::Rolling) {
        let what =
            "delete the old pods of the nodes whose turn it is, each of which is then replaced";
        steps.insert(0, Step::by_hand(what));
    }
    if standing.stalled == Some(HoldRule::NoCanaryNode) {
        steps.push(advice.approve("all nodes follow, without a canary"));
    }
    steps
}

/// The number of the revision to go back to: the stable one, or else the newest older one that has
/// not failed. Without a number kubectl takes the one before, and after an undo that is the one
/// which failed.
fn undo_to(snapshot: &Snapshot<'_>, detailed: &DetailedPlan, now: Time) -> Option<i64> {
    if let Some(stable) = detailed.plan.stable_number {
        return Some(stable);
    }
    let ds = snapshot.daemon_set;
    let selector = ds.selector.as_ref().ok()?;
    let (_, old) = revisions::history(ds, selector, &snapshot.revisions, snapshot.revision_exists);
    let old = old.iter().map(|(revision, _)| *revision);
    // To kubectl 0 is no number.
    let can = old.filter(|r| r.number > 0 && r.controller.is(&ds.uid));
    can.filter(|r| stable::verdict(r, now).is_none())
        .map(|r| r.number)
        .max()
}

/// What steps are made from.
struct Advice<'d> {
    detailed: &'d DetailedPlan,
    key: &'d Key,
    program: &'d str,
    hash: &'d str,
    /// The number of the revision to go back to.
    undo: Option<i64>,
}

impl Advice<'_> {
    fn has(&self, is: impl Fn(&HoldRule) -> bool) -> bool {
        self.detailed.plan.holds.iter().any(|hold| is(&hold.rule))
    }

    fn hold(&self) -> Step {
        let command = format!("{} hold {}", self.program, self.key);
        Step::by(command, "no further pod is replaced")
    }

    fn approve(&self, what: &str) -> Step {
        let command = format!("{} approve {} {}", self.program, self.key, self.hash);
        Step::by(command, what)
    }

    fn try_again(&self) -> Step {
        self.approve("the revision that failed is tried again")
    }

    fn template(&self) -> Step {
        Step::by_hand("apply a corrected template: another rollout begins")
    }

    /// None where there is nothing to go back to.
    fn undo(&self) -> Option<Step> {
        let number = self.undo?;
        let Key { namespace, name } = self.key;
        let command =
            format!("kubectl rollout undo daemonset/{name} -n {namespace} --to-revision={number}");
        let what = match self.detailed.plan.stable_number {
            Some(_) => "all nodes go back to the stable revision",
            None => "all nodes go back to an older revision",
        };
        Some(Step::by(command, what))
    }

    /// After this rule has paused the rollout.
    fn after_failure(&self, rule: &HoldRule) -> Vec<Step> {
        match rule {
            // The stable revision is no better, so going there is no way out.
            HoldRule::RollbackPaused(_) => {
                let command = format!("{} explain {} --all", self.program, self.key);
                let why = "pods of the stable revision fail too: look at why";
                vec![Step::by(command, why), self.template(), self.try_again()]
            }
            HoldRule::RolledBack(_) => vec![self.template(), self.try_again()],
            _ => {
                let goes_on = "the rollout goes on; what failed until now is forgiven";
                let steps = [self.template(), self.approve(goes_on)];
                steps.into_iter().chain(self.undo()).collect()
            }
        }
    }

    /// What ends this rule.
    fn of_rule(&self, rule: &HoldRule) -> Vec<Step> {
        match rule {
            HoldRule::HeldByAnnotation | HoldRule::AllHeldByAnnotation => self.held(),
            HoldRule::InvalidAnnotation(words) => {
                vec![Step::by_hand(format!("correct or remove it: {words}"))]
            }
            HoldRule::NoCanaryNode => vec![Step::by_hand(format!(
                "give nodes the labels, or change {PREFIX}canary"
            ))],
            HoldRule::OnDelete => vec![Step::by_hand(
                "delete the old pods, each of which is then replaced",
            )],
            HoldRule::DisruptionBudgetUnusable(_) => vec![Step::by_hand(format!(
                "correct or delete the disruption budget, or remove the key {PREFIX}replace-by"
            ))],
            HoldRule::PinnedRevisionMissing if self.is_held() => self.held(),
            HoldRule::PinnedRevisionMissing => self.missing(),
            rule => vec![Step::by_hand(format!(
                "it goes on when {}",
                rule.until_what()
            ))],
        }
    }

    fn is_held(&self) -> bool {
        let is_hold = |rule: &HoldRule| {
            matches!(
                rule,
                HoldRule::HeldByAnnotation | HoldRule::AllHeldByAnnotation
            )
        };
        self.has(is_hold)
    }

    /// What ends a hold, and what comes then.
    fn held(&self) -> Vec<Step> {
        let resume = |what: String| Step::by(format!("{} resume {}", self.program, self.key), what);
        let forgives = "what failed until now is forgiven; the hold stays until it is resumed";
        match &self.detailed.failed {
            None => vec![resume("the rollout goes on".to_owned())],
            Some(HoldRule::RolledBack(_)) => vec![
                resume("the hold ends, and all nodes go back: the revision has failed".to_owned()),
                self.approve(forgives),
            ],
            Some(rule) => vec![
                resume(format!(
                    "the hold ends, and the rollout is paused again, because it has failed ({})",
                    rule.as_str()
                )),
                self.approve(forgives),
            ],
        }
    }

    /// The ways out where nodes go back, and what they go back to is gone.
    fn missing(&self) -> Vec<Step> {
        let mut steps = vec![self.template()];
        if self.detailed.failed.is_some() {
            let Key { namespace, name } = self.key;
            let command = format!(
                "kubectl annotate --overwrite daemonset -n {namespace} {name} {PREFIX}on-failure=pause"
            );
            steps.push(self.try_again());
            steps.push(Step::by(command, "no node goes back, and it is paused"));
        } else {
            steps.push(self.approve("all nodes follow"));
        }
        steps
    }
}
