//! From JSON texts to objects, lists taken apart.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Document, FileError, Origin, hints, source::Source};
use crate::wire::raw::{RawObject, is_null};

/// The beginning of the API versions of files for kustomize.
const KUSTOMIZE: &str = "kustomize.config.k8s.io/";

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
pub(super) struct Implied<'a> {
    kind: &'a str,
    api_version: &'a str,
}

/// Adds the object, or the objects of the list, that `json` holds.
pub(super) fn add(
    json: &RawValue,
    origin: Origin,
    source: Source,
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
    let head = serde_json::from_str(json.get());
    if matches!(&head, Err(error) if error.to_string().starts_with("duplicate field")) {
        // Of a key that is there twice the last one counts, for kubectl too.
        let once = RawObject::parse(json).map_err(malformed)?.to_raw();
        return add(&once, origin, source, implied, out);
    }
    let head: Head = head.map_err(malformed)?;
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
    if api_version.starts_with(KUSTOMIZE) {
        return Err(hints::kustomization(&origin.file));
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
        return add_items(items, &origin, &source, implied, out);
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
        source,
    });
    Ok(())
}

/// Adds the items of a list.
fn add_items(
    items: Option<&RawValue>,
    origin: &Origin,
    source: &Source,
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
        add(item, item_origin, source.item(i), implied, out)?;
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
