//! Rehearsals by the real binary: the page that it writes, and the report that it prints.

use std::{fs, path::PathBuf};

use daemonset_controller::cli::rehearse::report::Report;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary;

const UID: &str = "11111111-1111-4111-8111-111111111111";
const HASH: &str = "5d8f7c9b64";
const BEGINS: &str = "2026-11-21T06:00:00Z";

/// A rehearsal. The page is gone with this value.
pub struct Rehearsed {
    _folder: TempDir,
    pub page: PathBuf,
    pub report: Report,
}

impl Rehearsed {
    /// The letters of all nodes at a time.
    pub fn letters(&self, time: u64) -> Vec<char> {
        let mut letters: Vec<char> = self.report.nodes.iter().map(|node| node.first).collect();
        for &(at, node, letter) in &self.report.changes {
            if at <= time {
                letters[node] = letter;
            }
        }
        letters
    }

    /// When something changes or is told, each time once.
    pub fn moments(&self) -> Vec<u64> {
        let report = &self.report;
        let changes = report.changes.iter().map(|(at, ..)| *at);
        let events = report.events.iter().map(|event| event.after);
        let stages = report.stages.iter().map(|stage| stage.from);
        let mut all: Vec<u64> = changes.chain(events).chain(stages).collect();
        all.extend([0, report.ending.after]);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The last of them.
    pub fn end(&self) -> u64 {
        *self.moments().last().expect("the beginning")
    }

    /// A time in the middle of the changes.
    pub fn middle(&self) -> u64 {
        self.report.changes[self.report.changes.len() / 2].0
    }
}

/// A canary and three zones. Nodes of the second one fail, so that all go back; one node is down,
/// and one joins.
pub fn failing() -> Rehearsed {
    let control = json!({
        "daemonset-controller.io/canary": "3",
        "daemonset-controller.io/bake": "2m",
        "daemonset-controller.io/order": "topology.kubernetes.io/zone",
        "daemonset-controller.io/on-failure": "rollback",
    });
    let supposed = "--fail nodes=node-0014,node-0015,node-0016 --not-ready 1 --join 1 --assert complete --assert unavailable<=6";
    rehearse(36, &control, &supposed.split(' ').collect::<Vec<_>>())
}

/// Thousands of nodes without rollout control.
pub fn many() -> Rehearsed {
    rehearse(5000, &json!({}), &[])
}

fn rehearse(nodes: usize, control: &Value, args: &[&str]) -> Rehearsed {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (snapshot, wanted, page) = (
        file("snapshot.json"),
        file("wanted.json"),
        file("page.html"),
    );
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects(nodes)});
    fs::write(&snapshot, list.to_string()).expect("it is written");
    fs::write(&wanted, daemon_set("2", control).to_string()).expect("it is written");
    let output = binary::alone()
        .args(["rehearse", "--now", BEGINS, "-o", "json", "-f"])
        .arg(&wanted)
        .arg("--snapshot")
        .arg(&snapshot)
        .arg("--html")
        .arg(&page)
        .args(args)
        .output()
        .expect("it runs");
    let report = serde_json::from_slice(&output.stdout);
    let says = String::from_utf8_lossy(&output.stderr);
    Rehearsed {
        report: report.unwrap_or_else(|why| panic!("{why}: {says}")),
        _folder: folder,
        page,
    }
}

/// A DaemonSet whose pods run everywhere, and all that belongs to it.
fn objects(nodes: usize) -> Vec<Value> {
    let mut old = daemon_set("1", &json!({}));
    old["metadata"]["uid"] = json!(UID);
    old["metadata"]["generation"] = json!(1);
    let mut template = old["spec"]["template"].clone();
    template["$patch"] = json!("replace");
    let revision = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "namespace": "kube-system",
            "name": format!("node-agent-{HASH}"),
            "uid": "22222222-2222-4222-8222-222222222222",
            "creationTimestamp": "2026-11-01T06:00:00Z",
            "labels": {"app": "node-agent", "controller-revision-hash": HASH},
            "ownerReferences": [owner()],
        },
        "data": {"spec": {"template": template}},
        "revision": 1,
    });
    let mut all = vec![old, revision];
    for number in 0..nodes {
        let name = format!("node-{number:04}");
        let zone = ["a", "b", "c"][number * 3 / nodes];
        all.push(json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "uid": format!("node-{number}"),
                "creationTimestamp": "2026-11-01T05:00:00Z",
                "labels": {"topology.kubernetes.io/zone": zone},
            },
            "status": {"conditions": [ready("2026-11-01T05:01:00Z")]},
        }));
        // Each took a little longer than the one before it, and the times come again.
        let seconds = 8 + number % 17;
        all.push(json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "namespace": "kube-system",
                "name": format!("node-agent-{number:05}"),
                "uid": format!("pod-{number}"),
                "creationTimestamp": "2026-11-01T06:00:00Z",
                "labels": {
                    "app": "node-agent", "controller-revision-hash": HASH, "pod-template-generation": "1",
                },
                "ownerReferences": [owner()],
            },
            "spec": {"nodeName": name, "containers": [{"name": "agent", "image": "registry.example/agent:1"}]},
            "status": {"phase": "Running", "conditions": [ready(&format!("2026-11-01T06:00:{seconds:02}Z"))]},
        }));
    }
    all
}

fn owner() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "node-agent", "uid": UID, "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn ready(since: &str) -> Value {
    json!({"type": "Ready", "status": "True", "lastTransitionTime": since})
}

fn daemon_set(version: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"namespace": "kube-system", "name": "node-agent", "annotations": annotations},
        "spec": {
            "selector": {"matchLabels": {"app": "node-agent"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": {
                "metadata": {"labels": {"app": "node-agent"}},
                "spec": {"containers": [{"name": "agent", "image": format!("registry.example/agent:{version}")}]},
            },
        },
    })
}
