//! `hold`: what is not done for the time being, because a DaemonSet asks for it, or because one of
//! its annotations cannot be read.

use std::collections::BTreeSet;

use crate::model::{DaemonSet, HoldScope, NodeId, Nodes, Str};

use crate::plan::{
    action::{ActionPhase, DeleteCause, Event, EventType},
    draft::Draft,
    exclusive,
    facts::Facts,
    hold::HoldRule,
    holds::NodeHold,
};

use super::{Gate, classes, stages::Stage};

/// The rule that holds the rollout; None where nothing does.
pub fn rule(ds: &DaemonSet) -> Option<HoldRule> {
    let control = ds.control.as_deref()?;
    let invalid = words(ds).map(|words| HoldRule::InvalidAnnotation(words.into()));
    invalid.or_else(|| control.hold.map(|_| HoldRule::HeldByAnnotation))
}

/// At most so many keys are named in a hold and in an event.
const NAMED: usize = 5;

/// A second key is named only where all of them take no more than so many bytes. The API server
/// takes events of 1,024, and they name a revision as well.
const WORDS: usize = 600;

/// What cannot be read, and what would be right, or does not go with the template; the first few
/// keys, and how many there are besides. None where there is no such thing.
fn words(ds: &DaemonSet) -> Option<String> {
    let control = ds.control.as_deref()?;
    let unread = control.invalid.iter().map(ToString::to_string);
    let contradiction = exclusive::contradiction(ds).map(str::to_owned);
    let all: Vec<String> = unread
        .chain(contradiction)
        .chain(classes::conflicts(ds))
        .collect();
    let mut words = String::new();
    let mut named = 0;
    for next in all.iter().take(NAMED) {
        if named > 0 {
            if words.len() + next.len() > WORDS {
                break;
            }
            words += "; ";
        }
        words += next;
        named += 1;
    }
    match all.len() - named {
        0 if all.is_empty() => None,
        0 => Some(words),
        more => Some(format!("{words}; and {more} more")),
    }
}

/// The event about annotations that cannot be read.
pub fn event(ds: &DaemonSet) -> Option<Event> {
    words(ds).map(|words| Event {
        kind: EventType::Warning,
        reason: "InvalidAnnotation",
        message: format!(
            "No pod is replaced by one of another revision until it is corrected: {words}"
        ),
        node: None,
    })
}

/// Takes out what the rollout would do to nodes that are not released. Names the nodes whose pod is
/// not of the current revision and stays; where there is none, the DaemonSet is held as a whole.
pub fn rollout(facts: &Facts<'_, '_>, gate: &Gate, draft: &mut Draft) {
    let nodes = facts.snapshot.nodes;
    let is_staged = matches!(gate, Gate::Stage(_));
    let is_released =
        |id: NodeId| is_staged && facts.targets.is_current(id) && !facts.targets.is_missing(id);
    let stays = |phase, node: &str| {
        phase != ActionPhase::Rollout || nodes.id(node).is_some_and(is_released)
    };
    draft.creates.retain(|c| stays(c.phase, &c.node));
    draft.deletes.retain(|d| stays(d.phase, &d.node));
    let (rule, until) = match gate {
        Gate::Held(rule) | Gate::Back(rule) => (rule, None),
        Gate::Stage(Stage { rule, until, .. }) => (rule, *until),
    };
    if let Some(until) = until {
        draft.wake(until);
    }
    let mut none = true;
    for id in (0..).map(NodeId).take(nodes.slots()) {
        let verdict = facts.verdict(id);
        let stays = verdict.should_continue_running() && !verdict.keeps_excluded();
        if nodes.get(id).is_none() || !stays || is_released(id) {
            continue;
        }
        let mut live = facts.visible(id).filter(|p| p.is_live() && p.readable);
        if let Some(pod) = live.find(|p| !facts.is_of_current(p)) {
            none = false;
            draft.holds.on_node(NodeHold {
                pod: Some(pod.name.clone()),
                until,
                ..NodeHold::new(nodes.name(id), rule.clone())
            });
        }
    }
    if none {
        draft.holds.on_daemon_set(rule.clone());
    }
}

/// With `hold: all` the draft keeps only the deletes of pods that must leave their node; each other
/// action becomes a hold.
pub fn all(scope: Option<HoldScope>, all_nodes: &Nodes, draft: &mut Draft) {
    if scope != Some(HoldScope::All) {
        return;
    }
    let must_leave = |cause: DeleteCause| {
        matches!(
            cause,
            DeleteCause::NodeNotEligible(_) | DeleteCause::NodeGone
        )
    };
    let (kept, held): (Vec<_>, Vec<_>) = std::mem::take(&mut draft.deletes)
        .into_iter()
        .partition(|delete| must_leave(delete.cause));
    draft.deletes = kept;
    let nodes: BTreeSet<Str> = held.iter().map(|delete| delete.node.clone()).collect();
    for delete in held {
        draft.holds.on_node(NodeHold {
            pod: Some(delete.pod.name),
            ..NodeHold::new(&delete.node, HoldRule::AllHeldByAnnotation)
        });
    }
    for create in std::mem::take(&mut draft.creates) {
        // A pod that would be replaced stands for both.
        if !nodes.contains(&create.node) {
            let hold = NodeHold::new(&create.node, HoldRule::AllHeldByAnnotation);
            draft.holds.on_node(hold);
        }
    }
    for id in std::mem::take(&mut draft.later) {
        let hold = NodeHold::new(all_nodes.name(id), HoldRule::AllHeldByAnnotation);
        draft.holds.on_node(hold);
    }
    // Events and backoffs are of the pods that would have been deleted.
    draft.events.clear();
    draft.backoff.clear();
}
