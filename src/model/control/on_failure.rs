//! The values of `on-failure`.

/// What is done about nodes that fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OnFailure {
    /// What is done where there are more than are tolerated.
    pub action: FailureAction,
    /// How many may fail.
    pub tolerated: Tolerated,
}

/// What is done where more nodes fail than are tolerated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FailureAction {
    /// `pause`: nothing further is replaced.
    #[default]
    Pause,
    /// `rollback`: all nodes go back to the stable revision.
    Rollback,
    /// `continue`: nothing is held, and no stage waits for a node that fails.
    Continue,
}

/// How many nodes may fail: the number of `tolerate`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tolerated {
    /// So many nodes.
    Nodes(usize),
    /// This share of the eligible nodes, rounded up; 0 to 100.
    Percent(usize),
}

impl Default for Tolerated {
    fn default() -> Tolerated {
        Tolerated::Nodes(0)
    }
}

impl Tolerated {
    /// The count out of so many eligible nodes.
    pub fn of(self, desired: usize) -> usize {
        match self {
            Tolerated::Nodes(nodes) => nodes,
            Tolerated::Percent(percent) => (desired * percent).div_ceil(100),
        }
    }
}
