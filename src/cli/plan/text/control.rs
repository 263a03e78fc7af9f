//! What rollout control asks for, in lines for people.

use crate::cli::plan::report::control::{ControlReport, ExcludedNodesReport, KeyReport};

/// At most so many characters of a value are shown.
const SHOWN: usize = 200;

/// A line for each key, and for the nodes that each rule excludes.
pub fn lines(control: Option<&ControlReport>) -> Vec<String> {
    let Some(control) = control else {
        return Vec::new();
    };
    let keys = control.keys.iter().map(key);
    keys.chain(control.excluded_nodes.iter().map(excluded))
        .collect()
}

fn key(key: &KeyReport) -> String {
    let from = match key.rule {
        Some(rule) => format!("rule {rule} of the cluster defaults"),
        None => "the annotation".to_owned(),
    };
    format!("{}: {}, from {from}", key.key, shown(&key.value))
}

fn excluded(nodes: &ExcludedNodesReport) -> String {
    format!(
        "excludeNodes: {}, existing: {}, from rule {} of the cluster defaults",
        shown(&nodes.selector),
        nodes.existing,
        nodes.rule
    )
}

fn shown(value: &str) -> String {
    let value = one_line(value);
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value,
    }
}

/// The value on one line: that of `resources` often has several, whose breaks mean nothing.
pub fn one_line(value: &str) -> String {
    let lines = value.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}
