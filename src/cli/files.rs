//! The objects of YAML and JSON files (`-f`), lists taken apart.
//!
//! Objects are kept as JSON text, in JSON files exactly as written; YAML is converted as kubectl
//! converts it. Pods, nodes and revisions are used as they are; what DaemonSets lack is added by
//! [`stored::defaults`](crate::stored::defaults).

use std::fmt;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use thiserror::Error;

use super::documents::{self, SyntaxError};
use crate::wire::raw::{RawObject, is_null};

/// How standard input is named in messages.
pub const STDIN: &str = "standard input";

/// The place that an object came from; as text `FILE: document 3, item 2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The file as named on the command line, or `standard input`.
    pub file: String,
    /// The document in the file, from 1; empty ones are counted.
    pub document: usize,
    /// The item where the document is a list, from 1; within a list in a list, that of the outer
    /// one.
    pub item: Option<usize>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: document {}", self.file, self.document)?;
        match self.item {
            Some(item) => write!(f, ", item {item}"),
            None => Ok(()),
        }
    }
}

/// An object from a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// File, document and item.
    pub origin: Origin,
    /// `kind`, never empty.
    pub kind: String,
    /// `apiVersion`, never empty.
    pub api_version: String,
    /// `metadata.namespace`, where there is one.
    pub namespace: Option<String>,
    /// `metadata.name`, never empty.
    pub name: String,
    /// The object as JSON; an item of a typed list has got the kind and version that the list
    /// implies.
    pub json: Box<RawValue>,
}

/// Why files could not be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file cannot be opened or read.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The error of the system.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{file}: it is a directory; give its files, each with its own -f")]
    Directory {
        /// The directory.
        file: String,
    },
    /// The file is no text.
    #[error("{file}: line {line} is not UTF-8")]
    NotUtf8 {
        /// The file.
        file: String,
        /// The first line that is not, from 1.
        line: usize,
    },
    /// Neither YAML nor JSON.
    #[error("{origin}: line {line}: {message}")]
    Syntax {
        /// The document.
        origin: Origin,
        /// The line in the file, from 1.
        line: usize,
        /// The error.
        message: String,
    },
    /// Something else than a mapping.
    #[error(
        "{origin}: {found} where an object (a mapping with kind, apiVersion and metadata) is needed"
    )]
    NotAnObject {
        /// The document or item.
        origin: Origin,
        /// The kind of value that is there instead.
        found: &'static str,
    },
    /// A field that every object needs is not there.
    #[error("{origin}: {object} has no {field}")]
    Missing {
        /// The document or item.
        origin: Origin,
        /// The object as far as it is known.
        object: String,
        /// The field.
        field: &'static str,
    },
    /// A field that every object needs is of another type.
    #[error("{origin}: {message}")]
    Malformed {
        /// The document or item.
        origin: Origin,
        /// The error.
        message: String,
    },
    /// `-` is given more than once.
    #[error("-f - can be given once only: standard input cannot be read again")]
    StdinTwice,
}

/// Reads all objects of `files`, in order; `-` stands for `stdin`.
pub fn read<P: AsRef<Path>>(files: &[P], stdin: &mut dyn Read) -> Result<Vec<Document>, FileError> {
    let mut out = Vec::new();
    let mut stdin = Some(stdin);
    for path in files {
        let path = path.as_ref();
        let (file, bytes) = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = stdin
                .take()
                .ok_or(FileError::StdinTwice)?
                .read_to_end(&mut bytes);
            (STDIN.to_owned(), read.map(|_| bytes))
        } else {
            (path.display().to_string(), std::fs::read(path))
        };
        let bytes = bytes.map_err(|source| match source.kind() {
            io::ErrorKind::IsADirectory => FileError::Directory { file: file.clone() },
            _ => FileError::Read {
                file: file.clone(),
                source,
            },
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            FileError::NotUtf8 {
                file: file.clone(),
                line,
            }
        })?;
        out.append(&mut parse(&file, &text)?);
    }
    Ok(out)
}

/// Reads the objects of one file's text.
pub fn parse(file: &str, text: &str) -> Result<Vec<Document>, FileError> {
    let origin = |document| Origin {
        file: file.to_owned(),
        document,
        item: None,
    };
    let texts = documents::split(text).map_err(
        |SyntaxError {
             number,
             line,
             message,
         }| {
            FileError::Syntax {
                origin: origin(number),
                line,
                message,
            }
        },
    )?;
    let mut out = Vec::new();
    for text in texts {
        add(&text.json, origin(text.number), None, &mut out)?;
    }
    Ok(out)
}

