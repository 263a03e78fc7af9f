//! The DaemonSet that is shown: the example, or the one of a file.

use std::{collections::BTreeMap, io, path::Path};

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::cli::files::{self, Document, STDIN};

use super::error::DemoError;

/// The text of the example, which is part of the source tree.
const EXAMPLE: &str = include_str!("../../../examples/agent.yaml");
const EXAMPLE_FILE: &str = "examples/agent.yaml";

/// `maxUnavailable` of the example in a rolling update.
const SHARE: &str = "20%";

/// The most objects that an error names.
const NAMED: usize = 5;

/// The DaemonSet to apply.
#[derive(Debug)]
pub struct Agent {
    /// The name of its file on the command line, or `standard input`.
    pub file: String,
    pub namespace: String,
    pub name: String,
    /// The object as JSON, as it is sent to the API server.
    pub json: Box<RawValue>,
    /// The change to the example, in words.
    pub with: Option<String>,
    /// The number of objects of other kinds in the file, which are skipped.
    pub left_out: Option<String>,
    /// What is odd about the file, a sentence each.
    pub notes: Vec<String>,
}

/// Reads a file (`-` is standard input), or the example if there is none. With `update` the example
/// is given a rolling update strategy.
pub fn read(file: Option<&Path>, update: bool) -> Result<Agent, DemoError> {
    match file {
        None => {
            let mut agent = choose(EXAMPLE_FILE, files::parse(EXAMPLE_FILE, EXAMPLE)?)?;
            if update {
                let wrong = |why| DemoError::Input(format!("{EXAMPLE_FILE}: {why}"));
                let mut object: Value = serde_json::from_str(agent.json.get()).map_err(wrong)?;
                object["spec"]["updateStrategy"] = json!({
                    "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": SHARE },
                });
                agent.json = to_raw_value(&object).map_err(wrong)?;
                agent.with = Some(format!("with maxUnavailable {SHARE}"));
            }
            Ok(agent)
        }
        Some(file) => {
            let contents = files::read(&[file], false, &mut io::stdin().lock())?;
            let name = match file.display().to_string() {
                dash if dash == "-" => STDIN.to_owned(),
                name => name,
            };
            let mut agent = choose(&name, contents.documents)?;
            agent.notes = contents.notes;
            Ok(agent)
        }
    }
}

/// The only DaemonSet of a file. An error if there is none, or more than one.
fn choose(file: &str, documents: Vec<Document>) -> Result<Agent, DemoError> {
    let is_one = |d: &Document| {
        let group = d.api_version.split_once('/').map(|(group, _)| group);
        d.kind == "DaemonSet" && matches!(group, Some("apps" | "extensions"))
    };
    let (mut wanted, others): (Vec<_>, Vec<_>) = documents.into_iter().partition(is_one);
    let wrong = |why: String| Err(DemoError::Input(format!("{file}: {why}")));
    let Some(document) = wanted.pop() else {
        return wrong(match &others[..] {
            [] => "a DaemonSet is needed, and there is no object in the file".to_owned(),
            others => format!("a DaemonSet is needed, and there is only {}", some(others)),
        });
    };
    if !wanted.is_empty() {
        wanted.push(document);
        return wrong(format!(
            "one DaemonSet is shown at a time, and there are {}: {}",
            wanted.len(),
            some(&wanted)
        ));
    }
    if document.api_version != "apps/v1" {
        return wrong(format!(
            "DaemonSet {} is of version {}, apps/v1 is needed",
            document.name, document.api_version
        ));
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for other in &others {
        *kinds.entry(&other.kind).or_default() += 1;
    }
    let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{n} {k}")).collect();
    Ok(Agent {
        file: file.to_owned(),
        namespace: document.namespace.unwrap_or_else(|| "default".to_owned()),
        name: document.name,
        json: document.json,
        with: None,
        left_out: (!kinds.is_empty()).then(|| kinds.join(", ")),
        notes: Vec::new(),
    })
}

/// The first few objects, in words.
fn some(documents: &[Document]) -> String {
    let named = documents.iter().take(NAMED);
    let named: Vec<String> = named
        .map(|d| format!("{} {} (document {})", d.kind, d.name, d.origin.document))
        .collect();
    let more = documents.len().saturating_sub(NAMED);
    let and = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    named.join(", ") + &and
}
