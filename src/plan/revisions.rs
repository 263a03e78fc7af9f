//! The history of templates: which ControllerRevision is the current one, and what is to be done so
//! that there is exactly one of it.
//!
//! A revision is the current one when its data equal the template's canonical form; only where none
//! is, one that differs in just a template `creationTimestamp: null` (API servers up to 1.33 wrote
//! it).
//!
//! Of several equal ones the one stays whose stored bytes are the canonical form. The built-in
//! controller compares bytes: when it takes over again, it recognises only that one, and would
//! replace every pod if it were gone.

use std::collections::{BTreeMap, HashSet};

use crate::model::{
    Approved, Clock, DaemonSet, Failed, Labels, Pod, Revision, Selector, StoredData, Str, Time,
    Uid, Version,
};

use super::{
    claim::{Claim, claim},
    names,
};

pub use crate::model::revision::HASH_LABEL;

/// An existing revision as an action refers to it: with what was seen of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionRef {
    /// Its name.
    pub name: Str,
    /// Its UID: another object of the same name is not meant.
    pub uid: Uid,
    /// The version that was seen.
    pub version: Version,
}

impl From<&Revision> for RevisionRef {
    fn from(r: &Revision) -> Self {
        RevisionRef {
            name: r.name.clone(),
            uid: r.uid.clone(),
            version: r.version,
        }
    }
}

/// The current revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CurrentRevision {
    /// Its name.
    pub name: Str,
    /// The hash that its pods carry.
    pub hash: Str,
    /// Its number, after the plan.
    pub number: i64,
    /// Whether it does not exist yet.
    pub create: bool,
}

/// What is to be done about revisions, each list sorted by name unless said otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RevisionOps {
    /// Equal revisions whose stored bytes were not read. They decide which of them stays: read them
    /// first, and plan again.
    pub read_data: Vec<RevisionRef>,
    /// Raise `status.collisionCount` to this first.
    pub collision_count: Option<i32>,
    /// Matching orphans, which become ours.
    pub adopt: Vec<RevisionRef>,
    /// Ours that stopped matching, which are let go.
    pub release: Vec<RevisionRef>,
    /// Revisions without a hash label, and the one that they get (see [`names::hash_for`]).
    pub set_label: Vec<(RevisionRef, Str)>,
    /// The current revision's number, raised above all others on a rollback, and to the highest of
    /// its duplicates.
    pub set_number: Option<(RevisionRef, i64)>,
    /// Duplicates of the current revision, deleted after their pods were relabelled, and after
    /// what is recorded on them was recorded on the one that stays (`set_completed`).
    pub delete_duplicates: Vec<RevisionRef>,
    /// When the rollout to the current revision began, which is to be recorded on it before a pod
    /// is replaced. No revision: it is recorded with the create.
    pub set_started: Option<(Option<RevisionRef>, Time)>,
    /// The current revision was approved, or that was withdrawn: to be recorded on it. What it
    /// lifts is lifted in the next plan.
    pub set_approved: Option<(RevisionRef, Approved)>,
    /// The rollout of the current revision failed, which is to be recorded on it. The nodes go back
    /// in the next plan.
    pub set_failed: Option<(RevisionRef, Failed)>,
    /// The time of `deadline` begins or ceases to run: to be recorded on the current revision.
    pub set_clock: Option<(RevisionRef, Clock)>,
    /// The current revision, and all stages of its rollout that are over: to be recorded on it. The
    /// next stage follows in the next plan.
    pub release_stages: Option<(RevisionRef, Vec<Str>)>,
    /// A revision completed at this time, which is to be recorded on it before anything else of the
    /// plan is done that depends on it.
    pub set_completed: Option<(RevisionRef, Time)>,
    /// Old revisions beyond the history limit that no pod carries, oldest first.
    pub delete_old: Vec<RevisionRef>,
}

/// The outcome for one DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct History {
    /// The current revision.
    pub current: CurrentRevision,
    /// What is to be done.
    pub ops: RevisionOps,
    /// Hashes of the duplicates: pods that carry one are relabelled and count as up to date at
    /// once.
    pub duplicate_hashes: Vec<Str>,
}

/// A revision with the hash label that it has or is given.
struct Labelled<'a> {
    revision: &'a Revision,
    hash: Str,
}

