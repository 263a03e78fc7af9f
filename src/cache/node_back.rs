//! Nodes that work again: what failed there because the node shut down is no sign of what comes.

use crate::model::{BackoffKey, BackoffKind, Node, Str};

use super::Cache;

/// Whether a node works again: it is ready and was not, or it was started anew. A start may be so
/// quick that nobody saw the node not ready.
pub fn is_back(before: &Node, now: &Node) -> bool {
    let is_unready = |node: &Node| node.detail.as_ref().is_some_and(|d| d.unready.is_some());
    let is_new_start = before.boot.is_some() && now.boot.is_some() && before.boot != now.boot;
    !is_unready(now) && (is_unready(before) || is_new_start)
}

impl Cache {
    /// Pods that failed there because the node shut down are replaced at once. Otherwise a node
    /// would be without an agent after a reboot for as long as its shutdown took.
    pub(super) fn node_is_back(&mut self, name: &Str) {
        for (key, entry) in &self.daemon_sets {
            let ds = &entry.daemon_set;
            let backoff = BackoffKey {
                daemon_set: ds.uid.clone(),
                generation: ds.status.observed_generation,
                node: name.clone(),
                kind: BackoffKind::ShutDown,
            };
            if self.backoff.start_over(&backoff) {
                self.dirty.insert(key.clone());
            }
        }
    }
}
