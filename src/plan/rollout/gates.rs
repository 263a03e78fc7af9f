//! How many candidates may go now. A gate only takes away: none adds a disruption.

use crate::model::IntOrPercent;

use crate::plan::{
    control::exempt::{Exempt, TooMany},
    hold::HoldRule,
};

use super::{
    census::Candidate,
    counts::Rollout,
    order::{self, Turns},
};

/// `rollingUpdate.maxUnavailable` and `maxSurge` as counts of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Nodes that may be unavailable.
    pub max_unavailable: usize,
    /// Nodes that may have a second pod.
    pub max_surge: usize,
}

impl Budget {
    /// Where the strategy has no budget: one node at a time.
    pub const ONE: Budget = Budget {
        max_unavailable: 1,
        max_surge: 0,
    };

    /// Percentages are shares of the desired nodes, rounded up. Where both come to nothing, one
    /// node may be unavailable. None where a value is neither a number nor a percentage; upstream
    /// stops with an error.
    pub fn new(
        max_unavailable: &IntOrPercent,
        max_surge: &IntOrPercent,
        desired: usize,
    ) -> Option<Budget> {
        let mut budget = Budget {
            max_unavailable: max_unavailable.scaled_up(desired)?,
            max_surge: max_surge.scaled_up(desired)?,
        };
        if desired > 0 && budget.max_unavailable == 0 && budget.max_surge == 0 {
            budget.max_unavailable = 1;
        }
        Some(budget)
    }
}

/// Which rule says how many go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// The built-in controller's: old pods that are not available go at once, whatever the budget.
    Upstream,
    /// `budget: strict`: these count as well. Else two updates in a row, or an outage of what the
    /// pods need to be ready, replace all of them at once (kubernetes#111073, kruise#1323).
    Strict,
    /// `budget: bad-nodes`: more nodes are bad than it allows, and nothing is replaced.
    Shut(TooMany),
}

impl Gate {
    /// The rule that a DaemonSet asks for.
    pub fn new(strict: bool, exempt: &Exempt) -> Gate {
        match exempt.too_many() {
            Some(too_many) => Gate::Shut(too_many),
            None if strict => Gate::Strict,
            None => Gate::Upstream,
        }
    }

    /// Whether every node without an available pod counts.
    pub fn is_strict(self) -> bool {
        self == Gate::Strict
    }

    /// Whether nothing is replaced.
    pub fn is_shut(self) -> bool {
        matches!(self, Gate::Shut(_))
    }

    /// The rule that holds those which wait: this one of the strategy, unless nothing is replaced.
    pub fn rule(self, rule: HoldRule) -> HoldRule {
        match self {
            Gate::Shut(too_many) => HoldRule::TooManyBadNodes(too_many),
            Gate::Upstream | Gate::Strict => rule,
        }
    }

    /// How many go of those for which there is room.
    pub fn room(self, room: usize) -> usize {
        match self {
            Gate::Shut(_) => 0,
            Gate::Upstream | Gate::Strict => room,
        }
    }

    /// The old pods that are not available and go now, and the nodes of those that wait, of which
    /// so many are named. `room` is how many more nodes may be disrupted.
    pub fn unavailable(
        self,
        waiting: Vec<Candidate<'_>>,
        room: usize,
        named: usize,
    ) -> (Vec<Candidate<'_>>, Turns) {
        match self {
            Gate::Upstream => (waiting, Turns::default()),
            Gate::Strict | Gate::Shut(_) => order::split(waiting, self.room(room), named),
        }
    }

    /// How many nodes with available old pods may get a second one: as many as there is room for,
    /// and strictly less those that old pods that are not available have taken or wait for.
    pub fn available_beside(self, room: usize, unavailable: usize) -> usize {
        match self {
            Gate::Upstream => room,
            Gate::Strict => room.saturating_sub(unavailable),
            Gate::Shut(_) => 0,
        }
    }
}

/// How many more available pods may be deleted.
pub fn max_unavailable(rollout: &Rollout) -> usize {
    rollout.max_unavailable.saturating_sub(rollout.unavailable)
}

/// How many more nodes may get a second pod.
pub fn max_surge(rollout: &Rollout) -> usize {
    rollout.max_surge.saturating_sub(rollout.surging)
}

/// How many available pods may go from nodes that are no longer eligible, while surging: no more
/// than there are beyond the desired number.
pub fn too_few_available(available: usize, desired: usize) -> usize {
    available.saturating_sub(desired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_of_nothing_is_one_where_a_pod_is_wanted() {
        use IntOrPercent::{Int, Invalid, Percent};
        let budget =
            |u, s, desired| Budget::new(&u, &s, desired).map(|b| (b.max_unavailable, b.max_surge));
        assert_eq!(budget(Int(0), Int(0), 3), Some((1, 0)));
        assert_eq!(budget(Int(0), Int(0), 0), Some((0, 0)));
        assert_eq!(budget(Percent(10), Int(0), 11), Some((2, 0)));
        assert_eq!(budget(Int(0), Percent(1), 5), Some((0, 1)));
        assert_eq!(budget(Invalid("x".into()), Int(0), 5), None);
        assert_eq!(budget(Int(1), Invalid("x".into()), 5), None);
    }
}
