//! Rollout control: what the annotations of a DaemonSet ask for beyond the built-in controller's
//! rules. Without such an annotation there is none, and every plan is the built-in controller's.
//!
//! A value that cannot be read, or a key that is not known, is never guessed at: it is kept as
//! [`InvalidKey`], and the rollout is held until somebody corrects it.

use std::{fmt, sync::Arc, time::Duration};

use super::{LabelSelector, Labels, Str};

/// The prefix of the annotations with which a DaemonSet asks for rollout control.
pub const PREFIX: &str = "daemonset-controller.io/";

/// The prefix of annotations of ControllerRevisions in which the state of rollouts is kept.
pub const STATE_PREFIX: &str = "state.daemonset-controller.io/";

/// The annotation of a ControllerRevision that says when it completed: every eligible node had an
/// available pod of it. RFC 3339.
pub const COMPLETED: &str = "state.daemonset-controller.io/completed";

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

/// The keys that this build knows, as an error lists them.
const KNOWN: &str = "approve, bake, budget, canary and hold";

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

/// An annotation with the prefix that cannot be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InvalidKey {
    /// The key, without the prefix.
    pub key: Str,
    /// Its value.
    pub value: Str,
    /// What would be right, as a phrase; None for a key that is not known.
    pub wanted: Option<&'static str>,
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidKey { key, value, wanted } = self;
        match wanted {
            Some(wanted) => write!(
                f,
                "annotation {PREFIX}{key}: {value:?} is not a valid value, {wanted} is needed"
            ),
            None => write!(
                f,
                "annotation {PREFIX}{key}: this version does not know the key; it knows {KNOWN}"
            ),
        }
    }
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
            (APPROVE, _) if is_hash(value) => return self.approve = Some(value.into()),
            (APPROVE, _) => {
                Some("the hash of a revision, as in the label controller-revision-hash, or off")
            }
            (BAKE, _) => match bake(value) {
                Some(bake) => return self.bake = bake,
                None => Some("a duration as 10m or 1h30m, approval or off"),
            },
            (CANARY, _) => match canary(value) {
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

fn is_hash(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn bake(text: &str) -> Option<Bake> {
    match text {
        "approval" => Some(Bake::Approval),
        _ => duration(text).map(Bake::For),
    }
}

/// Hours, minutes and seconds in this order, each a whole number, as in `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part = number.parse::<u32>().ok()?;
        seconds += u64::from(part) * length;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

fn canary(text: &str) -> Option<Canary> {
    let number = |digits: &str| {
        let plain = digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|n: &usize| plain && *n > 0)
    };
    if let Some(percent) = text.strip_suffix('%') {
        return number(percent).filter(|p| *p <= 100).map(Canary::Percent);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return number(text).map(Canary::Nodes);
    }
    let selector = LabelSelector::parse(text).ok()?;
    // What selects everything was hardly meant.
    (selector != LabelSelector::default()).then_some(Canary::Selector(selector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &[(&str, &str)]) -> Option<Arc<Control>> {
        Control::read(&annotations.iter().copied().collect())
    }

    #[test]
    fn without_a_key_there_is_no_control() {
        assert_eq!(read(&[]), None);
        let others = [
            ("hold", "all"),
            ("example.com/hold", "all"),
            (
                "state.daemonset-controller.io/completed",
                "2026-11-20T06:00:00Z",
            ),
            ("sim.daemonset-controller.io/hold", "all"),
        ];
        assert_eq!(read(&others), None);
    }

    #[test]
    fn values_of_hold() {
        let hold = |value: &str| read(&[("daemonset-controller.io/hold", value)]);
        assert_eq!(hold("off"), None);
        for (value, scope) in [("rollout", HoldScope::Rollout), ("all", HoldScope::All)] {
            let control = hold(value).expect("control");
            assert_eq!((control.hold, &control.invalid[..]), (Some(scope), &[][..]));
        }
        for wrong in ["", "rollot", "Rollout", "true", " all", "all "] {
            let control = hold(wrong).expect("control");
            assert_eq!(control.hold, None, "{wrong:?}");
            let said = control.invalid[0].to_string();
            let right = format!(
                "annotation daemonset-controller.io/hold: {wrong:?} is not a valid value, rollout, all or off is needed"
            );
            assert_eq!(said, right);
        }
    }

    #[test]
    fn values_of_budget() {
        let budget = |value: &str| read(&[("daemonset-controller.io/budget", value)]);
        assert_eq!(budget("off"), None);
        let strict = budget("strict").expect("control");
        assert!(strict.strict_budget && strict.invalid.is_empty());
        for wrong in ["", "Strict", "1", "bad-nodes", "strict,bad-nodes"] {
            let control = budget(wrong).expect("control");
            assert!(!control.strict_budget, "{wrong:?}");
            let said = control.invalid[0].to_string();
            assert!(
                said.ends_with("is not a valid value, strict or off is needed"),
                "{said}"
            );
        }
    }

    #[test]
    fn values_of_bake() {
        let bake = |value: &str| read(&[("daemonset-controller.io/bake", value)]);
        assert_eq!(bake("off"), None);
        let seconds = |n| Bake::For(Duration::from_secs(n));
        for (value, right) in [
            ("0s", seconds(0)),
            ("90s", seconds(90)),
            ("5m", seconds(300)),
            ("1h30m", seconds(5400)),
            ("2h0m5s", seconds(7205)),
            ("approval", Bake::Approval),
        ] {
            let control = bake(value).expect("control");
            assert_eq!(
                (control.bake, &control.invalid[..]),
                (right, &[][..]),
                "{value}"
            );
        }
        // The default is no key.
        assert_eq!(bake("10m"), None);
        for wrong in [
            "",
            "10",
            "m",
            "10 m",
            "-5m",
            "5m1h",
            "1.5h",
            "10min",
            "1d",
            "5mm",
            "Approval",
            "99999999999h",
        ] {
            assert_eq!(bake(wrong).expect("control").invalid.len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn values_of_canary() {
        let canary = |value: &str| read(&[("daemonset-controller.io/canary", value)]);
        assert_eq!(canary("off"), None);
        for (value, right) in [
            ("3", Canary::Nodes(3)),
            ("5%", Canary::Percent(5)),
            ("100%", Canary::Percent(100)),
        ] {
            let control = canary(value).expect("control");
            assert_eq!(
                (&control.canary, control.invalid.len()),
                (&Some(right), 0),
                "{value}"
            );
        }
        for selector in ["canary=yes", "pool in (a,b),!gpu", "example.com/canary"] {
            let control = canary(selector).expect("control");
            let Some(Canary::Selector(parsed)) = &control.canary else {
                panic!("{selector}: {control:?}");
            };
            assert_eq!(Ok(parsed), LabelSelector::parse(selector).as_ref());
        }
        for wrong in [
            "",
            " ",
            "0",
            "-1",
            "+1",
            "0%",
            "101%",
            "%",
            "1.5",
            "3 nodes",
            "=x",
            "a=b,",
            "9999999999999999999999",
        ] {
            assert_eq!(
                canary(wrong).expect("control").invalid.len(),
                1,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn values_of_approve() {
        let approve = |value: &str| read(&[("daemonset-controller.io/approve", value)]);
        assert_eq!(approve("off"), None);
        let control = approve("6f5d9c7b8d").expect("control");
        assert_eq!(control.approve.as_deref(), Some("6f5d9c7b8d"));
        for wrong in ["", "Yes", "agent-6f5d9c7b8d", "a b"] {
            assert_eq!(
                approve(wrong).expect("control").invalid.len(),
                1,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_not_known_is_named_with_those_that_are() {
        for key in ["holt", "", "Hold", "hold/x"] {
            let control = read(&[(&format!("daemonset-controller.io/{key}"), "all")]);
            let said = control.expect("control").invalid[0].to_string();
            assert_eq!(
                said,
                format!(
                    "annotation daemonset-controller.io/{key}: this version does not know the key; it knows approve, bake, budget, canary and hold"
                )
            );
        }
    }
}
