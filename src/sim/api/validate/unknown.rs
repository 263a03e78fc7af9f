//! Fields that the type of an object does not have. The server drops them, or refuses the object
//! where the client asks for strict validation (`fieldValidation=Strict`).
//!
//! The types are those of k8s-openapi. They are read from an object by a deserializer of our own,
//! which notes each field that a type passes over; so a null counts as a field, as it does for the
//! server. It accepts any value for any type, because [`super::decode`] has refused the wrong ones.
//! Names are compared letter by letter: `Containers` is unknown.

use std::cell::RefCell;
use std::fmt;

use k8s_openapi::api::{apps, coordination, core, events};
use serde::de::value::Error;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::super::resource::{self, Resource};
use super::super::status::ApiStatus;
use crate::wire::raw::RawObject;

/// The most unknown fields that the server names.
pub const MOST_NAMED: usize = 100;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Item(usize),
}

/// The path of a field that the type does not have. As text it is the path in the server's form,
/// `spec.template.spec.containers[0].imagePullPolcy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField(Vec<Step>);

impl UnknownField {
    /// The path without the numbers of list items: the same for all values of one type.
    pub fn without_indices(&self) -> String {
        let names = self.0.iter().filter_map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            Step::Item(_) => None,
        });
        names.collect::<Vec<_>>().join(".")
    }

    /// Removes the field from the object in which it was found.
    pub fn remove_from(&self, object: &mut Value) {
        let Some((Step::Field(name), way)) = self.0.split_last() else {
            return;
        };
        let owner = way.iter().try_fold(object, |value, step| match step {
            Step::Field(name) => value.get_mut(name),
            Step::Item(index) => value.get_mut(index),
        });
        if let Some(fields) = owner.and_then(Value::as_object_mut) {
            fields.remove(name);
        }
    }
}

/// The text of the object in which the fields were found, without them; all else stays as it was
/// written. Each level is written once, however many fields there are.
pub fn removed_from_text(
    fields: &[UnknownField],
    json: &RawValue,
) -> serde_json::Result<Box<RawValue>> {
    let ways: Vec<&[Step]> = fields.iter().map(|field| &field.0[..]).collect();
    without(json, &ways)
}

/// The text without what is at the ends of the ways, of which those that begin alike follow each
/// other.
fn without(json: &RawValue, ways: &[&[Step]]) -> serde_json::Result<Box<RawValue>> {
    let mut groups = Vec::new();
    for ways in ways.chunk_by(|one, next| one.first() == next.first()) {
        let rests: Vec<&[Step]> = ways.iter().filter_map(|way| way.get(1..)).collect();
        groups.extend(ways[0].first().map(|step| (step, rests)));
    }
    if let Some((Step::Item(_), _)) = groups.first() {
        let mut items: Vec<Box<RawValue>> = serde_json::from_str(json.get())?;
        for (step, rests) in &groups {
            if let Step::Item(index) = step
                && let Some(item) = items.get_mut(*index)
            {
                *item = without(item, rests)?;
            }
        }
        return to_raw_value(&items);
    }
    if groups.is_empty() {
        return Ok(json.to_owned());
    }
    let mut object = RawObject::parse(json)?;
    for (step, rests) in &groups {
        let Step::Field(name) = step else { continue };
        match object.remove(name) {
            Some(inside) if rests.iter().all(|rest| !rest.is_empty()) => {
                object.set(name, without(&inside, rests)?);
            }
            _ => {}
        }
    }
    Ok(object.to_raw())
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if i == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Item(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The unknown fields of an object, in the order of its keys. The server goes by the order of the
/// request, and kubectl sorts the keys of what it sends.
pub fn find(resource: &Resource, object: &Value) -> Vec<UnknownField> {
    let found = RefCell::default();
    let root = Reader {
        value: object,
        way: &Way::Start,
        found: &found,
    };
    // What follows a value that no type can take is not looked at; the decoder refuses such a one.
    let _ = match resource {
        r if *r == resource::PODS => read::<core::v1::Pod>(root),
        r if *r == resource::NODES => read::<core::v1::Node>(root),
        r if *r == resource::NAMESPACES => read::<core::v1::Namespace>(root),
        r if *r == resource::EVENTS => read::<core::v1::Event>(root),
        r if *r == resource::NEW_EVENTS => read::<events::v1::Event>(root),
        r if *r == resource::DAEMON_SETS => read::<apps::v1::DaemonSet>(root),
        r if *r == resource::CONTROLLER_REVISIONS => read::<apps::v1::ControllerRevision>(root),
        _ => read::<coordination::v1::Lease>(root),
    };
    found.into_inner()
}

/// The object without its unknown fields: what the server keeps of it.
pub fn without_unknown(resource: &Resource, mut object: Value) -> Value {
    for field in find(resource, &object) {
        field.remove_from(&mut object);
    }
    object
}

/// The server's words about unknown fields, as warnings have them and as the refusal lists them.
pub fn words(fields: &[UnknownField]) -> Vec<String> {
    let named = fields.iter().take(MOST_NAMED);
    named
        .map(|field| format!("unknown field {:?}", field.to_string()))
        .collect()
}

/// The refusal of an object for its unknown fields.
pub fn refusal(resource: &Resource, fields: &[UnknownField]) -> ApiStatus {
    let (kind, version) = (resource.kind, resource.version);
    ApiStatus::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: strict decoding error: {}",
        words(fields).join(", ")
    ))
}

