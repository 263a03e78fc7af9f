//! Which DaemonSets a change concerns: they become dirty, and are to be synced.

use std::collections::HashMap;

use crate::model::{Controller, DaemonSet, Key, Labels, Node, NodeId, Pod, Str, Verdict};

use super::{Cache, Entry};

impl Cache {
    /// The verdict of each DaemonSet on a node. Empty before the cache is synced: then all
    /// DaemonSets are dirty anyway.
    pub(super) fn verdicts_on(&self, node: Option<&Node>) -> HashMap<Key, Verdict> {
        match node {
            Some(node) if self.is_synced() => self
                .daemon_sets
                .iter()
                .map(|(k, e)| (k.clone(), e.eligibility.of(node)))
                .collect(),
            _ => HashMap::new(),
        }
    }

    /// A change of a node concerns the DaemonSets whose verdict on it changed. A node that is new
    /// or gone also concerns those that have pods on it.
    pub(super) fn mark_node(
        &mut self,
        id: NodeId,
        before: &HashMap<Key, Verdict>,
        after: &HashMap<Key, Verdict>,
    ) {
        let came_or_went = before.is_empty() != after.is_empty();
        // Whether it may be the DaemonSet's pod that is there.
        let concerns = |pod: (&Key, &Pod), key: &Key, entry: &Entry| match &pod.1.controller {
            Controller::Uid(owner) => *owner == entry.daemon_set.uid,
            Controller::None | Controller::Unreadable => pod.0.namespace == key.namespace,
        };
        let keys: Vec<Key> = self
            .daemon_sets
            .iter()
            .filter(|(key, entry)| {
                let bits =
                    |v: Option<&Verdict>| v.map(|v| (v.should_run(), v.should_continue_running()));
                // Its older revisions may belong elsewhere.
                if !entry.placed.is_empty() {
                    return true;
                }
                let (b, a) = (bits(before.get(key)), bits(after.get(key)));
                if !came_or_went {
                    return a != b;
                }
                a.or(b).is_some_and(|(runs, _)| runs)
                    || self.pods.on(id).any(|pod| concerns(pod, key, entry))
            })
            .map(|(key, _)| key.clone())
            .collect();
        self.dirty.extend(keys);
    }

    /// Whether a node is well has changed: that concerns the DaemonSets with `budget: bad-nodes`,
    /// and those that are told of nodes which fail.
    pub(super) fn mark_bad_nodes(&mut self) {
        let keys = self
            .daemon_sets
            .iter()
            .filter(|(_, entry)| entry.daemon_set.minds_bad_nodes() || judges(entry));
        let keys: Vec<Key> = keys.map(|(key, _)| key.clone()).collect();
        self.dirty.extend(keys);
    }

    /// Whether a node is leaving has changed: that concerns the DaemonSets whose pods may be there.
    pub(super) fn mark_leaving(&mut self, node: &Node) {
        let may_be_there = |entry: &Entry| {
            // Its older revisions may belong elsewhere.
            !entry.placed.is_empty() || entry.eligibility.of(node).should_continue_running()
        };
        let entries = self.daemon_sets.iter();
        let keys = entries.filter(|(_, entry)| may_be_there(entry));
        let keys: Vec<Key> = keys.map(|(key, _)| key.clone()).collect();
        self.dirty.extend(keys);
    }

    /// Whether the controller is a DaemonSet with `budget: bad-nodes`.
    pub(super) fn minds_bad_nodes(&mut self, controller: &Controller) -> bool {
        self.owner(controller)
            .is_some_and(|entry| entry.daemon_set.minds_bad_nodes())
    }

    /// A pod or a revision concerns its controller. An orphan concerns the DaemonSets whose
    /// selector matches it, and one whose owner cannot be read all DaemonSets of its namespace.
    pub(super) fn mark_owner(&mut self, key: &Key, controller: &Controller, labels: &Labels) {
        match controller {
            Controller::Uid(uid) => {
                if let Some(owner) = self.by_uid.get(uid) {
                    self.dirty.insert(owner.clone());
                }
            }
            Controller::None => self.mark_matching(key, Some(labels)),
            Controller::Unreadable => self.mark_matching(key, None),
        }
    }

    /// What only explains a pod concerns its controller where that has rollout control: its
    /// condition `Available` counts nodes by what their pod waits for, in one word. Restarts
    /// concern it where nodes that fail do.
    pub(super) fn mark_told(&mut self, old: &Pod, new: &Pod) {
        let Controller::Uid(uid) = &new.controller else {
            return;
        };
        let Some(key) = self.by_uid.get(uid) else {
            return;
        };
        let entry = self.daemon_sets.get(key);
        let has_control = entry.is_some_and(|entry| entry.daemon_set.control.is_some());
        let fails = entry.is_some_and(judges) && failures(old) != failures(new);
        if has_control && (fails || waits_for(old) != waits_for(new)) {
            self.dirty.insert(key.clone());
        }
    }

    fn mark_matching(&mut self, key: &Key, labels: Option<&Labels>) {
        let keys: Vec<Key> = self
            .daemon_sets
            .iter()
            .filter(|(k, e)| {
                k.namespace == key.namespace && labels.is_none_or(|l| matches(&e.daemon_set, l))
            })
            .map(|(k, _)| k.clone())
            .collect();
        self.dirty.extend(keys);
    }
}

/// Whether nodes that fail are a matter of a DaemonSet.
fn judges(entry: &Entry) -> bool {
    let control = entry.daemon_set.control.as_deref();
    control.is_some_and(|control| control.failures().is_some())
}

/// How often the pod was restarted, and why it ended.
fn failures(pod: &Pod) -> (u32, Option<&Str>) {
    let detail = pod.detail.as_deref();
    let restarts = detail.and_then(|detail| detail.restarts.as_ref());
    let reason = detail.and_then(|detail| detail.reason.as_ref());
    (restarts.map_or(0, |restarts| restarts.count), reason)
}

/// Whether the pod waits for the scheduler, and for what its containers wait.
fn waits_for(pod: &Pod) -> (bool, Vec<&Str>) {
    let Some(detail) = pod.detail.as_deref() else {
        return (false, Vec::new());
    };
    let reasons = detail.waiting.iter().map(|container| &container.reason);
    (detail.unscheduled.is_some(), reasons.collect())
}

/// Whether the selector of the DaemonSet matches these labels; a malformed one matches nothing.
pub(super) fn matches(daemon_set: &DaemonSet, labels: &Labels) -> bool {
    let selector = daemon_set.selector.as_ref();
    selector.is_ok_and(|s| s.matches(labels))
}
