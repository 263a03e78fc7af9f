//! The form in which the API server stores a DaemonSet's spec.
//!
//! The server decodes an object into Go types and encodes it again: some empty fields go, some
//! fields are always there, and quantities are rewritten. The types are data, in `types.txt`; a
//! field that is not listed stays as it is.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::value::{RawValue, to_raw_value};

use super::edit::{Edit, WrongType};
use super::quantity;
use crate::wire::raw::RawObject;

/// The fields of a type: name, and kind as `types.txt` writes it.
type Fields = Vec<(&'static str, &'static str)>;

static TYPES: LazyLock<HashMap<&'static str, Fields>> = LazyLock::new(|| {
    let lines = include_str!("types.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, fields)| {
            (
                name,
                fields
                    .split(", ")
                    .filter_map(|f| f.split_once(' '))
                    .collect(),
            )
        })
        .collect()
});

/// The name of the Go type in the field `key` of the type `owner`, or of the items of a list there.
/// None for maps, plain values and fields that are not listed.
pub fn field_type(owner: &str, key: &str) -> Option<&'static str> {
    let fields = TYPES.get(owner)?;
    let (_, kind) = fields.iter().find(|(name, _)| *name == key)?;
    if kind.starts_with("{}") {
        return None;
    }
    let name = kind.trim_start_matches(['[', ']', '?', '*', '&', '=']);
    name.starts_with(|c: char| c.is_ascii_uppercase())
        .then_some(name)
}

/// Brings an object of the type `name` into the server's form.
pub fn normalise(edit: &mut Edit, object: &mut RawObject, name: &str) -> Result<(), WrongType> {
    let Some(fields) = TYPES.get(name) else {
        return Ok(());
    };
    for (key, kind) in fields {
        field(edit, object, key, kind)?;
    }
    Ok(())
}

fn field(edit: &mut Edit, object: &mut RawObject, key: &str, kind: &str) -> Result<(), WrongType> {
    if let Some(inner) = kind.strip_prefix('=') {
        edit.fill(object, key, "{}");
        return edit.child(object, key, |edit, inside| normalise(edit, inside, inner));
    }
    if kind == "quantity" {
        edit.fill(object, key, "\"0\"");
    }
    let Some(text) = object.get(key).map(RawValue::get) else {
        let nullable = kind.starts_with('&') || ["[]", "{}"].iter().any(|k| kind.starts_with(k));
        if nullable && !kind.contains('?') {
            edit.set_null(object, key);
        }
        return Ok(());
    };
    let empty = match kind.split_once('?') {
        Some(("scalar", _)) => matches!(text, "null" | "false" | "0" | "\"\""),
        Some(("[]", _)) => text == "null" || is_hollow(text, '[', ']'),
        Some(("{}", _)) => text == "null" || is_hollow(text, '{', '}'),
        _ => text == "null" && kind.starts_with('*'),
    };
    if empty {
        edit.drop(object, key);
        return Ok(());
    }
    match kind {
        "quantity" | "*quantity" => {
            rewrite(edit, object, key, quantity::canonical);
            Ok(())
        }
        "{}?q" => edit.child(object, key, |edit, list| {
            let names: Vec<String> = list.0.keys().cloned().collect();
            for name in names {
                rewrite(edit, list, &name, quantity::canonical_resource);
            }
            Ok(())
        }),
        _ => match kind.trim_start_matches(['[', ']', '?', '*', '&', '{', '}']) {
            "" | "-" | "scalar" | "q" => Ok(()),
            inner if kind.starts_with("[]") => {
                edit.each(object, key, |edit, item| normalise(edit, item, inner))
            }
            inner if kind.starts_with(['*', '&']) => {
                edit.child(object, key, |edit, inside| normalise(edit, inside, inner))
            }
            _ => Ok(()),
        },
    }
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
