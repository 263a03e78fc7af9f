//! The place of an object's text in its file.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::cli::{documents::Text, yaml};

/// A document of a file, or an item of a list in it.
#[derive(Clone)]
pub(super) struct Source {
    pub file: Arc<str>,
    /// The bytes of the document.
    pub range: Range<usize>,
    pub is_json: bool,
    /// The way to the item through lists, by position from 0.
    pub items: Vec<usize>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.range, self.items)
    }
}

impl Source {
    pub fn new(file: &Arc<str>, part: &Text<'_>) -> Source {
        Source {
            file: file.clone(),
            range: part.range.clone(),
            is_json: matches!(part.json, Cow::Borrowed(_)),
            items: Vec::new(),
        }
    }

    /// An item of the list that is here.
    pub fn item(&self, index: usize) -> Source {
        let mut item = self.clone();
        item.items.push(index);
        item
    }

    /// The text of the document.
    pub fn text(&self) -> &str {
        &self.file[self.range.clone()]
    }

    /// Whether both are of one document.
    pub fn is_beside(&self, other: &Source) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && self.range == other.range
    }

    /// The line in the file, from 1, of a character within the values of the document.
    pub fn line_with(&self, character: char) -> Option<usize> {
        let text = self.text();
        let from = match self.is_json {
            true => 1,
            false => yaml::line_with(text, character)?,
        };
        let mut lines = text.split('\n').zip(1..).skip(from - 1);
        let (_, line) = lines.find(|(line, _)| line.contains(character))?;
        let before = &self.file.as_bytes()[..self.range.start];
        Some(before.iter().filter(|byte| **byte == b'\n').count() + line)
    }
}

/// The value of a key, the last where it is there more than once, or an item.
pub(super) fn child<'a>(of: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if of.get().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(of.get()).ok()?;
        return items.get(name.parse::<usize>().ok()?).copied();
    }
    let Entries(entries) = serde_json::from_str(of.get()).ok()?;
    let found = entries.into_iter().rfind(|(key, _)| key == name)?;
    Some(found.1)
}

/// The entries of a JSON object, each as often as it is there.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}
