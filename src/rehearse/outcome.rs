//! The outcome of a rehearsal.

use std::collections::BTreeMap;

use crate::{
    model::{Condition, Str, Time},
    plan::{DetailedPlan, HoldRule, LeftAlone, Progress},
};

use super::{
    Durations, NodeState,
    figures::Figures,
    record::{Change, NodeRecord, Span, Told},
};

/// How it ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Every node that a rollout waits for has an available pod of the revision.
    Complete,
    /// Nothing is done for the DaemonSet at all.
    LeftAlone(LeftAlone),
    /// A person has to act: it failed, or cannot go on.
    Stalled(HoldRule),
    /// It waits for a person: for an approval, or until a hold is lifted.
    Waits(Progress),
    /// Nothing happens any more, and nodes are left that have not got the revision.
    Stuck,
    /// The time to rehearse was over.
    TimeIsUp,
}

impl Ending {
    /// In one word, for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Ending::Complete => "Complete",
            Ending::LeftAlone(_) => "LeftAlone",
            Ending::Stalled(_) => "Stalled",
            Ending::Waits(_) => "Waits",
            Ending::Stuck => "Stuck",
            Ending::TimeIsUp => "TimeIsUp",
        }
    }
}

/// Nodes that have not got the revision, for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotUpdated {
    /// Why, as a sentence.
    pub why: String,
    /// The nodes, by name.
    pub nodes: Vec<Str>,
}

/// The revision that is rolled out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The name of the ControllerRevision.
    pub name: Str,
    /// The hash of its pods.
    pub hash: Str,
    /// Its number.
    pub number: i64,
    /// Whether the template is a new one.
    pub is_new: bool,
}

/// What came of a rehearsal.
#[derive(Clone, PartialEq, Debug)]
pub struct Rehearsal {
    /// The revision; None where the DaemonSet is left alone.
    pub target: Option<Target>,
    /// When it began.
    pub began: Time,
    /// How it ends.
    pub ending: Ending,
    /// When the last thing happened.
    pub ended: Time,
    /// The numbers.
    pub figures: Figures,
    /// The stages, in their order.
    pub spans: Vec<Span>,
    /// The events, in their order.
    pub events: Vec<Told>,
    /// The nodes, by name; those that joined come last.
    pub nodes: Vec<NodeRecord>,
    /// How their states changed, in the order of time.
    pub changes: Vec<Change>,
    /// The nodes without an available pod of the revision, at the end.
    pub not_updated: Vec<NotUpdated>,
    /// The conditions of rollout control, at the end.
    pub conditions: Vec<Condition>,
    /// How long pods took that were there.
    pub durations: Durations,
    /// How many plans were made.
    pub plans: usize,
}

/// Why nodes have not got the revision, commonest reason first.
pub(super) fn not_updated(nodes: &[NodeRecord], last: &DetailedPlan) -> Vec<NotUpdated> {
    let mut reasons: BTreeMap<&str, String> = BTreeMap::new();
    for block in &last.blocks {
        reasons.insert(&block.node, block.reason.describe().to_owned());
    }
    for hold in &last.holds {
        let why = format!("{}, until {}", hold.rule.message(), hold.rule.until_what());
        reasons.insert(&hold.node, why);
    }
    for failure in &last.failing {
        reasons.insert(&failure.node, failure.failure.describe());
    }
    let general = last.plan.holds.iter().find(|hold| hold.nodes.is_none());
    let general =
        general.map(|hold| format!("{}, until {}", hold.rule.message(), hold.rule.until_what()));
    let mut groups: BTreeMap<String, Vec<Str>> = BTreeMap::new();
    for node in nodes {
        if !node.last.is_wanted() || node.last == NodeState::New {
            continue;
        }
        let own = reasons.get(&*node.name).cloned();
        let why = own.or_else(|| general.clone());
        let why = why.unwrap_or_else(|| node.last.describe().to_owned());
        groups.entry(why).or_default().push(node.name.clone());
    }
    let groups = groups
        .into_iter()
        .map(|(why, nodes)| NotUpdated { why, nodes });
    let mut groups: Vec<NotUpdated> = groups.collect();
    groups.sort_by(|a, b| b.nodes.len().cmp(&a.nodes.len()).then(a.why.cmp(&b.why)));
    groups
}
