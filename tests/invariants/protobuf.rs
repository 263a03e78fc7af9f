//! The same pod or node gives the same row in JSON and in protobuf: every one in `tests/data`, and
//! what becomes of it when a value anywhere in it is another one.

use std::{fs, path::Path, sync::LazyLock};

use daemonset_controller::{
    cli::documents,
    model::{Interner, Kind},
    sim::api::protobuf,
    wire::{self, Encoded, node, pod},
};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json, value::RawValue};

use crate::config::config;

/// An object of a kind that is read in both forms.
#[derive(Clone, Debug)]
struct Object {
    kind: &'static str,
    json: Value,
}

/// All pods and nodes in `tests/data`.
static CORPUS: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .expect("a folder")
            .map(|e| e.expect("an entry"));
        let mut paths: Vec<_> = entries.map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            match path.extension().and_then(|e| e.to_str()) {
                None if path.is_dir() => folders.push(path),
                Some("json" | "yaml") => {
                    let text = fs::read_to_string(&path).expect("a text");
                    // Some files are there to be malformed.
                    for document in documents::split(&text).unwrap_or_default() {
                        let json = serde_json::from_str(document.json.get());
                        collect(json.unwrap_or_default(), &mut found);
                    }
                }
                _ => {}
            }
        }
    }
    found
});

/// Takes out the objects of a document, however deep they are.
fn collect(value: Value, found: &mut Vec<Object>) {
    let kind = ["Pod", "Node"]
        .into_iter()
        .find(|kind| value["kind"] == *kind);
    match (kind, value) {
        (Some(kind), json) if json["metadata"]["name"].is_string() => {
            found.push(Object { kind, json });
        }
        (_, Value::Object(fields)) => fields.into_values().for_each(|v| collect(v, found)),
        (_, Value::Array(items)) => items.into_iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}

/// What is read of an object: its identity and its row, or what is left of it.
fn read(kind: &str, encoded: Encoded<'_>) -> String {
    let mut interner = Interner::default();
    let identity = wire::identity(encoded);
    let row = match kind {
        "Pod" => pod::decode(encoded, &mut interner).map(|pod| format!("{pod:#?}")),
        _ => node::decode(encoded, &mut interner).map(|node| format!("{node:#?}")),
    };
    let row = row.unwrap_or_else(|mut error| {
        // The decoders have words of their own.
        error.why.clear();
        format!("{error:#?}")
    });
    format!("{identity:?}\n{:?}\n{row}", encoded.version())
}

fn in_both_forms(object: &Object) -> [String; 2] {
    let text = object.json.to_string();
    let json: &RawValue = serde_json::from_str(&text).expect("JSON");
    let message = protobuf::message(object.kind, &object.json);
    [
        read(object.kind, json.into()),
        read(object.kind, Encoded::Protobuf(&message)),
    ]
}

/// The JSON pointers of all values in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                let inside = format!("{at}/{key}");
                pointers(value, &inside, all);
                all.push(inside);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                let inside = format!("{at}/{i}");
                pointers(value, &inside, all);
                all.push(inside);
            }
        }
        _ => {}
    }
}

/// Objects with every field that is read.
fn full() -> [Object; 2] {
    let time = "2026-01-02T03:04:05Z";
    let metadata = json!({
        "name": "full", "namespace": "n", "uid": "u", "resourceVersion": "77", "generation": 3,
        "creationTimestamp": time, "deletionTimestamp": "2026-01-02T03:05:05Z", "deletionGracePeriodSeconds": 30,
        "labels": {"a": "b", "é": "", "c": "d"}, "finalizers": ["f", "g"],
        "annotations": {"daemonset-controller.io/resources": "{}", "x": "y"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Other", "name": "o", "uid": "o"},
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "d", "controller": true},
        ],
        "managedFields": [{"manager": "m", "fieldsV1": {"f:metadata": {}}, "time": time}],
    });
    let ended = json!({"terminated": {"exitCode": -1, "reason": "Error", "finishedAt": time}});
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "lastTransitionTime": time, "reason": "r", "message": "m"});
    let term =
        json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["pinned"]}]});
    let required = json!({"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}, term]});
    let pod = json!({
        "kind": "Pod", "metadata": metadata,
        "spec": {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
            "schedulingGates": [{"name": "g"}, {"name": "daemonset-controller.io/exclusive"}],
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}],
        },
        "status": {
            "phase": "Failed", "reason": "Evicted", "message": "m",
            "conditions": [condition("PodScheduled", "False"), condition("Ready", "True"), condition("Ready", "False")],
            "initContainerStatuses": [{"name": "i", "restartCount": 0, "state": ended, "lastState": {}}],
            "containerStatuses": [
                {"name": "c", "restartCount": 7, "state": {"waiting": {"reason": "r", "message": "m"}}, "lastState": ended},
                {"name": "d", "restartCount": 1, "state": {"running": {"startedAt": time}}, "lastState": {}},
            ],
        },
    });
    let mut down = condition("Ready", "False");
    down["message"] = "node is shutting down".into();
    let node = json!({
        "kind": "Node", "metadata": metadata,
        "spec": {"taints": [{"key": "k", "value": "v", "effect": "NoExecute", "timeAdded": time}, {"key": "l", "effect": "x"}]},
        "status": {
            "capacity": {"cpu": "4"},
            "conditions": [down, condition("MaintenanceInProgress", "True"), condition("GracefulNodeShutdownInProgress", "True")],
            "nodeInfo": {"bootID": "b", "machineID": "m"},
            "images": [{"names": ["a", "b"], "sizeBytes": 12_345_678_901_i64}],
        },
    });
    [("Pod", pod), ("Node", node)].map(|(kind, json)| Object { kind, json })
}

