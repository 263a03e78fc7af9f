//! JSON objects whose values stay text.
//!
//! Templates and other objects pass through this program without being understood in full. An edit
//! must leave everything else exactly as it was: unknown fields, the notation of numbers, nested
//! objects. A [`RawObject`] opens one level of an object and keeps each value as the JSON text that
//! was read; deeper levels are opened, changed and put back in the same way. Keys are sorted. Of
//! duplicate keys the last one wins, as in Go.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::{RawValue, to_raw_value};

/// One level of a JSON object, with sorted keys and each value as JSON text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct RawObject(pub BTreeMap<String, Box<RawValue>>);

impl RawObject {
    /// An object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens one level of `raw`. Fails where it is no JSON object.
    pub fn parse(raw: &RawValue) -> serde_json::Result<Self> {
        serde_json::from_str(raw.get())
    }

    /// The value of `key` as JSON text.
    pub fn get(&self, key: &str) -> Option<&RawValue> {
        self.0.get(key).map(|value| &**value)
    }

    /// The value of `key` as a `T`; None where it is absent or null. Fails where it is no `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self, key: &str) -> serde_json::Result<Option<T>> {
        match self.get(key) {
            Some(value) if !is_null(value) => serde_json::from_str(value.get()).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether `key` is present and not null.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !is_null(value))
    }

    /// Sets `key` to a JSON text.
    pub fn set(&mut self, key: impl Into<String>, value: Box<RawValue>) {
        self.0.insert(key.into(), value);
    }

    /// Sets `key` to `value` as JSON. Fails where `T` has no JSON form.
    pub fn put<T: Serialize + ?Sized>(
        &mut self,
        key: impl Into<String>,
        value: &T,
    ) -> serde_json::Result<()> {
        self.set(key, to_raw_value(value)?);
        Ok(())
    }

    /// Removes `key` and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Box<RawValue>> {
        self.0.remove(key)
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This level as JSON text, with each value as it was read.
    pub fn to_raw(&self) -> Box<RawValue> {
        let values: usize = self
            .0
            .iter()
            .map(|(k, v)| k.len() + v.get().len() + 4)
            .sum();
        let mut text = String::with_capacity(values + 2);
        text.push('{');
        for (key, value) in &self.0 {
            if text.len() > 1 {
                text.push(',');
            }
            // A `String` always has a JSON form, and `Value`'s Display cannot fail.
            text.push_str(&serde_json::Value::from(key.as_str()).to_string());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        RawValue::from_string(text).expect("an object of JSON texts is a JSON text")
    }
}

/// The value at a path of keys, as JSON text. Stops reading as soon as it is found: metadata stands
/// at the beginning of an object, and most of the object follows it.
pub fn find<'a>(raw: &'a RawValue, path: &[&str]) -> Option<&'a RawValue> {
    let mut found = None;
    // Once it is found, the rest is not read, which the deserializer takes for an error.
    let _ = Find {
        path,
        found: &mut found,
    }
    .deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
    found
}

/// Looks for a path below the value that is being read.
struct Find<'p, 'a> {
    path: &'p [&'p str],
    found: &'p mut Option<&'a RawValue>,
}

impl<'a> DeserializeSeed<'a> for Find<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.path {
            [] => {
                *self.found = Some(<&'a RawValue>::deserialize(deserializer)?);
                Ok(())
            }
            _ => deserializer.deserialize_map(self),
        }
    }
}

impl<'a> Visitor<'a> for Find<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.path.join("."))
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'a, str>>()? {
            if key == self.path[0] {
                map.next_value_seed(Find {
                    path: &self.path[1..],
                    found: self.found,
                })?;
                return Err(M::Error::custom("read far enough"));
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Whether `raw` is the JSON `null`.
pub fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// Opens a JSON array, with each item as JSON text. Fails where `raw` is no array.
pub fn parse_array(raw: &RawValue) -> serde_json::Result<Vec<Box<RawValue>>> {
    serde_json::from_str(raw.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn values_survive_as_they_were_written() {
        let text = r#"{"b":[1.0, 1e3, 123456789012345678901234567890],"a":{"z": "\u0041", "y":null},"q\"":-0}"#;
        let object = RawObject::parse(&raw(text)).unwrap();
        assert_eq!(
            object.to_raw().get(),
            r#"{"a":{"z": "\u0041", "y":null},"b":[1.0, 1e3, 123456789012345678901234567890],"q\"":-0}"#
        );
    }

    #[test]
    fn set_get_remove() {
        let mut object = RawObject::new();
        assert!(object.is_empty());
        assert_eq!(object.to_raw().get(), "{}");
        object.set("k", raw("[1]"));
        object.put("s", "x").unwrap();
        object.set("n", raw("null"));
        assert!(object.has("k") && !object.has("n") && !object.has("absent"));
        assert_eq!(object.read::<Vec<u8>>("k").unwrap(), Some(vec![1]));
        assert_eq!(object.read::<String>("n").unwrap(), None);
        assert!(object.read::<u8>("s").is_err());
        assert_eq!(object.remove("k").unwrap().get(), "[1]");
        assert_eq!(object.to_raw().get(), r#"{"n":null,"s":"x"}"#);
    }

    #[test]
    fn what_stands_at_a_path_is_found_whatever_comes_after_it() {
        let object = raw(r#"{"kind":"Pod","meta\u0064ata":{"a":[{}],"uid":"u"},"metadata":1}"#);
        assert_eq!(find(&object, &["metadata", "uid"]).unwrap().get(), r#""u""#);
        assert_eq!(find(&object, &["kind"]).unwrap().get(), r#""Pod""#);
        assert_eq!(find(&object, &[]).unwrap().get(), object.get());
        assert!(find(&object, &["metadata", "name"]).is_none());
        assert!(find(&object, &["kind", "name"]).is_none());
        assert!(find(&raw("[]"), &["kind"]).is_none());
    }

    #[test]
    fn only_objects_open() {
        assert!(RawObject::parse(&raw("[]")).is_err());
        assert!(RawObject::parse(&raw("null")).is_err());
        assert_eq!(parse_array(&raw("[1, {}]")).unwrap().len(), 2);
    }

    #[test]
    fn of_keys_that_occur_twice_the_last_wins() {
        assert_eq!(
            RawObject::parse(&raw(r#"{"a":1,"a":2}"#))
                .unwrap()
                .to_raw()
                .get(),
            r#"{"a":2}"#
        );
    }
}
