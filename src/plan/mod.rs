//! Pure decisions: [`plan`] turns a snapshot and the time into a [`Plan`], which is a value.
//!
//! Nothing here does IO, reads a clock, is async or random; the same snapshot and time give the same
//! plan, in a stated order. The live controller, `plan`, and the simulation all run this one function.
//! The reference is Kubernetes 1.37 `pkg/controller/daemon`; where upstream is left, it says so.

mod action;
pub mod by_node;
pub mod claim;
pub mod eligibility;
pub mod names;
pub mod revisions;
pub mod rollout;
pub mod status;
pub mod tolerations;
pub mod upkeep;

use std::collections::HashSet;

pub use action::{
    ActionPhase, Claims, Create, CreateCause, Delete, DeleteCause, Event, EventType, LeftAlone,
    Plan, PodRef, Relabel, Rollout,
};

use crate::model::{Controller, Labels, Pod, Selector, Snapshot, Time};

use by_node::ByNode;
use claim::Claim;

/// What is to be done for one DaemonSet at `now`.
///
/// The plan covers all that is known to be needed: whoever carries it out applies `--burst`.
pub fn plan(snapshot: &Snapshot<'_>, now: Time) -> Plan {
    let ds = snapshot.daemon_set;
    let selector = match left_alone(snapshot) {
        Ok(selector) => selector,
        Err(why) => return Plan::leave_alone(why),
    };

    let (claims, pods) = claim_pods(snapshot, selector);
    let (mut history, old) =
        revisions::history(ds, selector, &snapshot.revisions, snapshot.revision_exists);
    let relabels: Vec<Relabel> = relabels(&pods, &history);
    let by_node = ByNode::new(snapshot.nodes, &pods);

    let facts = upkeep::Facts::new(snapshot, &history, &by_node, &pods, now);
    let mut upkeep = upkeep::plan(&facts);
    let rollout = rollout::plan(&facts, &mut upkeep);
    upkeep.sort();
    let status = status::plan(&facts);

    let live_hashes: HashSet<&str> =
        if old.len() > usize::try_from(ds.revision_history_limit).unwrap_or(0) {
            pods.iter()
                .filter(|p| p.node.is_some())
                .filter_map(|p| revisions::hash_of(p, &history))
                .map(|h| &**h)
                .collect()
        } else {
            HashSet::new()
        };
    let delete_old = revisions::delete_old(old, ds.revision_history_limit, &live_hashes);
    history.ops.delete_old = delete_old;

    let wake_at = [upkeep.wake_at, status.wake_at].into_iter().flatten().min();
    let mut status = status.status;
    status.collision_count = history.ops.collision_count.or(ds.status.collision_count);
    Plan {
        left_alone: None,
        revision: Some(history.current),
        revision_ops: history.ops,
        relabels,
        claims,
        creates: upkeep.creates,
        deletes: upkeep.deletes,
        status: Some(status),
        rollout,
        events: upkeep.events,
        backoff: upkeep.backoff,
        wake_at,
    }
}

/// The selector, or why nothing at all is done for this DaemonSet.
fn left_alone<'a>(snapshot: &Snapshot<'a>) -> Result<&'a Selector, LeftAlone> {
    let ds = snapshot.daemon_set;
    if !ds.readable {
        return Err(LeftAlone::Unreadable);
    }
    let selector = match &ds.selector {
        // Upstream says so even while the DaemonSet is being deleted.
        Ok(Selector::Everything) => return Err(LeftAlone::SelectingAll),
        Ok(selector) => selector,
        Err(why) => return Err(LeftAlone::MalformedSelector(why.clone())),
    };
    if ds.terminating {
        return Err(LeftAlone::BeingDeleted);
    }
    if let Some(kind) = snapshot.blind {
        return Err(LeftAlone::Unnamed(kind));
    }
    // A pod or revision that may be ours and whose place is not known could make two of one.
    let unknown = |controller: &Controller| match controller {
        Controller::Unreadable => true,
        Controller::Uid(uid) => *uid == ds.uid,
        Controller::None => true,
    };
    if let Some(p) = snapshot
        .pods
        .iter()
        .find(|p| !p.readable && p.node.is_none() && unknown(&p.controller))
    {
        return Err(LeftAlone::UnreadablePod(p.name.clone()));
    }
    if let Some(r) = snapshot
        .revisions
        .iter()
        .find(|r| !r.readable && unknown(&r.controller))
    {
        return Err(LeftAlone::UnreadableRevision(r.name.clone()));
    }
    Ok(selector)
}

/// Adoption and release; and the pods that count, ours before orphans (both by name where order matters later).
fn claim_pods<'a>(snapshot: &Snapshot<'a>, selector: &Selector) -> (Claims, Vec<&'a Pod>) {
    let ds = snapshot.daemon_set;
    let mut claims = Claims::default();
    let mut pods: Vec<&'a Pod> = Vec::with_capacity(snapshot.pods.len());
    let mut adopted: Vec<&'a Pod> = Vec::new();
    // Pods of one revision share one label set: most answers are those of the pod before.
    let mut last: Option<(&'a Labels, bool)> = None;
    for &pod in &snapshot.pods {
        let ours = pod.controller.is(&ds.uid);
        if !pod.readable {
            // It takes its node's place, whosever it may be; it is never claimed.
            pods.push(pod);
            continue;
        }
        if let Some((labels, true)) = last
            && ours
            && labels.same(&pod.labels)
        {
            pods.push(pod);
            continue;
        }
        match claim::claim(
            &ds.uid,
            selector,
            &pod.controller,
            &pod.labels,
            pod.terminating,
        ) {
            Claim::Keep => {
                last = Some((&pod.labels, true));
                pods.push(pod);
            }
            Claim::Adopt => {
                claims.adopt.push(pod.into());
                adopted.push(pod);
            }
            Claim::Release => claims.release.push(pod.into()),
            Claim::Leave => {}
        }
    }
    pods.append(&mut adopted);
    claims.adopt.sort_by(|a, b| a.name.cmp(&b.name));
    claims.release.sort_by(|a, b| a.name.cmp(&b.name));
    (claims, pods)
}

/// Pods that carry the hash of a duplicate of the current revision. Upstream relabels every claimed
/// pod, old ones too, which then pass as current; ours touches only those.
fn relabels(pods: &[&Pod], history: &revisions::History) -> Vec<Relabel> {
    if history.duplicate_hashes.is_empty() {
        return Vec::new();
    }
    let mut list: Vec<Relabel> = pods
        .iter()
        .filter(|p| p.readable)
        .filter(|p| {
            p.labels
                .get_shared(revisions::HASH_LABEL)
                .is_some_and(|h| history.duplicate_hashes.contains(h))
        })
        .map(|p| Relabel {
            pod: (*p).into(),
            hash: history.current.hash.clone(),
        })
        .collect();
    list.sort_by(|a, b| a.pod.name.cmp(&b.pod.name));
    list
}
