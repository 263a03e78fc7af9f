//! The stable revision: what nodes have while they are not released for the current one.

use std::collections::BTreeSet;

use crate::model::{Pod, Revision, Str, Time};

use crate::plan::revisions::{self, History};

/// A revision with its hash.
pub type Hashed<'s> = (&'s Revision, &'s Str);

/// The stable revision among `old`, those but the current one, which completed at
/// `current_completed`. It is the newest that completed. Where none did, as after a takeover in the
/// middle of a rollout: the one with the highest number that a live pod carries. None where the
/// current revision itself is the newest that completed, and for a first install.
pub fn stable<'s>(
    current_completed: Option<Time>,
    old: &'s [(&Revision, Str)],
    pods: &[&Pod],
    history: &History,
) -> Option<Hashed<'s>> {
    let hashed = |(revision, hash): &'s (&'s Revision, Str)| (*revision, hash);
    let completed = old.iter().map(hashed);
    let completed = completed.filter_map(|(r, hash)| Some((r.completed?, r.number, r, hash)));
    let newest = completed.max_by_key(|(at, number, ..)| (*at, *number));
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