/// Sorts out the history. The history limit is applied later, by [`delete_old`].
pub fn history<'a>(
    ds: &DaemonSet,
    selector: &Selector,
    revisions: &[&'a Revision],
    exists: &dyn Fn(&str) -> bool,
) -> (History, Vec<(&'a Revision, Str)>) {
    let mut ops = RevisionOps::default();
    let mut known = Vec::new();
    let mut sorted: Vec<&'a Revision> = revisions.to_vec();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for revision in sorted {
        match claim(
            &ds.uid,
            selector,
            &revision.controller,
            &revision.labels,
            revision.terminating,
        ) {
            Claim::Leave => continue,
            Claim::Release => {
                ops.release.push(revision.into());
                continue;
            }
            Claim::Adopt => ops.adopt.push(revision.into()),
            Claim::Keep => {}
        }
        let hash = match revision.labels.get_shared(HASH_LABEL) {
            Some(hash) => hash.clone(),
            None => {
                let hash = names::hash_for(&revision.name);
                ops.set_label.push((revision.into(), hash.clone()));
                hash
            }
        };
        known.push(Labelled { revision, hash });
    }

    let (mut alike, mut old): (Vec<Labelled>, Vec<Labelled>) = known
        .into_iter()
        .partition(|k| k.revision.data == ds.revision_data);
    if alike.is_empty()
        && let Some(at) = (0..old.len())
            .filter(|&i| {
                old[i].revision.data_without_timestamp == ds.revision_data_without_timestamp
            })
            .max_by_key(|&i| (old[i].revision.number, i))
    {
        alike.push(old.remove(at));
    }

    let next = old
        .iter()
        .map(|k| k.revision.number)
        .max()
        .unwrap_or(0)
        .max(0)
        // A number that somebody set may be the last one there is.
        .saturating_add(1);
    let mut duplicate_hashes = Vec::new();
    let current = match (0..alike.len()).max_by_key(|&i| worth_keeping(alike[i].revision, i)) {
        Some(at) => {
            if alike.len() > 1 {
                let unread = alike
                    .iter()
                    .filter(|k| k.revision.stored == StoredData::Unread);
                ops.read_data = unread.map(|k| k.revision.into()).collect();
            }
            let highest = alike.iter().map(|k| k.revision.number).max();
            let number = highest.map_or(next, |n| n.max(next));
            let keep = alike.remove(at);
            if keep.revision.number < number {
                ops.set_number = Some((keep.revision.into(), number));
            }
            duplicate_hashes.extend(
                alike
                    .iter()
                    .map(|k| k.hash.clone())
                    .filter(|h| *h != keep.hash),
            );
            ops.delete_duplicates = alike.iter().map(|k| k.revision.into()).collect();
            CurrentRevision {
                name: keep.revision.name.clone(),
                hash: keep.hash,
                number,
                create: false,
            }
        }
        None => new_revision(ds, next, exists, &mut ops),
    };
    let old = old.into_iter().map(|k| (k.revision, k.hash)).collect();
    (
        History {
            current,
            ops,
            duplicate_hashes,
        },
        old,
    )
}

/// By which equal revisions are compared; the greatest stays. `at` is its place in the order of
/// names.
fn worth_keeping(revision: &Revision, at: usize) -> (u8, i64, usize) {
    let bytes = match revision.stored {
        StoredData::Canonical => 2,
        StoredData::Unread | StoredData::Untold => 1,
        StoredData::Other => 0,
    };
    (bytes, revision.number, at)
}

/// A revision that is to be created: its name must be free, else the collision count rises.
fn new_revision(
    ds: &DaemonSet,
    number: i64,
    exists: &dyn Fn(&str) -> bool,
    ops: &mut RevisionOps,
) -> CurrentRevision {
    let mut count = ds.status.collision_count;
    loop {
        let hash = names::of_revision(ds, count);
        let name = names::revision_name(&ds.name, &hash);
        if !exists(&name) {
            return CurrentRevision {
                name,
                hash: hash.into(),
                number,
                create: true,
            };
        }
        // As Go counts, so that it goes on to other names after the last number.
        count = Some(count.unwrap_or(0).wrapping_add(1));
        ops.collision_count = count;
    }
}

/// The old revisions that are deleted: beyond the limit, lowest number first, never one whose hash
/// a pod with a node carries, and not the one with the hash `stable`. `pods` are all claimed pods.
pub fn delete_old(
    old: &[(&Revision, Str)],
    limit: i32,
    stable: Option<&Str>,
    pods: &[&Pod],
    history: &History,
) -> Vec<RevisionRef> {
    let surplus = old
        .len()
        .saturating_sub(usize::try_from(limit).unwrap_or(0));
    // Nearly all DaemonSets leave here, without a look at each pod.
    if surplus == 0 {
        return Vec::new();
    }
    let live_hashes: HashSet<&Str> = pods
        .iter()
        .filter(|p| p.node.is_some())
        .filter_map(|p| hash_of(p, history))
        .chain(stable)
        .collect();
    let mut old: Vec<&(&Revision, Str)> = old.iter().collect();
    old.sort_by(|(a, _), (b, _)| a.number.cmp(&b.number).then_with(|| a.name.cmp(&b.name)));
    old.iter()
        .filter(|(_, hash)| !live_hashes.contains(hash))
        .take(surplus)
        .map(|(r, _)| RevisionRef::from(*r))
        .collect()
}

/// The labels of a new revision: the template's and its hash.
pub fn labels(template_labels: &Labels, hash: &str) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = template_labels
        .iter()
        .map(|(k, v)| (k.into(), v.into()))
        .collect();
    labels.insert(HASH_LABEL.into(), hash.into());
    labels
}

/// The hash that a pod counts with, its revision's duplicate merged.
pub fn hash_of<'p>(pod: &'p Pod, history: &'p History) -> Option<&'p Str> {
    let own = pod.labels.get_shared(HASH_LABEL)?;
    Some(if history.duplicate_hashes.contains(own) {
        &history.current.hash
    } else {
        own
    })
}
