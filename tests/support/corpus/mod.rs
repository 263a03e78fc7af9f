//! The corpus of DaemonSets that are wrong in one place, with the real server's verdicts.
//!
//! `tests/data/validation-bases.json` has valid DaemonSets by name. A line of
//! `tests/data/validation-corpus.ndjson.gz` is one of them with one change, and what the API server
//! said to a create of it: its refusal, or a hash of what it stores.
//! `tests/live/validation_corpus.rs` writes the file and holds it against the real server,
//! `tests/server/validation_corpus.rs` holds the simulated server against it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where the file of the cases is.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validation-corpus.ndjson.gz")
}

/// The valid DaemonSets by name.
pub type Bases = BTreeMap<String, Value>;

/// Reads the valid DaemonSets.
pub fn bases() -> Bases {
    let text = include_str!("../../data/validation-bases.json");
    serde_json::from_str(text).expect("the bases are JSON")
}

/// One change of one base.
#[derive(Clone, Debug, PartialEq)]
pub struct Mutation {
    /// The name of the base.
    pub base: String,
    /// The JSON pointer of the field; `/-` at its end appends to a list.
    pub path: String,
    /// The new value. None removes the field.
    pub value: Option<Value>,
}

impl Mutation {
    /// The changed DaemonSet.
    pub fn apply(&self, bases: &Bases) -> Value {
        let mut object = bases[&self.base].clone();
        let (parent, key) = self.path.rsplit_once('/').expect("a path has a slash");
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = object.pointer_mut(parent);
        match (parent.expect("the parent exists"), self.value.clone()) {
            (Value::Object(fields), Some(value)) => {
                fields.insert(key, value);
            }
            (Value::Object(fields), None) => {
                fields.remove(&key);
            }
            (Value::Array(items), Some(value)) if key == "-" => items.push(value),
            (Value::Array(items), value) => {
                let at: usize = key.parse().expect("a position");
                match value {
                    Some(value) => items[at] = value,
                    None => drop(items.remove(at)),
                }
            }
            (other, _) => panic!("{} is in {other}", self.path),
        }
        object
    }
}

/// What a server said to a create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// The HTTP code.
    pub code: u16,
    /// The message of a refusal.
    pub message: String,
    /// The causes of a refusal, as `details.causes` has them.
    pub causes: Value,
    /// The [`hash`] of what is stored, where nothing is refused.
    pub stored: String,
}

impl Verdict {
    /// The verdict in a refusal.
    pub fn refused(code: u16, message: &str, details: &Value) -> Self {
        Self {
            code,
            message: message.to_owned(),
            causes: details["causes"].clone(),
            stored: String::new(),
        }
    }

    /// The verdict of a server that stores this object.
    pub fn stored(object: &Value) -> Self {
        Self {
            code: 201,
            stored: hash(object),
            ..Self::default()
        }
    }
}

/// The fields of metadata that a client decides on.
const METADATA: [&str; 7] = [
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
];

/// A number for what a server stores of what a client sent (FNV-1a of it as JSON with sorted keys).
pub fn hash(object: &Value) -> String {
    let metadata: BTreeMap<&str, &Value> = METADATA
        .into_iter()
        .filter_map(|key| Some((key, object["metadata"].get(key)?)))
        .collect();
    let text = json!({"metadata": metadata, "spec": object["spec"]}).to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// A line of the file.
pub struct Case {
    /// What was sent.
    pub mutation: Mutation,
    /// What the server said.
    pub verdict: Verdict,
}

impl Case {
    /// The case as a line.
    pub fn to_json(&self) -> Value {
        let mut line = json!({"base": self.mutation.base, "path": self.mutation.path});
        if let Some(value) = &self.mutation.value {
            line["value"] = value.clone();
        }
        line["code"] = json!(self.verdict.code);
        if self.verdict.code < 300 {
            line["stored"] = json!(self.verdict.stored);
        } else {
            line["message"] = json!(self.verdict.message);
            line["causes"] = self.verdict.causes.clone();
        }
        line
    }

    fn from_json(line: &Value) -> Self {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let code = line["code"].as_u64().expect("a code");
        Self {
            mutation: Mutation {
                base: text("base"),
                path: text("path"),
                value: line.get("value").cloned(),
            },
            verdict: Verdict {
                code: u16::try_from(code).expect("a code"),
                message: text("message"),
                causes: line["causes"].clone(),
                stored: text("stored"),
            },
        }
    }
}

/// Reads the cases.
pub fn cases() -> Vec<Case> {
    let file = std::fs::File::open(file()).expect("the corpus is in the tree");
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    let case = |line: String| Case::from_json(&serde_json::from_str(&line).expect("JSON"));
    lines.map(|line| case(line.expect("gzip"))).collect()
}
