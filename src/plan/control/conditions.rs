//! The conditions of a DaemonSet with rollout control: `Available`, `Progressing`, `Stalled`,
//! `Reconciling`.
//!
//! While there is control the four types are this controller's, as a type means one thing: what
//! another wrote with such a type is replaced, or goes. Without control none is written, and of
//! what is stored only that goes which has one of our types *and* one of our reasons: the rest is
//! somebody else's. Conditions of other types stay exactly as they were read, always.
//!
//! Readers (kstatus, and with it Flux and Helm) take `Stalled` for failed and `Reconciling` for in
//! progress, before they look at the counts, and the first of the list decides. So both are absent
//! unless they are true, and never are both.

use std::collections::BTreeMap;

use crate::model::{
    Condition, ConditionStatus, ConditionType, Conditions, DaemonSet, DaemonSetStatus,
    ListedCondition, NodeId, StoredCondition, Str, Time, control::CANARY_STAGE,
};

use crate::plan::{facts::Facts, hold::HoldRule, pod_state, rollout::blocked::BlockReason};

use super::{
    digest,
    standing::{Progress, Standing},
};

/// The longest message, in characters. Annotations that cannot be read may be long.
pub const LONGEST_MESSAGE: usize = 1_000;

/// How many causes a message names.
const CAUSES: usize = 5;

/// What the digest of the keys is written between, at the end of a message.
const DIGEST: (&str, &str) = (" (keys ", ")");

/// The reasons of `Available`: every eligible node has an available pod.
const PODS_AVAILABLE: &str = "PodsAvailable";

/// Some have none.
const PODS_UNAVAILABLE: &str = "PodsUnavailable";

/// Some have none, and all of them are exempt.
const NODES_UNAVAILABLE: &str = "NodesUnavailable";

/// The reasons that this build writes, by type: by them it knows what it wrote itself. A reason
/// that is written later is added here.
fn reasons(kind: ConditionType) -> &'static [&'static str] {
    match kind {
        ConditionType::Available => &[PODS_AVAILABLE, PODS_UNAVAILABLE, NODES_UNAVAILABLE],
        ConditionType::Progressing => &[
            "Rolling",
            "Canary",
            "Baking",
            "AwaitingApproval",
            "Paused",
            "AutoPaused",
            "ProgressDeadlineExceeded",
            "RollingBack",
            "RolledBack",
            "RollbackPaused",
            "Complete",
        ],
        ConditionType::Stalled => &[
            "InvalidAnnotation",
            "AutoPaused",
            "ProgressDeadlineExceeded",
            "RolledBack",
            "RollbackPaused",
            "InvalidBudget",
            "NoCanaryNode",
            "PinnedRevisionMissing",
            "TooManyBadNodes",
            "TooManyGroups",
            "DisruptionBudgetUnusable",
        ],
        ConditionType::Reconciling => &["Baking", "AwaitingApproval"],
    }
}

/// Whether a condition of one of our types was written by this controller.
pub fn is_ours(condition: &Condition) -> bool {
    is_our_reason(condition.kind, &condition.reason)
}

/// Whether this controller writes conditions of this type with this reason.
pub fn is_our_reason(kind: ConditionType, reason: &str) -> bool {
    reasons(kind).contains(&reason)
}

/// The eligible nodes without an available pod, by cause.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Missing {
    causes: BTreeMap<BlockReason, usize>,
    exempt: usize,
}

impl Missing {
    /// Counts as the status does: by the oldest pod of each node. `is_exempt` says which nodes
    /// nobody waits for.
    pub fn count(facts: &Facts<'_, '_>, is_exempt: impl Fn(NodeId) -> bool) -> Missing {
        let mut missing = Missing::default();
        let minimum = facts.ds().min_ready_seconds;
        for (id, node) in facts.snapshot.nodes.iter() {
            if !facts.is_eligible(id) {
                continue;
            }
            let oldest = facts.visible(id).min_by(|a, b| a.oldest_first(b));
            if oldest.is_some_and(|pod| pod.is_available(minimum, facts.now)) {
                continue;
            }
            let cause = oldest.map_or(BlockReason::NoPod, |pod| {
                let described = pod_state::outline(pod, Some(node), minimum, facts.now);
                BlockReason::Pod(described.state)
            });
            *missing.causes.entry(cause).or_default() += 1;
            missing.exempt += usize::from(is_exempt(id));
        }
        missing
    }

    fn nodes(&self) -> usize {
        self.causes.values().sum()
    }

