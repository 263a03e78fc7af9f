//! Failed and finished pods of one node: which are deleted now, and which wait for their backoff.

use crate::model::{BackoffKind, Node, NodeId, Pod, PodPhase, Str};

use crate::plan::{
    action::{ActionPhase, CreateCause, DeleteCause, Event, EventType},
    draft::Draft,
    facts::Facts,
    hold::HoldRule,
    holds::NodeHold,
    late_creates, names,
};

/// An event with what it is ordered by: its node and its pod.
pub type PodEvent = (Str, Str, Event);

/// What is found on one node.
pub struct Found<'a> {
    /// Neither terminal nor terminating.
    pub running: Vec<&'a Pod>,
    /// A pod that is terminating and not yet terminal.
    pub terminating: Option<&'a Pod>,
    /// A failed pod that stays because it is all that tells that the node is leaving.
    pub sign: Option<&'a Pod>,
    /// A terminal pod waits for a backoff that began in an earlier plan.
    pub in_backoff: bool,
    /// Why the last of the terminal pods that are deleted now is deleted.
    pub replaced: Option<CreateCause>,
}

/// How a pod ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Failed,
    Succeeded,
}

impl Ended {
    fn of(pod: &Pod) -> Ended {
        match pod.phase {
            PodPhase::Succeeded => Ended::Succeeded,
            _ => Ended::Failed,
        }
    }

    fn backoff(self, pod: &Pod) -> BackoffKind {
        match self {
            Ended::Failed if pod.failed_by_node_shutdown() => BackoffKind::ShutDown,
            Ended::Failed => BackoffKind::Failed,
            Ended::Succeeded => BackoffKind::Succeeded,
        }
    }
}

/// Deletes failed and finished pods as their backoff allows; tells what else is there.
///
/// Of several failed pods on a node one is deleted at a time, because they share a key. Finished
/// pods do not: all of one plan are one attempt.
pub fn sort_out<'a>(
    facts: &Facts<'_, 'a>,
    id: NodeId,
    node: &Node,
    visible: impl Iterator<Item = &'a Pod> + Clone,
    draft: &mut Draft,
    events: &mut Vec<PodEvent>,
) -> Found<'a> {
    let ds = facts.ds();
    let mut found = Found {
        running: Vec::new(),
        terminating: None,
        sign: None,
        in_backoff: false,
        replaced: None,
    };
    let leaving = facts.leaving.reason(id);
    let mut failed: Vec<&Pod> = Vec::new();
    let mut succeeded: Vec<&Pod> = Vec::new();
    for pod in visible.clone() {
        match pod.phase {
            _ if pod.terminating => found.terminating = Some(pod),
            PodPhase::Failed | PodPhase::Succeeded
                if was_replaced(facts, node, pod, visible.clone()) =>
            {
                if !stays(facts, node, pod, draft) {
                    // Its successor was an attempt already.
                    let ended = Ended::of(pod);
                    let (cause, _, event) = found_terminal(facts, node, ended, pod);
                    events.push((node.name.clone(), pod.name.clone(), event));
                    draft.delete(pod, &node.name, ActionPhase::Manage, cause);
                }
            }
            PodPhase::Failed if leaving.is_some_and(|why| why.is_told_by(pod)) => {
                found.sign = Some(pod);
            }
            PodPhase::Failed => failed.push(pod),
            PodPhase::Succeeded => succeeded.push(pod),
            PodPhase::Active => found.running.push(pod),
        }
    }
    let is_orphan = |p: &Pod| !p.controller.is(&ds.uid);
    failed.sort_by(|a, b| {
        let owned_first = is_orphan(a).cmp(&is_orphan(b));
        owned_first.then_with(|| a.oldest_first(b))
    });
    for (ended, pods) in [(Ended::Succeeded, succeeded), (Ended::Failed, failed)] {
        replace(facts, node, ended, &pods, &mut found, draft, events);
    }
    found
}

