//! What is written as YAML means the same JSON to kubectl: it is read back by the reader that is held against
//! kubectl's own answers (`yaml_means_what_kubectl_means.rs`).

use daemonset_controller::{
    cli::{documents::split, to_yaml::to_yaml},
    wire::canonical::canonical,
};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

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

/// Numbers as JSON spells them, those that no float64 holds aside: the API server takes none of them.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,6})?([eE][+-]?[0-9]{1,2})?",
    ]
}

fn json_text() -> impl Strategy<Value = String> {
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

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((text(), value), 0..4).prop_map(|entries| {
        let entries = entries
            .into_iter()
            .map(|(key, value)| format!("{}:{value}", Value::from(key)));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    })
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// The canonical form, in which -0 has one spelling.
fn meaning(json: &RawValue) -> String {
    canonical(&raw(&canonical(json).unwrap())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back_as_the_same_json(objects in proptest::collection::vec(object(json_text()), 1..3)) {
        let written: Vec<String> = objects.iter().map(|o| to_yaml(&raw(o)).unwrap()).collect();
        let stream = written.join("---\n");
        let read = split(&stream).map_err(|e| TestCaseError::fail(format!("{e:?}\n{stream}")))?;
        prop_assert_eq!(read.len(), objects.len(), "{}", stream);
        for (read, object) in read.iter().zip(&objects) {
            prop_assert_eq!(meaning(&read.json), meaning(&raw(object)), "{}", stream);
        }
    }
}

#[test]
fn strings_that_mean_something_else_without_quotes_stay_strings() {
    let strings = [
        "0755",
        "yes",
        "1e3",
        "null",
        "~",
        "",
        "2026-11-21",
        "12:30",
        "0x1f",
        "true",
        "<<",
        "-",
        "a: b",
    ];
    let object = json!({ "strings": strings, "as keys": { "0755": 1, "yes": 1, "null": 1, "<<": 1, "": 1 } });
    let written = to_yaml(&raw(&object.to_string())).unwrap();
    let read = split(&written).unwrap();
    let read: Value = serde_json::from_str(read[0].json.get()).unwrap();
    assert_eq!(read, object, "{written}");
}
