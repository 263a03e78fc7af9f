//! `plan` and `explain` of a DaemonSet with the key `resources`: what is made by which rule, and
//! what is resized.

use std::{env, path::Path};

use serde_json::{Value, json};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a command says of the cluster in `tests/data/resources.yaml`.
fn run(args: &[&str]) -> String {
    let mut run = crate::binary::alone();
    let output = run
        .args(args)
        .args(["--now", "2026-11-20T06:00:00Z", "-d", "logging/agent", "-f"])
        .arg(Path::new(ROOT).join("tests/data/resources.yaml"))
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

/// The same as JSON, which the schema of this name describes.
fn json(args: &[&str], schema: &str) -> Value {
    let value: Value = serde_json::from_str(&run(args)).expect("JSON");
    let schema = std::fs::read_to_string(Path::new(ROOT).join(schema)).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(why) = schema.validate(&value) {
        panic!("{args:?}: {}: {why}", why.instance_path());
    }
    value
}

#[test]
fn plan_and_explain_name_the_rule_of_each_create_and_resize() {
    let args = ["plan", "-o", "json", "--manifests"];
    let plan = json(&args, "docs/plan.schema.json");
    let rule = json!({"rule": 1, "nodes": "pool=edge"});
    assert_eq!(
        plan["resize"],
        json!([{
            "pod": "agent-x", "node": "n1", "resources": rule,
            "containers": {"c": {"limits": {"memory": "200Mi"}}},
        }])
    );
    assert_eq!(plan["summary"]["resize"], 1);
    let creates = plan["create"].as_array().expect("a list").iter();
    let creates: Vec<(&str, &Value, &Value)> = creates
        .map(|c| {
            let container = &c["manifest"]["spec"]["containers"][0];
            let limit = &container["resources"]["limits"]["memory"];
            (c["node"].as_str().expect("a node"), &c["resources"], limit)
        })
        .collect();
    assert_eq!(
        creates,
        [
            ("n2", &Value::Null, &json!("400Mi")),
            ("n3", &rule, &json!("200Mi"))
        ]
    );
    let text = run(&["plan"]);
    for part in [
        "has no pod, resources by rule 1 (pool=edge)",
        "resources by rule 1 (pool=edge): c: limits memory=200Mi",
        "2 pods to create, 1 to resize; 3 nodes eligible of 3",
        "NoSuchContainer: ",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let args = ["explain", "-o", "json", "--node", "n1"];
    let explained = json(&args, "docs/explain.schema.json");
    assert_eq!(explained["nodes"][0]["cause"]["kind"], "Resize");
    assert_eq!(explained["nodes"][0]["actions"][0]["action"], "resize");
}
