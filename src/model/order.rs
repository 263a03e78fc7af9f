//! `order`: the groups of nodes that a rollout goes through, one after another.
//!
//! A group is a tuple of label values, one for each key. Values whose order is given come in that
//! order, the others after them in natural order (`rack-2` before `rack-10`), and nodes without the
//! label last.

use std::{cmp::Ordering, fmt};

use super::{Labels, Str, label_selector};

/// What orders the groups: label keys of nodes, the first one first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order(Vec<Key>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Key {
    label: Str,
    /// The values whose order is given.
    values: Vec<Str>,
}

/// A group of nodes. Groups of one [`Order`] compare as they come in a rollout.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Group(Vec<Place>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    Given(usize),
    Natural(Natural),
    Unlabelled,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Natural(Str);

impl Order {
    /// Reads `zone=a>b,rack`. None where it is no such list, a key is no label key, or a value is
    /// no label value. One that occurs twice counts where it is first.
    pub fn parse(text: &str) -> Option<Order> {
        text.split(',').map(key).collect::<Option<_>>().map(Order)
    }

    /// The group of a node with these labels.
    pub fn group(&self, labels: &Labels) -> Group {
        let place = |key: &Key| match labels.get_shared(&key.label) {
            None => Place::Unlabelled,
            Some(value) => match key.values.iter().position(|given| given == value) {
                Some(at) => Place::Given(at),
                None => Place::Natural(Natural(value.clone())),
            },
        };
        Group(self.0.iter().map(place).collect())
    }

    /// The name of a group: `zone=a,rack=2`, and `!rack` for nodes without the label.
    pub fn name(&self, group: &Group) -> Str {
        let name = |(key, place): (&Key, &Place)| match place {
            Place::Given(at) => format!("{}={}", key.label, key.values[*at]),
            Place::Natural(Natural(value)) => format!("{}={value}", key.label),
            Place::Unlabelled => format!("!{}", key.label),
        };
        let names: Vec<String> = self.0.iter().zip(&group.0).map(name).collect();
        names.join(",").into()
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<&str> = self.0.iter().map(|key| &*key.label).collect();
        f.write_str(&labels.join(","))
    }
}

fn key(text: &str) -> Option<Key> {
    let (label, values) = match text.split_once('=') {
        None => (text, Vec::new()),
        Some((label, values)) => (label, values.split('>').map(Str::from).collect()),
    };
    let is_value = |value: &Str| !value.is_empty() && label_selector::is_label_value(value);
    let is_right = label_selector::is_label_key(label) && values.iter().all(is_value);
    is_right.then(|| Key {
        label: label.into(),
        values,
    })
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> Ordering {
        natural(&self.0, &other.0).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares texts piece by piece, digits as numbers of any length.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while let (Some((left, after_left)), Some((right, after_right))) = (piece(a), piece(b)) {
        let is_number = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = if is_number(left) && is_number(right) {
            let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
            (left.len(), left).cmp(&(right.len(), right))
        } else {
            left.cmp(right)
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (after_left, after_right);
    }
    a.len().cmp(&b.len())
}

/// The first run of digits or of anything else, and the rest. None at the end.
fn piece(text: &str) -> Option<(&str, &str)> {
    let is_digit = text.chars().next()?.is_ascii_digit();
    let end = text.find(|c: char| c.is_ascii_digit() != is_digit);
    Some(text.split_at(end.unwrap_or(text.len())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn names(order: &str, nodes: &[&[(&str, &str)]]) -> Vec<String> {
        let order = Order::parse(order).expect("an order");
        let labels = nodes.iter().map(|labels| labels.iter().copied().collect());
        let groups: BTreeSet<Group> = labels.map(|labels: Labels| order.group(&labels)).collect();
        groups.iter().map(|g| order.name(g).to_string()).collect()
    }

    #[test]
    fn natural_order_and_nodes_without_the_label_last() {
        let racks = ["r10", "r2", "r02", "r", "s1", "9", "10", "r2a"];
        let nodes: Vec<Vec<(&str, &str)>> = racks.iter().map(|r| vec![("rack", *r)]).collect();
        let mut nodes: Vec<&[(&str, &str)]> = nodes.iter().map(Vec::as_slice).collect();
        nodes.push(&[]);
        let right = ["9", "10", "r", "r02", "r2", "r2a", "r10", "s1"];
        let mut right: Vec<String> = right.iter().map(|r| format!("rack={r}")).collect();
        right.push("!rack".to_owned());
        assert_eq!(names("rack", &nodes), right);
    }

    #[test]
    fn given_values_first_and_keys_one_after_another() {
        let nodes: [&[(&str, &str)]; 5] = [
            &[("zone", "a"), ("rack", "2")],
            &[("zone", "b"), ("rack", "2")],
            &[("zone", "c")],
            &[("zone", "b"), ("rack", "1")],
            &[("rack", "1")],
        ];
        let right = [
            "zone=b,rack=1",
            "zone=b,rack=2",
            "zone=a,rack=2",
            "zone=c,!rack",
            "!zone,rack=1",
        ];
        assert_eq!(names("zone=b>x,rack", &nodes), right);
    }

    #[test]
    fn what_is_no_order() {
        for text in ["zone", "a/zone,rack", "zone=a", "zone=a>b,rack=1>2"] {
            assert!(Order::parse(text).is_some(), "{text:?}");
        }
        for text in [
            "",
            ",",
            "zone,",
            "zone=",
            "zone=a>",
            "zone =a",
            "zone, rack",
            "zone=a=b",
            "/zone",
            "zone=a b",
            "-zone",
            "zone>a",
        ] {
            assert_eq!(Order::parse(text), None, "{text:?}");
        }
    }
}
