//! An explanation as JSON: the contract that `docs/explain.schema.json` describes.

use serde::{Deserialize, Serialize};

use crate::{
    cli::plan::{
        report::{
            BlockReport, ControlReport, HoldReport, ObjectName, ObstacleReport,
            reasons::{self, time},
        },
        text::reasons::grouped,
    },
    model::{Snapshot, Time, Verdict},
    plan::{
        self, ActionPhase, DetailedPlan, NodeFailure, eligibility,
        explain::{Cause, Explainer, NodeExplanation, PodExplanation},
    },
};

use super::next;

/// What is explained of one DaemonSet.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Explanation {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// The time that is explained, RFC 3339.
    pub now: String,
    /// The revision that nodes are to have; absent where the DaemonSet is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<AssignedReport>,
    /// What rollout control asks for, and where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlReport>,
    /// The holds of the plan, on all nodes.
    pub holds: Vec<HoldReport>,
    /// The nodes that were asked for, by name.
    pub nodes: Vec<NodeReport>,
    /// Where all nodes were asked for: their names by cause, the commonest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<GroupReport>,
    /// Sentences that are needed to understand the explanation.
    pub notes: Vec<String>,
}

/// A revision that nodes are to have.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssignedReport {
    /// `metadata.name` of the ControllerRevision.
    pub name: String,
    /// The hash label of its pods.
    pub hash: String,
    /// `revision` of the ControllerRevision.
    pub number: i64,
}

/// One node.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeReport {
    /// `metadata.name`.
    pub name: String,
    /// False where the node is gone and pods of it are left.
    pub exists: bool,
    /// Whether it gets a pod if it has none.
    pub should_run: bool,
    /// Whether a pod that is there stays.
    pub should_continue_running: bool,
    /// The rule that decided, in one word.
    pub reason: String,
    /// All that keeps a pod away; empty for an eligible node.
    pub obstacles: Vec<ObstacleReport>,
    /// The hash of the revision that it is to have.
    pub revision: String,
    /// The DaemonSet's pods that are there or pinned to it, oldest first.
    pub pods: Vec<PodReport>,
    /// What the plan does.
    pub actions: Vec<ActionReport>,
    /// What the plan does not do although a rule would want it.
    pub holds: Vec<HoldReport>,
    /// Why the node counts against the budget of a rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockReport>,
    /// Why the node fails with the revision that is rolled out, or back, as a phrase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
    /// The cause that comes first.
    pub cause: CauseReport,
    /// What happens next, and when.
    pub next: String,
}

/// A pod on a node.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodReport {
    /// `metadata.name`.
    pub name: String,
    /// The hash label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How it stands, in one word.
    pub state: String,
    /// The words of the scheduler, the kubelet or the API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when, RFC 3339, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Until when, RFC 3339, where a time ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A pod that the plan creates, deletes, resizes or ungates.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionReport {
    /// `create`, `delete`, `evict`, `resize` or `ungate`.
    pub action: String,
    /// `metadata.name` of the pod.
    pub pod: String,
    /// Which part of the plan it belongs to.
    pub phase: String,
    /// Why, in one word.
    pub cause: String,
    /// Why, as a phrase.
    pub message: String,
}

/// Why a node stands as it does.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CauseReport {
    /// What is done or not done: `Create`, `Delete`, `Resize`, `Held`, `NotAvailable`,
    /// `NotEligible`, `UpToDate`.
    pub kind: String,
    /// Why, in one word; empty for `UpToDate`.
    pub reason: String,
    /// Why, as a phrase.
    pub message: String,
}

/// Nodes that stand as they do for one cause.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupReport {
    /// The cause.
    pub cause: CauseReport,
    /// The nodes by name.
    pub nodes: Vec<String>,
}

