//! Why there is a new revision: what its template has that the nearest one of the past has not, and
//! the reverse.

pub mod compare;
pub mod lines;
pub mod secrets;
pub mod tree;

#[cfg(test)]
mod tests;

use serde_json::value::RawValue;

use crate::{
    model::{Revision, Snapshot},
    plan::{
        Plan,
        claim::{Claim, claim},
    },
};

use super::report::{DiffEntry, DiffOp, NearestRevision, RevisionDiff};
use compare::{Change, Difference, compare};
use tree::Tree;

/// How the template differs from the nearest revision of this DaemonSet's history: the one with the
/// fewest different values, of several the one with the highest number. None where no revision is
/// to be created, or there is none yet.
///
/// Values that may be secrets are hidden, unless `show_values`.
pub fn of_new_revision(
    snapshot: &Snapshot<'_>,
    plan: &Plan,
    show_values: bool,
) -> Option<RevisionDiff> {
    plan.revision.as_ref().filter(|r| r.create)?;
    let ds = snapshot.daemon_set;
    let selector = ds.selector.as_ref().ok()?;
    // A `creationTimestamp: null` in a template is no difference to the controller.
    let to = read(&ds.revision_data_without_timestamp, show_values)?;
    let ours = |r: &&Revision| {
        let claim = claim(&ds.uid, selector, &r.controller, &r.labels, r.terminating);
        matches!(claim, Claim::Keep | Claim::Adopt)
    };
    let history = snapshot.revisions.iter().copied().filter(ours);
    let trees: Vec<(&Revision, Tree)> = history
        .filter_map(|r| Some((r, read(&r.data_without_timestamp, show_values)?)))
        .collect();
    let compared = trees.iter().map(|(r, from)| (*r, compare(from, &to)));
    let (nearest, differences) = compared.min_by_key(|(r, differences)| {
        let size: usize = differences.iter().map(|d| d.change.size()).sum();
        (size, std::cmp::Reverse((r.number, &r.name)))
    })?;
    Some(RevisionDiff {
        nearest: NearestRevision {
            name: nearest.name.to_string(),
            number: nearest.number,
        },
        changes: differences.iter().map(entry).collect(),
    })
}

fn read(data: &str, show_values: bool) -> Option<Tree> {
    let json: &RawValue = serde_json::from_str(data).ok()?;
    let mut tree = Tree::read(json).ok()?;
    if !show_values {
        secrets::hide(&mut tree);
    }
    Some(tree)
}

fn entry(difference: &Difference<'_>) -> DiffEntry {
    let names = |list: &[String]| {
        let json = serde_json::value::to_raw_value(list);
        Some(json.expect("texts have a JSON form"))
    };
    let (op, from, to, hidden) = match &difference.change {
        Change::Added(to) => (DiffOp::Added, None, Some(to.to_json()), to.is_hidden()),
        Change::Removed(from) => (
            DiffOp::Removed,
            Some(from.to_json()),
            None,
            from.is_hidden(),
        ),
        Change::Changed(from, to) => (
            DiffOp::Changed,
            Some(from.to_json()),
            Some(to.to_json()),
            from.is_hidden() || to.is_hidden(),
        ),
        Change::Reordered(from, to) => (DiffOp::Reordered, names(from), names(to), false),
    };
    DiffEntry {
        path: difference.path.to_string(),
        op,
        from,
        to,
        hidden,
    }
}
