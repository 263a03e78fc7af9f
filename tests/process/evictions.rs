//! `replace-by: eviction` in what `plan` and `explain` print: how a pod goes, in text and by the
//! schemas.

use std::{env, fs, path::Path};

use serde_json::Value;

const CASE: &str = "control-second-update-in-min-ready";

/// A case of `tests/data/cases` with this annotation, as a file.
fn case(annotation: Option<&str>) -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join(format!("tests/data/cases/{CASE}.yaml")));
    let mut text = text.expect("a case");
    if let Some(annotation) = annotation {
        let none = "annotations: {}";
        assert!(text.contains(none), "{CASE} has annotations");
        text = text.replacen(none, &format!("annotations: {{{annotation}}}"), 1);
    }
    let name = format!("{CASE}-evictions-{}.yaml", annotation.is_some());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, text).expect("a file");
    file
}

/// What a command prints about the case.
fn printed(command: &[&str], annotation: Option<&str>) -> String {
    let mut run = crate::binary::alone();
    run.args(command)
        .args(["--now", "2026-11-20T06:00:00Z", "-f"]);
    let output = run.arg(case(annotation)).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
    String::from_utf8(output.stdout).expect("a text")
}

/// The same as JSON, which its schema allows.
fn json(command: &str, annotation: Option<&str>) -> Value {
    let value = printed(&[command, "-o", "json"], annotation);
    let value: Value = serde_json::from_str(&value).expect("JSON");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read_to_string(root.join(format!("docs/{command}.schema.json")));
    let schema: Value = serde_json::from_str(&schema.expect("a schema")).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(why) = schema.validate(&value) {
        panic!("{}: {why}", why.instance_path());
    }
    value
}

const EVICTION: Option<&str> = Some("daemonset-controller.io/replace-by: eviction");

#[test]
fn the_plan_says_which_pods_are_evicted_and_without_the_key_nothing_new() {
    let with = json("plan", EVICTION);
    let deletes = with["delete"].as_array().expect("a list");
    assert!(!deletes.is_empty());
    assert!(deletes.iter().all(|delete| delete["by"] == "eviction"));
    let without = json("plan", None);
    let mut same = deletes.clone();
    for delete in &mut same {
        delete.as_object_mut().expect("an object").remove("by");
    }
    assert_eq!(without["delete"], Value::Array(same));
    let rows = |text: &str, verb: &str| {
        let row = |line: &&str| line.trim_start().starts_with(&format!("{verb} "));
        text.lines().filter(row).count()
    };
    let text = printed(&["plan"], EVICTION);
    assert_eq!(
        (rows(&text, "evict"), rows(&text, "delete")),
        (deletes.len(), 0),
        "{text}"
    );
    let text = printed(&["plan"], None);
    assert_eq!(
        (rows(&text, "evict"), rows(&text, "delete")),
        (0, deletes.len()),
        "{text}"
    );
}

#[test]
fn explain_says_that_a_pod_is_evicted() {
    let text = json("explain", EVICTION).to_string();
    assert!(text.contains(r#""action":"evict""#), "{text}");
    assert!(!text.contains(r#""action":"delete""#), "{text}");
    assert!(text.contains("is evicted now"), "{text}");
    let text = json("explain", None).to_string();
    assert!(
        text.contains(r#""action":"delete""#) && !text.contains("evict"),
        "{text}"
    );
}
