//! Nodes whose pods are taken away soon after they were created, again and again: by somebody who
//! deletes them, or because they stop matching the selector. The next pod waits there, and nowhere
//! else.
//!
//! Upstream creates the next one at once, for ever: hundreds of pods a minute on one node. The
//! first few are replaced at once here too (see [`FREE`](crate::model::backoff::FREE)), and the
//! cache counts them.

use crate::model::{BackoffKind, Node, backoff::SHORT_LIVED};

use super::{
    action::{Event, EventType},
    facts::Facts,
    hold::HoldRule,
    holds::{Hold, NodeHold},
};

/// Why the node gets no pod now, where that is so.
pub fn hold(facts: &Facts<'_, '_>, node: &Node) -> Option<NodeHold> {
    let backoff = facts.snapshot.backoff;
    // Nearly all plans leave here.
    if backoff.is_empty() {
        return None;
    }
    let waits = [
        (BackoffKind::Deleted, HoldRule::DeletedPodBackoff),
        (BackoffKind::Released, HoldRule::ReleasedPodBackoff),
    ];
    let waits = waits.into_iter().filter_map(|(kind, rule)| {
        let key = facts.backoff_key(&node.name, kind);
        Some(NodeHold {
            since: backoff.since(&key),
            until: Some(backoff.waits_until(&key, facts.now)?),
            ..NodeHold::new(&node.name, rule)
        })
    });
    waits.max_by_key(|hold| hold.until)
}

/// The warning that goes with a hold of these rules, the same text as long as the same nodes wait.
pub fn warning(hold: &Hold) -> Option<Event> {
    let nodes = hold.nodes.as_ref()?;
    let named = nodes.first.join(", ");
    let node = match nodes.count.saturating_sub(nodes.first.len()) {
        0 => named,
        more => format!("{named} and {more} more"),
    };
    let soon = SHORT_LIVED.as_secs();
    let (reason, message) = match hold.rule {
        HoldRule::DeletedPodBackoff => (
            "DeletedDaemonPod",
            format!(
                "The last daemon pods on node {node} were deleted by somebody else within {soon} s of \
                 their creation; the next one waits, and longer each time"
            ),
        ),
        HoldRule::ReleasedPodBackoff => (
            "ReleasedDaemonPod",
            format!(
                "The last daemon pods on node {node} stopped matching the selector within {soon} s of \
                 their creation, and were released; the next one waits, and longer each time"
            ),
        ),
        _ => return None,
    };
    Some(Event {
        kind: EventType::Warning,
        reason,
        message,
        node: None,
    })
}
