//! Whose turn it is.

use super::census::Candidate;

/// The oldest pods first, ties by node name.
pub fn oldest_first(candidates: &mut [Candidate<'_>]) {
    candidates.sort_by(|a, b| {
        let created = a.pod.created.cmp(&b.pod.created);
        created.then_with(|| a.node.cmp(b.node))
    });
}
