//! The readable parts of an object that does not decode. Such an object is not gone.

mod protobuf;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Controller, Str, Uid, Version};

use super::{Encoded, partial, place, raw::RawObject};

/// So many bytes of the decoder's error are kept. It quotes the value that it did not expect, which
/// may be of any length, and may be a secret.
const SHOWN: usize = 300;

/// An object did not decode. The error holds the parts that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {}/{} could not be decoded: {why}", .namespace.as_deref().unwrap_or("?"), .name.as_deref().unwrap_or("?"))]
pub struct DecodeError {
    /// The kind, for example `Pod`.
    pub kind: &'static str,
    /// The decoder's error.
    pub why: String,
    /// `metadata.namespace`.
    pub namespace: Option<Str>,
    /// `metadata.name`.
    pub name: Option<Str>,
    /// `metadata.uid`.
    pub uid: Option<Uid>,
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// The owner reference that controls the object.
    pub controller: Controller,
    /// For a pod, the node that it runs on or is pinned to.
    pub node: Option<Str>,
}

impl DecodeError {
    /// The error of reading `raw` as a whole, with the path of the field.
    pub fn at(kind: &'static str, why: &serde_json::Error, raw: &RawValue) -> Box<DecodeError> {
        DecodeError::new(kind, place::said(why, raw.get()), raw)
    }

    /// Reads name, UID, owner, node and version, each by itself. A part that cannot be read stays
    /// unknown.
    pub fn new<'a>(
        kind: &'static str,
        why: impl ToString,
        raw: impl Into<Encoded<'a>>,
    ) -> Box<DecodeError> {
        let parts = match raw.into() {
            Encoded::Json(raw) => parts(raw),
            Encoded::Protobuf(message) => protobuf::parts(message),
        };
        Box::new(DecodeError {
            kind,
            why: shortened(why.to_string(), SHOWN),
            namespace: parts.namespace,
            name: parts.name,
            uid: parts.uid,
            version: parts.version,
            controller: parts.controller,
            node: parts.node,
        })
    }
}

/// The parts of an object that are read each by itself.
struct Parts {
    namespace: Option<Str>,
    name: Option<Str>,
    uid: Option<Uid>,
    version: Version,
    controller: Controller,
    node: Option<Str>,
}

fn parts(raw: &RawValue) -> Parts {
    let object = RawObject::parse(raw).unwrap_or_default();
    let metadata = object
        .get("metadata")
        .and_then(|m| RawObject::parse(m).ok())
        .unwrap_or_default();
    let text = |key: &str| -> Option<Str> {
        metadata
            .read::<String>(key)
            .ok()
            .flatten()
            .filter(|t| !t.is_empty())
            .map(Str::from)
    };
    let controller = match metadata.read::<Vec<&RawValue>>("ownerReferences") {
        Err(_) => Controller::Unreadable,
        Ok(None) if object.has("metadata") => Controller::None,
        Ok(None) => Controller::Unreadable,
        Ok(Some(owners)) => {
            let owners: Result<Vec<_>, _> = owners
                .iter()
                .map(|o| serde_json::from_str::<partial::OwnerReference<'_>>(o.get()))
                .collect();
            owners.map_or(Controller::Unreadable, |o| partial::controller(&o))
        }
    };
    Parts {
        namespace: text("namespace"),
        name: text("name"),
        uid: text("uid").map(Uid),
        version: text("resourceVersion").map_or(Version::default(), |v| Version::parse(&v)),
        controller,
        node: object.get("spec").and_then(node),
    }
}

fn node(spec: &RawValue) -> Option<Str> {
    let spec = RawObject::parse(spec).ok()?;
    match spec.read::<String>("nodeName") {
        Ok(Some(name)) if !name.is_empty() => Some(name.into()),
        _ => {
            let affinity = spec.get("affinity")?;
            let affinity = partial::Affinity::deserialize(&mut serde_json::Deserializer::from_str(
                affinity.get(),
            ))
            .ok()?;
            affinity.pinned_to().map(Str::from)
        }
    }
}

/// The beginning and the end of an error that is longer than so many bytes: the field, and what is
/// needed in it. Between them stands the value, of any length.
pub fn shortened(error: String, most: usize) -> String {
    if error.len() <= most {
        return error;
    }
    let (first, last) = (most * 2 / 3, error.len() - most / 3);
    let is_boundary = |at: &usize| error.is_char_boundary(*at);
    let first = (0..=first).rev().find(is_boundary).unwrap_or(0);
    let last = (last..error.len()).find(is_boundary);
    let last = last.unwrap_or(error.len());
    format!("{}…{}", &error[..first], &error[last..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lenient(text: &str) -> Box<DecodeError> {
        DecodeError::new(
            "Pod",
            "x",
            &*RawValue::from_string(text.to_owned()).unwrap(),
        )
    }

    #[test]
    fn each_piece_is_read_by_itself() {
        let e = lenient(
            r#"{"metadata":{"name":"p","namespace":"n","uid":"u","resourceVersion":"7","labels":3,
                "ownerReferences":[{"uid":"o","controller":true}]},"spec":{"nodeName":"a"}}"#,
        );
        assert_eq!(e.name.as_deref(), Some("p"));
        assert_eq!(e.uid, Some(Uid::from("u")));
        assert_eq!(e.version, Version(7));
        assert_eq!(e.controller, Controller::Uid(Uid::from("o")));
        assert_eq!(e.node.as_deref(), Some("a"));
        let e =
            lenient(r#"{"metadata":{"name":5,"uid":"u","ownerReferences":[{"uid":5}]},"spec":[]}"#);
        assert_eq!((e.name, e.uid), (None, Some(Uid::from("u"))));
        assert_eq!(e.controller, Controller::Unreadable);
        assert_eq!(lenient("[]").controller, Controller::Unreadable);
        assert_eq!(
            lenient(r#"{"metadata":{"name":"p"}}"#).controller,
            Controller::None
        );
    }

    #[test]
    fn an_error_has_an_end_however_long_the_value_that_it_quotes() {
        let long = "ä".repeat(1 << 20);
        let text = format!(r#"{{"metadata":{{"name":"p"}},"spec":{{"nodeName":["{long}"]}}}}"#);
        let raw = RawValue::from_string(text).unwrap();
        let why = format!("spec.nodeName: invalid type: string \"{long}\", expected i32");
        let why = DecodeError::new("Pod", why, &raw).why;
        assert!(why.len() <= SHOWN + 3, "{} bytes", why.len());
        assert!(why.starts_with("spec.nodeName: invalid type: string \"ä"));
        assert!(why.ends_with("ä\", expected i32"));
    }
}
