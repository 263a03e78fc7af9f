//! Patches: applies one to an object. Preconditions and validation of the outcome are not decided
//! here.

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

/// The format of a patch, which the request's content type names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatchKind {
    /// A list of operations (RFC 6902).
    Json,
    /// The fields that differ, with null for those to remove; lists are replaced (RFC 7386).
    Merge,
    /// As [`PatchKind::Merge`], but many lists are merged by a key, and members with `$` direct the
    /// merge.
    Strategic,
}

impl PatchKind {
    /// The kind for a `Content-Type`, without its parameters. Server-side apply is not served, and
    /// is answered like any unknown type.
    pub fn of(content_type: &str) -> Result<PatchKind> {
        let media = content_type.split(';').next().unwrap_or_default();
        match media.trim() {
            "application/json-patch+json" => Ok(PatchKind::Json),
            "application/merge-patch+json" => Ok(PatchKind::Merge),
            "application/strategic-merge-patch+json" => Ok(PatchKind::Strategic),
            // These are the words of the router, which refuses such a request before the accepted
            // types are listed.
            _ => {
                const SAID: &str = "415: Unsupported Media Type";
                let status = ApiStatus::new(415, "UnsupportedMediaType", SAID);
                Err(detailed(status))
            }
        }
    }
}

/// Reads a patch. A body that is not JSON is refused, whatever the kind of patch.
pub fn read(patch: &[u8]) -> Result<Value> {
    serde_json::from_slice(patch).map_err(|_| ApiStatus::bad_request("invalid JSON patch"))
}

/// Applies a patch to an object of this resource as it is stored.
///
/// The outcome is what remains once the API server has decoded it into its type: members that are
/// null are gone. Other members that the type does not have stay, and so do identity and version,
/// which are checked later.
pub fn apply(resource: &Resource, kind: PatchKind, original: Value, patch: &[u8]) -> Result<Value> {
    apply_read(resource, kind, original, read(patch)?)
}

/// As [`apply`], with a patch that was [`read`].
pub fn apply_read(
    resource: &Resource,
    kind: PatchKind,
    original: Value,
    patch: Value,
) -> Result<Value> {
    let mut patched = match kind {
        PatchKind::Json => json::apply(original, patch)?,
        PatchKind::Merge => merge(original, patch)?,
        PatchKind::Strategic => strategically(resource, original, patch)?,
    };
    if let Value::Object(members) = &mut patched {
        // The data of a revision is kept as sent: null is data there, and so is `$patch`.
        let raw = (*resource == CONTROLLER_REVISIONS)
            .then(|| members.remove("data"))
            .flatten();
        decode(members);
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

fn strategically(resource: &Resource, original: Value, patch: Value) -> Result<Value> {
    let patch = match patch {
        Value::Object(patch) => patch,
        Value::Null => Object::new(),
        other => return Err(ApiStatus::bad_request(no_object(&other))),
    };
    let original = match original {
        Value::Object(original) => original,
        _ => Object::new(),
    };
    strategic::merge(original, patch, schema::of(resource)).map(Value::Object)
}

fn no_object(value: &Value) -> String {
    let kind = say::json_kind(value);
    format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
}

/// Does to members what decoding into a type does: null is absence, but the empty text in labels
/// and annotations; directives that no merge consumed are unknown fields, which are dropped.
fn decode(members: &mut Object) {
    members.retain(|key, _| !key.starts_with('$'));
    for key in ["labels", "annotations"] {
        if let Some(Value::Object(texts)) = members.get_mut(key) {
            for text in texts.values_mut().filter(|text| text.is_null()) {
                *text = Value::String(String::new());
            }
        }
    }
    members.retain(|_, value| !value.is_null());
    members.values_mut().for_each(decode_value);
}

fn decode_value(value: &mut Value) {
    match value {
        Value::Object(members) => decode(members),
        Value::Array(items) => items.iter_mut().for_each(decode_value),
        _ => {}
    }
}
