//! Whose turn it is.

use super::census::Candidate;

/// Those that fail first in a rollback, then the oldest pods, ties by node name.
pub fn oldest_first(candidates: &mut [Candidate<'_>]) {
    candidates.sort_by(|a, b| {
        let first = b.first.cmp(&a.first);
        let created = a.pod.created.cmp(&b.pod.created);
        first.then(created).then_with(|| a.node.cmp(b.node))
    });
}
