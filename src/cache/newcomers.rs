//! Pods that came while somebody wanted to know: whoever created them.

use crate::model::{Controller, Key, Pod, Str, Uid, Version};

use super::Cache;

/// A pod that was not there before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Newcomer {
    /// The DaemonSet that controls it.
    pub daemon_set: Key,
    /// Its name.
    pub pod: Str,
}

/// What is remembered of them.
#[derive(Default, Debug)]
pub(super) struct Newcomers {
    /// Those that came after this version count; none where nobody wants to know.
    after: Option<Version>,
    came: Vec<Newcomer>,
}

impl Cache {
    /// From now on pods that come after this version are to be told of; or none any more.
    pub fn tell_of_newcomers(&mut self, after: Option<Version>) {
        self.newcomers = Newcomers {
            after,
            came: Vec::new(),
        };
    }

    /// Pods of known DaemonSets that came since the last call.
    pub fn take_newcomers(&mut self) -> Vec<Newcomer> {
        std::mem::take(&mut self.newcomers.came)
    }

    /// A pod was not known before.
    pub(super) fn came(&mut self, pod: &Pod) {
        let Controller::Uid(owner) = &pod.controller else {
            return;
        };
        if self
            .newcomers
            .after
            .is_none_or(|after| pod.version <= after)
        {
            return;
        }
        if let Some(daemon_set) = self.by_uid.get::<Uid>(owner) {
            self.newcomers.came.push(Newcomer {
                daemon_set: daemon_set.clone(),
                pod: pod.name.clone(),
            });
        }
    }
}
