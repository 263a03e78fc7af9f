//! A plan as JSON: the contract that `docs/plan.schema.json` describes.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

mod build;
pub mod control;
pub mod reasons;
mod resources;

pub use crate::cli::advice::Advice;
pub use control::ControlReport;
pub use reasons::{BlockReport, HeldNodeReport, HoldReport, ObstacleReport};
pub use resources::{ResizeReport, ResourceRuleReport, ResourcesReport};

/// As JSON text that people can read too; it ends with a line end. For [`Report`], and lists of
/// [`Overview`].
pub fn to_json(report: &impl Serialize) -> String {
    // Texts, numbers and maps with text keys always have a JSON form.
    let mut text = serde_json::to_string_pretty(report).expect("a report has a JSON form");
    text.push('\n');
    text
}

/// Parts of a report that are there only on request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// The pods to create, as they would be posted.
    pub manifests: bool,
    /// Values that may be secrets.
    pub values: bool,
}

/// The plan for one DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// The time of the plan, RFC 3339.
    pub now: String,
    /// Why nothing is done at all; all lists are empty then, and there is no revision or status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<LeftAloneReport>,
    /// The current revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionReport>,
    /// What rollout control asks for, and where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReport>,
    /// Operations on revisions.
    pub revision_ops: RevisionOpsReport,
    /// All nodes, by name.
    pub nodes: Vec<NodeReport>,
    /// Pods that change hands.
    pub claims: ClaimsReport,
    /// Pods to create, by node.
    pub create: Vec<CreateReport>,
    /// Pods to delete, by node and name.
    pub delete: Vec<DeleteReport>,
    /// Pods to resize, by node and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resize: Vec<ResizeReport>,
    /// Pods whose scheduling gate is removed, by node and name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ungate: Vec<UngateReport>,
    /// How the rolling update stands, where there are older pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutReport>,
    /// What is not done although a rule would want it.
    pub holds: Vec<HoldReport>,
    /// The status as it should be now, before anything of this plan is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusCounts>,
    /// Events of the decision.
    pub events: Vec<EventReport>,
    /// In how many seconds to look again although nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requeue_after_seconds: Option<f64>,
    /// All of it in numbers.
    pub summary: Summary,
    /// Sentences that are needed to understand the plan.
    pub notes: Vec<String>,
    /// Fields that the API server would set by itself and that were added, as
    /// `spec.revisionHistoryLimit=10`.
    pub defaults: Vec<String>,
    /// What the cluster takes and what would be better otherwise; empty with `--no-advice`.
    pub advice: Vec<Advice>,
}

/// A pod whose scheduling gate is removed: the key `exclusive`.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UngateReport {
    /// Its name.
    pub pod: String,
    /// The node that it is pinned to.
    pub node: String,
}

/// A plan in short: an element of what `-A -o json` prints. Its fields are those of [`Report`].
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overview {
    /// As in [`Report::daemon_set`].
    pub daemon_set: ObjectName,
    /// As in [`Report::now`].
    pub now: String,
    /// As in [`Report::left_alone`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<LeftAloneReport>,
    /// As in [`Report::revision`], without the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<RevisionReport>,
    /// Why its rollout does not go on unless a person acts, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<String>,
    /// As in [`Report::summary`].
    pub summary: Summary,
    /// As in [`Report::notes`].
    pub notes: Vec<String>,
    /// As in [`Report::defaults`].
    pub defaults: Vec<String>,
    /// As in [`Report::advice`].
    pub advice: Vec<Advice>,
}

/// A plan in numbers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Summary {
    /// Nothing is done, but perhaps to the status: what `--exit-code` tells by 0.
    pub settled: bool,
    /// Pods that are created.
    pub create: usize,
    /// Pods that are deleted.
    pub delete: usize,
    /// Pods whose containers get other resources.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resize: usize,
    /// Pods whose scheduling gate is removed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ungate: usize,
    /// Pods that get another hash label.
    pub relabel: usize,
    /// Pods that become ours.
    pub adopt: usize,
    /// Pods that are let go.
    pub release: usize,
    /// The same of revisions.
    pub revisions: RevisionSummary,
    /// Nodes with an older pod, where the controller replaces them.
    pub old: usize,
    /// The fields of `status` that change, by their names in the API.
    pub status: BTreeMap<String, StatusChange>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Operations on revisions, in numbers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionSummary {
    /// 1 where the template is new.
    pub create: usize,
    /// Duplicates, and old ones beyond the history limit.
    pub delete: usize,
    /// 1 where the template is that of an old revision, which becomes the newest.
    pub renumber: usize,
    /// Revisions that get the hash label that they lack.
    pub label: usize,
    /// Revisions that become ours.
    pub adopt: usize,
    /// Revisions that are let go.
    pub release: usize,
}

/// A field of `status` that changes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct StatusChange {
    /// The value before; None for a field that is not there.
    pub from: Option<i64>,
    /// The value after.
    pub to: Option<i64>,
}

/// Namespace and name.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectName {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// Why a DaemonSet is left alone.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftAloneReport {
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// The current revision.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionReport {
    /// Its name.
    pub name: String,
    /// The hash label of its pods.
    pub hash: String,
    /// Its number, after the plan.
    pub number: i64,
    /// Whether it is to be created.
    pub create: bool,
    /// For one that is to be created: how the template differs from the nearest revision, if there
    /// is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<RevisionDiff>,
}