fn read<'a, T: Deserialize<'a>>(root: Reader<'a, '_>) -> Result<(), Error> {
    T::deserialize(root).map(|_| ())
}

/// The way from the object to a value in it.
enum Way<'a, 'w> {
    Start,
    Field(&'w Way<'a, 'w>, &'a str),
    Item(&'w Way<'a, 'w>, usize),
}

impl Way<'_, '_> {
    fn steps(&self) -> Vec<Step> {
        let (before, step) = match self {
            Way::Start => return Vec::new(),
            Way::Field(before, name) => (before, Step::Field((*name).to_owned())),
            Way::Item(before, index) => (before, Step::Item(*index)),
        };
        let mut steps = before.steps();
        steps.push(step);
        steps
    }
}

/// Reads a value, and notes what its type passes over.
#[derive(Clone, Copy)]
struct Reader<'a, 'w> {
    value: &'a Value,
    way: &'w Way<'a, 'w>,
    found: &'w RefCell<Vec<UnknownField>>,
}

impl<'a, 'w> Reader<'a, 'w> {
    fn fields(self) -> Fields<'a, 'w> {
        Fields {
            left: self.value.as_object().map(Map::iter),
            next: None,
            reader: self,
        }
    }

    fn items(self) -> Items<'a, 'w> {
        let items = self.value.as_array().map_or(&[][..], Vec::as_slice);
        Items {
            left: items.iter().enumerate(),
            reader: self,
        }
    }
}

impl<'a> Deserializer<'a> for Reader<'a, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(bool) => visitor.visit_bool(*bool),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => visitor.visit_seq(self.items()),
            Value::Object(_) => visitor.visit_map(self.fields()),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (_, Some(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(self.fields())
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(self.fields())
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(self.items())
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.value.as_str().unwrap_or_default())
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.value.as_bool().unwrap_or_default())
    }

    fn deserialize_i32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(0)
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(0)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let field = UnknownField(self.way.steps());
        self.found.borrow_mut().push(field);
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier
    }
}

/// The fields of an object that are still to be read. A value that is no object has none.
struct Fields<'a, 'w> {
    left: Option<serde_json::map::Iter<'a>>,
    next: Option<(&'a str, &'a Value)>,
    reader: Reader<'a, 'w>,
}

impl<'a> MapAccess<'a> for Fields<'a, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.left.as_mut().and_then(Iterator::next) else {
            return Ok(None);
        };
        self.next = Some((key, value));
        let key = serde::de::value::BorrowedStrDeserializer::new(key);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let (key, value) = self.next.take().unwrap_or(("", &Value::Null));
        seed.deserialize(Reader {
            value,
            way: &Way::Field(self.reader.way, key),
            found: self.reader.found,
        })
    }
}

