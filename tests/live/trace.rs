//! The history of the pods of one node, request by request: shown when two of them were live at
//! once.

use std::path::Path;

use crate::audit::{self, Entry};
use crate::referee::{Verdict, target};

/// Panics unless the verdict is clean; says first who asked for what on the nodes where it is not.
pub fn expect_clean(audit_log: &Path, verdict: &Verdict, versions: usize) {
    let mut nodes: Vec<_> = verdict.violations.iter().map(|v| &v.node).collect();
    nodes.sort();
    nodes.dedup();
    for node in nodes {
        println!("requests for pods of {node}:");
        of_node(&audit::read_all(audit_log), node)
            .iter()
            .for_each(|line| println!("  {line}"));
    }
    verdict.expect_clean(versions);
}

/// The writes to pods that a create had meant for `node`, in the order in which they came.
fn of_node(entries: &[Entry], node: &str) -> Vec<String> {
    let of_pods = |entry: &&Entry| entry.object_ref.resource == "pods" && entry.writes();
    let name = |entry: &Entry| match entry.object_ref.name.as_str() {
        "" => entry.request_object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        name => name.to_owned(),
    };
    let entries: Vec<&Entry> = entries.iter().filter(of_pods).collect();
    let names: Vec<String> = entries
        .iter()
        .filter(|entry| target(&entry.request_object["spec"]).as_deref() == Some(node))
        .map(|entry| name(entry))
        .collect();
    let mut lines: Vec<String> = entries
        .iter()
        .filter(|entry| names.contains(&name(entry)))
        .map(|entry| {
            let Entry {
                request_received_timestamp: came,
                stage_timestamp: answered,
                ..
            } = entry;
            let revision = &entry.request_object["metadata"]["labels"]["controller-revision-hash"];
            let (kind, who) = (entry.kind(), &entry.user.username);
            let code = entry.response_status.code;
            format!(
                "{came} to {answered}: {who}: {kind} {} {code} {}",
                name(entry),
                revision.as_str().unwrap_or_default()
            )
        })
        .collect();
    lines.sort();
    lines
}
