//! Pods and nodes in protobuf, made of their JSON as the real server makes it of its own objects:
//! fields in the order of their numbers, and those that Go always writes, however empty.

mod schema;

use jiff::Timestamp;
use serde_json::Value;

use schema::{Field, Schema, Shape};

/// What every answer in protobuf begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The media type of protobuf.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

/// The media type of a watch in protobuf.
pub const WATCH_MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf;stream=watch";

/// The schema of a kind that has protobuf here.
fn schema_of(kind: &str) -> Option<Schema> {
    match kind {
        "Pod" => Some(schema::POD),
        "Node" => Some(schema::NODE),
        _ => None,
    }
}

/// Whether objects of this kind have protobuf here.
pub fn has(kind: &str) -> bool {
    schema_of(kind).is_some()
}

/// Whether an answer to this request is in protobuf: where it is accepted, and the kind has it
/// here. The real server has it for all kinds.
pub fn is_asked_for(accept: &str, method: &str, kind: &str) -> bool {
    method == "GET" && accept.contains(MEDIA_TYPE) && has(kind)
}

/// The message of an object, without the envelope.
///
/// # Panics
///
/// Where the kind has none ([`has`]).
pub fn message(kind: &str, object: &Value) -> Vec<u8> {
    let schema = schema_of(kind).unwrap_or_else(|| panic!("{kind} has no protobuf here"));
    fields(schema, object)
}

/// An object in its envelope.
pub fn enveloped(kind: &str, object: &Value) -> Vec<u8> {
    envelope(kind, &message(kind, object))
}

/// A `Status` in its envelope.
pub fn status(status: &Value) -> Vec<u8> {
    envelope("Status", &fields(schema::STATUS, status))
}

/// A page of a list, of messages of its objects.
pub fn list<'a>(
    kind: &str,
    metadata: &Value,
    items: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut list = Vec::new();
    bytes(&mut list, 1, &fields(schema::LIST_META, metadata));
    for item in items {
        bytes(&mut list, 2, item);
    }
    envelope(&format!("{kind}List"), &list)
}

/// A frame of a watch: the length, and then the event, whose object has an envelope of its own.
pub fn frame(event: &str, object: &[u8]) -> Vec<u8> {
    let mut extension = Vec::new();
    bytes(&mut extension, 1, object);
    let mut message = Vec::new();
    bytes(&mut message, 1, event.as_bytes());
    bytes(&mut message, 2, &extension);
    let length = u32::try_from(message.len()).expect("frames are small here");
    [&length.to_be_bytes(), &message[..]].concat()
}

/// A message in the envelope that names its kind. Its version is always `v1` here.
pub fn envelope(kind: &str, object: &[u8]) -> Vec<u8> {
    let mut type_meta = Vec::new();
    bytes(&mut type_meta, 1, b"v1");
    bytes(&mut type_meta, 2, kind.as_bytes());
    let mut whole = MAGIC.to_vec();
    bytes(&mut whole, 1, &type_meta);
    bytes(&mut whole, 2, object);
    bytes(&mut whole, 3, b"");
    bytes(&mut whole, 4, b"");
    whole
}

fn fields(schema: Schema, object: &Value) -> Vec<u8> {
    let mut message = Vec::new();
    for field in schema {
        // The fields of an inlined message are those of the object around it.
        let value = match field.is_inline {
            true => Some(object),
            false => object.get(field.name).filter(|value| !value.is_null()),
        };
        match value {
            Some(value) => put(&mut message, field.number, &field.shape, value),
            None if field.always => put_empty(&mut message, field),
            None => {}
        }
    }
    message
}

/// Writes the value that Go has where there is none.
fn put_empty(message: &mut Vec<u8>, field: &Field) {
    match field.shape {
        Shape::Number | Shape::Bool => number(message, field.number, 0),
        Shape::Message(schema) => {
            bytes(message, field.number, &fields(schema, &Value::Null));
        }
        _ => bytes(message, field.number, b""),
    }
}

fn put(message: &mut Vec<u8>, at: u64, shape: &Shape, value: &Value) {
    match (shape, value) {
        (Shape::Text, Value::String(text)) => bytes(message, at, text.as_bytes()),
        (Shape::Number, Value::Number(n)) if n.is_i64() => {
            number(message, at, n.as_i64().unwrap_or_default());
        }
        (Shape::Bool, Value::Bool(is_true)) => number(message, at, i64::from(*is_true)),
        (Shape::Time, Value::String(text)) => bytes(message, at, &seconds(text)),
        (Shape::Quantity, Value::String(text)) => bytes(message, at, &boxed(text)),
        (Shape::Quantity, Value::Number(n)) => bytes(message, at, &boxed(&n.to_string())),
        (Shape::Json, json) => bytes(message, at, &boxed(&json.to_string())),
        (Shape::IntOrText, Value::Number(_) | Value::String(_)) => {
            let mut inside = Vec::new();
            number(&mut inside, 1, i64::from(value.is_string()));
            number(&mut inside, 2, value.as_i64().unwrap_or(0));
            bytes(&mut inside, 3, value.as_str().unwrap_or("").as_bytes());
            bytes(message, at, &inside);
        }
        (Shape::Message(schema), Value::Object(_)) => {
            bytes(message, at, &fields(schema, value));
        }
        (Shape::List(item), Value::Array(items)) => {
            for value in items {
                put(message, at, item, value);
            }
        }
        (Shape::Map(item), Value::Object(entries)) => {
            for (key, value) in entries {
                let mut entry = Vec::new();
                bytes(&mut entry, 1, key.as_bytes());
                if !value.is_null() {
                    put(&mut entry, 2, item, value);
                }
                bytes(message, at, &entry);
            }
        }
        _ => put_mistyped(message, at, shape),
    }
}

/// Writes a value of another type, for one that has another type in JSON. Only tests have such
/// objects.
fn put_mistyped(message: &mut Vec<u8>, at: u64, shape: &Shape) {
    match shape {
        Shape::Number | Shape::Bool => bytes(message, at, b"?"),
        _ => number(message, at, 0),
    }
}

/// The message of a time. A text that is no time becomes one that is none either.
fn seconds(text: &str) -> Vec<u8> {
    let time = text.parse::<Timestamp>();
    let mut message = Vec::new();
    number(&mut message, 1, time.map_or(i64::MAX, Timestamp::as_second));
    number(&mut message, 2, 0);
    message
}

/// A message that holds one text.
fn boxed(text: &str) -> Vec<u8> {
    let mut message = Vec::new();
    bytes(&mut message, 1, text.as_bytes());
    message
}

fn bytes(message: &mut Vec<u8>, at: u64, value: &[u8]) {
    varint(message, at << 3 | 2);
    varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

fn number(message: &mut Vec<u8>, at: u64, value: i64) {
    varint(message, at << 3);
    varint(message, value.cast_unsigned());
}

fn varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    message.push(number.to_le_bytes()[0]);
}
