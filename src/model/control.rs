//! Rollout control: what the annotations of a DaemonSet ask for beyond the built-in controller's
//! rules. Without such an annotation there is none, and every plan is the built-in controller's.
//!
//! A value that cannot be read, or a key that is not known, is never guessed at: it is kept as
//! [`InvalidKey`], and the rollout is held until somebody corrects it.

use std::{fmt, sync::Arc};

use super::{Labels, Str};

/// The prefix of the annotations with which a DaemonSet asks for rollout control.
pub const PREFIX: &str = "daemonset-controller.io/";

/// The prefix of annotations of ControllerRevisions in which the state of rollouts is kept.
pub const STATE_PREFIX: &str = "state.daemonset-controller.io/";

/// The annotation of a ControllerRevision that says when it completed: every eligible node had an
/// available pod of it. RFC 3339.
pub const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// The key `budget`.
const BUDGET: &str = "budget";

/// The key `hold`.
const HOLD: &str = "hold";

/// The keys that this build knows, as an error lists them.
const KNOWN: &str = "budget and hold";

/// What a DaemonSet's annotations ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Control {
    /// `budget: strict`: what the update strategy allows bounds everything that makes a node
    /// unavailable for an update.
    pub strict_budget: bool,
    /// `hold`: what is not done for the time being.
    pub hold: Option<HoldScope>,
    /// What cannot be read, by key.
    pub invalid: Vec<InvalidKey>,
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
            (BUDGET | HOLD, "off") => return,
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
    fn a_key_that_is_not_known_is_named_with_those_that_are() {
        for key in ["holt", "", "Hold", "hold/x"] {
            let control = read(&[(&format!("daemonset-controller.io/{key}"), "all")]);
            let said = control.expect("control").invalid[0].to_string();
            assert_eq!(
                said,
                format!(
                    "annotation daemonset-controller.io/{key}: this version does not know the key; it knows budget and hold"
                )
            );
        }
    }
}