/// How the template differs from a revision.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionDiff {
    /// The revision that differs least.
    pub nearest: NearestRevision,
    /// The differences, by path.
    pub changes: Vec<DiffEntry>,
}

/// The revision that differs least from the template.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NearestRevision {
    /// `metadata.name`.
    pub name: String,
    /// `revision`.
    pub number: i64,
}

/// One difference.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffEntry {
    /// The path, as `spec.template.spec.containers[name=agent].image`.
    pub path: String,
    /// The kind of difference.
    pub op: DiffOp,
    /// The value in the revision, where it has one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    pub from: Option<Box<RawValue>>,
    /// The value in the template, where it has one.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "even_null"
    )]
    pub to: Option<Box<RawValue>>,
    /// Whether a part of a value is hidden, because it may be a secret.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// A `null` that is there is a value.
fn even_null<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(from).map(Some)
}

/// How a value differs.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum DiffOp {
    /// The revision has none.
    Added,
    /// The template has none.
    Removed,
    /// Both have one.
    Changed,
    /// The items of a list are in another order; the values are their names.
    Reordered,
}

/// Operations on revisions.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionOpsReport {
    /// Revision to its new number.
    pub set_number: BTreeMap<String, i64>,
    /// Revision to the hash label that it lacks.
    pub set_label: BTreeMap<String, String>,
    /// Revisions to delete, by name.
    pub delete: Vec<String>,
    /// Revisions that become ours, by name.
    pub adopt: Vec<String>,
    /// Revisions that are let go, by name.
    pub release: Vec<String>,
    /// Pod to its new hash label.
    pub relabel_pods: BTreeMap<String, String>,
    /// Revision to the time that is recorded on it: when the rollout to it began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_started: BTreeMap<String, String>,
    /// Revision to the time that is recorded on it: somebody approved it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_approved: BTreeMap<String, String>,
    /// Revision to why its rollout failed, which is recorded on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_failed: BTreeMap<String, String>,
    /// Revision to what is recorded on it of the time of `deadline`: since when it runs, or
    /// `stopped`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_clock: BTreeMap<String, String>,
    /// Revision to all stages of its rollout that are over, which is recorded on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub release_stages: BTreeMap<String, Vec<String>>,
    /// Revision to the time that is recorded on it: every eligible node had an available pod of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set_completed: BTreeMap<String, String>,
    /// The new `status.collisionCount`, one higher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
}

/// The verdict on a node.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Whether it gets a pod if it has none.
    pub should_run: bool,
    /// Whether a pod that is there stays.
    pub should_continue_running: bool,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// All that keeps a pod away, the verdict's reason first; empty for an eligible node.
    pub obstacles: Vec<ObstacleReport>,
}

/// Pods that change hands, by name.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimsReport {
    /// Matching orphans, which become ours.
    pub adopt: Vec<String>,
    /// Ours that stopped matching.
    pub release: Vec<String>,
}

/// A pod to create.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateReport {
    /// For this node.
    pub node: String,
    /// With this name.
    pub pod_name: String,
    /// The part of the plan that it belongs to: `manage`, `successor` or `rollout`.
    pub phase: String,
    /// Why, in one word.
    pub cause: String,
    /// The hash of its revision, where that is an older one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The rule of `resources` that it is made by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRuleReport>,
    /// The pod as it would be posted, where manifests are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Box<RawValue>>,
}

/// A pod to delete.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteReport {
    /// Its name.
    pub pod: String,
    /// The node that it is on or pinned to.
    pub node: String,
    /// The part of the plan that it belongs to: `manage`, `successor` or `rollout`.
    pub phase: String,
    /// Why, in one word.
    pub cause: String,
    /// `eviction` where it is evicted; absent where it is deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How a rolling update stands, this plan carried out.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RolloutReport {
    /// Eligible nodes.
    pub desired: usize,
    /// `maxUnavailable` as a count.
    pub max_unavailable: usize,
    /// `maxSurge` as a count.
    pub max_surge: usize,
    /// Nodes that count against `maxUnavailable`.
    pub unavailable: usize,
    /// Nodes that count against `maxSurge`.
    pub surging: usize,
    /// Nodes with a pod of the current revision.
    pub updated: usize,
    /// Nodes with an older pod.
    pub old: usize,
    /// The nodes that come next, in this order.
    pub next: Vec<String>,
    /// The nodes that count against the budget besides this plan's own replacements, and why.
    pub blocked_by: Vec<BlockReport>,
}

/// The fields of `status` that the controller writes, named as in the API.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusCounts {
    /// Eligible nodes with a pod.
    pub current_number_scheduled: i32,
    /// Other nodes with a pod.
    pub number_misscheduled: i32,
    /// Eligible nodes.
    pub desired_number_scheduled: i32,
    /// Eligible nodes with a ready pod.
    pub number_ready: i32,
    /// Eligible nodes with a pod of the current revision.
    pub updated_number_scheduled: i32,
    /// Eligible nodes with an available pod.
    pub number_available: i32,
    /// Eligible nodes without an available pod.
    pub number_unavailable: i32,
    /// The generation that the plan is for.
    pub observed_generation: i64,
    /// Collisions of revision names so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
}

/// An event on the DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventReport {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}
