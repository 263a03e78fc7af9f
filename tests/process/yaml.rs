//! YAML and JSON files mean what they mean to kubectl.
//!
//! `tests/data/yaml/kubectl.json` holds, for each text, the documents that kubectl's reader
//! (`k8s.io/apimachinery/pkg/util/yaml` 0.37.1 over go-yaml v2) makes of it, or its error.

use std::{
    fs::File,
    io::{BufRead, BufReader},
};

use daemonset_controller::cli::{documents::split, files, yaml};
use flate2::read::GzDecoder;
use proptest::prelude::*;
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
const DIFFERENT: [(&str, &str); 5] = [
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

/// A text, and the JSON that sigs.k8s.io/yaml makes of it, or its error; without both, null.
#[derive(Deserialize)]
struct Answered {
    text: String,
    json: Option<Box<RawValue>>,
    error: Option<String>,
}

/// `tests/control-plane/yaml` wrote the corpus with sigs.k8s.io/yaml 1.6.0 over go-yaml 2.4.4:
/// texts that are hard to read, and pieces of manifests with changes at random.
#[test]
fn every_text_of_the_corpus_is_read_as_the_real_code_reads_it() {
    let file = File::open("tests/data/yaml/corpus.jsonl.gz").unwrap();
    let (mut read, mut refused, mut left_out) = (0, 0, 0);
    let mut wrong = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let Answered { text, json, error } = serde_json::from_str(&line.unwrap()).unwrap();
        let ours = yaml::to_json(&text);
        match (&ours, &error) {
            (Ok(ours), None) => {
                read += 1;
                let ours = RawValue::from_string(ours.clone()).unwrap();
                let null = RawValue::from_string("null".to_owned()).unwrap();
                if same(&ours, json.as_ref().unwrap_or(&null)) {
                    continue;
                }
            }
            (Err(_), Some(_)) => {
                refused += 1;
                continue;
            }
            // The one exception: go-yaml reads no further than the first document, or what it takes
            // for one, and a plan without the rest would be about something else.
            (Err(why), None) if why.message.ends_with("which kubectl would leave out") => {
                left_out += 1;
                continue;
            }
            _ => {}
        }
        wrong.push(format!("{text:?}\n   {ours:?}\n   {json:?} {error:?}"));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        read > 3_000 && refused > 3_000 && left_out < 200,
        "{read} {refused} {left_out}"
    );
}

/// A driver's public install file has such a text in the description of a field.
#[test]
fn a_quoted_scalar_may_go_on_at_the_column_of_its_key() {
    let text = "schema:\n  description: 'the first line\n  goes on here'\n  type: object\n";
    assert_eq!(
        yaml::to_json(text).unwrap(),
        r#"{"schema":{"description":"the first line goes on here","type":"object"}}"#
    );
}