fn check(object: &Object) {
    let [json, protobuf] = in_both_forms(object);
    assert_eq!(json, protobuf, "{}", object.json);
}

#[test]
fn every_recorded_object_gives_the_same_row() {
    for kind in ["Pod", "Node"] {
        let count = CORPUS.iter().filter(|o| o.kind == kind).count();
        assert!(count >= 20, "{count} of {kind}");
    }
    CORPUS.iter().for_each(check);
    full().iter().for_each(check);
}

#[test]
fn a_value_that_is_another_one_gives_the_same_row_or_leaves_the_same() {
    // Of every value in two objects that have all fields that are read.
    for object in full() {
        let mut all = Vec::new();
        pointers(&object.json, "", &mut all);
        for at in all {
            for value in others() {
                check(&with(&object, &at, value));
            }
        }
    }
}

fn others() -> [Value; 6] {
    [
        json!(true),
        json!(-1),
        json!(7),
        json!(1.5),
        json!(""),
        json!("0001-01-01T00:00:00Z"),
    ]
}

/// The object with another value in one place; as it is where Go never writes such a value.
fn with(object: &Object, at: &str, value: Value) -> Object {
    let mut changed = object.clone();
    let ends = |all: &[&str]| all.iter().any(|end| at.ends_with(end));
    let is_written = match &value {
        // Nothing of such an object is kept.
        _ if at == "/metadata" => false,
        // As a number it is taken for a version where nothing else can be read.
        Value::Number(_) => !ends(&["/resourceVersion"]),
        // Empty texts are left out, and a zero time is null.
        Value::String(text) if text.is_empty() => !ends(&["/name", "/uid", "/resourceVersion"]),
        Value::String(_) => !ends(&["Timestamp", "Time", "At", "Added"]),
        _ => true,
    };
    if is_written {
        *changed.json.pointer_mut(at).expect("it is there") = value;
    }
    changed
}

proptest! {
    #![proptest_config(config(2_000, 1))]

    #[test]
    fn so_it_is_for_recorded_objects(
        object in any::<Index>(),
        at in any::<Index>(),
        value in any::<Index>(),
    ) {
        let object = object.get(&CORPUS);
        let mut all = Vec::new();
        pointers(&object.json, "", &mut all);
        check(&with(object, &all[at.index(all.len())], value.get(&others()).clone()));
    }

    #[test]
    fn a_damaged_message_spoils_only_itself(
        object in any::<Index>(),
        at in any::<Index>(),
        byte in any::<u8>(),
        is_cut in any::<bool>(),
    ) {
        let all = full();
        let object = object.get(&all);
        let mut message = protobuf::message(object.kind, &object.json);
        let at = at.index(message.len());
        match is_cut {
            true => message.truncate(at),
            false => message[at] = byte,
        }
        let mut cache = daemonset_controller::cache::Cache::default();
        let kind = if object.kind == "Pod" { Kind::Pod } else { Kind::Node };
        if let Err(error) = cache.observe(kind, Encoded::Protobuf(&message)) {
            prop_assert!(!error.why.is_empty() && error.why.len() < 400);
        }
        cache.deleted(kind, Encoded::Protobuf(&message));
    }
}

/// An object without its length or its end is no object, and says nothing of a version.
#[test]
fn a_cut_of_a_message_is_never_the_whole() {
    for object in full() {
        let message = protobuf::message(object.kind, &object.json);
        let whole = read(object.kind, Encoded::Protobuf(&message));
        for end in 0..message.len() {
            let cut = read(object.kind, Encoded::Protobuf(&message[..end]));
            assert_ne!(cut, whole, "cut at {end} of {}", message.len());
        }
    }
}
