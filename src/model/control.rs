//! Rollout control: what the annotations of a DaemonSet, or the cluster defaults, ask for beyond
//! the built-in controller's rules. Without any of them there is none, and every plan is the
//! built-in controller's.
//!
//! A value that cannot be read, or a key that is not known, is never guessed at: it is kept as
//! [`InvalidKey`], and the rollout is held until somebody corrects it.

mod invalid;
mod on_failure;
mod resources;
mod values;

pub use invalid::InvalidKey;
pub use on_failure::{FailureAction, OnFailure, Tolerated};
pub use values::{LONGEST, duration, is_hash};

use resources::Malformed;

use std::{sync::Arc, time::Duration};

use super::{DefaultsOf, Exclusion, LabelSelector, Labels, Order, ResourceRule, Str};

/// The prefix of the annotations with which a DaemonSet asks for rollout control.
pub const PREFIX: &str = "daemonset-controller.io/";

/// The prefix of annotations of ControllerRevisions in which the state of rollouts is kept.
pub const STATE_PREFIX: &str = "state.daemonset-controller.io/";

/// The annotation of a ControllerRevision that says when it completed: every eligible node had an
/// available pod of it. RFC 3339.
pub const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// The annotation of a ControllerRevision that says when the rollout to it began, under rollout
/// control. RFC 3339. Without it no node is judged to fail.
pub const STARTED: &str = "state.daemonset-controller.io/started";

/// The annotation of a ControllerRevision with the stages of its rollout that are over: a JSON list
/// of names.
pub const RELEASED: &str = "state.daemonset-controller.io/released";

/// The annotation of a ControllerRevision that says that its rollout failed and was rolled back:
/// JSON, see `Failed`.
pub const VERDICT: &str = "state.daemonset-controller.io/verdict";

/// The annotation of a ControllerRevision that says when somebody approved it, and how often the
/// containers on each node had been restarted by then: JSON, see `Approved`.
pub const APPROVED: &str = "state.daemonset-controller.io/approved";

/// The annotation of a ControllerRevision that says since when the time of `deadline` runs: RFC
/// 3339, or `stopped`. Where it is absent it runs since the rollout began.
pub const CLOCK: &str = "state.daemonset-controller.io/clock";

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

/// The key `deadline`.
const DEADLINE: &str = "deadline";

/// The key `exclusive`.
const EXCLUSIVE: &str = "exclusive";

/// The key `hold`.
const HOLD: &str = "hold";

/// The key `on-failure`.
const ON_FAILURE: &str = "on-failure";

/// The key `order`.
const ORDER: &str = "order";

/// The key `replace-by`.
const REPLACE_BY: &str = "replace-by";

/// The key `resources`.
const RESOURCES: &str = "resources";

/// What a DaemonSet's annotations and the cluster defaults ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// `approve`: the hash of a revision that need not wait.
    pub approve: Option<Str>,
    /// `budget: bad-nodes`: nodes that are out of order or about to go do not take part in a
    /// rollout, while there are no more than this.
    pub bad_nodes: Option<NodeCap>,
    /// `bake`: how long a stage is watched before the next one.
    pub bake: Bake,
    /// `canary`: the nodes that get a new revision first.
    pub canary: Option<Canary>,
    /// `budget: strict`: what the update strategy allows bounds everything that makes a node
    /// unavailable for an update.
    pub strict_budget: bool,
    /// `deadline`: for so long a rollout may make no progress.
    pub deadline: Option<Duration>,
    /// `exclusive: true`: a node never has two pods that could run, whatever is late.
    pub exclusive: bool,
    /// `hold`: what is not done for the time being.
    pub hold: Option<HoldScope>,
    /// `on-failure`: what is done about nodes that fail.
    pub on_failure: Option<OnFailure>,
    /// `order`: the groups of nodes that get a new revision one after another.
    pub order: Option<Order>,
    /// `replace-by: eviction`: deletes of the rollout go by the eviction API.
    pub evicts: bool,
    /// `resources`: what containers get by class of node; the first rule that matches counts.
    pub resources: Vec<Arc<ResourceRule>>,
    /// What cannot be read, by key.
    pub invalid: Vec<InvalidKey>,
    /// The nodes that the cluster defaults exclude.
    pub exclusions: Arc<[Exclusion]>,
    /// Every key that can be read, with its value and where that came from, by key.
    pub settings: Vec<Setting>,
}

/// A key that counts for a DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting {
    /// The key, without the prefix.
    pub key: Str,
    /// Its value, which may be `off`.
    pub value: Str,
    /// Where the value came from.
    pub origin: Origin,
}

/// Where the value of a key came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// An annotation of the DaemonSet.
    Annotation,
    /// The rule of the cluster defaults with this number, from 1.
    Rule(usize),
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

/// How many nodes may be bad: the number of `budget: bad-nodes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeCap {
    /// So many nodes; at least one.
    Nodes(usize),
    /// This share of the eligible nodes, rounded up; 1 to 100.
    Percent(usize),
}

impl Default for NodeCap {
    fn default() -> NodeCap {
        NodeCap::Percent(20)
    }
}

