//! The identity and the version of an object, read without decoding more than needed.
//!
//! Most events of a watch that follow a write of ours bring a state that is known already.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::model::{Key, Uid, Version};

use super::{Encoded, partial::Text, protobuf::reader::Message};

/// The identity of an object, and the version of one state of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// `metadata.namespace` (empty for cluster-scoped objects) and `metadata.name`.
    pub key: Key,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub version: Version,
}

/// Reads the identity. None where the name, UID or version cannot be read.
pub fn identity<'a>(raw: impl Into<Encoded<'a>>) -> Option<Identity> {
    let mut found = Found::default();
    match raw.into() {
        Encoded::Json(raw) => {
            // Once all fields are found, the rest is not read, which the deserializer takes for an
            // error.
            let object = Level::Object(&mut found);
            let _ = object.deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
        }
        Encoded::Protobuf(message) => found.read(Message::new(message)),
    }
    Some(Identity {
        key: Key::new(found.namespace.as_deref().unwrap_or(""), &*found.name?),
        uid: Uid::from(&*found.uid?),
        version: Version::parse(&found.version?),
    })
}

#[derive(Default)]
struct Found<'a> {
    namespace: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    uid: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
}

impl<'a> Found<'a> {
    /// Reads a message, up to what is malformed.
    fn read(&mut self, object: Message<'a>) {
        let metadata = object.find(1).unwrap_or_default();
        for field in Message::new(metadata).map_while(Result::ok) {
            let slot = match field.number {
                1 => &mut self.name,
                3 => &mut self.namespace,
                5 => &mut self.uid,
                6 => &mut self.version,
                _ => continue,
            };
            let Ok(text) = field.text("") else {
                *self = Found::default();
                return;
            };
            // Go writes an empty text where there is none.
            *slot = (!text.is_empty() || field.number == 3).then_some(Cow::Borrowed(text));
            if self.is_complete() {
                return;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.namespace.is_some()
            && self.name.is_some()
            && self.uid.is_some()
            && self.version.is_some()
    }
}

/// The part of the object that is being read.
enum Level<'f, 'a> {
    Object(&'f mut Found<'a>),
    Metadata(&'f mut Found<'a>),
}

impl<'a> DeserializeSeed<'a> for Level<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Level<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with metadata")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        match self {
            Level::Object(found) => {
                while let Some(Text(key)) = map.next_key()? {
                    if key == "metadata" {
                        map.next_value_seed(Level::Metadata(found))?;
                        return Err(M::Error::custom("read far enough"));
                    }
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Level::Metadata(found) => {
                while let Some(Text(key)) = map.next_key()? {
                    let slot = match &*key {
                        "namespace" => &mut found.namespace,
                        "name" => &mut found.name,
                        "uid" => &mut found.uid,
                        "resourceVersion" => &mut found.version,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *slot = Some(map.next_value::<Text<'a>>()?.0);
                    if found.is_complete() {
                        return Err(M::Error::custom("read far enough"));
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn of(text: &str) -> Option<Identity> {
        identity(&*RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn what_comes_after_it_may_be_anything() {
        let pod = of(
            r#"{"kind":"Pod","metadata":{"name":"p","labels":{"name":"x"},"namespace":"n","uid":"u","resourceVersion":"7","labels":3},"spec":1}"#,
        );
        let pod = pod.expect("all four are there");
        assert_eq!(
            (pod.key, pod.uid, pod.version),
            (Key::new("n", "p"), Uid::from("u"), Version(7))
        );
        let node = of(r#"{"metadata":{"name":"a","uid":"u","resourceVersion":"8"}}"#)
            .expect("no namespace");
        assert_eq!((node.key, node.version), (Key::new("", "a"), Version(8)));
        for none in [
            "[]",
            "{}",
            r#"{"metadata":{"name":5,"uid":"u","resourceVersion":"8"}}"#,
            r#"{"metadata":{"name":"a"}}"#,
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
