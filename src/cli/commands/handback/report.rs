//! What handing back leads to, as JSON: the contract that `docs/commands.schema.json` describes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    cli::{
        commands::{
            keys,
            object::Object,
            status::report::{held_by, stage},
        },
        plan::report::ObjectName,
    },
    model::{Snapshot, Time, UpdateStrategy, Verdicts},
    plan::{self, Create, HoldRule, Plan, Progress, eligibility::Eligibility},
};

use super::ours::{self, Recorded};

/// What handing back leads to.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Handback {
    /// Whether the built-in controller would roll out something that our rules hold.
    pub rolls_out: bool,
    /// The DaemonSets that our rules hold something of, or that we wrote something for.
    pub daemon_sets: Vec<DaemonSetReport>,
    /// The number of ControllerRevisions with state of ours, those of other owners included.
    pub recorded_revisions: usize,
    /// Sentences that are needed to understand it.
    pub notes: Vec<String>,
}

/// A DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DaemonSetReport {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// How far its rollout is, in one word.
    pub stage: String,
    /// The same as a sentence.
    pub message: String,
    /// The keys in force, without their prefix; the built-in controller does not know them.
    pub keys: BTreeMap<String, String>,
    /// Nodes on which a rule of rollout control holds something.
    pub held: usize,
    /// Whether the built-in controller would do something that our rules hold.
    pub rolls_out: bool,
    /// What it would do at once, within its budget.
    pub at_once: AtOnce,
    /// Nodes whose pods it would replace, one budget after another.
    pub old: usize,
    /// The conditions of ours that are removed.
    pub conditions: Vec<String>,
    /// The ControllerRevisions from which state is removed.
    pub recorded: Vec<String>,
    /// The pods that have our scheduling gate, which nobody else removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gated: Vec<String>,
    /// Whether the built-in controller would not know the current revision again; a note says so.
    #[serde(skip)]
    pub is_forgotten: bool,
}

/// Pods that the built-in controller would create and delete at once.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AtOnce {
    /// Creates.
    pub create: usize,
    /// Deletes.
    pub delete: usize,
}

impl DaemonSetReport {
    /// Of the plans with and without our rules for this snapshot.
    pub fn new(
        snapshot: &Snapshot<'_>,
        object: &Object,
        recorded: &[Recorded],
        now: Time,
    ) -> DaemonSetReport {
        let detailed = plan::in_detail(snapshot, now);
        let with = &detailed.plan;
        let template = snapshot.daemon_set.template.clone();
        let mut verdicts = Verdicts::default();
        Eligibility::new(template, snapshot.settings.gates).refresh(&mut verdicts, snapshot.nodes);
        let without = snapshot.without_control(&verdicts, |plain| plan::plan(plain, now));
        let (stage, message) = match (&with.standing, &with.left_alone) {
            (Some(standing), _) => {
                let (stage, message, _) = stage(&standing.progress);
                (stage, message)
            }
            (None, Some(why)) => ("LeftAlone", format!("nothing is done: {why}")),
            (None, None) => ("LeftAlone", "nothing is done".to_owned()),
        };
        // The resources of pods are no rollout: the built-in controller leaves them as they are.
        let held = held_by(&detailed, |rule| !rule.is_about_resources());
        let ds = snapshot.daemon_set;
        let mine = recorded
            .iter()
            .filter(|r| r.owner.as_deref() == Some(ds.uid.as_str()));
        let (conditions, _) = ours::conditions(object);
        // Its rollout waits, and the plan made here does not know why.
        let unexplained = keys::unexplained(object, ds.control.as_deref());
        let is_forgotten = is_forgotten(snapshot);
        let message = unexplained.as_deref().map_or(message, keys::note);
        DaemonSetReport {
            daemon_set: ObjectName {
                namespace: ds.namespace.to_string(),
                name: ds.name.to_string(),
            },
            stage: stage.to_owned(),
            message,
            keys: keys::in_force(object, ds.control.as_deref()),
            held,
            rolls_out: held > 0 || differ(with, &without) || unexplained.is_some() || is_forgotten,
            at_once: AtOnce {
                create: without.creates.len(),
                delete: without.deletes.len(),
            },
            old: match is_forgotten {
                true => live(snapshot),
                false => old(&without),
            },
            conditions: conditions.into_iter().map(str::to_owned).collect(),
            recorded: mine.map(|r| r.key.name.to_string()).collect(),
            gated: gated(snapshot),
            is_forgotten,
        }
    }