    /// The causes, commonest first: `2 CrashLoopBackOff, 1 NodeNotReady`.
    fn words(&self) -> String {
        let mut causes: Vec<(&BlockReason, &usize)> = self.causes.iter().collect();
        causes.sort_by_key(|(cause, count)| (std::cmp::Reverse(**count), **cause));
        let named = causes.iter().take(CAUSES);
        let mut words: Vec<String> = named
            .map(|(cause, count)| format!("{count} {}", cause.as_str()))
            .collect();
        let others: usize = causes.iter().skip(CAUSES).map(|(_, count)| **count).sum();
        if others > 0 {
            words.push(format!("{others} for other reasons"));
        }
        words.join(", ")
    }
}

/// What the conditions of a DaemonSet with control say.
pub struct Said<'p> {
    /// The name of the current revision.
    pub revision: &'p str,
    /// How the rollout stands.
    pub standing: &'p Standing,
    /// The counts.
    pub status: &'p DaemonSetStatus,
    /// Whether nodes may be exempt from the rollout.
    pub exempts: bool,
    /// The nodes without an available pod.
    pub missing: &'p Missing,
}

/// The whole list of conditions that is to be stored; None where it is stored already. Without
/// `said` there is no control.
pub fn list(ds: &DaemonSet, said: Option<&Said<'_>>, now: Time) -> Option<Conditions> {
    if said.is_none() && ds.conditions.is_none() {
        return None;
    }
    let keys = digest::of_keys(&ds.annotations);
    let wanted = said.map(|said| said.conditions(keys.as_deref(), now));
    let mut list = List::default();
    match wanted {
        Some(wanted) => list.with(ds.conditions(), wanted),
        None => list.without(ds.conditions()),
    }
    (list.differs || list.message_differs).then_some(Conditions {
        list: list.entries,
        is_only_message: !list.differs,
    })
}

/// The list while it is being made.
#[derive(Default)]
struct List {
    entries: Vec<ListedCondition>,
    /// More differs than the message of `Available`.
    differs: bool,
    /// The message of `Available` differs.
    message_differs: bool,
}

impl List {
    /// Ours take the places that their types have, and the end where they have none.
    fn with(&mut self, stored: &[StoredCondition], wanted: Vec<Condition>) {
        let mut wanted: BTreeMap<ConditionType, Condition> =
            wanted.into_iter().map(|c| (c.kind, c)).collect();
        for StoredCondition { raw, read } in stored {
            let Some(read) = read else {
                self.entries.push(ListedCondition::Kept(raw.clone()));
                continue;
            };
            // One that is not wanted, or the second one of its type.
            let Some(mut condition) = wanted.remove(&read.kind) else {
                self.differs = true;
                continue;
            };
            if condition.status == read.status && read.since.is_some() {
                condition.since = read.since;
            }
            if condition == *read {
                self.entries.push(ListedCondition::Kept(raw.clone()));
                continue;
            }
            let retold = Condition {
                message: read.message.clone(),
                ..condition.clone()
            };
            let is_only_message = read.kind == ConditionType::Available && retold == *read;
            self.message_differs |= is_only_message;
            self.differs |= !is_only_message;
            self.entries.push(ListedCondition::Written(condition));
        }
        self.differs |= !wanted.is_empty();
        let new = wanted.into_values().map(ListedCondition::Written);
        self.entries.extend(new);
    }

    /// Ours go.
    fn without(&mut self, stored: &[StoredCondition]) {
        let stays = |stored: &&StoredCondition| !stored.read.as_ref().is_some_and(is_ours);
        let stay = stored.iter().filter(stays);
        let stay = stay.map(|stored| ListedCondition::Kept(stored.raw.clone()));
        self.entries.extend(stay);
        self.differs = self.entries.len() < stored.len();
    }
}

