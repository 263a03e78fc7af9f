//! The status of a rollout as JSON: the contract that `docs/commands.schema.json` describes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    cli::{
        args::Subject,
        commands::{keys, object::Object},
        explain::{
            explain,
            report::{AssignedReport, CauseReport, GroupReport},
        },
        plan::{notes, report::ObjectName, text::reasons::grouped},
    },
    model::{DaemonSet, Snapshot, Str, Time},
    plan::{self, DetailedPlan, HoldRule, NodeFailure, Progress, Standing},
};

use super::{
    next::{self, Step},
    told,
};

/// The stage of a DaemonSet for which nothing is done.
pub const LEFT_ALONE: &str = "LeftAlone";

/// The kind of the causes of nodes that fail.
const FAILS: &str = "Fails";

/// How a rollout stands.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Status {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// What the exit code says.
    pub state: State,
    /// How far it is, in one word.
    pub stage: String,
    /// The same as a sentence.
    pub message: String,
    /// Until when, RFC 3339, where a time ends the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Why it does not go on unless a person acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stalled: Option<StalledReport>,
    /// The revision of the present template; absent where the DaemonSet is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<AssignedReport>,
    /// Nodes by how they stand.
    pub counts: CountsReport,
    /// The keys in force, without their prefix.
    pub keys: BTreeMap<String, String>,
    /// Whether the controller has acted on these keys and on this generation.
    pub keys_read: bool,
    /// The nodes that fail with the revision that is rolled out, by why, the commonest first.
    pub failing: Vec<GroupReport>,
    /// The nodes that are not done, by what they wait for, the commonest first.
    pub waiting: Vec<GroupReport>,
    /// What a person can do.
    pub next: Vec<Step>,
    /// Sentences that are needed to understand the status.
    pub notes: Vec<String>,
}

/// What the exit code says.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The rollout is complete.
    Complete,
    /// It does not go on unless a person acts.
    Stalled,
    /// It is under way, or paused, or waits for an approval.
    UnderWay,
}

impl State {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            State::Complete => 0,
            State::Stalled => 1,
            State::UnderWay => 2,
        }
    }
}

/// Why a rollout is stalled.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StalledReport {
    /// The rule in one word.
    pub rule: String,
    /// What is not done, and why.
    pub message: String,
    /// What ends it, to be read after "until".
    pub until_what: String,
}

impl From<&HoldRule> for StalledReport {
    fn from(rule: &HoldRule) -> Self {
        StalledReport {
            rule: rule.as_str().to_owned(),
            message: rule.message(),
            until_what: rule.until_what().to_owned(),
        }
    }
}

/// Counts of nodes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CountsReport {
    /// Eligible nodes.
    pub desired: i32,
    /// Those with a pod of the present template.
    pub updated: i32,
    /// Those with an available pod.
    pub available: i32,
    /// Nodes on which a rule of rollout control holds something.
    pub held: usize,
}

impl Status {
    /// Of the plan for this snapshot, and when to look again although nothing changes. `object` is
    /// the same DaemonSet, `program` how commands begin.
    pub fn new(
        snapshot: &Snapshot<'_>,
        object: &Object,
        now: Time,
        program: &str,
    ) -> (Status, Option<Time>) {
        let mut detailed = plan::in_detail(snapshot, now);
        let ds = snapshot.daemon_set;
        // Without control such a condition is somebody else's.
        let standing = detailed.plan.standing.as_mut();
        let standing = standing.filter(|_| ds.control.is_some());
        let is_told = standing.is_some_and(|standing| told::take_in(object, standing));
        let plan = &detailed.plan;
        let standing = plan.standing.as_ref();
        let (stage, message, until) = match standing {
            Some(standing) => stage(&standing.progress),
            None => left_alone(&detailed),
        };
        let counts = plan.status.as_ref().unwrap_or(&ds.status);
        let status = Status {
            daemon_set: ObjectName {
                namespace: ds.namespace.to_string(),
                name: ds.name.to_string(),
            },
            state: standing.map_or(State::Stalled, state),
            stage: stage.to_owned(),
            message,
            until: until.map(|until| until.to_string()),
            stalled: standing.and_then(|s| s.stalled.as_ref().map(StalledReport::from)),
            revision: plan.revision.as_ref().map(|r| AssignedReport {
                name: r.name.to_string(),
                hash: r.hash.to_string(),
                number: r.number,
            }),
            counts: CountsReport {
                desired: counts.desired_number_scheduled,
                updated: counts.updated_number_scheduled,
                available: counts.number_available,
                held: held(&detailed),
            },
            keys: keys::in_force(object, ds.control.as_deref()),
            keys_read: keys::are_read(object),
            failing: failing(&detailed.failing),
            waiting: waiting(snapshot, &detailed, now),
            next: next::steps(snapshot, &detailed, now, &object.key, program),
            notes: notes::about(ds, plan)
                .into_iter()
                .chain(other_approval(
                    ds,
                    &plan.standing,
                    plan.revision.as_ref().map(|r| &r.hash),
                ))
                .chain(is_told.then(|| told::NOTE.to_owned()))
                .chain(beneath(&detailed))
                .chain(keys::unexplained(object, ds.control.as_deref()).map(|s| keys::note(&s)))
                .collect(),
        };
        (status, plan.wake_at)
    }
}

