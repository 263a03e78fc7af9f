//! The place of an object's text in its file.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::cli::{documents::Text, field_path::deepest, yaml};

/// A document of a file, or an item of a list in it.
#[derive(Clone)]
pub(super) struct Source {
    file: Arc<str>,
    /// The bytes of the document.
    range: Range<usize>,
    is_json: bool,
    /// The way to the item through lists, by position from 0.
    items: Vec<usize>,
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

    /// The line in the file, from 1, of a field or of its deepest ancestor that is there.
    pub fn line_of(&self, field: &str) -> Option<usize> {
        let text = &self.file[self.range.clone()];
        let line = match self.is_json {
            true => line_in_json(text, &self.items, field),
            false => yaml::line_of(text, &self.items, field),
        };
        line.map(|line| self.lines_before() + line)
    }

    /// The line in the file, from 1, of a character within the values of the document.
    pub fn line_with(&self, character: char) -> Option<usize> {
        let text = &self.file[self.range.clone()];
        let from = match self.is_json {
            true => 1,
            false => yaml::line_with(text, character)?,
        };
        let mut lines = text.split('\n').zip(1..).skip(from - 1);
        let (_, line) = lines.find(|(line, _)| line.contains(character))?;
        Some(self.lines_before() + line)
    }

    fn lines_before(&self) -> usize {
        line_ends(&self.file[..self.range.start])
    }
}

fn line_ends(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The same as [`yaml::line_of`] for JSON, of which YAML 1.1 does not read all.
fn line_in_json(text: &str, items: &[usize], field: &str) -> Option<usize> {
    let mut at: &RawValue = serde_json::from_str(text).ok()?;
    for index in items {
        at = child(at, "items")?;
        at = child(at, &index.to_string())?;
    }
    let found = deepest(at, field, |at, name| child(at, name));
    // What is found is a part of `text`.
    let before = (found.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(line_ends(text.get(..before)?) + 1)
}

/// The value of a key, the last where it is there more than once, or an item.
fn child<'a>(of: &'a RawValue, name: &str) -> Option<&'a RawValue> {
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
