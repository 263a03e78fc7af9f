//! What is told when a rollout under control begins, and when it is complete.
//!
//! Both follow from the plan that makes the transition: it creates the revision, or makes an old
//! one the newest again, or records that it completed. What a plan has done the next one does not
//! do, so a controller that starts anew does not repeat them.

use crate::model::{
    Condition, ConditionType, DaemonSet, Failed, FailureCause, Pod,
    control::{CANARY_STAGE, PREFIX},
};

use crate::plan::{
    action::{Event, EventType},
    hold::HoldRule,
    revisions::{self, History},
};

use super::{
    Gate, conditions, is_newest_again,
    standing::{Progress, Standing},
};

/// The reason of the event that a rollout failed.
pub const ROLLOUT_FAILED: &str = "RolloutFailed";

/// The reason of the event that all nodes go back.
pub const ROLLBACK_STARTED: &str = "RollbackStarted";

/// How many keys an event names.
const KEYS: usize = 10;

/// The event of the plan with which the rollout to the current revision begins; None for others and
/// without control. `pods` are all claimed pods.
pub fn started(
    ds: &DaemonSet,
    history: &History,
    gate: Option<&Gate>,
    pods: &[&Pod],
) -> Option<Event> {
    ds.control.as_ref()?;
    let ops = &history.ops;
    // Such a plan stops before it does anything of the rest, and another one is made.
    let is_stopped = ops.collision_count.is_some() || !ops.read_data.is_empty();
    let current = &history.current;
    let begins = if current.create {
        // A revision that somebody deleted comes back under its hash.
        !pods
            .iter()
            .any(|pod| revisions::hash_of(pod, history) == Some(&current.hash))
    } else {
        is_newest_again(history)
    };
    if is_stopped || !begins {
        return None;
    }
    let stage = match gate {
        None => "all nodes follow, as the update strategy has it".to_owned(),
        Some(Gate::Stage(stage)) if &*stage.name == CANARY_STAGE => {
            "the nodes of the canary come first".to_owned()
        }
        Some(Gate::Stage(stage)) => format!("the nodes of the group {} come first", stage.name),
        Some(Gate::Back(_)) => "it failed before, and no node gets it".to_owned(),
        Some(Gate::Held(_)) => "it is held, and no pod is replaced".to_owned(),
    };
    Some(Event {
        kind: EventType::Normal,
        reason: "RolloutStarted",
        message: format!(
            "The rollout to revision {} begins: {stage}{}",
            current.name,
            keys(ds)
        ),
        node: None,
    })
}

/// The keys by which there is control, as a phrase.
fn keys(ds: &DaemonSet) -> String {
    let keys = ds.annotations.iter();
    let mut keys: Vec<&str> = keys
        .filter_map(|(key, _)| key.strip_prefix(PREFIX))
        .collect();
    if keys.is_empty() {
        return String::new();
    }
    let more = keys.len().saturating_sub(KEYS);
    keys.truncate(KEYS);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(". Keys: {}{more}", keys.join(", "))
}

/// The event of the plan that records that a revision failed, with which all nodes go back.
pub fn taken_back(history: &History, standing: &Standing) -> Option<Event> {
    let (_, failed) = history.ops.set_failed.as_ref()?;
    let (name, (node, why)) = (&history.current.name, at(failed));
    let message = format!("The rollout of revision {name} failed{node}: {why}");
    (standing.progress == Progress::RollingBack).then(|| warning(ROLLOUT_FAILED, message))
}

/// The event of the plan with which all nodes begin to go back to the revision `stable`: the stored
/// condition `Progressing` does not say so yet.
pub fn rolling_back(
    ds: &DaemonSet,
    history: &History,
    standing: &Standing,
    verdict: Option<&Failed>,
    stable: Option<&str>,
) -> Option<Event> {
    let recorded = history.ops.set_failed.as_ref().map(|(_, failed)| failed);
    let failed = verdict.or(recorded)?;
    let known = ["RollingBack", "RolledBack", "RollbackPaused"];
    let is_told = told(ds).is_some_and(|c| known.contains(&&*c.reason));
    if standing.progress != Progress::RollingBack || is_told {
        return None;
    }
    let stable = stable.unwrap_or("the revision before");
    let (name, (node, why)) = (&history.current.name, at(failed));
    let message = format!(
        "All nodes go back from revision {name} to {stable}, because it failed{node}: {why}"
    );
    Some(warning(ROLLBACK_STARTED, message))
}

/// Where it failed, as a phrase, and why.
fn at(failed: &Failed) -> (String, &str) {
    let FailureCause { node, why, .. } = &failed.cause;
    let node = node.as_ref();
    (
        node.map_or_else(String::new, |node| format!(" on {node}")),
        why,
    )
}

fn warning(reason: &'static str, message: String) -> Event {
    Event {
        kind: EventType::Warning,
        reason,
        message,
        node: None,
    }
}

/// The stored condition `Progressing`.
fn told(ds: &DaemonSet) -> Option<&Condition> {
    let mut stored = ds.conditions().iter().filter_map(|c| c.read.as_ref());
    stored.find(|c| c.kind == ConditionType::Progressing)
}

/// The event of the plan that finds that a rollout failed: the stored condition
/// `Progressing` does not say so yet.
pub fn failed(ds: &DaemonSet, history: &History, standing: &Standing) -> Option<Event> {
    let Progress::AutoPaused(rule) = &standing.progress else {
        return None;
    };
    if let HoldRule::RolledBack(_) = rule {
        return None;
    }
    let is_told = told(ds).is_some_and(|c| &*c.reason == standing.progress.as_str());
    let (name, why) = (&history.current.name, rule.message());
    let message = match rule {
        HoldRule::RollbackPaused(_) => {
            format!("The way back from revision {name} is paused: {why}")
        }
        _ => format!("The rollout of revision {name} is paused: {why}"),
    };
    (!is_told).then(|| warning(ROLLOUT_FAILED, message))
}

/// The event of the plan with which the current revision completes: the stored condition
/// `Progressing` says that it has not yet. Where there is no such condition, the first key came to
/// a revision that had completed before.
pub fn completed(ds: &DaemonSet, history: &History, standing: &Standing) -> Option<Event> {
    let (revision, _) = history.ops.set_completed.as_ref()?;
    if revision.name != history.current.name || standing.progress != Progress::Complete {
        return None;
    }
    let told = told(ds)?;
    let complete = Progress::Complete.as_str();
    if !conditions::is_ours(told) || &*told.reason == complete {
        return None;
    }
    Some(Event {
        kind: EventType::Normal,
        reason: "RolloutComplete",
        message: format!(
            "Revision {} is complete: every eligible node{} has had an available pod of it. It is \
             the stable revision now",
            revision.name,
            conditions::aside(ds.minds_bad_nodes()),
        ),
        node: None,
    })
}
