//! The differences between two JSON values, by path.
//!
//! Objects are compared by key. Items of lists of objects are matched by the field that names them
//! in Kubernetes: the name of a container, the path of a mount. So an item that moved, or came
//! before others, does not make all of them differ. Other lists are compared by index, without the
//! items that both begin and end with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::tree::Tree;

/// The fields that may name the items of a list, the most telling first. The first field of each
/// must be there.
const MERGE_KEYS: [&[&str]; 13] = [
    &["mountPath"],
    &["devicePath"],
    &["containerPort", "protocol"],
    &["ip"],
    &["conditionType"],
    &["topologyKey"],
    &["topologyKey", "whenUnsatisfiable"],
    &["name"],
    &["key"],
    &["key", "effect"],
    &["key", "operator", "effect", "value"],
    &["path"],
    &["port", "protocol"],
];

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The path from the root.
    pub path: Path,
    /// The kind of difference, with both values.
    pub change: Change<'a>,
}

/// A kind of difference, with the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is only in the second value.
    Added(&'a Tree),
    /// It is only in the first value.
    Removed(&'a Tree),
    /// It is in both.
    Changed(&'a Tree, &'a Tree),
    /// The items that both lists have are in another order: their names, first and second list.
    Reordered(Vec<String>, Vec<String>),
}

impl Change<'_> {
    /// How many values without parts differ.
    pub fn size(&self) -> usize {
        match self {
            Change::Added(tree) | Change::Removed(tree) => tree.size(),
            Change::Changed(from, to) => from.size().max(to.size()),
            Change::Reordered(..) => 1,
        }
    }
}

/// A path as people write it: `spec.containers[name=agent].args[0]`,
/// `metadata.annotations[example.com/a]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(Name),
    Index(usize),
}

/// The name of an item: fields and their values, None for a field that the item lacks.
type Name = Vec<(&'static str, Option<String>)>;

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if !is_word(name) => write!(f, "[{name}]")?,
                Step::Field(name) if i == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(name) => write!(f, "[{}]", display(name))?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_word(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$';
    !text.is_empty() && text.bytes().all(plain)
}

fn display(name: &Name) -> String {
    let parts = name.iter();
    let parts = parts.filter_map(|(field, value)| Some(format!("{field}={}", value.as_ref()?)));
    parts.collect::<Vec<_>>().join(",")
}

/// All differences: by key in objects, in the order of the first list in lists, added items last.
/// There is none between values that are the same to the controller.
pub fn compare<'a>(from: &'a Tree, to: &'a Tree) -> Vec<Difference<'a>> {
    let mut walk = Walk::default();
    walk.compare(from, to);
    walk.found
}

#[derive(Default)]
struct Walk<'a> {
    path: Path,
    found: Vec<Difference<'a>>,
}

impl<'a> Walk<'a> {
    fn add(&mut self, change: Change<'a>) {
        let path = self.path.clone();
        self.found.push(Difference { path, change });
    }

    /// Compares the two sides one step further down.
    fn at(&mut self, step: Step, from: Option<&'a Tree>, to: Option<&'a Tree>) {
        self.path.0.push(step);
        match (from, to) {
            (Some(from), Some(to)) => self.compare(from, to),
            (Some(from), None) => self.add(Change::Removed(from)),
            (None, Some(to)) => self.add(Change::Added(to)),
            (None, None) => {}
        }
        self.path.0.pop();
    }

    fn compare(&mut self, from: &'a Tree, to: &'a Tree) {
        match (from, to) {
            (from, to) if from == to => {}
            (Tree::Map(a), Tree::Map(b)) => {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    self.at(Step::Field(key.clone()), a.get(key), b.get(key));
                }
            }
            (Tree::List(a), Tree::List(b)) => match names(a, b) {
                Some((in_a, in_b)) => self.by_name((a, in_a), (b, in_b)),
                None => self.by_index(a, b),
            },
            (from, to) => self.add(Change::Changed(from, to)),
        }
    }

    fn by_name(&mut self, (a, in_a): (&'a [Tree], Vec<Name>), (b, in_b): (&'a [Tree], Vec<Name>)) {
        let places: BTreeMap<&Name, &'a Tree> = in_b.iter().zip(b).collect();
        let known: BTreeSet<&Name> = in_a.iter().collect();
        for (name, item) in in_a.iter().zip(a) {
            let other = places.get(name).copied();
            self.at(Step::Item(name.clone()), Some(item), other);
        }
        for (name, item) in in_b.iter().zip(b) {
            if !known.contains(name) {
                self.at(Step::Item(name.clone()), None, Some(item));
            }
        }
        let common = |of: &[Name], other: &BTreeSet<&Name>| -> Vec<String> {
            of.iter()
                .filter(|name| other.contains(name))
                .map(values)
                .collect()
        };
        let order = (
            common(&in_a, &places.keys().copied().collect()),
            common(&in_b, &known),
        );
        if order.0 != order.1 {
            self.add(Change::Reordered(order.0, order.1));
        }
    }

    fn by_index(&mut self, a: &'a [Tree], b: &'a [Tree]) {
        let shorter = a.len().min(b.len());
        let pairs = || a.iter().zip(b);
        let begin = pairs().take_while(|(x, y)| x == y).count();
        let pairs = a.iter().rev().zip(b.iter().rev());
        let end = pairs.take_while(|(x, y)| x == y).count();
        let end = end.min(shorter - begin);
        let longer = a.len().max(b.len()) - end;
        for i in begin..longer {
            let of = |list: &'a [Tree]| list[..list.len() - end].get(i);
            self.at(Step::Index(i), of(a), of(b));
        }
    }
}

/// The values that name an item.
fn values(name: &Name) -> String {
    let values = name.iter().filter_map(|(_, value)| value.clone());
    values.collect::<Vec<_>>().join("/")
}

/// The names of the items of two lists, by the first merge key that names all of them.
fn names(a: &[Tree], b: &[Tree]) -> Option<(Vec<Name>, Vec<Name>)> {
    MERGE_KEYS
        .iter()
        .find_map(|key| Some((names_by(key, a)?, names_by(key, b)?)))
}

/// The names of the items by these fields; None where one lacks the first field, or two are of one
/// name.
fn names_by(key: &[&'static str], items: &[Tree]) -> Option<Vec<Name>> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let mut name = Name::with_capacity(key.len());
        item.get(key[0])?;
        for field in key {
            let value = match item.get(field) {
                Some(value) => Some(value.scalar()?),
                None => None,
            };
            name.push((*field, value));
        }
        if !seen.insert(name.clone()) {
            return None;
        }
        names.push(name);
    }
    Some(names)
}