/// The items of a list that are still to be read.
struct Items<'a, 'w> {
    left: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    reader: Reader<'a, 'w>,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((index, value)) = self.left.next() else {
            return Ok(None);
        };
        let item = Reader {
            value,
            way: &Way::Item(self.reader.way, index),
            found: self.reader.found,
        };
        seed.deserialize(item).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(object: &Value) -> Vec<String> {
        let fields = find(&resource::DAEMON_SETS, object);
        fields.iter().map(UnknownField::to_string).collect()
    }

    #[test]
    fn a_value_of_another_type_hides_no_unknown_field() {
        let object = json!({
            "metadata": {"labels": [1], "generation": "x", "zeta": null},
            "spec": {
                "minReadySeconds": 1.5,
                "selector": "text",
                "template": {"spec": {
                    "containers": [null, {"name": 7, "tty": "yes", "resources": {
                        "limits": {"cpu": 1, "memory": 1.5e9}, "requests": null, "request": {}
                    }}],
                    "volumes": {"name": "v"}
                }}
            }
        });
        let expected = [
            "metadata.zeta",
            "spec.template.spec.containers[1].resources.request",
        ];
        assert_eq!(found(&object), expected);
        assert_eq!(found(&json!([])), Vec::<String>::new());
    }

    #[test]
    fn unknown_fields_are_removed_and_all_else_stays() {
        let kept = json!({
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"annotations": {"a": ""}, "creationTimestamp": null},
            "spec": {"template": {"spec": {
                "containers": [{"env": [], "livenessProbe": {"httpGet": {"port": "http"}}}],
                "nodeSelector": {},
                "volumes": null
            }}}
        });
        let mut object = kept.clone();
        object["metadata"]["lables"] = json!({});
        object["Spec"] = Value::Null;
        object["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["get"] = json!([1]);
        assert_eq!(without_unknown(&resource::DAEMON_SETS, object), kept);
        assert_eq!(without_unknown(&resource::DAEMON_SETS, kept.clone()), kept);
    }

    #[test]
    fn a_text_keeps_its_notation_when_a_field_is_removed() {
        let text =
            r#"{"spec":{"template":{"spec":{"containers":[{"a":1},{"tty":1.50e1,"b":{}}]}}}}"#;
        let fields = find(&resource::DAEMON_SETS, &serde_json::from_str(text).unwrap());
        let json = RawValue::from_string(text.to_owned()).unwrap();
        let json = removed_from_text(&fields, &json).unwrap();
        let expected = r#"{"spec":{"template":{"spec":{"containers":[{},{"tty":1.50e1}]}}}}"#;
        assert_eq!(json.get(), expected);
    }

    #[test]
    fn a_path_without_indices_is_one_for_all_items() {
        let object = json!({"spec": {"template": {"spec": {"containers": [{}, {"later": 1}]}}}});
        let field = &find(&resource::DAEMON_SETS, &object)[0];
        assert_eq!(
            field.without_indices(),
            "spec.template.spec.containers.later"
        );
    }

    #[test]
    fn the_server_names_a_hundred_fields_and_no_more() {
        let many: Map<String, Value> = (0..150).map(|i| (format!("f{i:03}"), json!(i))).collect();
        let fields = find(&resource::DAEMON_SETS, &json!({"spec": many}));
        let said = refusal(&resource::DAEMON_SETS, &fields).message;
        assert!(said.ends_with("unknown field \"spec.f099\""), "{said}");
        assert_eq!(said.matches("unknown field").count(), 100);
    }

    #[test]
    fn nothing_in_raw_data_is_unknown() {
        let revision = json!({"data": {"spec": {"any": [{"thing": 1}]}}, "date": 1, "revision": 1});
        let fields = find(&resource::CONTROLLER_REVISIONS, &revision);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[0].to_string(), "date");
    }
}
