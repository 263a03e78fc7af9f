//! Foreign pods: pods of our DaemonSets that another controller creates while this one is active.

use tokio::sync::watch;

use crate::model::{Key, Str};

/// A pod of one of our DaemonSets that another controller created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForeignPod {
    /// The DaemonSet that controls the pod.
    pub daemon_set: Key,
    /// `metadata.name`, in the DaemonSet's namespace.
    pub pod: Str,
}

/// The foreign pods so far: how many, and the last one.
#[derive(Clone, Default, Debug)]
pub struct ForeignPods {
    count: u64,
    last: Option<ForeignPod>,
}

impl ForeignPods {
    /// Counts one more, which becomes the last one.
    pub fn add(&mut self, pod: ForeignPod) {
        self.count += 1;
        self.last = Some(pod);
    }
}

/// Waits for the next foreign pod. Of several that came since the last call it returns the last
/// one. None when the sender is gone, so that there can be no more.
pub async fn next(pods: &mut watch::Receiver<ForeignPods>) -> Option<ForeignPod> {
    pods.changed().await.ok()?;
    pods.borrow_and_update().last.clone()
}
