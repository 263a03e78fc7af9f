//! The kinds of objects that are watched.

/// A kind of objects that is kept in the cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// `apps/v1` DaemonSets.
    DaemonSet = 0,
    /// `v1` Nodes.
    Node = 1,
    /// `apps/v1` ControllerRevisions.
    Revision = 2,
    /// `v1` Pods.
    Pod = 3,
}

impl Kind {
    /// In the order in which they are listed at the start: pods last, so that every pod made for a
    /// DaemonSet that was listed is in the list of pods.
    pub const ALL: [Kind; 4] = [Kind::DaemonSet, Kind::Node, Kind::Revision, Kind::Pod];

    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DaemonSet => "DaemonSet",
            Kind::Node => "Node",
            Kind::Revision => "ControllerRevision",
            Kind::Pod => "Pod",
        }
    }
}
