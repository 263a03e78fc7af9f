//! Nodes that work again: what failed there because the node shut down is no sign of what comes.

use crate::model::{BackoffKey, BackoffKind, Node};

use super::Cache;

/// Whether a node works again: it is ready and was not, or it was started anew. A start may be so
/// quick that nobody saw the node not ready.
pub fn is_back(before: &Node, now: &Node) -> bool {
    let is_new_start = before.boot.is_some() && now.boot.is_some() && before.boot != now.boot;
    !now.is_unready() && (before.is_unready() || is_new_start)
}

impl Cache {
    /// Pods that failed there because the node shut down are replaced at once. Otherwise a node
    /// would be without an agent after a reboot for as long as its shutdown took.
    pub(super) fn node_is_back(&mut self, name: &str) {
        for (key, entry) in &self.daemon_sets {
            let backoff = BackoffKey::of(&entry.daemon_set, name, BackoffKind::ShutDown);
            if self.backoff.start_over(&backoff) {
                self.dirty.insert(key.clone());
            }
        }
    }
}
