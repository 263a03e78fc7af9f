//! A pod that a list did not hold although it is known.

use super::{Key, Uid};

/// A pod of a DaemonSet that a list of its pods did not hold, although the list was newer than what
/// is known of the pod: it is gone, or lost its label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingPod {
    /// Its namespace and name.
    pub key: Key,
    /// Its UID.
    pub uid: Uid,
    /// Whether its node has a newer pod of the DaemonSet: how this one ended does not matter.
    pub is_followed: bool,
}
