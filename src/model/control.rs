//! Rollout control: what the annotations of a DaemonSet ask for beyond the built-in controller's
//! rules. Without such an annotation there is none, and every plan is the built-in controller's.
//!
//! A value that cannot be read, or a key that is not known, is never guessed at: it is kept as
//! [`InvalidKey`], and the rollout is held until somebody corrects it.

mod invalid;
mod values;

pub use invalid::InvalidKey;

use std::{sync::Arc, time::Duration};

use super::{LabelSelector, Labels, Str};

/// The prefix of the annotations with which a DaemonSet asks for rollout control.
pub const PREFIX: &str = "daemonset-controller.io/";

/// The prefix of annotations of ControllerRevisions in which the state of rollouts is kept.
pub const STATE_PREFIX: &str = "state.daemonset-controller.io/";

/// The annotation of a ControllerRevision that says when it completed: every eligible node had an
/// available pod of it. RFC 3339.
pub const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// The annotation of a ControllerRevision that says when the rollout to it began, under rollout
/// control. RFC 3339. It is for people: no decision follows from it.
pub const STARTED: &str = "state.daemonset-controller.io/started";

/// The annotation of a ControllerRevision with the stages of its rollout that are over.
pub const RELEASED: &str = "state.daemonset-controller.io/released";

/// The stage of [`RELEASED`] that is the canary.
pub const CANARY_STAGE: &str = "canary";

/// The key `approve`.
const APPROVE: &str = "approve";

/// The key `bake`.
const BAKE: &str = "bake";

/// The key `budget`.
const BUDGET: &str = "budget";

/// The key `canary`.
const CANARY: &str = "canary";

/// The key `hold`.
const HOLD: &str = "hold";

/// What a DaemonSet's annotations ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// `approve`: the hash of a revision that need not wait.
    pub approve: Option<Str>,
    /// `bake`: how long a stage is watched before the next one.
    pub bake: Bake,
    /// `canary`: the nodes that get a new revision first.
    pub canary: Option<Canary>,
    /// `budget: strict`: what the update strategy allows bounds everything that makes a node
    /// unavailable for an update.
    pub strict_budget: bool,
    /// `hold`: what is not done for the time being.
    pub hold: Option<HoldScope>,
    /// What cannot be read, by key.
    pub invalid: Vec<InvalidKey>,
}

/// The values of `bake`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bake {
    /// All pods of the stage have been available for so long.
    For(Duration),
    /// `approval`: somebody approves.
    Approval,
}

impl Default for Bake {
    fn default() -> Bake {
        Bake::For(Duration::from_secs(10 * 60))
    }
}

/// The values of `canary`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Canary {
    /// So many nodes; at least one.
    Nodes(usize),
    /// This share of the eligible nodes, rounded up; 1 to 100.
    Percent(usize),
    /// The eligible nodes with such labels.
    Selector(LabelSelector),
}

/// The values of `hold`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HoldScope {
    /// `rollout`: no pod is replaced by one of another revision.
    Rollout,
    /// `all`: no pod is created or deleted, but for pods that must leave nodes that are not
    /// eligible.
    All,
}

impl Control {
    /// Reads a DaemonSet's annotations. None where none has the prefix, and where every key is
    /// `off`.
    pub fn read(annotations: &Labels) -> Option<Arc<Control>> {
        let mut control = Control::default();
        for (key, value) in annotations.iter() {
            let Some(key) = key.strip_prefix(PREFIX) else {
                continue;
            };
            control.set(key, value);
        }
        (control != Control::default()).then(|| Arc::new(control))
    }

    fn set(&mut self, key: &str, value: &str) {
        let wanted = match (key, value) {
            (APPROVE | BAKE | BUDGET | CANARY | HOLD, "off") => return,
            (APPROVE, _) if values::is_hash(value) => return self.approve = Some(value.into()),
            (APPROVE, _) => {
                Some("the hash of a revision, as in the label controller-revision-hash, or off")
            }
            (BAKE, _) => match values::bake(value) {
                Some(bake) => return self.bake = bake,
                None => Some("a duration as 10m or 1h30m, approval or off"),
            },
            (CANARY, _) => match values::canary(value) {
                Some(canary) => return self.canary = Some(canary),
                None => Some(
                    "a number of nodes from 1, a share from 1% to 100%, a label selector or off",
                ),
            },
            (BUDGET, "strict") => return self.strict_budget = true,
            (BUDGET, _) => Some("strict or off"),
            (HOLD, "rollout") => return self.hold = Some(HoldScope::Rollout),
            (HOLD, "all") => return self.hold = Some(HoldScope::All),
            (HOLD, _) => Some("rollout, all or off"),
            _ => None,
        };
        self.invalid.push(InvalidKey {
            key: key.into(),
            value: value.into(),
            wanted,
        });
    }
}

#[cfg(test)]
mod tests;
