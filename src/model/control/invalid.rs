//! Annotations of rollout control that cannot be read.

use std::fmt;

use crate::model::Str;

use super::PREFIX;

/// The keys that this build knows, as an error lists them.
const KNOWN: &str = "approve, bake, budget, canary, hold and order";

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
