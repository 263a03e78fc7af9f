//! Decoding: checks that an object's fields have the types of its kind, in the server's words.
//!
//! The types are those of [`stored::types`](crate::stored::types), and the object is read as Go
//! reads it: null is an empty text in a list or map of texts, and an empty struct in a list of
//! structs.

use serde_json::{Value, json};

use super::super::resource::{self, Resource};
use super::super::status::ApiStatus;
use crate::model::quantity;
use crate::stored::types::{self, Field, Shape, Type};

/// Refuses an object that cannot be decoded. Unknown fields are no error.
pub fn decode(resource: &Resource, object: &Value) -> Result<(), ApiStatus> {
    check_types(resource, object).map_err(|why| refusal(resource, &why))
}

/// As [`decode`]; the error is only the reason.
pub fn check_types(resource: &Resource, object: &Value) -> Result<(), String> {
    if !object.is_object() {
        return Err("json: cannot unmarshal into Go value".to_owned());
    }
    check_struct(object, root(resource), &mut Vec::new())
}

/// Gives the nulls in lists and maps the values that Go has for them.
pub fn fill_nulls(resource: &Resource, object: &mut Value) {
    fill_struct(object, root(resource));
}

/// The name of a resource's type. Events of the newer group have the same name as the older.
pub fn root(resource: &Resource) -> &'static str {
    if *resource == resource::NEW_EVENTS {
        "NewEvent"
    } else {
        resource.kind
    }
}

fn refusal(resource: &Resource, why: &str) -> ApiStatus {
    let (kind, version) = (resource.kind, resource.version);
    ApiStatus::bad_request(format!(
        "{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"
    ))
}

fn fill_struct(value: &mut Value, name: &str) {
    let Some(known) = types::find(name) else {
        return;
    };
    for (key, inside) in value.as_object_mut().into_iter().flatten() {
        let Some(field) = known.field(key) else {
            continue;
        };
        match (field.shape, inside) {
            (Shape::List, Value::Array(items)) => {
                items.iter_mut().for_each(|item| fill_item(item, field.of));
            }
            (Shape::Map, Value::Object(values)) => {
                values.values_mut().for_each(|v| fill_item(v, field.of));
            }
            (_, inside) => {
                if let Type::Struct(of) = field.of {
                    fill_struct(inside, of);
                }
            }
        }
    }
}

fn fill_item(item: &mut Value, of: Type) {
    if item.is_null() {
        *item = match of {
            Type::Text(_) => json!(""),
            Type::Bool => json!(false),
            Type::Int32 | Type::Int64 | Type::NumberOrText => json!(0),
            Type::Quantity => json!("0"),
            Type::Struct(_) => json!({}),
            Type::Time | Type::MicroTime | Type::Raw => Value::Null,
        };
    }
    if let Type::Struct(of) = of {
        fill_struct(item, of);
    }
}

/// The path to a field as Go names it: with embedded types, without positions and keys of maps.
type Way = Vec<&'static str>;

fn check_struct(value: &Value, name: &'static str, way: &mut Way) -> Result<(), String> {
    let (Some(known), Value::Object(fields)) = (types::find(name), value) else {
        return Ok(());
    };
    for (key, inside) in fields {
        let Some(field) = known.field(key) else {
            continue;
        };
        let depth = way.len();
        way.extend((!field.within.is_empty()).then_some(field.within));
        way.push(field.key);
        check_field(inside, name, field, way)?;
        way.truncate(depth);
    }
    Ok(())
}

fn check_field(
    value: &Value,
    owner: &'static str,
    field: &Field,
    way: &mut Way,
) -> Result<(), String> {
    let mut one = |value: &Value| check_value(value, owner, field.of, way);
    match (field.shape, value) {
        (Shape::List, Value::Array(items)) => items.iter().try_for_each(one),
        (Shape::Map, Value::Object(values)) => values.values().try_for_each(one),
        (Shape::List | Shape::Map, Value::Null) => Ok(()),
        (Shape::List, _) => {
            let wanted = format!("[]{}", go_name(field.of));
            Err(mismatch(value, owner, way, &wanted))
        }
        (Shape::Map, _) => {
            let wanted = match field.of {
                Type::Quantity => "v1.ResourceList".to_owned(),
                of => format!("map[string]{}", go_name(of)),
            };
            Err(mismatch(value, owner, way, &wanted))
        }
        _ => one(value),
    }
}

/// The name of a type in Go.
fn go_name(of: Type) -> String {
    match of {
        Type::Text(name) => name.to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int32 | Type::NumberOrText => "int32".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Struct(name) => format!("v1.{}", name.strip_prefix("New").unwrap_or(name)),
        Type::Quantity | Type::Time | Type::MicroTime | Type::Raw => "string".to_owned(),
    }
}

fn check_value(value: &Value, owner: &'static str, of: Type, way: &mut Way) -> Result<(), String> {
    let good = match (of, value) {
        (_, Value::Null) | (Type::Raw, _) => true,
        (Type::Struct(name), Value::Object(_)) => return check_struct(value, name, way),
        (Type::Text(_) | Type::NumberOrText, Value::String(_)) => true,
        (Type::Bool, Value::Bool(_)) => true,
        (Type::Int32 | Type::NumberOrText, Value::Number(number)) => {
            number.as_i64().is_some_and(|n| i32::try_from(n).is_ok())
        }
        (Type::Int64, Value::Number(number)) => number.is_i64(),
        (Type::Quantity, value) => return check_quantity(value),
        (Type::Time, Value::String(text)) => return check_time(text),
        (Type::MicroTime, Value::String(text)) => return check_micro_time(text),
        _ => false,
    };
    if good {
        return Ok(());
    }
    Err(mismatch(value, owner, way, &go_name(of)))
}

fn mismatch(value: &Value, owner: &str, way: &Way, wanted: &str) -> String {
    let got = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(number) if wanted.starts_with("int") => format!("number {number}"),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) => "object".to_owned(),
    };
    let owner = owner.strip_prefix("New").unwrap_or(owner);
    let path = way.join(".");
    format!("json: cannot unmarshal {got} into Go struct field {owner}.{path} of type {wanted}")
}

fn check_quantity(value: &Value) -> Result<(), String> {
    let good = match value {
        Value::String(text) => quantity::canonical(text).is_some(),
        Value::Number(number) => quantity::canonical(&number.to_string()).is_some(),
        _ => false,
    };
    if good {
        return Ok(());
    }
    const WHY: &str = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    Err(WHY.to_owned())
}

fn check_time(text: &str) -> Result<(), String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Ok(());
    }
    Err(format!(
        "parsing time \"{text}\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"{text}\" as \"2006\""
    ))
}

/// Checks a time of a Lease or an event, which must have six decimal places.
fn check_micro_time(text: &str) -> Result<(), String> {
    let refused = |rest: &str, wanted: &str| {
        Err(format!(
            "parsing time \"{text}\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"{rest}\" as \
             \"{wanted}\""
        ))
    };
    if text.parse::<jiff::Timestamp>().is_err() {
        return refused(text, "2006");
    }
    let rest = text.get("2006-01-02T15:04:05".len()..).unwrap_or_default();
    let fraction = rest.strip_prefix('.').unwrap_or_default();
    let places = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if places < 6 {
        return refused(rest, ".000000");
    }
    if places > 6 {
        return refused(&fraction[6..], "Z07:00");
    }
    Ok(())
}
