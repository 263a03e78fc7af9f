//! Real DaemonSets as the built-in controller (1.37.1) left them: there is nothing to do. The files
//! `tests/data/cases/settled-*.yaml` are what `kubectl get -o yaml` printed of DaemonSets, nodes,
//! pods and revisions when all pods were available, without what no plan looks at.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::plan_run::plan_of;

const CASES: [&str; 3] = ["disk-csi-node", "log-agent", "node-proxy"];

fn text(case: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(format!("tests/data/cases/settled-{case}.yaml"));
    fs::read_to_string(file).expect("a file")
}

fn plan(input: &str) -> Value {
    let args = ["-f", "-", "-o", "json", "--now", "2026-11-30T06:00:00Z"];
    let answer = plan_of(input, &args);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    serde_json::from_str(&answer.stdout).expect("JSON")
}

/// The items of a list without the DaemonSet.
fn without_daemon_set(list: &str) -> String {
    let is_daemon_set = |item: &&str| item.starts_with("apiVersion: apps/v1\n  kind: DaemonSet\n");
    let items: Vec<&str> = list.split("\n- ").collect();
    let left: Vec<&str> = items
        .iter()
        .filter(|i| !is_daemon_set(i))
        .copied()
        .collect();
    assert_eq!(left.len() + 1, items.len());
    left.join("\n- ")
}

#[test]
fn there_is_nothing_to_do_for_what_the_built_in_controller_left() {
    for case in CASES {
        let plan = plan(&text(case));
        assert_eq!(plan["summary"]["settled"], true, "{case}: {plan}");
        assert_eq!(plan["revision"]["create"], false, "{case}");
        let changed = plan["summary"]["status"].as_object().map(|s| s.len());
        assert_eq!(changed, Some(0), "{case}: {}", plan["summary"]);
        assert_eq!(plan["defaults"], Value::Array(Vec::new()), "{case}");
    }
}

#[test]
fn the_manifest_as_it_was_written_is_no_change_either() {
    for case in CASES {
        let manifest = text(&format!("{case}.manifest"));
        let plan = plan(&format!(
            "{manifest}---\n{}",
            without_daemon_set(&text(case))
        ));
        assert_eq!(plan["summary"]["settled"], true, "{case}: {plan}");
        assert_eq!(plan["revision"]["create"], false, "{case}");
    }
}

#[test]
fn another_image_in_such_a_manifest_is_a_rollout() {
    for case in CASES {
        let manifest = text(&format!("{case}.manifest")).replace("image: ", "image: other.");
        let manifest = manifest.replace("image: other.\"", "image: \"other.");
        let plan = plan(&format!(
            "{manifest}---\n{}",
            without_daemon_set(&text(case))
        ));
        assert_eq!(plan["revision"]["create"], true, "{case}");
    }
}
