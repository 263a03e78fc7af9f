//! A rehearsal as JSON: the contract that `docs/rehearse.schema.json` describes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    cli::plan::report::ObjectName,
    model::{Key, Str, Time},
    plan::Progress,
    rehearse::{
        Ending, NodeState, Rehearsal, Scenario,
        assertion::Assertion,
        durations::{READY_DEFAULT, Spread},
        scenario::GONE_AFTER,
    },
};

/// A rehearsal. Times are RFC 3339, lengths of time are seconds.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// The DaemonSet.
    pub daemon_set: ObjectName,
    /// The revision that is rolled out; absent where the DaemonSet is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetReport>,
    /// When it begins.
    pub began: String,
    /// How it ends.
    pub ending: EndingReport,
    /// The numbers.
    pub figures: FiguresReport,
    /// The most nodes of each zone that were unavailable at once.
    pub zones: Vec<ZoneReport>,
    /// How far the rollout was, one after the other.
    pub stages: Vec<StageReport>,
    /// The events.
    pub events: Vec<EventReport>,
    /// The nodes that have not got the revision, by reason, commonest first.
    pub not_updated: Vec<NotUpdatedReport>,
    /// The conditions of rollout control at the end.
    pub conditions: Vec<ConditionReport>,
    /// What was supposed.
    pub supposed: SupposedReport,
    /// What was asserted.
    pub assertions: Vec<AssertionReport>,
    /// What to know about all of it, a sentence each.
    pub notes: Vec<String>,
    /// The letters of `nodes` and `changes`.
    pub states: Vec<StateReport>,
    /// The nodes, by name; those that join come last.
    pub nodes: Vec<NodeReport>,
    /// How their states change: seconds since the beginning, the index of the node, the letter.
    pub changes: Vec<(u64, usize, char)>,
}

/// The revision that is rolled out.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetReport {
    /// The name of the ControllerRevision.
    pub revision: String,
    /// The hash of its pods.
    pub hash: String,
    /// Its number.
    pub number: i64,
    /// Whether the template is a new one.
    pub is_new: bool,
}

/// How a rehearsal ends.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndingReport {
    /// In one word.
    pub how: String,
    /// As a sentence.
    pub message: String,
    /// When the last thing happened, in seconds since the beginning.
    pub after: u64,
}

/// The numbers.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FiguresReport {
    /// Nodes that are to have a pod, at the end.
    pub nodes: usize,
    /// Those of them with an available pod of the revision.
    pub updated: usize,
    /// The others.
    pub not_updated: usize,
    /// Nodes that are to have a pod and had no available one before anything was done.
    pub unavailable_before: usize,
    /// The most of them at once.
    pub most_unavailable: usize,
    /// When that was the case first, in seconds since the beginning.
    pub most_unavailable_after: u64,
    /// Those of the end.
    pub unavailable_at_end: usize,
    /// Pods that were created.
    pub created: usize,
    /// Pods that were deleted.
    pub deleted: usize,
}

/// A zone.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ZoneReport {
    /// The value of the label topology.kubernetes.io/zone; empty for nodes without it.
    pub zone: String,
    /// The most nodes without an available pod at once.
    pub most_unavailable: usize,
    /// When that was the case first, in seconds since the beginning.
    pub after: u64,
}

/// For a while the rollout stands at the same point.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StageReport {
    /// The reason of the condition `Progressing`.
    pub progress: String,
    /// `canary`, or a group of `order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Since when, in seconds since the beginning.
    pub from: u64,
    /// Until when; absent for the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Nodes with an available pod of the revision at its end.
    pub updated: usize,
    /// The most nodes without an available pod meanwhile.
    pub most_unavailable: usize,
}

/// An event that would be written.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventReport {
    /// When, in seconds since the beginning.
    pub after: u64,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `reason`.
    pub reason: String,
    /// `message`.
    pub message: String,
}

/// Nodes that have not got the revision.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotUpdatedReport {
    /// Why.
    pub why: String,
    /// Which.
    pub nodes: Vec<String>,
}

