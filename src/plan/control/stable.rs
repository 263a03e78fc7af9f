//! The stable revision: what nodes have while they are not released for the current one.

use std::collections::BTreeSet;

use crate::model::{NodeId, Pod, Revision, Snapshot, Str, Time};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

use super::exempt::Exempt;

/// A revision with its hash.
pub type Hashed<'s> = (&'s Revision, &'s Str);

/// When the revision completed, where that was recorded. A time that has not come is no record: it
/// would be the newest of all, whatever completes meanwhile.
pub fn completed(revision: &Revision, now: Time) -> Option<Time> {
    revision.completed.filter(|at| *at <= now)
}

/// The stable revision among `old`, those but the current one, which completed at
/// `current_completed`. It is the newest that completed. Where none did, as after a takeover in the
/// middle of a rollout: the one with the highest number that a live pod carries. None where the
/// current revision itself is the newest that completed, and for a first install.
///
/// Before all these comes a revision that is [`complete`] now.
pub fn stable<'s>(
    current_completed: Option<Time>,
    old: &'s [(&Revision, Str)],
    pods: &[&Pod],
    history: &History,
    now: Time,
) -> Option<Hashed<'s>> {
    let hashed = |(revision, hash): &'s (&'s Revision, Str)| (*revision, hash);
    let recorded = old
        .iter()
        .map(hashed)
        .filter_map(|(r, hash)| Some((completed(r, now)?, r.number, r, hash)));
    let newest = recorded.max_by_key(|(at, number, ..)| (*at, *number));
    match newest {
        Some((at, _, revision, hash)) if current_completed.is_none_or(|current| current < at) => {
            return Some((revision, hash));
        }
        None if current_completed.is_none() => {}
        _ => return None,
    }
    let live = pods.iter().filter(|p| p.is_live());
    let carried: BTreeSet<&Str> = live
        .filter_map(|p| revisions::hash_of(p, history))
        .collect();
    let carried = old.iter().filter(|(_, hash)| carried.contains(hash));
    carried.map(hashed).max_by_key(|(r, _)| (r.number, &r.name))
}

/// The older revision that is complete now, whoever rolled it out: every live pod is of it, and
/// every node that its pods belong on has an available one. Nodes that are exempt from its rollout
/// aside. None where there is no such node.
pub fn complete<'s>(
    snapshot: &Snapshot<'_>,
    history: &History,
    old: &'s [(&Revision, Str)],
    pods: &[&Pod],
    by_node: &ByNode<'_>,
    now: Time,
) -> Option<Hashed<'s>> {
    let live: Vec<&Pod> = pods.iter().copied().filter(|p| p.is_live()).collect();
    let is_complete = |revision: &Revision, of: &Str| {
        let placed = snapshot.placed(revision)?;
        let verdict = |id| placed.verdicts.get(id);
        let exempt = Exempt::find(snapshot, history, of, by_node).limit(snapshot, by_node, verdict);
        let is_other = |pod: &&Pod| {
            revisions::hash_of(pod, history) != Some(of)
                && !pod.node.is_some_and(|id| exempt.excuses(id))
        };
        if live.iter().any(is_other) {
            return None;
        }
        let ready = snapshot.daemon_set.min_ready_seconds;
        let available = live.iter().filter(|p| p.is_available(ready, now));
        let covered: BTreeSet<NodeId> = available.filter_map(|p| p.node).collect();
        let nodes = snapshot.nodes.iter().map(|(id, _)| id);
        let mut eligible = nodes
            .filter(|id| verdict(*id).should_run() && !exempt.excuses(*id))
            .peekable();
        eligible.peek()?;
        eligible.all(|id| covered.contains(&id)).then_some(())
    };
    let complete = old
        .iter()
        .filter(|(revision, hash)| is_complete(revision, hash).is_some());
    let newest = complete.max_by_key(|(revision, _)| (revision.number, &revision.name));
    newest.map(|(revision, hash)| (*revision, hash))
}
