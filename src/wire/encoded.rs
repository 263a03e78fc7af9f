//! An object that has not been decoded, in either form in which the API server sends it.

use serde_json::value::RawValue;

use super::{DecodeError, protobuf, raw};

/// The bytes of one object.
#[derive(Clone, Copy, Debug)]
pub enum Encoded<'a> {
    /// A JSON text.
    Json(&'a RawValue),
    /// A message of protobuf, without the envelope. Pods and nodes are read in this form.
    Protobuf(&'a [u8]),
}

/// The form of what the API server sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encoding {
    /// `application/json`.
    #[default]
    Json,
    /// `application/vnd.kubernetes.protobuf`.
    Protobuf,
}

impl<'a> Encoded<'a> {
    /// The object, where it is JSON.
    pub fn as_json(self) -> Option<&'a RawValue> {
        match self {
            Encoded::Json(raw) => Some(raw),
            Encoded::Protobuf(_) => None,
        }
    }

    /// The object as JSON. Fails for any other form, of which objects of this kind have none here.
    pub(super) fn json(self, kind: &'static str) -> Result<&'a RawValue, Box<DecodeError>> {
        self.as_json()
            .ok_or_else(|| DecodeError::new(kind, "it is not read as protobuf", self))
    }

    /// The resourceVersion, of an object that need not be readable otherwise.
    pub fn version(self) -> Option<&'a str> {
        let version = match self {
            Encoded::Json(object) => {
                let version = raw::find(object, &["metadata", "resourceVersion"])?;
                version.get().trim_matches('"')
            }
            Encoded::Protobuf(object) => protobuf::resource_version(object)?,
        };
        // Also keeps out a version that would mean "any", or would need escaping in a URL.
        (version != "0" && !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))
            .then_some(version)
    }
}

impl<'a> From<&'a RawValue> for Encoded<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Encoded::Json(raw)
    }
}

impl<'a> From<&'a Box<RawValue>> for Encoded<'a> {
    fn from(raw: &'a Box<RawValue>) -> Self {
        Encoded::Json(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Option<&str> {
        let raw: &RawValue = serde_json::from_str(text).expect("JSON");
        Encoded::from(raw).version()
    }

    #[test]
    fn a_version_is_read_from_objects_that_nothing_else_can_be_read_from() {
        for text in [
            r#"{"spec":7,"metadata":{"name":[],"resourceVersion":"12"}}"#,
            r#"{"metadata":{"resourceVersion":12}}"#,
        ] {
            assert_eq!(version(text), Some("12"), "{text}");
        }
        for none in [
            r#"{}"#,
            "7",
            r#"{"metadata":7}"#,
            r#"{"metadata":{"resourceVersion":""}}"#,
            r#"{"metadata":{"resourceVersion":"0"}}"#,
            r#"{"metadata":{"resourceVersion":"1&x"}}"#,
        ] {
            assert_eq!(version(none), None, "{none}");
        }
        // A name that is no text, then the version, and then something that is cut off.
        let object = b"\x0a\x07\x0a\x01\xff\x32\x0212\x0a\x7f";
        assert_eq!(Encoded::Protobuf(object).version(), Some("12"));
        assert_eq!(Encoded::Protobuf(b"\x0a\x04\x32\x021&").version(), None);
    }
}
