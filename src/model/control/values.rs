//! The values of the keys, from their text. None is a value that cannot be read.

use std::time::Duration;

use crate::model::LabelSelector;

use super::{Bake, Canary, NodeCap};

pub fn is_hash(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
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
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let part = number.parse::<u32>().ok()?;
        seconds += u64::from(part) * length;
        rest = after;
    }
    (rest.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

pub fn canary(text: &str) -> Option<Canary> {
    if let Some(percent) = text.strip_suffix('%') {
        return share(percent).map(Canary::Percent);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return number(text).map(Canary::Nodes);
    }
    let selector = LabelSelector::parse(text).ok()?;
    // What selects everything was hardly meant.
    (selector != LabelSelector::default()).then_some(Canary::Selector(selector))
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
    let Some(count) = text.strip_prefix("bad-nodes=") else {
        return (text == "bad-nodes").then(NodeCap::default);
    };
    match count.strip_suffix('%') {
        Some(percent) => share(percent).map(NodeCap::Percent),
        None => number(count).map(NodeCap::Nodes),
    }
}

/// A whole number from 1.
fn number(digits: &str) -> Option<usize> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|n| plain && *n > 0)
}

/// A whole number from 1 to 100.
fn share(digits: &str) -> Option<usize> {
    number(digits).filter(|n| *n <= 100)
}
