//! Annotations of rollout control that cannot be read.

use std::fmt;

use crate::model::Str;

use super::PREFIX;

/// The keys that this build knows, as an error lists them.
const KNOWN: &str = "approve, bake, budget, canary, deadline, exclusive, hold, on-failure, \
                     order, replace-by and resources";

/// So many bytes of a key and of a value are shown. Holds, events and logs quote them, and an
/// annotation may have 256 KiB.
const SHOWN: usize = 64;

/// So many bytes of what is wrong inside of a value.
const PROBLEM: usize = 200;

/// An annotation with the prefix that cannot be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InvalidKey {
    /// The key, without the prefix; escaped, and cut where it is long.
    pub key: Str,
    /// Its value; escaped, and cut where it is long.
    pub value: Str,
    /// What would be right, as a phrase; None for a key that is not known.
    pub wanted: Option<&'static str>,
    /// Where in the value something is wrong, and what; None where it is wrong as a whole.
    pub problem: Option<Str>,
}

impl InvalidKey {
    /// Of an annotation, only what is shown is kept.
    pub fn new(key: &str, value: &str, wanted: Option<&'static str>) -> InvalidKey {
        InvalidKey {
            key: shown(key),
            value: shown(value),
            wanted,
            problem: None,
        }
    }

    /// The same, and what is wrong inside of the value.
    pub fn because(self, problem: &str) -> InvalidKey {
        InvalidKey {
            problem: Some(cut(problem, PROBLEM)),
            ..self
        }
    }
}

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidKey {
            key,
            value,
            wanted,
            problem,
        } = self;
        match wanted {
            Some(wanted) if let Some(problem) = problem => write!(
                f,
                "annotation {PREFIX}{key}: \"{value}\" is not a valid value ({problem}), {wanted} is \
                 needed"
            ),
            Some(wanted) => write!(
                f,
                "annotation {PREFIX}{key}: \"{value}\" is not a valid value, {wanted} is needed"
            ),
            None => write!(
                f,
                "annotation {PREFIX}{key}: this version does not know the key; it knows {KNOWN}"
            ),
        }
    }
}

/// The text as it can be shown anywhere: what nobody sees is escaped, and a long one is cut between
/// characters and ends with its length.
fn shown(text: &str) -> Str {
    cut(text, SHOWN)
}

fn cut(text: &str, most: usize) -> Str {
    const ELLIPSIS: char = '…';
    let mut shown = String::new();
    let mut whole = 0;
    for c in text.chars() {
        match c {
            '\'' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
        if shown.len() > most {
            shown.truncate(whole);
            return format!("{shown}{ELLIPSIS} ({} bytes)", text.len()).into();
        }
        if shown.len() <= most - ELLIPSIS.len_utf8() {
            whole = shown.len();
        }
    }
    shown.into()
}
