//! The trait through which `apply` hands on what the API server answered.

use std::{collections::BTreeSet, time::Duration};

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::model::{BackoffChange, Key, Kind, MissingPod, Str, Uid, Unallowed, Version};

use super::action::Action;

/// Whether an object is known to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It exists, as far as is known.
    Present,
    /// It is known to be gone.
    Gone,
}

/// Told what each answer said, and asked right before a call whether the call is still wanted.
///
/// Called from many calls of one plan at a time; must not block.
pub trait Observer: Send + Sync {
    /// An answer holds this state of an object.
    fn observe(&self, kind: Kind, raw: &RawValue);
    /// This pod holds a name that we wanted, whatever its owner.
    fn observe_holder(&self, raw: &RawValue);
    /// The object is gone.
    fn gone(&self, kind: Kind, key: &Key, uid: &Uid);
    /// The pods of this DaemonSet that a list of all pods that it selects did not hold. The list
    /// was of this version, and held these; each of them was observed.
    fn missing_pods(
        &self,
        daemon_set: &Key,
        uid: &Uid,
        version: Version,
        listed: &BTreeSet<Uid>,
    ) -> Vec<MissingPod>;
    /// Such a pod was read, and is gone.
    fn missing_pod_gone(&self, pod: &MissingPod);
    /// The bytes that are stored as `data` of a revision; None where the API server does not tell
    /// them.
    fn stored_data(&self, key: &Key, uid: &Uid, data: Option<&[u8]>);
    /// The API server did this.
    fn acted(&self, action: Action);
    /// An attempt that a backoff counts is made.
    fn attempt(&self, change: &BackoffChange);
    /// It is not known what became of a create of a pod of this name for this node.
    fn create_unsettled(&self, daemon_set: &Key, node: &Str, name: &Str);
    /// A disruption budget did not allow that this pod of the DaemonSet is evicted, and the API
    /// server may have said for how long to wait. Returns whether that is the first time for this
    /// pod.
    fn eviction_refused(
        &self,
        daemon_set: &Key,
        pod: &Uid,
        why: Unallowed,
        at_least: Option<Duration>,
    ) -> bool;
    /// The eviction of this pod of the DaemonSet failed for another reason.
    fn eviction_failed(&self, daemon_set: &Key, pod: &Uid);
    /// Whether the DaemonSet has a pod on this node that is not among `seen`.
    fn has_other_pod(&self, daemon_set: &Key, node: &str, seen: &[Uid]) -> bool;
    /// Whether the process was halted since `then`, so that the caches may be far behind, or may
    /// not write now.
    fn interrupted_since(&self, then: Instant) -> bool;
    /// A delete of this pod is about to be sent, unless the answer is [`Presence::Gone`].
    fn delete_pending(&self, key: &Key, uid: &Uid) -> Presence;
    /// The delete is known not to have happened. This brings no sync forward: the outcome of the
    /// present plan says when the next one is made.
    fn delete_settled(&self, key: &Key, uid: &Uid);
}
