//! Whose a pod or a revision is: what a DaemonSet adopts, keeps and lets go.
//!
//! Ours is what our UID controls, whatever its name says. What matches the selector and has no
//! controller is adopted; what is ours and stopped matching is released.

use crate::model::{Controller, Labels, Pod, Selector, Snapshot, Uid};

use super::{
    action::{Claims, Relabel},
    revisions::{self, History},
};

/// What becomes of one object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// It is ours and stays so.
    Keep,
    /// It is nobody's and becomes ours.
    Adopt,
    /// It is ours and is let go.
    Release,
    /// It is not our business.
    Leave,
}

/// The claim on an object with these labels.
///
/// A terminating orphan is not adopted (upstream's rule); one of ours that is terminating is kept.
pub fn claim(
    uid: &Uid,
    selector: &Selector,
    controller: &Controller,
    labels: &Labels,
    terminating: bool,
) -> Claim {
    match controller {
        Controller::Uid(owner) if owner == uid => {
            if selector.matches(labels) {
                Claim::Keep
            } else {
                Claim::Release
            }
        }
        Controller::None if !terminating && selector.matches(labels) => Claim::Adopt,
        _ => Claim::Leave,
    }
}

/// Adoption and release; and the pods that count, ours before orphans (both by name where order matters later).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Requirement;

    #[test]
    fn by_table() {
        let selector = Selector::All(vec![Requirement::equals("app", "a")]);
        let ours = Controller::Uid(Uid::from("me"));
        let theirs = Controller::Uid(Uid::from("you"));
        for (controller, app, terminating, expected) in [
            (&ours, "a", false, Claim::Keep),
            (&ours, "a", true, Claim::Keep),
            (&ours, "b", false, Claim::Release),
            (&ours, "b", true, Claim::Release),
            (&theirs, "a", false, Claim::Leave),
            (&Controller::None, "a", false, Claim::Adopt),
            (&Controller::None, "a", true, Claim::Leave),
            (&Controller::None, "b", false, Claim::Leave),
            (&Controller::Unreadable, "a", false, Claim::Leave),
        ] {
            let labels = [("app", app)].into_iter().collect();
            assert_eq!(
                claim(
                    &Uid::from("me"),
                    &selector,
                    controller,
                    &labels,
                    terminating
                ),
                expected,
                "{controller:?} app={app} terminating={terminating}"
            );
        }
    }
}