/// A condition.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionReport {
    /// `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `status`.
    pub status: String,
    /// `reason`.
    pub reason: String,
    /// `message`.
    pub message: String,
}

/// What was supposed.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SupposedReport {
    /// What all that differs from pod to pod follows from.
    pub seed: u64,
    /// What pods take from their create to Ready.
    pub ready_after: Vec<SpreadReport>,
    /// What pods take from their delete until their containers have ended, at most.
    pub gone_after: u64,
    /// Nodes that are not ready from the beginning on, besides those that are not.
    pub not_ready: usize,
    /// Nodes that join.
    pub join: usize,
}

/// How long pods take.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpreadReport {
    /// The group of nodes; absent for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How many pods tell; 0 for a time that is supposed.
    pub pods: usize,
    /// The shortest.
    pub shortest: u64,
    /// The median.
    pub median: u64,
    /// The longest.
    pub longest: u64,
}

/// What was asserted.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssertionReport {
    /// As it was given.
    pub assertion: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub found: String,
}

/// A state of a node.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateReport {
    /// The letter.
    pub letter: char,
    /// As a phrase about the node.
    pub meaning: String,
    /// Whether the node has an available pod.
    pub available: bool,
    /// Whether it is to have one.
    pub wanted: bool,
}

/// A node.
#[derive(Serialize, Deserialize, Clone, Debug)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its zone; empty where it has none.
    pub zone: String,
    /// Its state at the beginning.
    pub first: char,
    /// Its state at the end.
    pub last: char,
}

impl Report {
    /// Puts a rehearsal into the contract's words.
    pub fn new(
        key: &Key,
        scenario: &Scenario,
        rehearsal: &Rehearsal,
        assertions: &[Assertion],
        notes: Vec<String>,
    ) -> Report {
        let after = |at: Time| at.since(rehearsal.began).as_secs();
        let figures = &rehearsal.figures;
        let peaks = &figures.peaks;
        Report {
            daemon_set: ObjectName {
                namespace: key.namespace.to_string(),
                name: key.name.to_string(),
            },
            target: rehearsal.target.as_ref().map(|target| TargetReport {
                revision: target.name.to_string(),
                hash: target.hash.to_string(),
                number: target.number,
                is_new: target.is_new,
            }),
            began: rehearsal.began.to_string(),
            ending: EndingReport {
                how: rehearsal.ending.as_str().to_owned(),
                message: message(rehearsal),
                after: after(rehearsal.ended),
            },
            figures: FiguresReport {
                nodes: figures.nodes,
                updated: figures.updated,
                not_updated: figures.not_updated(),
                unavailable_before: peaks.before,
                most_unavailable: peaks.all.nodes,
                most_unavailable_after: after(peaks.all.at),
                unavailable_at_end: figures.unavailable,
                created: figures.created,
                deleted: figures.deleted,
            },
            zones: each(&peaks.by_zone, |(zone, peak)| ZoneReport {
                zone: zone.to_string(),
                most_unavailable: peak.nodes,
                after: after(peak.at),
            }),
            stages: each(&rehearsal.spans, |span| StageReport {
                progress: span.progress.to_owned(),
                stage: span.stage.as_ref().map(Str::to_string),
                from: after(span.from),
                until: span.until.map(after),
                updated: span.updated,
                most_unavailable: span.most_unavailable,
            }),
            events: each(&rehearsal.events, |event| EventReport {
                after: after(event.at),
                kind: if event.is_warning {
                    "Warning"
                } else {
                    "Normal"
                }
                .to_owned(),
                reason: event.reason.to_owned(),
                message: event.message.clone(),
            }),
            not_updated: each(&rehearsal.not_updated, |group| NotUpdatedReport {
                why: group.why.clone(),
                nodes: each(&group.nodes, Str::to_string),
            }),
            conditions: each(&rehearsal.conditions, |condition| ConditionReport {
                kind: condition.kind.as_str().to_owned(),
                status: condition.status.as_str().to_owned(),
                reason: condition.reason.to_string(),
                message: condition.message.to_string(),
            }),
            supposed: supposed(scenario, rehearsal),
            assertions: each(assertions, |assertion| AssertionReport {
                assertion: assertion.to_string(),
                holds: assertion.holds(rehearsal),
                found: assertion.found(rehearsal),
            }),
            notes,
            states: each(&NodeState::ALL, |state| StateReport {
                letter: state.letter(),
                meaning: state.describe().to_owned(),
                available: state.is_available(),
                wanted: state.is_wanted(),
            }),
            nodes: each(&rehearsal.nodes, |node| NodeReport {
                name: node.name.to_string(),
                zone: node.zone.to_string(),
                first: node.first.letter(),
                last: node.last.letter(),
            }),
            changes: each(&rehearsal.changes, |change| {
                (after(change.at), change.node, change.state.letter())
            }),
        }
    }
}

