//! The form in which the API server stores a DaemonSet's spec.
//!
//! The server decodes an object into Go types and encodes it again: some empty fields go, some
//! fields are always there, and quantities are rewritten. The types are data, in `types.txt`; a
//! field that is not listed stays as it is.

use serde_json::value::{RawValue, to_raw_value};

use super::edit::{Edit, WrongType};
use super::types::{self, Field, Shape, Type};
use crate::model::quantity;
use crate::wire::raw::{RawObject, parse_array};

/// Brings an object of the type `name` into the server's form.
pub fn normalise(edit: &mut Edit, object: &mut RawObject, name: &str) -> Result<(), WrongType> {
    let fields = types::find(name).map_or(&[][..], |found| &found.fields);
    fields.iter().try_for_each(|f| field(edit, object, f))
}

fn field(edit: &mut Edit, object: &mut RawObject, field: &Field) -> Result<(), WrongType> {
    let key = field.key;
    match (field.shape, field.of) {
        (Shape::Plain, Type::Struct(inner)) => {
            edit.fill(object, key, "{}");
            return edit.child(object, key, |edit, inside| normalise(edit, inside, inner));
        }
        (Shape::Plain, Type::Quantity) if !field.omitted => edit.fill(object, key, "\"0\""),
        _ => {}
    }
    let text = object.get(key).map_or("null", RawValue::get);
    let empty = match field.shape {
        Shape::Plain => matches!(text, "null" | "false" | "0" | "\"\""),
        Shape::Pointer => text == "null",
        Shape::List => text == "null" || is_hollow(text, '[', ']'),
        Shape::Map => text == "null" || is_hollow(text, '{', '}'),
    };
    if empty && field.omitted {
        edit.drop(object, key);
        return Ok(());
    }
    if text == "null" {
        edit.set_quietly(object, key, zero(field));
        return Ok(());
    }
    match (field.shape, field.of) {
        (Shape::List, Type::Struct(inner)) => {
            edit.each(object, key, |edit, item| normalise(edit, item, inner))
        }
        (Shape::List, of) => nulls_in_list(edit, object, key, of),
        (Shape::Map, of) => nulls_in_map(edit, object, key, of),
        (_, Type::Struct(inner)) => {
            edit.child(object, key, |edit, inside| normalise(edit, inside, inner))
        }
        (_, Type::Quantity) => {
            rewrite(edit, object, key, quantity::canonical);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What Go has where a field is null or missing, and is not left out.
fn zero(field: &Field) -> &'static str {
    match field.shape {
        Shape::Plain => item_zero(field.of),
        _ => "null",
    }
}

/// What Go has where a value of this type is null: in a list or a map of texts, null is an empty
/// text.
fn item_zero(of: Type) -> &'static str {
    match of {
        Type::Text(_) => "\"\"",
        Type::Bool => "false",
        Type::Int32 | Type::Int64 | Type::NumberOrText => "0",
        Type::Quantity => "\"0\"",
        Type::Struct(_) => "{}",
        Type::Time | Type::MicroTime | Type::Raw => "null",
    }
}

fn nulls_in_list(
    edit: &mut Edit,
    object: &mut RawObject,
    key: &str,
    of: Type,
) -> Result<(), WrongType> {
    // Most lists have none: they keep their text.
    let Some(list) = object.get(key).filter(|list| list.get().contains("null")) else {
        return Ok(());
    };
    let items = parse_array(list).map_err(|_| edit.wrong("a sequence"))?;
    if items.iter().any(|item| item.get() == "null") {
        let items = items.iter().map(|item| match item.get() {
            "null" => item_zero(of),
            text => text,
        });
        let items: Vec<_> = items.collect();
        edit.set_quietly(object, key, &format!("[{}]", items.join(",")));
    }
    Ok(())
}

fn nulls_in_map(
    edit: &mut Edit,
    object: &mut RawObject,
    key: &str,
    of: Type,
) -> Result<(), WrongType> {
    let quantities = of == Type::Quantity;
    let text = object.get(key).map_or("", RawValue::get);
    if !quantities && !text.contains("null") {
        return Ok(());
    }
    edit.child(object, key, |edit, map| {
        let names: Vec<String> = map.0.keys().cloned().collect();
        for name in names {
            if quantities {
                rewrite(edit, map, &name, quantity::canonical_resource);
            } else if map.get(&name).map(RawValue::get) == Some("null") {
                edit.set_quietly(map, &name, item_zero(of));
            }
        }
        Ok(())
    })
}

/// Whether there is nothing but white space between the brackets.
fn is_hollow(text: &str, open: char, close: char) -> bool {
    text.strip_prefix(open)
        .and_then(|rest| rest.strip_suffix(close))
        .is_some_and(|inside| inside.trim().is_empty())
}

/// Rewrites a quantity as the server does. A quantity that the server would refuse stays.
fn rewrite(edit: &mut Edit, object: &mut RawObject, key: &str, form: fn(&str) -> Option<String>) {
    let Some(value) = object.get(key) else {
        return;
    };
    let text = match serde_json::from_str::<String>(value.get()) {
        Ok(text) => text,
        Err(_) if value.get() == "null" => "0".to_owned(),
        Err(_) => value.get().to_owned(),
    };
    if let Some(written) = form(&text).and_then(|text| to_raw_value(&text).ok())
        && written.get() != value.get()
    {
        edit.set(object, key, written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(name: &str, json: &str) -> String {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let mut object = RawObject::parse(&raw).unwrap();
        normalise(&mut Edit::default(), &mut object, name).unwrap();
        object.to_raw().get().to_owned()
    }

    #[test]
    fn null_is_an_empty_text_in_lists_and_maps_of_texts() {
        let selector = r#"{"nodeSelector":{"a":null,"b":"null"}}"#;
        let expected = r#"{"containers":null,"nodeSelector":{"a":"","b":"null"}}"#;
        assert_eq!(normal("PodSpec", selector), expected);
        assert_eq!(
            normal("ExecAction", r#"{"command":["x", null]}"#),
            r#"{"command":["x",""]}"#
        );
        let groups = r#"{"supplementalGroups":[null,7]}"#;
        assert_eq!(
            normal("PodSecurityContext", groups),
            groups.replace("null", "0")
        );
    }

    #[test]
    fn null_is_an_empty_struct_in_lists_of_structs_and_no_field_elsewhere() {
        let secrets = r#"{"containers":[],"imagePullSecrets":[null],"affinity":null}"#;
        let expected = r#"{"containers":[],"imagePullSecrets":[{}]}"#;
        assert_eq!(normal("PodSpec", secrets), expected);
    }

    #[test]
    fn texts_and_numbers_that_are_always_there_are_empty_where_they_are_missing() {
        let expected = r#"{"name":"kernel.sem","value":""}"#;
        assert_eq!(normal("Sysctl", r#"{"name":"kernel.sem"}"#), expected);
        assert_eq!(normal("SleepAction", "{}"), r#"{"seconds":0}"#);
    }

    #[test]
    fn a_list_without_nulls_keeps_its_text() {
        let text = normal("ExecAction", r#"{"command": ["a",  "null"]}"#);
        assert_eq!(text, r#"{"command":["a",  "null"]}"#);
    }
}
