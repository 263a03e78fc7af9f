//! The pods that change hands or revisions, and the pods that count for a plan.

use crate::model::{Labels, Pod, Selector, Snapshot};

use super::{
    action::{Claims, Relabel},
    claim::{Claim, claim},
    revisions::{self, History},
};

/// Adoption and release; and the pods that count, ours before orphans (both by name where order
/// matters later).
pub(super) fn claim_pods<'a>(
    snapshot: &Snapshot<'a>,
    selector: &Selector,
) -> (Claims, Vec<&'a Pod>) {
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
        match claim(
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
pub(super) fn relabels(pods: &[&Pod], history: &History) -> Vec<Relabel> {
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
