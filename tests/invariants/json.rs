//! Random JSON texts, with strings and numbers that readers and writers get wrong.

use proptest::prelude::*;
use serde_json::{Value, value::RawValue};

/// JSON text as a raw value.
pub fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// Pieces of strings that YAML has other uses for.
const PIECES: [&str; 56] = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r",
    "\r\n",
    ":",
    ": ",
    " #",
    "#",
    "-",
    "- ",
    "---",
    "...",
    "?",
    "? ",
    ",",
    "[",
    "]",
    "{",
    "}",
    "&a",
    "*a",
    "!",
    "!!int",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "%",
    "@",
    "`",
    "~",
    "null",
    "true",
    "yes",
    "on",
    "y",
    "0755",
    "0x1F",
    "1e3",
    "1_000",
    ".inf",
    "12:30",
    "2026-11-21",
    "<<",
    "=",
    "é",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{1}",
    "😀",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        2 => "[a-z0-9./=-]{1,8}",
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// Numbers as JSON spells them, those that no float64 holds aside: the API server takes none of
/// them.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,6})?([eE][+-]?[0-9]{1,2})?",
    ]
}

/// Any JSON text.
pub fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => text().prop_map(|t| Value::from(t).to_string()),
        1 => number(),
        1 => proptest::sample::select(&["null", "true", "false", "{}", "[]"][..]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    })
}

/// An object with such values.
pub fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((text(), value), 0..4).prop_map(|entries| {
        let entries = entries
            .into_iter()
            .map(|(key, value)| format!("{}:{value}", Value::from(key)));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    })
}