/// The fields that say what an object is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, rename = "apiVersion")]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default, borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(default, borrow)]
    items: Option<&'a RawValue>,
}

/// The part of the metadata that is needed here.
#[derive(Default, Deserialize)]
struct NameFields {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
}

/// Kind and version that a typed list implies for its items.
#[derive(Clone, Copy)]
struct Implied<'a> {
    kind: &'a str,
    api_version: &'a str,
}

/// Adds the object, or the objects of the list, that `json` holds.
fn add(
    json: &RawValue,
    origin: Origin,
    implied: Option<Implied<'_>>,
    out: &mut Vec<Document>,
) -> Result<(), FileError> {
    if let Some(found) = other_than_object(json) {
        return Err(FileError::NotAnObject { origin, found });
    }
    let malformed = |error: serde_json::Error| FileError::Malformed {
        origin: origin.clone(),
        message: message(&error),
    };
    let head: Head = serde_json::from_str(json.get()).map_err(malformed)?;
    let mut kind = head.kind.unwrap_or_default();
    let mut api_version = head.api_version.unwrap_or_default();
    let mut completed = None;
    if let Some(implied) = implied.filter(|_| kind.is_empty() && api_version.is_empty()) {
        kind = implied.kind.to_owned();
        api_version = implied.api_version.to_owned();
        let mut object = RawObject::parse(json).map_err(malformed)?;
        object.put("kind", &kind).map_err(malformed)?;
        object.put("apiVersion", &api_version).map_err(malformed)?;
        completed = Some(object.to_raw());
    }
    if kind.is_empty() {
        return Err(missing(origin, "the object", "kind"));
    }
    if api_version.is_empty() {
        return Err(missing(origin, &kind, "apiVersion"));
    }
    if let Some(item_kind) = kind.strip_suffix("List")
        && (item_kind.is_empty() || head.items.is_some())
    {
        let implied = Implied {
            kind: item_kind,
            api_version: &api_version,
        };
        let implied = Some(implied).filter(|_| !item_kind.is_empty());
        let items = head.items.filter(|items| !is_null(items));
        return add_items(items, &origin, implied, out);
    }
    let metadata: NameFields = match head.metadata.filter(|metadata| !is_null(metadata)) {
        Some(metadata) if other_than_object(metadata).is_some() => {
            let message = format!("{kind}: metadata must be a mapping");
            return Err(FileError::Malformed { origin, message });
        }
        Some(metadata) => {
            serde_json::from_str(metadata.get()).map_err(|error| FileError::Malformed {
                origin: origin.clone(),
                message: format!("{kind}: metadata: {}", message(&error)),
            })?
        }
        None => NameFields::default(),
    };
    let Some(name) = metadata.name.filter(|name| !name.is_empty()) else {
        return Err(missing(origin, &kind, "metadata.name"));
    };
    out.push(Document {
        origin,
        kind,
        api_version,
        namespace: metadata.namespace.filter(|namespace| !namespace.is_empty()),
        name,
        json: completed.unwrap_or_else(|| json.to_owned()),
    });
    Ok(())
}

/// Adds the items of a list.
fn add_items(
    items: Option<&RawValue>,
    origin: &Origin,
    implied: Option<Implied<'_>>,
    out: &mut Vec<Document>,
) -> Result<(), FileError> {
    let Some(items) = items else {
        return Ok(());
    };
    let items: Vec<&RawValue> = serde_json::from_str(items.get()).map_err(|_| {
        let message = "the items of a list must be a sequence".to_owned();
        FileError::Malformed {
            origin: origin.clone(),
            message,
        }
    })?;
    out.reserve(items.len());
    for (i, item) in items.into_iter().enumerate() {
        let item_origin = Origin {
            item: origin.item.or(Some(i + 1)),
            ..origin.clone()
        };
        add(item, item_origin, implied, out)?;
    }
    Ok(())
}

/// The kind of value, for anything but an object.
fn other_than_object(json: &RawValue) -> Option<&'static str> {
    match json.get().as_bytes().first() {
        Some(b'{') => None,
        Some(b'[') => Some("a sequence"),
        Some(b'"') => Some("a text"),
        Some(b't' | b'f') => Some("true or false"),
        Some(b'n') | None => Some("null"),
        Some(_) => Some("a number"),
    }
}

fn missing(origin: Origin, object: &str, field: &'static str) -> FileError {
    FileError::Missing {
        origin,
        object: object.to_owned(),
        field,
    }
}

/// serde_json's words without a position, which would be one in the converted text.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ")
        .map_or(text.clone(), |at| text[..at].to_owned())
}
