//! The last pods on nodes that have none now. The name of the next pod on the node follows from
//! them.
//!
//! Two controllers whose caches differ by a moment must post the same name for a node. One may
//! still see a pod that is gone for the other, and be about to derive its successor's name from it.
//! So a pod that is gone goes on deciding the next name until another pod is seen on the node, or
//! for [`REMEMBERED`]. Then one controller may still remember it while another does not. So no pod
//! is made whose name depends on that, until all have forgotten it ([`FORGOTTEN`]). Nothing else
//! about names is remembered. A controller that starts while a node is empty waits until all others
//! have forgotten the pod.

use std::collections::HashMap;
use std::time::Duration;

use super::{Pod, Str, Time, Uid, revision::HASH_LABEL};

/// The time for which a gone pod decides the next name. The caches of two controllers do not differ
/// by more, or one of them has just started and makes no pods yet.
pub const REMEMBERED: Duration = Duration::from_secs(2);

/// The time after which a gone pod decides nothing. A create that was planned while it did has
/// taken effect by then, and its pod is seen, unless that took longer than the time from
/// [`REMEMBERED`] to here.
pub const FORGOTTEN: Duration = Duration::from_secs(4);

/// How a pod ended, as far as the next name depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// It was terminal before it was asked to go.
    ByItself,
    /// It was asked to go and became terminal. A kubelet writes that when all containers have
    /// stopped, and deletes the pod some moments later; in between the next one is made.
    OnRequest,
    /// It is not terminal: it runs still, or it was deleted without its kubelet.
    None,
}

impl End {
    /// How this pod ended, in its last state.
    pub fn of(pod: &Pod) -> End {
        match pod.phase.is_terminal() {
            true if pod.ended => End::ByItself,
            true => End::OnRequest,
            false => End::None,
        }
    }
}

/// A pod that is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GonePod {
    /// `metadata.creationTimestamp`.
    pub created: Time,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.name`.
    pub name: Str,
    /// The hash label of its revision, where it had one.
    pub revision: Option<Str>,
    /// How it ended.
    pub end: End,
    /// When it was seen to be gone.
    pub gone: Time,
}

/// For one DaemonSet: node name to its last pods there.
///
/// Kubernetes' times have whole seconds, so several pods may be equally new. A plan orders them by
/// their names. An older one counts when the newer ones are forgotten.
#[derive(Clone, Default, Debug)]
pub struct GonePods(HashMap<Str, Vec<GonePod>>);

impl GonePods {
    /// The last pods on this node; empty once a newer pod was seen there.
    pub fn on(&self, node: &str) -> &[GonePod] {
        // Nearly all plans leave here.
        if self.0.is_empty() {
            return &[];
        }
        self.0.get(node).map_or(&[], Vec::as_slice)
    }

    /// The pod is gone from this node. `now` is the time at which that was seen.
    pub fn gone(&mut self, node: &Str, pod: &Pod, now: Time) {
        let known = self.0.entry(node.clone()).or_default();
        // A newer one that went long before this one, as in a surge that was taken back, says
        // nothing any more of what the node had last.
        known.retain(|p| {
            let is_recent = p.created == pod.created || p.gone + FORGOTTEN > now;
            p.created >= pod.created && p.uid != pod.uid && is_recent
        });
        known.push(GonePod {
            created: pod.created,
            uid: pod.uid.clone(),
            name: pod.name.clone(),
            revision: pod.labels.get_shared(HASH_LABEL).cloned(),
            end: End::of(pod),
            gone: now,
        });
    }

    /// The pod is on this node: older pods no longer matter.
    pub fn seen(&mut self, node: &str, pod: &Pod) {
        let Some(known) = self.0.get_mut(node) else {
            return;
        };
        known.retain(|p| p.created >= pod.created);
        if known.is_empty() {
            self.0.remove(node);
        }
    }

    /// The node is gone, and its last pods no longer matter.
    pub fn forget(&mut self, node: &str) {
        self.0.remove(node);
    }
}
