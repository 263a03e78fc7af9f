//! Strategic merge patches have the same result as in the API server.
//!
//! `tests/data/strategic-merge.jsonl` holds originals, patches, and what
//! `k8s.io/apimachinery/pkg/util/strategicpatch` 0.37.1 makes of them, or its error.
//! `tests/control-plane/strategic-merge` answers them.

use daemonset_controller::sim::api::patch::{PatchKind, apply};
use daemonset_controller::sim::api::resource::ALL;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    original: Value,
    patch: Box<RawValue>,
    result: Option<Value>,
    error: Option<String>,
}

/// The changes that the API server makes to a merged object when it reads it into a type.
fn read(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, value| !value.is_null() && !key.starts_with('$'));
            members.values_mut().for_each(read);
        }
        Value::Array(items) => items.iter_mut().for_each(read),
        _ => {}
    }
}

/// The errors of a merge that the API server translates into others than "internal": those of
/// `interpretStrategicMergePatchError`.
fn expected(error: &str) -> (u16, &str) {
    match error {
        "invalid patch format of primitive list"
        | "invalid patch format of retainKeys"
        | "invalid patch format of setElementOrder list" => (400, error),
        "lists of lists are not supported" => (
            422,
            "the server rejected our request due to an error in our request",
        ),
        other => (500, other),
    }
}

#[test]
fn patches_do_what_they_do_upstream() {
    let cases = include_str!("../data/strategic-merge.jsonl");
    let mut wrong = Vec::new();
    let mut failures = 0;
    for line in cases.lines() {
        let case: Case = serde_json::from_str(line).expect(line);
        let resource = ALL.into_iter().find(|r| r.kind == case.kind).unwrap();
        let patch = case.patch.get().as_bytes();
        let ours = apply(resource, PatchKind::Strategic, case.original.clone(), patch);
        let same = match (&ours, case.result, &case.error) {
            (Ok(ours), Some(mut theirs), None) => {
                // A revision's data is raw, so that nothing in it is dropped.
                let raw = theirs.as_object_mut().and_then(|t| match &*case.kind {
                    "ControllerRevision" => t.remove("data"),
                    _ => None,
                });
                read(&mut theirs);
                if let Some(raw) = raw {
                    theirs["data"] = raw;
                }
                *ours == theirs
            }
            (Err(ours), None, Some(error)) => {
                failures += 1;
                (ours.code, &*ours.message) == expected(error)
            }
            _ => false,
        };
        if !same {
            let theirs = line.rsplit_once("\"patch\":").unwrap().1;
            wrong.push(format!("{}: {ours:?}\n  upstream: {theirs}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.lines().count() > 200 && failures > 30);
}
