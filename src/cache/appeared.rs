//! Pods that appeared while somebody wants to know, whichever controller created them.

use crate::model::{Controller, Key, Pod, Str, Uid, Version};

use super::Cache;

/// A pod that was not in the cache before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppearedPod {
    /// The DaemonSet that controls the pod.
    pub daemon_set: Key,
    /// `metadata.name`, in the DaemonSet's namespace.
    pub pod: Str,
}

/// The pods that appeared since they were last taken.
#[derive(Clone, Default, Debug)]
pub(super) struct AppearedPods {
    /// Only pods of a later version count; None while nobody wants to know.
    after: Option<Version>,
    pods: Vec<AppearedPod>,
}

impl Cache {
    /// From now on, pods that appear with a version later than `after` are kept for
    /// [`Cache::take_appeared`]; with None, no pods are. Those kept before are dropped.
    pub fn report_appeared(&mut self, after: Option<Version>) {
        self.appeared = AppearedPods {
            after,
            pods: Vec::new(),
        };
    }

    /// The pods of known DaemonSets that appeared since the last call.
    pub fn take_appeared(&mut self) -> Vec<AppearedPod> {
        std::mem::take(&mut self.appeared.pods)
    }

    /// A watch or an answer told of a pod that was not in the cache.
    pub(super) fn pod_appeared(&mut self, pod: &Pod) {
        let Controller::Uid(owner) = &pod.controller else {
            return;
        };
        if self.appeared.after.is_none_or(|after| pod.version <= after) {
            return;
        }
        if let Some(daemon_set) = self.by_uid.get::<Uid>(owner) {
            self.appeared.pods.push(AppearedPod {
                daemon_set: daemon_set.clone(),
                pod: pod.name.clone(),
            });
        }
    }
}
