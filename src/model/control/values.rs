//! The values of the keys, from their text. None is a value that cannot be read.

use std::time::Duration;

use crate::model::LabelSelector;

use super::{Bake, Canary};

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
