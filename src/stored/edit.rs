//! Edits of JSON text, one level at a time, with a list of the changes.
//!
//! A level is written anew only if something in it changed; everything else keeps its text byte for
//! byte.

use serde_json::value::RawValue;
use thiserror::Error;

use crate::wire::raw::{RawObject, is_null, parse_array};

/// A value is not of the type that its field needs.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{path}: {needed} is needed here")]
pub struct WrongType {
    /// The path of the field, as `spec.template.spec.containers[0]`.
    pub path: String,
    /// The type that the field needs, in words.
    pub needed: &'static str,
}

/// An edit in progress: the present path and the changes so far.
#[derive(Debug, Default)]
pub struct Edit {
    path: String,
    changes: usize,
    /// The fields that were set, as `path=value`.
    pub notes: Vec<String>,
}

impl Edit {
    /// Notes that `key` of the present object was set to `value`.
    fn note(&mut self, key: &str, value: &RawValue) {
        let text: String =
            serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned());
        let dot = if self.path.is_empty() { "" } else { "." };
        let text = if text.is_empty() {
            "\"\"".to_owned()
        } else {
            text
        };
        self.notes.push(format!("{}{dot}{key}={text}", self.path));
        self.changes += 1;
    }

    /// Sets `key` to `value` and notes it.
    pub fn set(&mut self, object: &mut RawObject, key: &str, value: Box<RawValue>) {
        self.note(key, &value);
        object.set(key, value);
    }

    /// Sets `key` to `json`, a JSON text, and notes it, unless `key` has a value.
    pub fn fill(&mut self, object: &mut RawObject, key: &str, json: &str) {
        if !object.has(key)
            && let Ok(value) = RawValue::from_string(json.to_owned())
        {
            self.set(object, key, value);
        }
    }

    /// Sets `key` to `json`, a JSON text, without a note: it means the same as what was there.
    pub fn set_quietly(&mut self, object: &mut RawObject, key: &str, json: &str) {
        if object.get(key).map(RawValue::get) != Some(json)
            && let Ok(value) = RawValue::from_string(json.to_owned())
        {
            object.set(key, value);
            self.changes += 1;
        }
    }

    /// Removes `key`, without a note: an empty field means the same as no field.
    pub fn drop(&mut self, object: &mut RawObject, key: &str) {
        if object.remove(key).is_some() {
            self.changes += 1;
        }
    }

    /// Runs `f` on the object under `key`, if there is one.
    pub fn child<F>(&mut self, object: &mut RawObject, key: &str, f: F) -> Result<(), WrongType>
    where
        F: FnOnce(&mut Self, &mut RawObject) -> Result<(), WrongType>,
    {
        let Some(value) = object.get(key).filter(|value| !is_null(value)) else {
            return Ok(());
        };
        let depth = self.descend(key);
        let opened = self.open(value, f)?;
        self.path.truncate(depth);
        if let Some(changed) = opened {
            object.set(key, changed);
        }
        Ok(())
    }

    /// Runs `f` on each object of the list under `key`, if there is one.
    pub fn each<F>(&mut self, object: &mut RawObject, key: &str, mut f: F) -> Result<(), WrongType>
    where
        F: FnMut(&mut Self, &mut RawObject) -> Result<(), WrongType>,
    {
        let Some(value) = object.get(key).filter(|value| !is_null(value)) else {
            return Ok(());
        };
        let depth = self.descend(key);
        let mut items = parse_array(value).map_err(|_| self.wrong("a sequence"))?;
        let before = self.changes;
        let list = self.path.len();
        for (i, item) in items.iter_mut().enumerate() {
            self.path.push_str(&format!("[{i}]"));
            // Go reads null as the empty struct.
            if is_null(item)
                && let Ok(empty) = RawValue::from_string("{}".to_owned())
            {
                *item = empty;
                self.changes += 1;
            }
            if let Some(changed) = self.open(item, &mut f)? {
                *item = changed;
            }
            self.path.truncate(list);
        }
        self.path.truncate(depth);
        if self.changes > before {
            let texts: Vec<_> = items.iter().map(|item| item.get()).collect();
            if let Ok(list) = RawValue::from_string(format!("[{}]", texts.join(","))) {
                object.set(key, list);
            }
        }
        Ok(())
    }

    /// Runs `f` on the object in `value`. Returns its new text if it changed.
    fn open<F>(&mut self, value: &RawValue, f: F) -> Result<Option<Box<RawValue>>, WrongType>
    where
        F: FnOnce(&mut Self, &mut RawObject) -> Result<(), WrongType>,
    {
        let mut inside = RawObject::parse(value).map_err(|_| self.wrong("a mapping"))?;
        let before = self.changes;
        f(self, &mut inside)?;
        Ok((self.changes > before).then(|| inside.to_raw()))
    }

    /// An error at the present path.
    pub fn wrong(&self, needed: &'static str) -> WrongType {
        WrongType {
            path: self.path.clone(),
            needed,
        }
    }

    /// Appends `key` to the path. Returns the length of the path before.
    fn descend(&mut self, key: &str) -> usize {
        let depth = self.path.len();
        if depth > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        depth
    }
}