/// As JSON text that may stand in a script of a page: nothing in it ends the script.
pub fn to_data(report: &Report) -> String {
    let text = serde_json::to_string(report).expect("a report has a JSON form");
    text.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn each<T, R>(all: impl IntoIterator<Item = T>, f: impl FnMut(T) -> R) -> Vec<R> {
    all.into_iter().map(f).collect()
}

/// How it ends, as a sentence without an end.
fn message(rehearsal: &Rehearsal) -> String {
    let figures = &rehearsal.figures;
    let left = figures.not_updated();
    match &rehearsal.ending {
        Ending::Complete if figures.created + figures.deleted == 0 => {
            "nothing is to be done".to_owned()
        }
        Ending::Complete if left > 0 => {
            format!("it completes, without {left} nodes that it does not wait for")
        }
        Ending::Complete => "it completes".to_owned(),
        Ending::LeftAlone(why) => format!(
            "nothing is done for the DaemonSet ({}), until {}",
            why.as_str(),
            why.until_what()
        ),
        Ending::Stalled(rule) => format!(
            "it stops, and somebody has to act ({}): {}; until {}",
            rule.as_str(),
            rule.message(),
            rule.until_what()
        ),
        Ending::Waits(Progress::AwaitingApproval(hash)) => {
            format!("it waits for an approval of {hash}")
        }
        Ending::Waits(Progress::Paused(rule)) => format!(
            "it is paused ({}): {}; until {}",
            rule.as_str(),
            rule.message(),
            rule.until_what()
        ),
        Ending::Waits(progress) => format!("it waits ({})", progress.as_str()),
        Ending::Stuck => {
            format!("it does not go on: {left} nodes are left, and nothing happens any more")
        }
        Ending::TimeIsUp => format!("the time to rehearse is over, and {left} nodes are left"),
    }
}

fn supposed(scenario: &Scenario, rehearsal: &Rehearsal) -> SupposedReport {
    let spread = |group: Option<&Str>, spread: Spread| SpreadReport {
        group: group.map(Str::to_string),
        pods: spread.pods,
        shortest: spread.shortest.as_secs(),
        median: spread.median.as_secs(),
        longest: spread.longest.as_secs(),
    };
    let same = |all: Duration| Spread {
        pods: 0,
        shortest: all,
        median: all,
        longest: all,
    };
    let durations = &rehearsal.durations;
    let ready_after = match (scenario.ready_after, durations.together()) {
        (Some(said), _) => vec![spread(None, same(said))],
        (None, None) => vec![spread(None, same(READY_DEFAULT))],
        (None, Some(together)) => {
            let groups = durations.groups().filter(|(group, _)| !group.is_empty());
            let groups = groups.map(|(group, of_group)| spread(Some(group), of_group));
            std::iter::once(spread(None, together))
                .chain(groups)
                .collect()
        }
    };
    SupposedReport {
        seed: scenario.seed,
        ready_after,
        gone_after: scenario.gone_after.unwrap_or(GONE_AFTER).as_secs(),
        not_ready: scenario.not_ready,
        join: scenario.join,
    }
}
