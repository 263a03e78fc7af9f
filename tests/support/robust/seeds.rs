//! What the checks begin with: recorded objects and files, and the values of the tests' tables.

use std::{fs, path::PathBuf};

use daemonset_controller::{cli::files, sim::api::protobuf};
use serde_json::{Value, json};

/// The recorded objects that more is made of; each is of a kind that is decoded.
const OBJECTS: [&str; 8] = [
    "samples/ds-ready.json",
    "samples/pod-running.json",
    "samples/pod-affin.json",
    "samples/pod-hostnet.json",
    "samples/controllerrevisions-1.raw.json",
    "samples/controllerrevisions-2-after-set-image.raw.json",
    "cases/settled-node-proxy.yaml",
    "cases/control-shutting-down.yaml",
];

/// Files as people have them.
const FILES: [&str; 9] = [
    "samples/ds-basic.yaml",
    "plan/changed.yaml",
    "plan/cluster.yaml",
    "plan/malformed-selector.yaml",
    "plan/nodes.yaml",
    "plan/odd.yaml",
    "plan/around.json",
    "cases/settled-disk-csi-node.manifest.yaml",
    "cases/why-ondelete-which-are-old.yaml",
];

/// What people put into selectors, beside the values of keys.
const SELECTORS: [&str; 6] = [
    "pool in (a,b),!gpu",
    "zone>5,zone<9",
    "a==b,c!=d,e notin (f)",
    "example.com/x",
    "zone=a>b,rack",
    "()",
];

/// State that controllers wrote.
const STATE: [&str; 5] = [
    r#"{"failed":true,"when":"2026-11-20T06:00:00Z","node":"n","why":"CrashLoopBackOff","failing":3,"back":{"why":"x"}}"#,
    r#"{"at":"2026-11-20T06:00:00.5Z","restarts":{"a":1,"b":4294967295},"withdrawn":true}"#,
    r#"["canary","zone=a,!rack"]"#,
    "stopped",
    "2026-11-20T06:00:00Z",
];

/// Rules for `--rollout-defaults`.
const DEFAULTS: [&str; 2] = [
    "- namespaces: [kube-system, 'team-*']\n  names: ['*']\n  set: {canary: 5%, bake: 30m, hold: off}\n",
    "- set: {order: zone}\n- excludeNodes: {selector: 'gpu', reason: under repair}\n  existing: keep\n",
];

/// A file of `tests/data`.
pub fn data(name: &str) -> String {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    let path = PathBuf::from(root).join("tests/data").join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Recorded objects, as JSON.
pub fn objects() -> Vec<String> {
    let mut objects = Vec::new();
    for name in OBJECTS {
        let documents = files::parse(name, &data(name)).expect("recorded objects");
        // One of each kind in a file has what the others have.
        let mut kinds: Vec<String> = Vec::new();
        for document in documents {
            if !kinds.contains(&document.kind) {
                objects.push(document.json.get().to_owned());
                kinds.push(document.kind);
            }
        }
    }
    objects
}

/// The values of the keys of rollout control, valid and malformed.
fn values(key: &str) -> Vec<String> {
    let table: Value = serde_json::from_str(&data("rollout-keys.json")).expect("JSON");
    let rows = table["keys"].as_array().into_iter().flatten();
    let rows = rows.filter(|row| key.is_empty() || row["key"] == key);
    let values = rows.flat_map(|row| [&row["valid"], &row["malformed"]]);
    let values = values.filter_map(Value::as_array).flatten();
    values
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn quantities() -> Vec<String> {
    let table: Vec<(Value, Value)> = serde_json::from_str(&data("quantities.json")).expect("JSON");
    let texts = table
        .iter()
        .map(|(text, _)| text.as_str().map_or(text.to_string(), str::to_owned));
    texts.step_by(7).collect()
}

/// Patches that the real API server was asked for.
fn patches() -> Vec<String> {
    let table = data("strategic-merge.jsonl");
    let rows = table
        .lines()
        .filter_map(|row| serde_json::from_str::<Value>(row).ok());
    let mut patches: Vec<String> = rows.map(|row| row["patch"].to_string()).collect();
    let operations = json!([
        {"op": "add", "path": "/metadata/labels/x", "value": "y"},
        {"op": "copy", "from": "/spec", "path": "/spec/copy"},
        {"op": "move", "from": "/metadata/labels", "path": "/spec/labels"},
        {"op": "remove", "path": "/metadata/finalizers/-1"},
        {"op": "test", "path": "/metadata/name", "value": "x"},
    ]);
    patches.push(operations.to_string());
    patches
}

/// A list and a watch of each object: added, changed, deleted.
fn watches() -> Vec<String> {
    let objects = objects()
        .into_iter()
        .map(|object| object.replace('\n', " "));
    let told = objects.map(|object| {
        let list = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":[{object}]}}"#);
        let lines = ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"];
        let lines = lines.map(|kind| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"));
        format!("{list}\n{}", lines.concat())
    });
    told.collect()
}

/// Pods and nodes in protobuf: bare, in a list, and in an event.
fn messages() -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for object in objects() {
        let object: Value = serde_json::from_str(&object).expect("JSON");
        let kind = object["kind"].as_str().unwrap_or_default();
        if !protobuf::has(kind) {
            continue;
        }
        let message = protobuf::message(kind, &object);
        let metadata = json!({"resourceVersion": "7"});
        messages.push(protobuf::list(
            kind,
            &metadata,
            [&message[..], &message[..]],
        ));
        let frame = protobuf::frame("MODIFIED", &protobuf::envelope(kind, &message));
        messages.push(frame[4..].to_vec());
        messages.push(message);
    }
    messages
}

/// What the check of this name begins with.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let texts = match target {
        "protobuf" => return messages(),
        "annotation" => values(""),
        "defaults" => DEFAULTS.map(str::to_owned).to_vec(),
        "file" => FILES.iter().map(|name| data(name)).collect(),
        "object" => objects(),
        "patch" => patches(),
        "quantity" => quantities(),
        "selector" => {
            let keys = ["canary", "order"].into_iter().flat_map(values);
            keys.chain(SELECTORS.map(str::to_owned)).collect()
        }
        "state" => STATE.map(str::to_owned).to_vec(),
        "template" => {
            let objects = objects().into_iter();
            let objects = objects.filter_map(|o| serde_json::from_str::<Value>(&o).ok());
            let parts = objects.map(|object| match &object["spec"]["template"] {
                Value::Null => object["data"].to_string(),
                template => template.to_string(),
            });
            parts.filter(|part| part != "null").collect()
        }
        "watch" => watches(),
        other => panic!("no target {other}"),
    };
    texts.into_iter().map(String::into_bytes).collect()
}
