//! Strategic merge patches: the elements of lists, and their order.
//!
//! The order is exactly upstream's: elements that the patch names come in the patch's order, the
//! others in their own, and the two are interleaved by their former places.

use serde_json::{Value, json};

use super::super::status::Result;
use super::directives::{DIRECTIVE, unknown};
use super::refusal::{internal, rejected};
use super::say::{self, Object};

/// Carries out the elements that are directives. Returns the rest of the original, and the patch
/// without them.
pub fn directed(
    original: &mut [Value],
    patch: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut length = original.len();
    let mut rest = Vec::new();
    let mut replaces = false;
    for item in patch {
        let directed = members(&item)?;
        match directed.get(DIRECTIVE).map(|d| (d.as_str(), d)) {
            None => rest.push(item),
            Some((Some("replace"), _)) => replaces = true,
            Some((Some("delete"), _)) => {
                let gone = key_of(directed, key)?;
                while let Some(at) = position(&original[..length], key, gone)? {
                    // The elements behind it move up, and the last one also stays where it was.
                    let last = original[length - 1].clone();
                    original[at..length].rotate_left(1);
                    length -= 1;
                    original[length] = last;
                }
            }
            Some((Some("merge"), _)) => {
                let why = "merging lists cannot yet be specified in the patch";
                return Err(internal(why));
            }
            Some((_, directive)) => return Err(unknown(directive, directed)),
        }
    }
    if replaces {
        Ok((rest, Vec::new()))
    } else {
        Ok((original[..length].to_vec(), rest))
    }
}

/// Orders a merged list: the elements in `wanted` as they are there, the others as in `old`. The
/// key tells elements apart; if it is empty, they are texts.
pub fn order(merged: Vec<Value>, wanted: &[Value], old: &[Value], key: &str) -> Result<Vec<Value>> {
    let mut named = Vec::new();
    let mut others = Vec::new();
    for item in merged {
        let found = if key.is_empty() {
            wanted.contains(&item)
        } else {
            position(wanted, key, key_of(members(&item)?, key)?)?.is_some()
        };
        if found {
            named.push(item);
        } else {
            others.push(item);
        }
    }
    let named = sorted(named, wanted, key)?;
    let others = sorted(others, old, key)?;
    Ok(interleaved(others, named, old, key))
}

/// Sorts by the place in a list. Upstream's comparison is true whenever one of two elements is not
/// in the list, so the outcome depends on the algorithm: insertion, as Go sorts short lists.
fn sorted(items: Vec<Value>, by: &[Value], key: &str) -> Result<Vec<Value>> {
    if !key.is_empty() {
        for item in items.iter().chain(by) {
            key_of(members(item)?, key)?;
        }
    }
    let mut placed: Vec<(Option<usize>, Value)> = Vec::new();
    for item in items {
        let place = place(by, &item, key);
        let before = |other: Option<usize>| match (place, other) {
            (Some(place), Some(other)) => place < other,
            _ => true,
        };
        let mut at = placed.len();
        while at > 0 && before(placed[at - 1].0) {
            at -= 1;
        }
        placed.insert(at, (place, item));
    }
    Ok(placed.into_iter().map(|(_, item)| item).collect())
}

/// Merges two sorted lists. Of two heads the left one goes first only if it was before the right
/// one in `old`.
fn interleaved(left: Vec<Value>, right: Vec<Value>, old: &[Value], key: &str) -> Vec<Value> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    for item in right {
        while let Some(l) = left.peek()
            && let (Some(l), Some(r)) = (place(old, l, key), place(old, &item, key))
            && l < r
        {
            all.extend(left.next());
        }
        all.push(item);
    }
    all.extend(left);
    all
}

fn place(list: &[Value], item: &Value, key: &str) -> Option<usize> {
    if key.is_empty() {
        list.iter().position(|other| other == item)
    } else {
        list.iter().position(|other| other[key] == item[key])
    }
}

/// Checks a patch's list against its `$setElementOrder`: it must name all elements that are not
/// deleted, in this order.
pub fn check_order(patch: &[Value], order: &[Value], key: &str) -> Result<()> {
    if patch.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut checked = Vec::new();
    for item in patch {
        let deletes = !key.is_empty() && members(item)?.get(DIRECTIVE) == Some(&json!("delete"));
        if !deletes {
            checked.push(item);
        }
    }
    let (mut at, mut place) = (0, 0);
    while at < checked.len() && place < order.len() {
        let item = checked[at];
        // Other directives are skipped, but one that is left at the end counts as out of order.
        if item.get(DIRECTIVE).is_some() {
            at += 1;
            continue;
        }
        let same = if key.is_empty() {
            *item == order[place]
        } else {
            key_of(members(item)?, key)? == key_of(members(&order[place])?, key)?
        };
        at += usize::from(same);
        place += 1;
    }
    if at == checked.len() {
        return Ok(());
    }
    Err(internal(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        say::list(patch),
        say::list(order)
    )))
}

/// The type of all elements of some lists. It must be one type, and not a list.
pub fn element_type(lists: &[&[Value]]) -> Result<&'static str> {
    let mut found = None;
    for item in lists.iter().copied().flatten() {
        let this = say::go_type(item);
        match found {
            None if item.is_array() => return Err(rejected()),
            None => found = Some(this),
            Some(other) if other != this => {
                let all: Vec<String> = lists.iter().map(|list| say::list(list)).collect();
                return Err(internal(format!(
                    "list element types are not identical: [{}]",
                    all.join(" ")
                )));
            }
            Some(_) => {}
        }
    }
    found.ok_or_else(|| internal("no elements in any of the given slices"))
}

/// Removes repetitions. The last element takes the place of one that is removed.
pub fn deduplicated(mut items: Vec<Value>) -> Vec<Value> {
    let mut at = 0;
    while at < items.len() {
        let mut other = at + 1;
        while other < items.len() {
            if items[at] == items[other] {
                items.swap_remove(other);
            } else {
                other += 1;
            }
        }
        at += 1;
    }
    items
}

/// The place of the element with this value of the key.
pub fn position(list: &[Value], key: &str, value: &Value) -> Result<Option<usize>> {
    for (at, item) in list.iter().enumerate() {
        let Value::Object(item) = item else {
            return Err(internal(format!("value for key {at} is not a map")));
        };
        if item.get(key) == Some(value) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

pub fn key_of<'a>(item: &'a Object, key: &str) -> Result<&'a Value> {
    item.get(key).ok_or_else(|| {
        internal(format!(
            "map: {} does not contain declared merge key: {key}",
            say::map(item)
        ))
    })
}

pub fn members(item: &Value) -> Result<&Object> {
    item.as_object().ok_or_else(|| {
        internal(format!(
            "expected a map[string]interface {{}}, but received a {}",
            say::go_type(item)
        ))
    })
}