impl Explanation {
    /// Of a plan that was made from this snapshot, without nodes yet.
    pub fn new(snapshot: &Snapshot<'_>, detailed: &DetailedPlan, now: Time) -> Explanation {
        let ds = snapshot.daemon_set;
        Explanation {
            daemon_set: ObjectName {
                namespace: ds.namespace.to_string(),
                name: ds.name.to_string(),
            },
            now: now.to_string(),
            revision: detailed.plan.revision.as_ref().map(|r| AssignedReport {
                name: r.name.to_string(),
                hash: r.hash.to_string(),
                number: r.number,
            }),
            control: ControlReport::of(ds),
            holds: reasons::holds(detailed),
            nodes: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds these nodes.
    pub fn with_nodes(mut self, explained: &[NodeExplanation]) -> Explanation {
        self.nodes = explained.iter().map(NodeReport::from).collect();
        self
    }

    /// Groups the nodes by cause, the commonest first.
    pub fn grouped(mut self) -> Explanation {
        let by_cause = self.nodes.iter().map(|n| (&n.cause, n.name.clone()));
        let groups = grouped(by_cause).into_iter();
        self.groups = groups
            .map(|(cause, nodes)| GroupReport {
                cause: cause.clone(),
                nodes,
            })
            .collect();
        self
    }
}

/// The explanations of all nodes of a plan, by name.
pub fn all_nodes(explainer: &Explainer<'_, '_>) -> Vec<NodeExplanation> {
    let ids = explainer.nodes().into_iter();
    ids.map(|id| explainer.node(id)).collect()
}

impl From<&NodeExplanation> for NodeReport {
    fn from(e: &NodeExplanation) -> Self {
        let verdict = e.verdict;
        let creates = e.create.iter().map(create);
        NodeReport {
            name: e.node.to_string(),
            exists: verdict.is_some(),
            should_run: verdict.is_some_and(Verdict::should_run),
            should_continue_running: verdict.is_some_and(Verdict::should_continue_running),
            reason: verdict.map_or("NodeGone", eligibility::reason).to_owned(),
            obstacles: e.obstacles.iter().map(Into::into).collect(),
            revision: e.revision.to_string(),
            pods: e.pods.iter().map(PodReport::from).collect(),
            actions: creates
                .chain(e.deletes.iter().map(delete))
                .chain(e.resizes.iter().map(resize))
                .chain(e.ungates.iter().map(ungate))
                .collect(),
            holds: e.holds.iter().map(reasons::node_hold).collect(),
            block: e.block.as_ref().map(reasons::block),
            fails: e.failure.as_ref().map(NodeFailure::describe),
            cause: cause(e),
            next: next::of(e),
        }
    }
}

impl From<&PodExplanation> for PodReport {
    fn from(p: &PodExplanation) -> Self {
        PodReport {
            name: p.name.to_string(),
            revision: p.revision.as_ref().map(ToString::to_string),
            state: p.described.state.as_str().to_owned(),
            message: p.described.message.clone(),
            since: time(p.described.since),
            until: time(p.described.until),
        }
    }
}

fn create(c: &plan::Create) -> ActionReport {
    ActionReport {
        action: "create".to_owned(),
        pod: c.pod_name.to_string(),
        phase: c.phase.as_str().to_owned(),
        cause: c.cause.as_str().to_owned(),
        message: match &c.resources {
            Some(rule) => format!("{}, resources by {rule}", c.cause.describe()),
            None => c.cause.describe().to_owned(),
        },
    }
}

fn delete(d: &plan::Delete) -> ActionReport {
    ActionReport {
        action: d.by.as_str().to_owned(),
        pod: d.pod.name.to_string(),
        phase: d.phase.as_str().to_owned(),
        cause: d.cause.as_str().to_owned(),
        message: d.cause.describe().to_owned(),
    }
}

fn resize(r: &plan::Resize) -> ActionReport {
    ActionReport {
        action: "resize".to_owned(),
        pod: r.pod.name.to_string(),
        phase: ActionPhase::Manage.as_str().to_owned(),
        cause: "NodeClass".to_owned(),
        message: r.describe(),
    }
}

fn ungate(u: &plan::Ungate) -> ActionReport {
    ActionReport {
        action: "ungate".to_owned(),
        pod: u.pod.name.to_string(),
        phase: ActionPhase::Manage.as_str().to_owned(),
        cause: "Exclusive".to_owned(),
        message: plan::Ungate::WHY.to_owned(),
    }
}

/// The first cause in words.
fn cause(e: &NodeExplanation) -> CauseReport {
    let message = match &e.cause {
        Cause::Create(_) => e.create.as_ref().map(|c| c.cause.describe().to_owned()),
        Cause::Delete(_) => e.deletes.first().map(|d| d.cause.describe().to_owned()),
        Cause::Resize => e.resizes.first().map(plan::Resize::describe),
        Cause::Ungate => Some(plan::Ungate::WHY.to_owned()),
        Cause::Held(_) => e.holds.first().map(|h| h.rule.message()),
        Cause::NotAvailable(reason) => Some(match &e.block {
            Some(block) => reasons::block(block).message,
            None => reason.describe().to_owned(),
        }),
        Cause::NotEligible(_) => Some(problems(e)),
        Cause::UpToDate => Some("the pod is of the right revision, and available".to_owned()),
        Cause::Nothing => Some("there is nothing to do on a node that is gone".to_owned()),
    };
    CauseReport {
        kind: e.cause.kind().to_owned(),
        reason: e.cause.reason().to_owned(),
        message: message.unwrap_or_default(),
    }
}

fn problems(e: &NodeExplanation) -> String {
    let problems: Vec<String> = e.obstacles.iter().map(|o| o.problem()).collect();
    problems.join("; ")
}