/// The number of nodes on which a rule of rollout control holds something.
pub fn held(detailed: &DetailedPlan) -> usize {
    held_by(detailed, |_| true)
}

/// The same of these rules.
pub fn held_by(detailed: &DetailedPlan, counts: impl Fn(&HoldRule) -> bool) -> usize {
    let ours = detailed.holds.iter().map(|hold| (hold, &hold.rule));
    let ours = ours.filter(|(_, rule)| rule.is_by_annotation() && counts(rule));
    let ours = ours.map(|(hold, _)| hold);
    ours.map(|hold| &hold.node)
        .collect::<BTreeSet<&Str>>()
        .len()
}

/// The state of a rollout that stands so.
fn state(standing: &Standing) -> State {
    match standing.progress {
        _ if standing.stalled.is_some() => State::Stalled,
        Progress::Complete => State::Complete,
        _ => State::UnderWay,
    }
}

/// The stage in one word, as a sentence, and until when.
pub fn stage(progress: &Progress) -> (&'static str, String, Option<Time>) {
    let (message, until) = match progress {
        Progress::Complete => (
            "every node that the rollout waits for has had an available pod of the revision".to_owned(),
            None,
        ),
        Progress::Rolling => (
            "pods are created and replaced, as the update strategy allows".to_owned(),
            None,
        ),
        Progress::Canary => (
            "the nodes of the canary get the revision first, and not all of them have an available pod of it"
                .to_owned(),
            None,
        ),
        Progress::Baking(until) => (
            "all pods of the stage are available, and have to stay so for a while".to_owned(),
            Some(*until),
        ),
        Progress::AwaitingApproval(_) => (
            "the canary is available, and the other nodes wait until somebody approves".to_owned(),
            None,
        ),
        Progress::RollingBack => (
            "the revision failed, and all nodes go back to the stable one".to_owned(),
            None,
        ),
        Progress::Paused(rule) | Progress::AutoPaused(rule) => (rule.message(), None),
    };
    (progress.as_str(), message, until)
}

fn left_alone(detailed: &DetailedPlan) -> (&'static str, String, Option<Time>) {
    let why = detailed.plan.left_alone.as_ref();
    let why = why.map_or_else(String::new, |why| format!("nothing is done: {why}"));
    (LEFT_ALONE, why, None)
}

/// The nodes that fail, by why.
fn failing(each: &[NodeFailure]) -> Vec<GroupReport> {
    let cause = |failed: &NodeFailure| CauseReport {
        kind: FAILS.to_owned(),
        reason: failed.failure.as_str().to_owned(),
        message: failed.describe(),
    };
    let causes: Vec<CauseReport> = each.iter().map(cause).collect();
    let by_cause = causes
        .iter()
        .zip(each.iter().map(|failed| failed.node.to_string()));
    let groups = grouped(by_cause).into_iter();
    groups
        .map(|(cause, mut nodes)| {
            nodes.sort();
            GroupReport {
                cause: cause.clone(),
                nodes,
            }
        })
        .collect()
}

/// The nodes that are not done, as `explain` groups them.
fn waiting(snapshot: &Snapshot<'_>, detailed: &DetailedPlan, now: Time) -> Vec<GroupReport> {
    let Ok(explanation) = explain(snapshot, detailed, Subject::All, now) else {
        return Vec::new();
    };
    let mut groups = explanation.groups;
    let waits = ["Create", "Delete", "Held", "NotAvailable"];
    groups.retain(|group| waits.contains(&&*group.cause.kind));
    groups
}

/// The note about a rollout that is held, and would not go on without the hold either.
fn beneath(detailed: &DetailedPlan) -> Option<String> {
    let rule = detailed.failed.as_ref()?;
    let standing = detailed.plan.standing.as_ref()?;
    let is_held = matches!(
        standing.progress,
        Progress::Paused(HoldRule::HeldByAnnotation | HoldRule::AllHeldByAnnotation)
    );
    is_held.then(|| {
        format!(
            "the rollout has failed as well ({}): {}",
            rule.as_str(),
            rule.message()
        )
    })
}

/// The note about an approval of another revision, where one is waited for.
fn other_approval(
    ds: &DaemonSet,
    standing: &Option<Standing>,
    hash: Option<&Str>,
) -> Option<String> {
    let approved = ds.control.as_ref()?.approve.as_ref()?;
    let waits = matches!(
        standing.as_ref()?.progress,
        Progress::Canary | Progress::Baking(_) | Progress::AwaitingApproval(_)
    );
    let hash = hash.filter(|hash| waits && *hash != approved)?;
    Some(format!(
        "the key approve has {approved}, which is not the hash of this revision, {hash}: it approves \
         nothing of it"
    ))
}