    /// Whether our rules hold something of it, or we wrote something for it.
    pub fn is_concerned(&self) -> bool {
        let wrote = !self.conditions.is_empty() || !self.recorded.is_empty();
        self.rolls_out || wrote || !self.gated.is_empty()
    }
}

/// Whether the built-in controller would replace all pods although the template is the same. It
/// compares the bytes of revisions, and API servers up to 1.33 wrote a `creationTimestamp: null`
/// into them that later ones leave out.
fn is_forgotten(snapshot: &Snapshot<'_>) -> bool {
    let ds = snapshot.daemon_set;
    let mine = || {
        let revisions = snapshot.revisions.iter();
        revisions.filter(|revision| revision.controller.is(&ds.uid))
    };
    matches!(ds.update_strategy, UpdateStrategy::RollingUpdate { .. })
        && mine().all(|revision| revision.data != ds.revision_data)
        && mine()
            .any(|revision| revision.data_without_timestamp == ds.revision_data_without_timestamp)
}

/// The live pods of the DaemonSet.
fn live(snapshot: &Snapshot<'_>) -> usize {
    let uid = &snapshot.daemon_set.uid;
    let pods = snapshot.pods.iter();
    pods.filter(|pod| pod.controller.is(uid) && pod.is_live())
        .count()
}

/// The pods of the DaemonSet that have our scheduling gate, by name.
fn gated(snapshot: &Snapshot<'_>) -> Vec<String> {
    let uid = &snapshot.daemon_set.uid;
    let pods = snapshot.pods.iter();
    let gated = pods.filter(|pod| pod.gated && pod.controller.is(uid));
    let mut names: Vec<String> = gated.map(|pod| pod.name.to_string()).collect();
    names.sort();
    names
}

/// Whether pods are created or deleted otherwise, now or when the budget allows it.
fn differ(with: &Plan, without: &Plan) -> bool {
    // What a pod is made with is no other rollout either.
    let creates = |plan: &Plan| -> Vec<Create> {
        let all = plan.creates.iter().cloned();
        all.map(|create| Create {
            resources: None,
            gated: false,
            ..create
        })
        .collect()
    };
    creates(with) != creates(without)
        || with.deletes != without.deletes
        || (is_taken_back(with) && old(without) > 0)
}

/// Whether all nodes go back or went back, which no rule holds.
fn is_taken_back(plan: &Plan) -> bool {
    let standing = plan.standing.as_ref();
    standing.is_some_and(|standing| match &standing.progress {
        Progress::RollingBack => true,
        Progress::AutoPaused(rule) => matches!(rule, HoldRule::RolledBack(_)),
        _ => false,
    })
}

/// The nodes whose pods a plan replaces, one budget after another.
fn old(plan: &Plan) -> usize {
    plan.rollout.as_ref().map_or(0, |rollout| rollout.old)
}

impl Handback {
    /// One more DaemonSet.
    pub fn add(&mut self, report: DaemonSetReport) {
        self.rolls_out |= report.rolls_out;
        self.daemon_sets.push(report);
    }

    /// The note about revisions that the built-in controller would not know again.
    pub fn about_forgotten(&self) -> Option<String> {
        let forgotten = self.daemon_sets.iter().filter(|d| d.is_forgotten);
        let name =
            |d: &DaemonSetReport| format!("{}/{}", d.daemon_set.namespace, d.daemon_set.name);
        let names: Vec<String> = forgotten.map(name).collect();
        (!names.is_empty()).then(|| {
            format!(
                "the current revision is one of Kubernetes 1.33 or older, which the built-in controller of later \
                 versions does not know again: it would replace all pods of {}; after the next change of the \
                 template it would not",
                names.join(", ")
            )
        })
    }

    /// The note about the key `resources`, where a DaemonSet that is named has it.
    pub fn about_resources(&self) -> Option<String> {
        let mut keys = self.daemon_sets.iter().map(|d| &d.keys);
        let has_rules = keys.any(|keys| keys.contains_key("resources"));
        has_rules.then(|| {
            "pods that were made by rules of the key resources stay as they are; those that the \
             built-in controller makes have the resources of the template"
                .to_owned()
        })
    }
}