impl NodeCap {
    /// The count out of so many eligible nodes.
    pub fn of(self, desired: usize) -> usize {
        match self {
            NodeCap::Nodes(nodes) => nodes,
            NodeCap::Percent(percent) => (desired * percent).div_ceil(100),
        }
    }
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
    /// Reads a DaemonSet's annotations, which win over its defaults. None where neither asks for
    /// anything, and where every key is `off`.
    pub fn read(annotations: &Labels, defaults: &DefaultsOf) -> Option<Arc<Control>> {
        let mut control = Control::default();
        if !defaults.exclusions.is_empty() {
            control.exclusions = defaults.exclusions[..].into();
        }
        let mut settings = Vec::new();
        let mut annotated: Vec<&str> = Vec::new();
        for (key, value) in annotations.iter() {
            let Some(key) = key.strip_prefix(PREFIX) else {
                continue;
            };
            annotated.push(key);
            settings.extend(control.take(key, value, Origin::Annotation));
        }
        for (key, (value, rule)) in &defaults.set {
            if !annotated.contains(&&**key) {
                settings.extend(control.take(key, value, Origin::Rule(*rule)));
            }
        }
        // What says nothing but the default of a key is no control, wherever that came from.
        if control == Control::default() {
            return None;
        }
        settings.sort_by(|a, b| a.key.cmp(&b.key));
        control.settings = settings;
        Some(Arc::new(control))
    }

    /// What is done about nodes that fail; None where nothing asks for it. Stages ask for it: they
    /// are there to find out. So does a deadline.
    pub fn failures(&self) -> Option<OnFailure> {
        let is_staged = self.canary.is_some() || self.order.is_some();
        let asks = is_staged || self.deadline.is_some();
        self.on_failure.or_else(|| asks.then(OnFailure::default))
    }

    /// What is wrong with a key, without the prefix, and its value; None where it can be read.
    pub fn check(key: &str, value: &str) -> Option<InvalidKey> {
        let mut control = Control::default();
        control.set(key, value);
        control.invalid.pop()
    }

    /// Takes a key in. None where it cannot be read.
    fn take(&mut self, key: &str, value: &str, origin: Origin) -> Option<Setting> {
        let invalid = self.invalid.len();
        self.set(key, value);
        (self.invalid.len() == invalid).then(|| Setting {
            key: key.into(),
            value: value.into(),
            origin,
        })
    }

    fn set(&mut self, key: &str, value: &str) {
        let wanted = match (key, value) {
            (_, "off") if is_known(key) => return,
            _ if value.len() > values::LONGEST && is_known(key) => Some("a text of at most 16 KiB"),
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
            (BUDGET, _) => match values::budget(value) {
                Some(budget) => return (self.strict_budget, self.bad_nodes) = budget,
                None => Some(
                    "strict, bad-nodes, bad-nodes=N (from 1) or bad-nodes=N% (to 100), both joined by \
                     a comma, or off",
                ),
            },
            // Without any time there could be no progress.
            (DEADLINE, _) => match values::duration(value).filter(|time| !time.is_zero()) {
                Some(deadline) => return self.deadline = Some(deadline),
                None => Some("a duration over 0 as 10m or 1h30m, or off"),
            },
            (EXCLUSIVE, "true") => return self.exclusive = true,
            (EXCLUSIVE, _) => Some("true or off"),
            (HOLD, "rollout") => return self.hold = Some(HoldScope::Rollout),
            (HOLD, "all") => return self.hold = Some(HoldScope::All),
            (HOLD, _) => Some("rollout, all or off"),
            (ON_FAILURE, _) => match values::on_failure(value) {
                Some(on_failure) => return self.on_failure = Some(on_failure),
                None => Some(
                    "pause, rollback or continue, with ,tolerate=N (from 0) or ,tolerate=N% (to 100) \
                     after it if need be, or off",
                ),
            },
            (ORDER, _) => match Order::parse(value) {
                Some(order) => return self.order = Some(order),
                None => Some(
                    "label keys of nodes joined by commas, each with the order of its values if need \
                     be, as in zone=a>b,rack, or off",
                ),
            },
            (REPLACE_BY, "eviction") => return self.evicts = true,
            (REPLACE_BY, _) => Some("eviction or off"),
            (RESOURCES, _) => match resources::rules(value) {
                Ok(rules) => return self.resources = rules,
                Err(Malformed::Shape) => Some(resources::WANTED),
                Err(Malformed::Inside(why)) => {
                    let invalid = InvalidKey::new(key, value, Some(resources::WANTED));
                    return self.invalid.push(invalid.because(&why));
                }
            },
            _ => None,
        };
        self.invalid.push(InvalidKey::new(key, value, wanted));
    }
}

fn is_known(key: &str) -> bool {
    matches!(
        key,
        APPROVE
            | BAKE
            | BUDGET
            | CANARY
            | DEADLINE
            | EXCLUSIVE
            | HOLD
            | ON_FAILURE
            | ORDER
            | REPLACE_BY
            | RESOURCES
    )
}

#[cfg(test)]
mod tests;
