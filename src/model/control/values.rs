//! The values of the keys, from their text. None is a value that cannot be read.
//!
//! The admission policy of the chart says the same in another language
//! (`templates/admissionpolicy.yaml`). Both are held against `tests/data/rollout-keys.json`.

use std::time::Duration;

use crate::model::LabelSelector;

use super::{Bake, Canary, FailureAction, NodeCap, OnFailure, Tolerated};

/// The longest value, in bytes. The API server judges longer ones at a cost that admission does not
/// have.
pub const LONGEST: usize = 16 * 1024;

/// Whether the text may be the hash of a revision, as in the label controller-revision-hash.
pub fn is_hash(text: &str) -> bool {
    let is_inside = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    // A label has at most 63.
    (1..=63).contains(&text.len()) && text.bytes().all(is_inside)
}

pub fn bake(text: &str) -> Option<Bake> {
    match text {
        "approval" => Some(Bake::Approval),
        _ => duration(text).map(Bake::For),
    }
}

/// Hours, minutes and seconds in this order, each a whole number, as in `1h30m`.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        seconds += u64::from(digits(number)?) * length;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

/// A number from 1, without leading zeros.
pub fn count(text: &str) -> Option<usize> {
    let number = digits(text).filter(|_| !text.starts_with('0'))?;
    usize::try_from(number).ok()
}

/// At most nine decimal digits.
fn digits(text: &str) -> Option<u32> {
    let plain = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

pub fn canary(text: &str) -> Option<Canary> {
    if let Some(percent) = text.strip_suffix('%') {
        return share(percent).map(Canary::Percent);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return count(text).map(Canary::Nodes);
    }
    selector(text).map(Canary::Selector)
}

/// A selector of nodes.
pub fn selector(text: &str) -> Option<LabelSelector> {
    // ` 5` and `off ` would be labels of such names otherwise.
    if text.trim() != text || has_long_bound(text) {
        return None;
    }
    let selector = LabelSelector::parse(text).ok()?;
    // What selects everything was hardly meant.
    (selector != LabelSelector::default()).then_some(selector)
}

/// Whether the budget is strict, and how many nodes may be bad: `strict` and `bad-nodes`, each at
/// most once.
pub fn budget(text: &str) -> Option<(bool, Option<NodeCap>)> {
    let (mut strict, mut bad_nodes) = (false, None);
    for part in text.split(',') {
        let again = match part {
            "strict" => std::mem::replace(&mut strict, true),
            _ => bad_nodes.replace(cap(part)?).is_some(),
        };
        if again {
            return None;
        }
    }
    Some((strict, bad_nodes))
}

fn cap(text: &str) -> Option<NodeCap> {
    let Some(number) = text.strip_prefix("bad-nodes=") else {
        return (text == "bad-nodes").then(NodeCap::default);
    };
    match number.strip_suffix('%') {
        Some(percent) => share(percent).map(NodeCap::Percent),
        None => count(number).map(NodeCap::Nodes),
    }
}

/// What is done about nodes that fail, and how many may.
pub fn on_failure(text: &str) -> Option<OnFailure> {
    let (action, tolerated) = match text.split_once(',') {
        Some((action, rest)) => (action, tolerated(rest.strip_prefix("tolerate=")?)?),
        None => (text, Tolerated::default()),
    };
    let action = match action {
        "pause" => FailureAction::Pause,
        "rollback" => FailureAction::Rollback,
        "continue" => FailureAction::Continue,
        _ => return None,
    };
    Some(OnFailure { action, tolerated })
}

fn tolerated(text: &str) -> Option<Tolerated> {
    let zero_or = |number: &str, other: Option<usize>| match number {
        "0" => Some(0),
        _ => other,
    };
    match text.strip_suffix('%') {
        Some(percent) => zero_or(percent, share(percent)).map(Tolerated::Percent),
        None => zero_or(text, count(text)).map(Tolerated::Nodes),
    }
}

/// A whole number from 1 to 100.
fn share(text: &str) -> Option<usize> {
    count(text).filter(|n| *n <= 100)
}

/// Whether a number after `>` or `<` has more than 18 digits. Some with 19 are in the range of 64
/// bits and others are not, which no regular expression of a reasonable length tells apart.
fn has_long_bound(text: &str) -> bool {
    text.split(['<', '>']).skip(1).any(|after| {
        let number = after.trim_start().trim_start_matches('0');
        number.bytes().take_while(u8::is_ascii_digit).count() > 18
    })
}
