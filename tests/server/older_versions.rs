//! What API servers of older versions answer otherwise than the newest, which the simulated one
//! follows: `tests/data/kubernetes` has a folder for each that was recorded (`tests/live` wrote
//! them with `LIVE_KUBERNETES=1.33` and a `RECORD_...` variable). Codes differ in few ways, none of
//! which a decision depends on; `docs/compatibility.md` lists them, with the number of rows.

use std::collections::BTreeMap;
use std::io::read_to_string;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::corpus;
use crate::differential::recording;

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(path)
}

fn rows(text: &str) -> Vec<Value> {
    let rows = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    rows.collect()
}

/// The versions that were recorded.
fn versions() -> Vec<String> {
    let folders = std::fs::read_dir(data("kubernetes")).expect("there are recordings");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("a folder").file_name();
        name.into_string().expect("a version")
    };
    let mut versions: Vec<String> = folders.map(name).collect();
    versions.sort();
    versions
}

/// The rows of one version that differ from the newest's.
fn older(version: &str, file: &str) -> Vec<Value> {
    let path = data(&format!("kubernetes/{version}/{file}.jsonl.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    rows(&read_to_string(GzDecoder::new(file)).expect("gzip"))
}

/// Pairs of rows about the same: the newest's, and that of the older version.
fn pairs(
    newest: Vec<Value>,
    older: Vec<Value>,
    key: impl Fn(&Value) -> String,
) -> Vec<(Value, Value)> {
    let newest: BTreeMap<String, Value> = newest.into_iter().map(|row| (key(&row), row)).collect();
    let pair = |row: Value| {
        let newest = newest.get(&key(&row));
        let newest = newest.unwrap_or_else(|| panic!("the newest was not asked: {row}"));
        (newest.clone(), row)
    };
    let pairs: Vec<_> = older.into_iter().map(pair).collect();
    for (newest, older) in &pairs {
        assert_ne!(newest, older, "this is no difference");
    }
    pairs
}

/// The answers to recorded sequences.
fn answers(version: &str) -> Vec<(Value, Value)> {
    let mut all = Vec::new();
    for file in ["rules", "generated"] {
        let text = std::fs::read_to_string(data(&format!("api-answers/{file}.jsonl")));
        let recorded = recording::read(&text.expect("a recording"));
        let rows = recorded.iter().flat_map(|recorded| {
            let steps = recorded.sequence.steps.iter().zip(&recorded.answers);
            steps.enumerate().map(|(step, (asked, answer))| {
                json!({
                    "sequence": recorded.sequence.name, "step": step, "request": asked.request,
                    "code": answer.code, "answer": answer.body,
                })
            })
        });
        let older = older(version, &format!("api-answers-{file}"));
        all.extend(pairs(rows.collect(), older, |row| {
            format!("{} {}", row["sequence"], row["step"])
        }));
    }
    all
}

fn validations(version: &str) -> Vec<(Value, Value)> {
    let newest = std::fs::read_to_string(data("validation.jsonl")).expect("a recording");
    pairs(rows(&newest), older(version, "validation"), |row| {
        format!("{} {} {}", row["case"], row["resource"], row["sent"])
    })
}

/// The corpus; the bases that the version refuses are rows of it.
fn corpus(version: &str) -> Vec<(Value, Value)> {
    let mut newest: Vec<Value> = corpus::cases().iter().map(corpus::Case::to_json).collect();
    let bases = corpus::bases().into_keys();
    newest.extend(bases.map(|base| json!({"base": base, "refused": ""})));
    pairs(newest, older(version, "validation-corpus"), |row| {
        format!("{} {} {:?}", row["base"], row["path"], row.get("value"))
    })
}

/// Why the codes of two answers may differ. Nothing that `run` sends is among the reasons but the
/// first, for the Lease: it takes both codes for the same.
fn known(newest: &Value, older: &Value) -> Option<&'static str> {
    let said = |row: &Value, text: &str| row["answer"].to_string().contains(text);
    let codes = (newest["code"].as_u64()?, older["code"].as_u64()?);
    Some(match codes {
        (404, 409) if said(older, "Precondition failed: UID in precondition") => {
            "an update of an object that is gone, by UID, is a conflict"
        }
        (400, 500) if older["request"].as_str()?.starts_with("DELETE ") => {
            "options of a delete that cannot be read are an error of the server"
        }
        (504, 500) if said(older, "required revision is a future revision") => {
            "an exact list of the future"
        }
        (200, 422) if said(older, "unless the WatchList feature gate is enabled") => {
            "a watch with initial events"
        }
        (422, 200) if said(newest, "resourceVersionMatch") => "a watch with resourceVersionMatch",
        _ => return None,
    })
}

#[test]
fn codes_of_older_servers_differ_only_where_no_decision_depends_on_them() {
    for version in versions() {
        let differs = |(newest, older): &(Value, Value)| newest["code"] != older["code"];
        for (newest, older) in answers(&version).iter().filter(|pair| differs(pair)) {
            assert!(
                known(newest, older).is_some(),
                "{version}: {newest}\n{older}"
            );
        }
        let validations = validations(&version);
        let wrong: Vec<_> = validations.iter().filter(|pair| differs(pair)).collect();
        assert!(wrong.is_empty(), "{version}: {wrong:?}");
    }
}

/// Fields that older versions drop, with what is wrong in them, or do not take.
const NEWER_FIELDS: [&str; 9] = [
    "/volumes/5/image",
    "/volumes/5/name", // of the image volume
    "/volumes/-",
    "/projected/sources/",
    "/volumeAttributesClassName",
    "/containers/0/env", // fileKeyRef
    "Containers/0/restartPolicy",
    "/hostnameOverride",
    "/resourceClaims",
];
/// Fields with rules of their own in newer versions.
const NEWER_RULES: [&str; 7] = [
    "/containers/0/restartPolicy",
    "/initContainers/1/restartPolicyRules",
    "/resizePolicy",
    "/matchLabelKeys",
    "/hostUsers",
    "/dnsConfig",     // addresses with leading zeros
    "/hostAliases/0", // the same
];

#[test]
fn what_older_servers_take_or_refuse_otherwise_is_in_these_fields() {
    for version in versions() {
        for (newest, older) in corpus(&version) {
            if newest["code"] == older["code"] {
                continue;
            }
            let path = older["path"].as_str().unwrap_or_default();
            assert!(
                [&NEWER_FIELDS[..], &NEWER_RULES[..]]
                    .concat()
                    .iter()
                    .any(|field| path.contains(field)),
                "{version}: {newest}\n{older}"
            );
        }
    }
}

#[test]
fn the_page_has_the_number_of_rows_that_differ() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = std::fs::read_to_string(page).expect("the page");
    for version in versions() {
        let counts = [
            answers(&version).len(),
            validations(&version).len(),
            corpus(&version).len(),
            older(&version, "strict").len(),
        ];
        let [answers, validations, corpus, strict] = counts;
        let row = format!("| {version} | {answers} | {validations} | {corpus} | {strict} |");
        assert!(
            page.contains(&row),
            "docs/compatibility.md needs the row\n{row}"
        );
    }
}
