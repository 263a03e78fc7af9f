//! Pods that others take away soon after they appeared: they are counted by node, and the plan lets
//! the next one wait.
//!
//! Only what a watch or an answer told counts as appeared, by our own clock: nobody knows for how
//! long a pod in a list has been there. Pods that we ask to go are none of them, whatever the
//! reason. A pod counts as released once it no longer matches the selector, before our release is
//! sent: the plan that has the release would replace it already.

use std::collections::{HashMap, VecDeque};

use crate::model::{BackoffKey, BackoffKind, Pod, Str, Time, Uid, backoff::SHORT_LIVED};

use super::{Cache, dirty::matches};

/// The pods that appeared a moment ago.
#[derive(Clone, Default, Debug)]
pub(super) struct YoungPods {
    pods: HashMap<Uid, Young>,
    /// The same, oldest first; some are gone by now.
    order: VecDeque<(Time, Uid)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Young {
    /// Nobody asked it to go, as far as is known.
    Wanted,
    /// We asked it to go.
    AskedToGo,
}

impl YoungPods {
    fn appeared(&mut self, uid: &Uid, now: Time) {
        self.grow_up(now);
        self.pods.insert(uid.clone(), Young::Wanted);
        self.order.push_back((now, uid.clone()));
    }

    /// Forgets those that are young no more.
    pub fn grow_up(&mut self, now: Time) {
        while let Some((appeared, uid)) = self.order.front()
            && now.since(*appeared) >= SHORT_LIVED
        {
            self.pods.remove(uid);
            self.order.pop_front();
        }
        if self.order.is_empty() {
            *self = YoungPods::default();
        }
    }

    /// We are about to ask this pod to go.
    pub fn asked_to_go(&mut self, uid: &Uid) {
        if let Some(young) = self.pods.get_mut(uid) {
            *young = Young::AskedToGo;
        }
    }

    fn take(&mut self, uid: &Uid, now: Time) -> Option<Young> {
        self.grow_up(now);
        self.pods.remove(uid)
    }
}

impl Cache {
    /// A watch or an answer told of a pod that was not in the cache.
    pub(super) fn young_pod(&mut self, pod: &Pod, node: Option<&str>) {
        // One that is on its way out already may be old.
        if pod.deletion.is_some() || self.owner(&pod.controller).is_none() {
            return;
        }
        self.young.appeared(&pod.uid, self.now);
        // A webhook may have changed its labels before it was stored.
        if !self.is_claimed(pod)
            && let Some(node) = node
        {
            self.ended(pod, node.into(), BackoffKind::Released);
        }
    }

    /// Compares two states of a pod, None where it is gone: whether it was taken away between them.
    pub(super) fn note_lifetime(&mut self, old: &Pod, new: Option<&Pod>) {
        let stays = |new: &Pod| {
            new.controller == old.controller
                && new.labels == old.labels
                && new.deletion.is_some() == old.deletion.is_some()
        };
        if new.is_some_and(stays) || old.deletion.is_some() || !self.is_claimed(old) {
            return;
        }
        let how = match new {
            Some(new) if new.controller != old.controller || !self.is_claimed(new) => {
                BackoffKind::Released
            }
            Some(new) if new.deletion.is_none() => return,
            _ => BackoffKind::Deleted,
        };
        if let Some(node) = old.node.map(|id| self.nodes.name(id).clone()) {
            self.ended(old, node, how);
        }
    }

    /// Whether a DaemonSet controls the pod and selects it.
    fn is_claimed(&mut self, pod: &Pod) -> bool {
        let owner = self.owner(&pod.controller);
        owner.is_some_and(|entry| matches(&entry.daemon_set, &pod.labels))
    }

    fn ended(&mut self, pod: &Pod, node: Str, how: BackoffKind) {
        let now = self.now;
        let young = self.young.take(&pod.uid, now);
        let Some(ds) = self.owner(&pod.controller).map(|e| &e.daemon_set) else {
            return;
        };
        let key = BackoffKey::of(ds, &node, how);
        match young {
            Some(Young::Wanted) => self.backoff.attempt(key, now),
            Some(Young::AskedToGo) => {}
            // It lived for long enough: those before it were none in a row with the next.
            None => {
                for kind in [BackoffKind::Deleted, BackoffKind::Released] {
                    self.backoff.start_over(&BackoffKey {
                        kind,
                        ..key.clone()
                    });
                }
            }
        }
    }
}
