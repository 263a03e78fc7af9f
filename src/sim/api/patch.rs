//! Patches: what becomes of an object. Who may patch, and whether the outcome is valid, is decided elsewhere.

mod directives;
mod json;
mod lists;
mod refusal;
mod say;
mod schema;
mod strategic;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::resource::{CONTROLLER_REVISIONS, Resource};
use super::status::{ApiStatus, Result};
use refusal::detailed;
use say::Object;

/// How a patch is to be read, which the request's content type says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatchKind {
    /// A list of operations (RFC 6902).
    Json,
    /// What differs, with null for what goes; lists are replaced (RFC 7386).
    Merge,
    /// As [`PatchKind::Merge`], but lists of many fields are merged by a key, and `$` members direct it.
    Strategic,
}

impl PatchKind {
    /// The kind for a `Content-Type`, whose parameters do not matter. Server-side apply is not served, and is
    /// answered like any unknown type.
    pub fn of(content_type: &str) -> Result<PatchKind> {
        let media = content_type.split(';').next().unwrap_or_default();
        match media.trim() {
            "application/json-patch+json" => Ok(PatchKind::Json),
            "application/merge-patch+json" => Ok(PatchKind::Merge),
            "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
            // The router's own words: such a request never gets as far as the list of accepted types.
            _ => {
                const SAID: &str = "415: Unsupported Media Type";
                let status = ApiStatus::new(415, "UnsupportedMediaType", SAID);
                Err(detailed(status))
            }
        }
    }
}

/// The object after a patch. The original is an object of this resource as it is stored.
///
/// The outcome is what remains when the API server has read it into its type: members that are null are gone.
/// Other members that no type knows stay, and so do identity and version: those are checked later.
pub fn apply(
    resource: &Resource,
    kind: PatchKind,
    original: &Value,
    patch: &[u8],
) -> Result<Value> {
    // Whatever the kind, a body that is no JSON at all is refused before anybody reads it.
    let patch: Value =
        serde_json::from_slice(patch).map_err(|_| ApiStatus::bad_request("invalid JSON patch"))?;
    let mut patched = match kind {
        PatchKind::Json => json::apply(original.clone(), patch)?,
        PatchKind::Merge => merge(original.clone(), patch)?,
        PatchKind::Strategic => strategically(resource, original, patch)?,
    };
    if let Value::Object(members) = &mut patched {
        // The data of a revision is kept as it came: here a null is data, and so is `$patch`.
        let raw = (*resource == CONTROLLER_REVISIONS)
            .then(|| members.remove("data"))
            .flatten();
        read(members);
        members.extend(raw.map(|data| ("data".to_owned(), data)));
    }
    Ok(patched)
}

fn merge(mut original: Value, patch: Value) -> Result<Value> {
    match &patch {
        Value::Object(_) => {}
        Value::Null => return Err(ApiStatus::bad_request("Invalid JSON Patch")),
        other => {
            let why = format!("error decoding patch: {}", no_object(other));
            return Err(ApiStatus::bad_request(why));
        }
    }
    json_patch::merge(&mut original, &patch);
    Ok(original)
}

fn strategically(resource: &Resource, original: &Value, patch: Value) -> Result<Value> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => Object::new(),
        other => return Err(ApiStatus::bad_request(no_object(&other))),
    };
    let original = original.as_object().cloned().unwrap_or_default();
    strategic::merge(original, patch, schema::of(resource)).map(Value::Object)
}

fn no_object(value: &Value) -> String {
    let kind = say::json_kind(value);
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

/// What decoding into a type does to members: null is absence, except among labels and annotations, where it is
/// the empty text; and directives that no merge consumed are unknown fields, which are dropped.
fn read(members: &mut Object) {
    members.retain(|key, _| !key.starts_with('$'));
    for key in ["labels", "annotations"] {
        if let Some(Value::Object(texts)) = members.get_mut(key) {
            for text in texts.values_mut().filter(|text| text.is_null()) {
                *text = Value::String(String::new());
            }
        }
    }
    members.retain(|_, value| !value.is_null());
    members.values_mut().for_each(read_value);
}

fn read_value(value: &mut Value) {
    match value {
        Value::Object(members) => read(members),
        Value::Array(items) => items.iter_mut().for_each(read_value),
        _ => {}
    }
}
