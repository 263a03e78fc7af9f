//! Comparing JSON texts.

use daemonset_controller::wire::raw::{RawObject, parse_array};
use serde_json::value::RawValue;

/// Compares by content: keys in any order, strings by their text, numbers by how they are written.
pub fn same(ours: &RawValue, theirs: &RawValue) -> bool {
    if let (Ok(a), Ok(b)) = (RawObject::parse(ours), RawObject::parse(theirs)) {
        return a.0.len() == b.0.len()
            && a.0
                .iter()
                .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)));
    }
    if let (Ok(a), Ok(b)) = (parse_array(ours), parse_array(theirs)) {
        return a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(a, b));
    }
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).ok();
    match (text(ours), text(theirs)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => ours.get() == theirs.get(),
        _ => false,
    }
}
