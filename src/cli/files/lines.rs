//! The lines of many fields.
//!
//! A text is read again only for another document. Fields of one document that are asked for one
//! after the other cost no more than the way to each, however many objects the document lists.

use std::{ops::Range, sync::Arc};

use serde_json::value::RawValue;

use super::{
    Document,
    source::{Source, child},
};
use crate::cli::{field_path::deepest, yaml::Located};

/// Looks the lines of fields up, best in the order of the documents.
#[derive(Default)]
pub struct Lines<'a> {
    last: Option<(&'a Source, Read<'a>)>,
    counted: Counted,
}

/// The text of a document.
enum Read<'a> {
    Json(Json<'a>),
    Yaml(Option<Located<'a>>),
}

impl<'a> Lines<'a> {
    /// The line in the file, from 1, of a field as the API server writes it,
    /// `spec.containers[0].image` or `metadata.labels[a/b]`, or of its deepest ancestor that is
    /// there.
    pub fn of(&mut self, document: &'a Document, field: &str) -> Option<usize> {
        let source = &document.source;
        let Range { start, .. } = source.range;
        if self
            .last
            .as_ref()
            .is_none_or(|(of, _)| !of.is_beside(source))
        {
            let is_other = |(of, _): &(&Source, _)| !Arc::ptr_eq(&of.file, &source.file);
            if self.last.as_ref().is_some_and(is_other) {
                self.counted = Counted::default();
            }
            let text = source.text();
            let read = match source.is_json {
                true => Read::Json(Json { text, list: None }),
                false => Read::Yaml(Located::read(text)),
            };
            self.last = Some((source, read));
        }
        let (at, line) = match &mut self.last.as_mut()?.1 {
            Read::Json(json) => (start + json.place_of(&source.items, field)?, 1),
            Read::Yaml(yaml) => (start, yaml.as_mut()?.line_of(&source.items, field)?),
        };
        Some(self.counted.before(&source.file, at) + line)
    }
}

/// How many lines end before a byte. The next count begins there.
#[derive(Default)]
struct Counted {
    at: usize,
    ends: usize,
}

impl Counted {
    fn before(&mut self, text: &str, at: usize) -> usize {
        let ends = |range: Range<usize>| {
            let bytes = text.as_bytes()[range].iter();
            bytes.filter(|byte| **byte == b'\n').count()
        };
        self.ends = match at < self.at {
            true => self.ends - ends(at..self.at),
            false => self.ends + ends(self.at..at),
        };
        self.at = at;
        self.ends
    }
}

/// A document of JSON, of which YAML 1.1 does not read all.
struct Json<'a> {
    text: &'a str,
    /// The last list that was opened: the way to it, and its items.
    list: Option<(Vec<usize>, Vec<&'a RawValue>)>,
}

impl<'a> Json<'a> {
    /// The byte at which a field begins, or its deepest ancestor that is there.
    fn place_of(&mut self, items: &[usize], field: &str) -> Option<usize> {
        let object = match items.split_last() {
            None => serde_json::from_str(self.text).ok()?,
            Some((index, way)) => *self.list(way)?.get(*index)?,
        };
        let found = deepest(object, field, |at, name| child(at, name));
        // What is found is a part of the text.
        (found.get().as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)
    }

    /// The items of the list that is here.
    fn list(&mut self, way: &[usize]) -> Option<&[&'a RawValue]> {
        if self.list.as_ref().is_none_or(|(known, _)| known != way) {
            let mut at: &RawValue = serde_json::from_str(self.text).ok()?;
            for index in way {
                at = child(child(at, "items")?, &index.to_string())?;
            }
            let items = serde_json::from_str(child(at, "items")?.get()).ok()?;
            self.list = Some((way.to_vec(), items));
        }
        self.list.as_ref().map(|(_, items)| &items[..])
    }
}
