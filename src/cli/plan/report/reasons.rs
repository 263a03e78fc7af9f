//! Why something is not done, and what is in the way, as JSON: shared by `plan` and `explain`.

use serde::{Deserialize, Serialize};

use crate::{
    model::Time,
    plan::{DetailedPlan, Hold, NodeBlock, NodeHold, obstacles::Obstacle},
};

/// What a rule holds.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldReport {
    /// The rule in one word.
    pub rule: String,
    /// What is not done, and why.
    pub message: String,
    /// The nodes on which it holds something; absent where it holds the whole DaemonSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Vec<HeldNodeReport>>,
    /// When the earliest of the holds ends, RFC 3339; absent where no time ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What ends it, to be read after "until".
    pub until_what: String,
}

/// A node on which a rule holds something.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldNodeReport {
    /// `metadata.name` of the node.
    pub node: String,
    /// The pod that is held, or that holds the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Since when, RFC 3339, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Until when, RFC 3339, where a time ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// A node that counts against a rollout's budget.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BlockReport {
    /// `metadata.name` of the node.
    pub node: String,
    /// The pod that is not available, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Why, in one word.
    pub reason: String,
    /// Why, as a phrase, with the words of the scheduler or the kubelet.
    pub message: String,
    /// Since when, RFC 3339, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Until when, RFC 3339, where a time ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// One thing that keeps a pod away from a node.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObstacleReport {
    /// In one word.
    pub reason: String,
    /// What is asked for, and what the node has.
    pub message: String,
    /// What would have to change.
    pub change: String,
}

/// A time as the API writes it.
pub fn time(at: Option<Time>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// The holds of a plan, each with all its nodes by name; nodes that wait for their turn in that
/// order.
pub fn holds(detailed: &DetailedPlan) -> Vec<HoldReport> {
    let report = |hold: &Hold| HoldReport {
        rule: hold.rule.as_str().to_owned(),
        message: hold.rule.message(),
        nodes: hold.nodes.as_ref().map(|_| {
            let mut nodes: Vec<&NodeHold> = detailed
                .holds
                .iter()
                .filter(|h| h.rule == hold.rule)
                .collect();
            if !hold.rule.is_in_turn() {
                nodes.sort_by(|a, b| a.node.cmp(&b.node).then_with(|| a.pod.cmp(&b.pod)));
            }
            nodes.into_iter().map(held_node).collect()
        }),
        until: time(hold.until),
        until_what: hold.rule.until_what().to_owned(),
    };
    detailed.plan.holds.iter().map(report).collect()
}

/// The hold of one node.
pub fn node_hold(hold: &NodeHold) -> HoldReport {
    HoldReport {
        rule: hold.rule.as_str().to_owned(),
        message: hold.rule.message(),
        nodes: Some(vec![held_node(hold)]),
        until: time(hold.until),
        until_what: hold.rule.until_what().to_owned(),
    }
}

fn held_node(hold: &NodeHold) -> HeldNodeReport {
    HeldNodeReport {
        node: hold.node.to_string(),
        pod: hold.pod.as_ref().map(ToString::to_string),
        since: time(hold.since),
        until: time(hold.until),
    }
}

/// What uses the budget of a rollout, by node.
pub fn blocked_by(detailed: &DetailedPlan) -> Vec<BlockReport> {
    let mut blocks: Vec<BlockReport> = detailed.blocks.iter().map(block).collect();
    blocks.sort_by(|a, b| a.node.cmp(&b.node));
    blocks
}

/// What makes one node count against the budget.
pub fn block(block: &NodeBlock) -> BlockReport {
    let mut message = block.reason.describe().to_owned();
    if let Some(words) = &block.message {
        message = format!("{message}: {words}");
    }
    BlockReport {
        node: block.node.to_string(),
        pod: block.pod.as_ref().map(ToString::to_string),
        reason: block.reason.as_str().to_owned(),
        message,
        since: time(block.since),
        until: time(block.until),
    }
}

impl From<&Obstacle> for ObstacleReport {
    fn from(obstacle: &Obstacle) -> Self {
        ObstacleReport {
            reason: obstacle.reason().to_owned(),
            message: obstacle.problem(),
            change: obstacle.change(),
        }
    }
}