/// kubectl reads by lines and ends each of them, the last one too.
#[test]
fn the_last_line_needs_no_end() {
    for (text, json) in [
        ("a: |\n  x", r#"{"a":"x\n"}"#),
        ("a: >-\n  x", r#"{"a":"x"}"#),
        ("a: |+\n  x\n  ", r#"{"a":"x\n\n"}"#),
        ("a: x", r#"{"a":"x"}"#),
        ("a:", r#"{"a":null}"#),
    ] {
        assert_eq!(split(text).unwrap()[0].json.get(), json, "{text:?}");
    }
}

#[test]
fn comments_end_where_lines_of_yaml_1_1_end() {
    for end in ["\r", "\u{85}", "\u{2028}", "\u{2029}"] {
        let text = format!("# a: b{end}c: d\n");
        let read = split(&text).unwrap();
        assert_eq!(read[0].json.get(), r#"{"c":"d"}"#, "{text:?}");
    }
    assert!(split("# a: b\r\n  # c\r\n\n").unwrap().is_empty());
    assert!(split("\t\n").is_err());
}

#[test]
fn errors_have_the_words_of_libyaml_and_the_line_where_it_begins() {
    for (text, line, message) in [
        ("a: 1\nb\nc: 2\n", 2, "could not find expected ':'"),
        (
            "a: b: c\n",
            1,
            "mapping values are not allowed in this context",
        ),
        (
            "a: 1\n  b: 2\n",
            2,
            "mapping values are not allowed in this context",
        ),
        ("a:\n    b: c\n  d: e\n", 3, "did not find expected key"),
        (
            "a:\n- b\n c\n- d\n e: f\n",
            5,
            "mapping values are not allowed in this context",
        ),
        ("- a\nb: c\n", 2, "did not find expected '-' indicator"),
        ("a: 1\nb: 'c\nd: e\n\n", 2, "found unexpected end of stream"),
        ("a:\n  - [b,\n c\n\n", 2, "did not find expected ',' or ']'"),
        ("a: {b: c\n", 1, "did not find expected ',' or '}'"),
        (
            "a:\n\tb: c\n",
            2,
            "found character that cannot start any token",
        ),
        ("a: \"\n\\q\"", 2, "found unknown escape character"),
        ("a: *b\n", 1, "unknown anchor 'b' referenced"),
        (
            "a: b\n\nc: \u{1}\n",
            3,
            "control characters are not allowed",
        ),
    ] {
        let error = yaml::to_json(text).unwrap_err();
        assert_eq!((error.line, &*error.message), (line, message), "{text:?}");
    }
}

/// What YAML is made of, good and bad.
const PIECES: [&str; 48] = [
    " ", "  ", "\n", "\n  ", "\t", "\r\n", "\r", "a", "b: ", "c:", ": ", ":", "- ", "-", "? ", "?",
    "'", "\"", "#", " #", ",", "[", "]", "{", "}", "|\n", ">+2\n", "&a ", "*a ", "!!int ", "!",
    "!<x> ", "%", "@", "`", "---\n", "...\n", "<<: *a\n", "\\", "\\u00e9", "~", "1e3", "\u{85}",
    "\u{2028}", "é", "\u{feff}", "\0", "{}",
];

/// At least as many lines as a text has for YAML, where not only a line feed ends one.
fn lines(text: &str) -> usize {
    text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        .count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn whatever_is_read_becomes_json_or_an_error_on_one_of_its_lines(
        pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..40)
    ) {
        let text = pieces.concat();
        match yaml::to_json(&text) {
            Ok(json) => prop_assert!(RawValue::from_string(json).is_ok()),
            Err(error) => prop_assert!((1..=lines(&text)).contains(&error.line), "{error:?}"),
        }
        // Whatever stands below the object that they follow has a line in the file.
        let file = format!("apiVersion: v1\nkind: Node\nmetadata: {{name: n1}}\n{text}");
        for document in files::parse("f", &file).iter().flatten() {
            for field in ["", "metadata.name", "a.b", "b[0].a", "a[a/b].b", "[", "a..", "é.[x"] {
                let line = document.line_of(field);
                let is_there = line.is_some_and(|line| (1..=lines(&file)).contains(&line));
                prop_assert!(is_there, "{line:?} {field}");
            }
        }
    }

    #[test]
    fn no_bytes_are_too_strange_for_a_file(
        mark in proptest::sample::select(vec![&b""[..], b"\xff\xfe", b"\xfe\xff", b"{", b"a: "]),
        bytes in proptest::collection::vec(any::<u8>(), 0..60)
    ) {
        let bytes = [mark, &bytes].concat();
        let _ = files::read(&["-"], false, &mut &bytes[..]);
    }
}

/// Nothing overflows the stack or ends the process. A quadratic reader would need many minutes.
#[test]
fn a_quarter_of_a_megabyte_of_anything_is_read_or_refused() {
    let ends = ["", "\n", "]", "}", "'", "\""];
    for (i, piece) in PIECES.iter().enumerate() {
        for end in &ends[i % 2..i % 2 + 5] {
            let text = format!("{}{end}", piece.repeat((1 << 15) / piece.len()));
            let _ = yaml::to_json(&text);
        }
    }
    for piece in [
        "a: b\n",
        "- a\n",
        "a\n",
        "a b ",
        "[a, ",
        "{a: b}, ",
        "'' ",
        "'a\n\n",
        "\"\\\n",
        "- |\n\n",
        "- >\n  a\n",
        "é: ",
        "- &a [*a]\n",
        "- &a b\n- *a\n",
        "? a\n",
        "a:\n b:\n",
        "- - ",
        "  \n",
        "# a\n",
        "[]",
        "{} ",
        "[] : ",
        "!a ",
    ] {
        let _ = yaml::to_json(&piece.repeat((1 << 18) / piece.len()));
    }
    let many: String = (0..5_000).map(|i| format!("k{i}: 1\n")).collect();
    let merged = format!(
        "a: &a\n  {}{}",
        many.replace('\n', "\n  "),
        "<<: *a\n".repeat(5_000)
    );
    assert!(yaml::to_json(&merged).is_err());
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 19),
        "*a, ".repeat(1 << 17)
    );
    assert!(yaml::to_json(&long).is_err());
}
