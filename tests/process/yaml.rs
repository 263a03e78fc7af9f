//! YAML and JSON files mean what they mean to kubectl.
//!
//! `tests/data/yaml/kubectl.json` holds, for each text, the documents that kubectl's reader
//! (`k8s.io/apimachinery/pkg/util/yaml` 0.37.1 over go-yaml v2) makes of it, or its error.

use daemonset_controller::cli::documents::split;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::same::same;

#[derive(Deserialize)]
struct Case {
    r#in: String,
    docs: Vec<Box<RawValue>>,
    #[serde(default)]
    err: String,
}

/// Texts that we read otherwise than kubectl, on purpose.
const DIFFERENT: [(&str, &str); 19] = [
    // Numbers of JSON texts keep their spelling, where kubectl takes a detour through YAML.
    ("\u{feff}{\"a\": 1.0}\n", "JSON after a byte order mark"),
    ("---\n{\"a\": 1.0}\n", "JSON after `---`"),
    ("a: 1\n---\n{\"b\": 1.0, \"c\": 1e3}\n", "JSON after `---`"),
    // An error where kubectl leaves something out without a word.
    ("a: 1\n...\nb: 2\n", "text after `...`"),
    (
        "a: 1\n...\n%YAML 1.1\n---\nb: 2\n",
        "a directive after `...`",
    ),
    // YAML 1.2 in the parser: an error where kubectl reads YAML 1.1.
    ("a: {\n\tb: c}\n", "a tab as indentation"),
    ("a: 'x\n\ty'\n", "a tab as indentation"),
    (
        "a: 'x\ny'\n",
        "a quoted text that goes on without indentation",
    ),
    ("a: [x,# c\n y]\n", "a comment without a space before it"),
    ("a: \u{feff}b\n", "a byte order mark within a document"),
    // YAML 1.2 in the parser: read where kubectl has an error.
    ("a: \"\\u263a \\x41 \\n \\t \\e \\0 \\/\"\n", "JSON's `\\/`"),
    ("a: \"\\uD83D\\uDE00\"\n", "JSON's surrogate pairs"),
    ("\ta: b\n", "a tab before the first key"),
    ("- \tb\n", "a tab after `-`"),
    ("...\n", "nothing but an end"),
    ("...\na: 1\n", "an end before the first document"),
    // YAML 1.2 in the parser: another meaning.
    (
        "a: {x:}\n",
        "a key without a value in braces (kubectl: the key `x:`)",
    ),
    (
        "a: <html>&\u{2028}\n",
        "U+2028, which ended lines in YAML 1.1",
    ),
    ("a: \u{85}\n", "U+0085, which ended lines in YAML 1.1"),
];

#[test]
fn every_text_of_the_table() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/yaml/kubectl.json")).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let ours = split(&case.r#in);
        let right = match &ours {
            Err(_) => !case.err.is_empty(),
            Ok(ours) => {
                case.err.is_empty()
                    && ours.len() == case.docs.len()
                    && ours.iter().zip(&case.docs).all(|(a, b)| same(&a.json, b))
            }
        };
        let known = DIFFERENT.iter().any(|(text, _)| *text == case.r#in);
        if right == known {
            let ours = ours.map(|docs| {
                docs.iter()
                    .map(|d| d.json.get().to_owned())
                    .collect::<Vec<_>>()
            });
            let theirs: Vec<_> = case.docs.iter().map(|d| d.get()).collect();
            wrong.push(format!(
                "{:?}\n   ours   {ours:?}\n   theirs {theirs:?} {}",
                case.r#in, case.err
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
