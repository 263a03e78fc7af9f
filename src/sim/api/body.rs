//! Bodies of requests: decoded as an object of a resource, or refused in the server's words.

use serde_json::{Value, json};

use super::fields::{remove, text};
use super::resource::{self, Resource};
use super::status::{ApiStatus, Result};
use super::validate;

/// How many bytes of a body an error shows.
const SHOWN: usize = 30;

/// Refuses all bodies but JSON. The real server reads two more formats.
pub fn check_type(content_type: &str) -> Result<()> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if matches!(media_type, "" | "application/json") {
        return Ok(());
    }
    let message = "the body of the request was in an unknown format - accepted media types include: application/json, \
                   application/yaml, application/vnd.kubernetes.protobuf";
    Err(ApiStatus::new(415, "UnsupportedMediaType", message))
}

/// Reads the body of a POST or PUT as an object of this resource, without `kind` and `apiVersion`.
pub fn read(resource: &'static Resource, body: &[u8]) -> Result<Value> {
    let unrecognized = |why: &str| {
        ApiStatus::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {why} ({})",
            resource.kind,
            summary(body)
        ))
    };
    let mut object = match serde_json::from_slice::<Value>(body) {
        Err(_) => return Err(unrecognized(&syntax_error(body))),
        Ok(Value::Null) => json!({}),
        Ok(object @ Value::Object(_)) => object,
        Ok(other) => {
            let what = match other {
                Value::Array(_) => "array",
                Value::Bool(_) => "bool",
                Value::String(_) => "string",
                _ => "number",
            };
            return Err(unrecognized(&format!(
                "json: cannot unmarshal {what} into Go value of type struct {{ APIVersion string \
                 \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
            )));
        }
    };
    for (field, wanted) in [
        ("kind", resource.kind.to_owned()),
        ("apiVersion", resource.api_version()),
    ] {
        let sent = text(&object, field);
        if !sent.is_empty() && sent != wanted {
            return Err(wrong_type(resource, &object));
        }
    }
    validate::decode(resource, &object)?;
    validate::fill_nulls(resource, &mut object);
    let mut object = bare(validate::without_unknown(resource, object));
    without_nulls(&mut object);
    Ok(object)
}

/// Why a text is not JSON, in Go's words for the cases that matter: it ends early, begins wrongly,
/// or has a wrong literal.
pub fn syntax_error(body: &[u8]) -> String {
    let error = serde_json::from_slice::<Value>(body).err();
    let start = body.iter().position(|b| !b.is_ascii_whitespace());
    let (Some(start), Some(error)) = (start, error) else {
        return "unexpected end of JSON input".to_owned();
    };
    for literal in ["null", "true", "false"] {
        if !literal.as_bytes().starts_with(&body[start..=start]) {
            continue;
        }
        let rest = &body[start..];
        let same = rest
            .iter()
            .zip(literal.bytes())
            .take_while(|(a, b)| **a == *b);
        let at = same.count();
        if let (Some(is), Some(wanted)) = (rest.get(at), literal.get(at..=at)) {
            let is = quoted(*is);
            return format!("invalid character {is} in literal {literal} (expecting '{wanted}')");
        }
    }
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    format!(
        "invalid character {} looking for beginning of value",
        quoted(body[start])
    )
}

/// A byte as Go quotes a character.
fn quoted(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".to_owned(),
        0x20..=0x7e => format!("'{}'", char::from(byte)),
        _ => format!("'\\u{byte:04x}'"),
    }
}

/// The beginning of a body for an error: as text if it looks like JSON, else as hexadecimal bytes.
fn summary(body: &[u8]) -> String {
    let more = if body.len() > SHOWN { " ..." } else { "" };
    let body = &body[..body.len().min(SHOWN)];
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(body).into_owned() + more,
        Some(_) => body.iter().map(|b| format!("{b:02x}")).collect::<String>() + more,
    }
}

/// The refusal of an object whose kind or version is not that of the path.
pub fn wrong_type(resource: &Resource, object: &Value) -> ApiStatus {
    let or = |sent: String, own: String| if sent.is_empty() { own } else { sent };
    let kind = or(text(object, "kind"), resource.kind.to_owned());
    let (_, version) = group_version(object, resource);
    ApiStatus::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {}: {}",
        resource.kind,
        not_this_kind(resource, object)
    ))
}

fn group_version(object: &Value, resource: &Resource) -> (String, String) {
    let sent = text(object, "apiVersion");
    let sent = if sent.is_empty() {
        resource.api_version()
    } else {
        sent
    };
    let (group, version) = sent.split_once('/').unwrap_or(("", &sent));
    (group.to_owned(), version.to_owned())
}

/// Why an object of another kind or version is refused.
pub fn not_this_kind(resource: &Resource, object: &Value) -> String {
    let (group, version) = group_version(object, resource);
    let sent = text(object, "kind");
    let kind = if sent.is_empty() {
        resource.kind
    } else {
        &sent
    };
    let mut all = resource::ALL.iter();
    if all.any(|r| r.kind == kind && r.group == group && r.version == version) {
        let internal = match resource.group {
            "" | "events.k8s.io" => "core",
            group => group.split('.').next().unwrap_or(group),
        };
        return format!(
            "converting ({version}.{kind}) to ({internal}.{}): unknown conversion",
            resource.kind
        );
    }
    let slash = if group.is_empty() { "" } else { "/" };
    format!(
        "no kind \"{kind}\" is registered for version \"{group}{slash}{version}\" in scheme \"pkg/runtime/scheme.go:111\""
    )
}

/// An object without `kind` and `apiVersion`.
pub fn bare(mut object: Value) -> Value {
    if !object.is_object() {
        object = json!({});
    }
    remove(&mut object, "kind");
    remove(&mut object, "apiVersion");
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object
}

/// Removes nulls, except in raw data (`data`).
pub fn without_nulls(object: &mut Value) {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(clean);
            }
            Value::Array(list) => list.iter_mut().for_each(clean),
            _ => {}
        }
    }
    let fields = object.as_object_mut().into_iter().flatten();
    fields
        .filter(|(key, _)| *key != "data")
        .for_each(|(_, value)| clean(value));
}
