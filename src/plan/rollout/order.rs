//! Whose turn it is.

use std::cmp::Ordering;

use crate::model::Str;

use super::census::Candidate;

/// The nodes that wait for their turn.
#[derive(Default)]
pub struct Turns {
    /// The next ones, in their order.
    pub next: Vec<Str>,
    /// How many wait in all.
    pub count: usize,
}

impl Turns {
    /// After these come others.
    pub fn extend(&mut self, others: Turns) {
        self.next.extend(others.next);
        self.count += others.count;
    }
}

/// The candidates that go now, as many as are allowed, and those that wait, both in the order of
/// their turn. Of those that wait so many are named: to sort them all would take most of the time
/// of a plan.
pub fn split(
    mut candidates: Vec<Candidate<'_>>,
    allowed: usize,
    named: usize,
) -> (Vec<Candidate<'_>>, Turns) {
    let allowed = allowed.min(candidates.len());
    let count = candidates.len() - allowed;
    let sorted = allowed + named.min(count);
    if sorted < candidates.len() {
        candidates.select_nth_unstable_by(sorted, oldest_first);
        candidates.truncate(sorted);
    }
    candidates.sort_by(oldest_first);
    let later = candidates.split_off(allowed);
    let next = later.into_iter().map(|c| c.node.clone()).collect();
    (candidates, Turns { next, count })
}

/// Those that fail first in a rollback, then the oldest pods, ties by node name.
fn oldest_first(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let first = b.first.cmp(&a.first);
    let created = a.pod.created.cmp(&b.pod.created);
    first.then(created).then_with(|| a.node.cmp(b.node))
}
