//! What is written as YAML means the same JSON to kubectl: it is read back by the reader that is
//! held against kubectl's own answers (`tests/process/yaml.rs`).

use daemonset_controller::{
    cli::{documents::split, to_yaml::to_yaml},
    wire::canonical::canonical,
};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

use crate::config::config;
use crate::json::{json_text, object, raw};

/// The canonical form, in which -0 has one spelling.
fn meaning(json: &RawValue) -> String {
    canonical(&raw(&canonical(json).unwrap())).unwrap()
}

proptest! {
    #![proptest_config(config(2_000, 20_261_129))]

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
