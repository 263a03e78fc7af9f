//! JSON taken apart for comparing. Values that are the same to the controller are equal here, and a
//! value may be hidden.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::wire::canonical::canonical;

/// The text in place of a hidden value, or of a part of one.
pub const HIDDEN: &str = "<hidden>";

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A string, number, `true`, `false` or `null`.
    Leaf(Leaf),
    /// A list.
    List(Vec<Tree>),
    /// An object.
    Map(BTreeMap<String, Tree>),
}

/// A value without parts, compared by its canonical text.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// JSON text as Go writes it.
    text: String,
    /// The string to show instead.
    shown: Option<String>,
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Leaf) -> bool {
        self.text == other.text
    }
}

impl Eq for Leaf {}

impl Tree {
    /// Reads any JSON, numbers as Go reads them.
    pub fn read(json: &RawValue) -> serde_json::Result<Tree> {
        Tree::of(&canonical(json)?)
    }

    /// Reads canonical JSON text.
    fn of(text: &str) -> serde_json::Result<Tree> {
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let object: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let entries = object.into_iter();
                Tree::Map(
                    entries
                        .map(|(key, value)| Ok((key, Tree::of(value.get())?)))
                        .collect::<serde_json::Result<_>>()?,
                )
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                Tree::List(
                    items
                        .into_iter()
                        .map(|item| Tree::of(item.get()))
                        .collect::<serde_json::Result<_>>()?,
                )
            }
            _ => Tree::Leaf(Leaf {
                text: text.to_owned(),
                shown: None,
            }),
        })
    }

    /// The text of a string.
    pub fn text(&self) -> Option<String> {
        match self {
            Tree::Leaf(leaf) => serde_json::from_str(&leaf.text).ok(),
            Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// JSON text without quotes, as a part of a path names it; None where it has parts.
    pub fn scalar(&self) -> Option<String> {
        match self {
            Tree::Leaf(leaf) => Some(self.text().unwrap_or_else(|| leaf.text.clone())),
            Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// The value of a key; None for anything but an object.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Tree::Map(object) => object.get(key),
            Tree::Leaf(_) | Tree::List(_) => None,
        }
    }

    /// Shows `instead` in place of a leaf from now on. Comparing still uses its value.
    pub fn hide(&mut self, instead: &str) {
        if let Tree::Leaf(leaf) = self {
            leaf.shown = Some(instead.to_owned());
        }
    }

    /// Says of each hidden value what is shown instead, by its JSON text and by what was shown so
    /// far.
    pub fn rename_hidden(&mut self, name: &mut impl FnMut(&str, &str) -> String) {
        match self {
            Tree::Leaf(leaf) => {
                if let Some(shown) = &mut leaf.shown {
                    *shown = name(&leaf.text, shown);
                }
            }
            Tree::List(items) => items.iter_mut().for_each(|item| item.rename_hidden(name)),
            Tree::Map(object) => object
                .values_mut()
                .for_each(|value| value.rename_hidden(name)),
        }
    }

    /// Whether something in it is hidden.
    pub fn is_hidden(&self) -> bool {
        match self {
            Tree::Leaf(leaf) => leaf.shown.is_some(),
            Tree::List(items) => items.iter().any(Tree::is_hidden),
            Tree::Map(object) => object.values().any(Tree::is_hidden),
        }
    }

    /// How many values it has that have no parts; what is empty counts as one.
    pub fn size(&self) -> usize {
        match self {
            Tree::Leaf(_) => 1,
            Tree::List(items) => items.iter().map(Tree::size).sum::<usize>().max(1),
            Tree::Map(object) => object.values().map(Tree::size).sum::<usize>().max(1),
        }
    }

    /// As JSON text, without hidden values.
    pub fn to_json(&self) -> Box<RawValue> {
        let mut out = String::new();
        self.write(&mut out);
        RawValue::from_string(out).expect("made of JSON texts")
    }

    fn write(&self, out: &mut String) {
        match self {
            Tree::Leaf(leaf) => match &leaf.shown {
                Some(shown) => out.push_str(&serde_json::Value::from(&**shown).to_string()),
                // The canonical form escapes more than people like to read.
                None => match self.text() {
                    Some(text) => out.push_str(&serde_json::Value::from(text).to_string()),
                    None => out.push_str(&leaf.text),
                },
            },
            Tree::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Tree::Map(object) => {
                out.push('{');
                for (i, (key, value)) in object.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(&**key).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}
