//! The corpus of DaemonSets that are wrong in one place, with the real server's verdicts.
//!
//! `tests/data/validation-corpus.ndjson.gz` has a JSON object a line. The first lines are valid
//! DaemonSets: `base` names one, `object` is it. All others are cases: one base with one change, and
//! what the API server said to a create of it. `tests/live/validation_corpus.rs` writes the file and
//! holds it against the real server, `tests/server/validation_corpus.rs` holds the simulated server
//! against it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where the file is.
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/validation-corpus.ndjson.gz")
}

/// The valid DaemonSets by name.
pub type Bases = BTreeMap<String, Value>;

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
    /// The message, empty where the object was accepted.
    pub message: String,
    /// The causes, as `details.causes` has them.
    pub causes: Value,
}

impl Verdict {
    /// The verdict in an answer, or in one that ours gives.
    pub fn new(code: u16, message: &str, details: &Value) -> Self {
        let good = code < 300;
        Self {
            code,
            message: if good { String::new() } else { message.to_owned() },
            causes: if good { Value::Null } else { details["causes"].clone() },
        }
    }
}

/// A line of the file that is no base.
pub struct Case {
    pub mutation: Mutation,
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
        if self.verdict.code >= 300 {
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
            },
        }
    }
}

/// Reads the file.
pub fn read() -> (Bases, Vec<Case>) {
    let file = std::fs::File::open(file()).expect("the corpus is in the tree");
    let (mut bases, mut cases) = (Bases::new(), Vec::new());
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let line: Value = serde_json::from_str(&line.expect("gzip")).expect("a line is JSON");
        match line.get("object") {
            Some(object) => {
                let name = line["base"].as_str().expect("a base has a name");
                bases.insert(name.to_owned(), object.clone());
            }
            None => cases.push(Case::from_json(&line)),
        }
    }
    (bases, cases)
}
