//! A plan as JSON: the contract that `docs/plan.schema.json` describes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    model::{self, Snapshot, Time},
    plan::{self, Plan, PodRef, eligibility, revisions::RevisionRef, tolerations},
    wire::manifest::PodManifest,
};

/// What is planned for one DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The DaemonSet.
    pub daemon_set: Name,
    /// The time of the plan, RFC 3339.
    pub now: String,
    /// Why nothing is done at all; all lists are empty then, and there is no revision or status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_alone: Option<LeftAlone>,
    /// The current revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// What is to be done about revisions.
    pub revision_ops: RevisionOps,
    /// All nodes, by name.
    pub nodes: Vec<Node>,
    /// Pods that change hands.
    pub claims: Claims,
    /// Pods to create, by node.
    pub create: Vec<Create>,
    /// Pods to delete, by node and name.
    pub delete: Vec<Delete>,
    /// How the rolling update stands, where there are older pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// The status as it should be now, before anything of this plan is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusCounts>,
    /// Events of the decision.
    pub events: Vec<Event>,
    /// In how many seconds to look again although nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requeue_after_seconds: Option<f64>,
}

/// Namespace and name.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Name {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

/// Why a DaemonSet is left alone.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeftAlone {
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// The current revision.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revision {
    /// Its name.
    pub name: String,
    /// The hash label of its pods.
    pub hash: String,
    /// Its number, after the plan.
    pub number: i64,
    /// Whether it is to be created.
    pub create: bool,
}

/// What is to be done about revisions.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevisionOps {
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
    /// What `status.collisionCount` is raised to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collision_count: Option<i32>,
}

/// The verdict on a node.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Node {
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
}

/// Pods that change hands, by name.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claims {
    /// Matching orphans, which become ours.
    pub adopt: Vec<String>,
    /// Ours that stopped matching.
    pub release: Vec<String>,
}

/// A pod to create.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    /// For this node.
    pub node: String,
    /// With this name.
    pub pod_name: String,
    /// Which part of the plan it belongs to.
    pub phase: String,
    /// Why, in one word.
    pub cause: String,
    /// The pod as it would be posted, where manifests are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Box<RawValue>>,
}

/// A pod to delete.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delete {
    /// Its name.
    pub pod: String,
    /// The node that it is on or pinned to.
    pub node: String,
    /// Which part of the plan it belongs to.
    pub phase: String,
    /// Why, in one word.
    pub cause: String,
}

/// How a rolling update stands, this plan carried out.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
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
pub struct Event {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In one word.
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

impl Report {
    /// Of a plan that was made from this snapshot. Fails where manifests are asked for and the template is none.
    pub fn new(
        snapshot: &Snapshot<'_>,
        plan: &Plan,
        now: Time,
        manifests: bool,
    ) -> serde_json::Result<Report> {
        let ds = snapshot.daemon_set;
        let manifest = match &plan.revision {
            Some(revision) if manifests => Some(PodManifest::new(
                ds,
                &revision.hash,
                &tolerations::merged(&ds.template),
                snapshot.settings.placement,
            )?),
            _ => None,
        };
        let create = |c: &plan::Create| {
            let body = manifest.as_ref().map(|m| m.body(&c.pod_name, &c.node));
            Ok(Create {
                node: c.node.to_string(),
                pod_name: c.pod_name.to_string(),
                phase: c.phase.as_str().to_owned(),
                cause: c.cause.as_str().to_owned(),
                manifest: body.map(RawValue::from_string).transpose()?,
            })
        };
        Ok(Report {
            daemon_set: Name {
                namespace: ds.namespace.to_string(),
                name: ds.name.to_string(),
            },
            now: now.to_string(),
            left_alone: plan.left_alone.as_ref().map(|why| LeftAlone {
                reason: why.as_str().to_owned(),
                message: why.to_string(),
            }),
            revision: plan.revision.as_ref().map(|r| Revision {
                name: r.name.to_string(),
                hash: r.hash.to_string(),
                number: r.number,
                create: r.create,
            }),
            revision_ops: revision_ops(plan),
            nodes: match plan.left_alone {
                Some(_) => Vec::new(),
                None => nodes(snapshot),
            },
            claims: Claims {
                adopt: names(&plan.claims.adopt),
                release: names(&plan.claims.release),
            },
            create: plan
                .creates
                .iter()
                .map(create)
                .collect::<serde_json::Result<_>>()?,
            delete: plan.deletes.iter().map(delete).collect(),
            rollout: plan.rollout.as_ref().filter(|r| r.old > 0).map(rollout),
            status: plan.status.map(StatusCounts::from),
            events: plan.events.iter().map(event).collect(),
            requeue_after_seconds: plan.wake_at.map(|at| at.since(now).as_secs_f64()),
        })
    }

