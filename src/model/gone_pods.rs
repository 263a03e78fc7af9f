//! The pods that were last on nodes that have none now: what the name of the next one follows from.
//!
//! Controllers that differ by a moment in what they know must post the same name for a node. One may still see a pod
//! that another saw go, and be about to name its successor after it. So what a pod meant to the next name it goes on
//! meaning when it is gone, until another one is seen in its place, or for [`REMEMBERED`]. This is the one thing about names
//! that a controller remembers; one that starts while a node is empty waits until all others have forgotten it.

use std::collections::HashMap;
use std::time::Duration;

use super::{Pod, Str, Time, Uid};

/// For how long. Two controllers are not further apart than this, or one of them has just started and makes no pods yet.
pub const REMEMBERED: Duration = Duration::from_secs(2);

/// A pod that is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GonePod {
    /// `metadata.creationTimestamp`.
    pub created: Time,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.name`.
    pub name: Str,
    /// Whether it ended before it was asked to.
    pub ended: bool,
    /// When it was seen to be gone.
    pub gone: Time,
}

/// For one DaemonSet: node name to the pods that were there last.
///
/// Kubernetes' times have whole seconds, so several may be equally new: a plan sorts them out by their names.
#[derive(Default, Debug)]
pub struct GonePods(HashMap<Str, Vec<GonePod>>);

impl GonePods {
    /// The pods that were on this node last, where none came after them.
    pub fn on(&self, node: &str) -> &[GonePod] {
        self.0.get(node).map_or(&[], Vec::as_slice)
    }

    /// A pod on this node is gone, as is seen now.
    pub fn gone(&mut self, node: &Str, pod: &Pod, now: Time) {
        let known = self.0.entry(node.clone()).or_default();
        known.retain(|d| d.created >= pod.created && d.uid != pod.uid);
        if known.iter().all(|d| d.created == pod.created) {
            known.push(GonePod {
                created: pod.created,
                uid: pod.uid.clone(),
                name: pod.name.clone(),
                ended: pod.ended,
                gone: now,
            });
        }
    }

    /// A pod is seen on this node: what was there before it matters no more.
    pub fn seen(&mut self, node: &str, pod: &Pod) {
        let Some(known) = self.0.get_mut(node) else {
            return;
        };
        known.retain(|d| d.created >= pod.created);
        if known.is_empty() {
            self.0.remove(node);
        }
    }

    /// The node is gone, and with it whatever was on it.
    pub fn forget(&mut self, node: &str) {
        self.0.remove(node);
    }
}
