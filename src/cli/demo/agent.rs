//! The DaemonSet that is shown: the example, or the one of a file.

use std::{collections::BTreeMap, io, path::Path};

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::cli::files::{self, Document, STDIN};

use super::error::DemoError;

/// The example, as it is in the tree.
const EXAMPLE: &str = include_str!("../../../examples/agent.yaml");
const EXAMPLE_FILE: &str = "examples/agent.yaml";

/// So many of the example's nodes may be unavailable during a rolling update.
const SHARE: &str = "20%";

/// At most so many objects are named in an error.
const NAMED: usize = 5;

/// What is to be applied.
#[derive(Debug)]
pub struct Agent {
    /// The file that it comes from, as the command line names it; or `standard input`.
    pub file: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object as JSON, as it is sent.
    pub json: Box<RawValue>,
    /// What was changed in it, in words.
    pub with: Option<String>,
    /// What else is in the file, and is left out.
    pub left_out: Option<String>,
}

/// Reads the file (`-` is standard input), or the example where there is none; that one is given a rolling update
/// where there is going to be one.
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
            let documents = files::read(&[file], &mut io::stdin().lock())?;
            let name = match file.display().to_string() {
                dash if dash == "-" => STDIN.to_owned(),
                name => name,
            };
            choose(&name, documents)
        }
    }
}

/// The one DaemonSet of a file.
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
    })
}

/// The first few of them.
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