impl Said<'_> {
    /// The conditions that are to be there, as they would be if all began now.
    fn conditions(&self, keys: Option<&str>, now: Time) -> Vec<Condition> {
        let Standing {
            progress, stalled, ..
        } = self.standing;
        let mut all = vec![self.available(), self.progressing(keys)];
        if let Some(rule) = stalled {
            let message = format!("{}, until {}", rule.message(), rule.until_what());
            let true_ = ConditionStatus::True;
            all.push(condition(
                ConditionType::Stalled,
                true_,
                rule.as_str(),
                first_upper(&message),
            ));
        }
        // A node that is not done shows in the counts.
        let waits = matches!(
            progress,
            Progress::Baking(_) | Progress::AwaitingApproval(_)
        );
        if waits && stalled.is_none() && self.status.is_complete() {
            let true_ = ConditionStatus::True;
            let (reason, message) = (progress.as_str(), self.words());
            all.push(condition(
                ConditionType::Reconciling,
                true_,
                reason,
                message,
            ));
        }
        // The API has whole seconds.
        let now = Time::from_secs(now.timestamp().as_second());
        for condition in &mut all {
            condition.since = Some(now);
        }
        all
    }

    fn available(&self) -> Condition {
        let (missing, exempt) = (self.missing.nodes(), self.missing.exempt);
        let (status, reason, message) = if missing == 0 {
            let message = "Every eligible node has an available pod".to_owned();
            (ConditionStatus::True, PODS_AVAILABLE, message)
        } else {
            let reason = if exempt == missing {
                NODES_UNAVAILABLE
            } else {
                PODS_UNAVAILABLE
            };
            let message = format!(
                "{missing} of {} nodes are without an available pod: {}",
                self.status.desired_number_scheduled,
                self.missing.words()
            );
            (ConditionStatus::False, reason, message)
        };
        condition(ConditionType::Available, status, reason, message)
    }

    fn progressing(&self, keys: Option<&str>) -> Condition {
        let progress = &self.standing.progress;
        let status = match progress {
            Progress::Complete
            | Progress::Rolling
            | Progress::RollingBack
            | Progress::Canary
            | Progress::Baking(_) => ConditionStatus::True,
            Progress::Paused(_) | Progress::AwaitingApproval(_) => ConditionStatus::Unknown,
            Progress::AutoPaused(_) => ConditionStatus::False,
        };
        let mut message = cut(self.words());
        if let Some(keys) = keys {
            message += &format!("{}{keys}{}", DIGEST.0, DIGEST.1);
        }
        Condition {
            message: message.into(),
            ..condition(ConditionType::Progressing, status, progress.as_str(), "")
        }
    }

    /// The revision, and what it waits for. Without counts: it changes with transitions, and not
    /// with every pod.
    fn words(&self) -> String {
        let revision = self.revision;
        match &self.standing.progress {
            Progress::Complete => format!(
                "Revision {revision} is complete: every eligible node{} has had an available pod of it",
                aside(self.exempts)
            ),
            Progress::Rolling => match &self.standing.stage {
                Some(stage) => format!(
                    "Revision {revision} is being rolled out to the nodes of {stage}; later groups \
                     wait until all of these have an available pod"
                ),
                None => format!(
                    "Revision {revision} is being rolled out, as the update strategy has it"
                ),
            },
            Progress::Canary => format!(
                "Revision {revision} is being rolled out to the nodes of the canary; the others \
                 wait until all of these have an available pod"
            ),
            Progress::Baking(until) => {
                let until = Time::from_secs(until.timestamp().as_second());
                format!(
                    "Revision {revision} bakes until {until}: every node that it was rolled out \
                     to has an available pod"
                )
            }
            Progress::AwaitingApproval(hash) => {
                let stage = match self.standing.stage.as_deref() {
                    None | Some(CANARY_STAGE) => "the canary",
                    Some(group) => group,
                };
                format!(
                    "Revision {revision} is available on the nodes of {stage}, and waits for the \
                     annotation daemonset-controller.io/approve: {hash}"
                )
            }
            Progress::RollingBack => {
                format!("Revision {revision} failed, and all nodes go back to the stable revision")
            }
            Progress::Paused(rule) | Progress::AutoPaused(rule) => paused(revision, rule),
        }
    }
}

/// What is added to "every eligible node" where nodes may be exempt.
pub fn aside(exempts: bool) -> &'static str {
    if exempts { ", exempt ones aside," } else { "" }
}

fn paused(revision: &str, rule: &HoldRule) -> String {
    let until = rule.until_what();
    format!(
        "Revision {revision} is held: {}, until {until}",
        rule.message()
    )
}

/// A condition that begins at no time yet.
fn condition(
    kind: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: impl Into<String>,
) -> Condition {
    Condition {
        kind,
        status,
        since: None,
        reason: reason.into(),
        message: Str::from(cut(message.into())),
    }
}

/// The message, at most [`LONGEST_MESSAGE`] long.
fn cut(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// The sentence with a capital letter.
pub fn first_upper(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The digest of the keys that a message of `Progressing` follows from (see
/// [`of_keys`](digest::of_keys)); None where it has none, because cluster defaults alone ask for
/// control.
pub fn digest_in(message: &str) -> Option<&str> {
    let (_, digest) = message.strip_suffix(DIGEST.1)?.rsplit_once(DIGEST.0)?;
    let is_digest = !digest.is_empty() && digest.bytes().all(|b| b.is_ascii_alphanumeric());
    is_digest.then_some(digest)
}