    /// As JSON text that people can read too; it ends with a line end.
    pub fn to_json(&self) -> String {
        // Texts, numbers and maps with text keys always have a JSON form.
        let mut text = serde_json::to_string_pretty(self).expect("a report has a JSON form");
        text.push('\n');
        text
    }
}

impl From<model::DaemonSetStatus> for StatusCounts {
    fn from(s: model::DaemonSetStatus) -> StatusCounts {
        StatusCounts {
            current_number_scheduled: s.current_number_scheduled,
            number_misscheduled: s.number_misscheduled,
            desired_number_scheduled: s.desired_number_scheduled,
            number_ready: s.number_ready,
            updated_number_scheduled: s.updated_number_scheduled,
            number_available: s.number_available,
            number_unavailable: s.number_unavailable,
            observed_generation: s.observed_generation,
            collision_count: s.collision_count,
        }
    }
}

fn names(pods: &[PodRef]) -> Vec<String> {
    pods.iter().map(|p| p.name.to_string()).collect()
}

fn revision_ops(plan: &Plan) -> RevisionOps {
    let ops = &plan.revision_ops;
    let names = |revisions: &[RevisionRef]| -> Vec<String> {
        revisions.iter().map(|r| r.name.to_string()).collect()
    };
    let mut delete = names(&ops.delete_duplicates);
    delete.extend(names(&ops.delete_old));
    delete.sort();
    RevisionOps {
        set_number: ops
            .set_number
            .iter()
            .map(|(r, n)| (r.name.to_string(), *n))
            .collect(),
        set_label: ops
            .set_label
            .iter()
            .map(|(r, hash)| (r.name.to_string(), hash.to_string()))
            .collect(),
        delete,
        adopt: names(&ops.adopt),
        release: names(&ops.release),
        relabel_pods: plan
            .relabels
            .iter()
            .map(|r| (r.pod.name.to_string(), r.hash.to_string()))
            .collect(),
        collision_count: ops.collision_count,
    }
}

fn nodes(snapshot: &Snapshot<'_>) -> Vec<Node> {
    let mut nodes: Vec<Node> = snapshot
        .nodes
        .iter()
        .map(|(id, node)| {
            let verdict = snapshot.verdicts.get(id);
            Node {
                name: node.name.to_string(),
                should_run: verdict.should_run(),
                should_continue_running: verdict.should_continue_running(),
                reason: eligibility::reason(verdict).to_owned(),
                message: eligibility::message(verdict, &snapshot.daemon_set.template, node),
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}

fn rollout(r: &plan::Rollout) -> Rollout {
    Rollout {
        desired: r.desired,
        max_unavailable: r.max_unavailable,
        max_surge: r.max_surge,
        unavailable: r.unavailable,
        surging: r.surging,
        updated: r.updated,
        old: r.old,
        next: r.next.iter().map(|n| n.to_string()).collect(),
    }
}

fn delete(d: &plan::Delete) -> Delete {
    Delete {
        pod: d.pod.name.to_string(),
        node: d.node.to_string(),
        phase: d.phase.as_str().to_owned(),
        cause: d.cause.as_str().to_owned(),
    }
}

fn event(e: &plan::Event) -> Event {
    Event {
        kind: e.kind.as_str().to_owned(),
        reason: e.reason.to_owned(),
        message: e.message.clone(),
    }
}