/// Deletes the pods of one kind that may go now, and holds the others.
fn replace(
    facts: &Facts<'_, '_>,
    node: &Node,
    ended: Ended,
    pods: &[&Pod],
    found: &mut Found<'_>,
    draft: &mut Draft,
    events: &mut Vec<PodEvent>,
) {
    let Some(first) = pods.first() else {
        return;
    };
    let backoff = facts.snapshot.backoff;
    let key = facts.backoff_key(&node.name, ended.backoff(first));
    if let Some(end) = backoff.waits_until(&key, facts.now) {
        found.in_backoff = true;
        draft.wake(end);
        return draft.holds.on_node(NodeHold {
            pod: Some(first.name.clone()),
            since: backoff.since(&key),
            until: Some(end),
            ..NodeHold::new(
                &node.name,
                match ended {
                    Ended::Failed => HoldRule::FailedPodBackoff,
                    Ended::Succeeded => HoldRule::FinishedPodBackoff,
                },
            )
        });
    }
    let (now, later) = match ended {
        Ended::Failed => pods.split_at(1),
        Ended::Succeeded => (pods, &[][..]),
    };
    if let Some(next) = later.first() {
        // It goes when the backoff that begins now ends.
        let end = backoff.after_attempt(&key, facts.now);
        draft.wake(end);
        draft.holds.on_node(NodeHold {
            pod: Some(next.name.clone()),
            until: Some(end),
            ..NodeHold::new(&node.name, HoldRule::OneFailedPodAtATime)
        });
    }
    for pod in now {
        let (cause, because, event) = found_terminal(facts, node, ended, pod);
        found.replaced = Some(because);
        if !stays(facts, node, pod, draft) {
            events.push((node.name.clone(), pod.name.clone(), event));
            draft.delete(pod, &node.name, ActionPhase::Manage, cause);
        }
    }
    draft.backoff.push(key);
}

/// Whether an ended pod was replaced already, and only stayed because a create of its name might be
/// under way. Its successor has the name that follows from it, whichever process made that; or it
/// is a later one, where this process knows of such a create.
fn was_replaced<'a>(
    facts: &Facts<'_, '_>,
    node: &Node,
    pod: &Pod,
    mut visible: impl Iterator<Item = &'a Pod> + Clone,
) -> bool {
    if visible.clone().nth(1).is_none() {
        return false; // It is alone.
    }
    let next = names::of_pod(facts.ds(), &node.name, Some(&pod.uid));
    let mut others = visible.clone();
    others.any(|other| other.name == next)
        || visible.any(|other| other.created > pod.created)
            && late_creates::stays_until(facts, node, pod).is_some()
}

/// Whether a create of the name of an ended pod may be under way. Then there is a hold.
fn stays(facts: &Facts<'_, '_>, node: &Node, pod: &Pod, draft: &mut Draft) -> bool {
    let end = late_creates::stays_until(facts, node, pod);
    let Some(end) = end.filter(|end| *end > facts.now) else {
        return false;
    };
    draft.wake(end);
    draft.holds.on_node(NodeHold {
        pod: Some(pod.name.clone()),
        until: Some(end),
        ..NodeHold::new(&node.name, HoldRule::CreateUnsettled)
    });
    true
}

/// Why the pod is deleted, why its successor is created, and the event, in upstream's words.
fn found_terminal(
    facts: &Facts<'_, '_>,
    node: &Node,
    ended: Ended,
    pod: &Pod,
) -> (DeleteCause, CreateCause, Event) {
    let namespace = &facts.ds().namespace;
    let (pod, name) = (&pod.name, &node.name);
    let (delete, create, kind, reason, message) = match ended {
        Ended::Failed => (
            DeleteCause::PodFailed,
            CreateCause::PodFailed,
            EventType::Warning,
            "FailedDaemonPod",
            format!(
                "Found failed daemon pod {namespace}/{pod} on node {name}, will try to kill it"
            ),
        ),
        Ended::Succeeded => (
            DeleteCause::PodSucceeded,
            CreateCause::PodSucceeded,
            EventType::Normal,
            "SucceededDaemonPod",
            format!(
                "Found succeeded daemon pod {namespace}/{pod} on node {name}, will try to delete it"
            ),
        ),
    };
    let event = Event {
        kind,
        reason,
        message,
        node: Some(name.clone()),
    };
    (delete, create, event)
}
