//! `plan` on inputs on which the built-in controller's budget lets people down: its decision by
//! default, and what the key `budget` makes of it.

use std::{env, fs, path::Path};

use serde_json::Value;

/// The plan of a case of `tests/data/cases`, with this value of `budget`.
fn plan(case: &str, budget: Option<&str>) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(format!("tests/data/cases/{case}.yaml"));
    let mut text = fs::read_to_string(file).expect("a case");
    if let Some(budget) = budget {
        let annotation = format!("daemonset-controller.io/budget: {budget:?}");
        let before = text.clone();
        text = text.replacen(
            "annotations: {}",
            &format!("annotations: {{{annotation}}}"),
            1,
        );
        let line = "    deprecated.daemonset.template.generation";
        text = text.replacen(line, &format!("    {annotation}\n{line}"), 1);
        assert_ne!(before, text, "{case} has annotations");
    }
    let name = format!("{case}-{}.yaml", budget.unwrap_or("none"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, text).expect("a file");
    let mut run = crate::binary::alone();
    let output = run
        .args(["plan", "-o", "json", "--now", "2026-11-20T06:00:00Z", "-f"])
        .arg(file)
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {stderr}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let schema = fs::read_to_string(root.join("docs/plan.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(why) = schema.validate(&value) {
        panic!("{case}: {}: {why}", why.instance_path());
    }
    value
}

/// The pods that go.
fn gone(plan: &Value) -> Vec<&str> {
    let deletes = plan["delete"].as_array().expect("a list").iter();
    deletes
        .map(|d| d["pod"].as_str().expect("a name"))
        .collect()
}

/// The rule and the nodes of each hold.
fn holds(plan: &Value) -> Vec<String> {
    let line = |hold: &Value| {
        let nodes = hold["nodes"].as_array().into_iter().flatten();
        let nodes: Vec<&str> = nodes.filter_map(|n| n["node"].as_str()).collect();
        format!(
            "{} {}",
            hold["rule"].as_str().expect("a rule"),
            nodes.join(" ")
        )
    };
    plan["holds"]
        .as_array()
        .expect("a list")
        .iter()
        .map(line)
        .collect()
}

#[test]
fn control_second_update_in_min_ready() {
    let case = "control-second-update-in-min-ready";
    let free = plan(case, None);
    assert_eq!(
        gone(&free),
        ["agent-1", "agent-2", "agent-3", "agent-4", "agent-5"],
        "the built-in controller takes all of them"
    );
    assert_eq!(plan(case, Some("off"))["delete"], free["delete"]);
    let strict = plan(case, Some("strict"));
    assert_eq!(gone(&strict), ["agent-1"]);
    assert_eq!(
        holds(&strict),
        ["MaxUnavailable edge-2 edge-3 edge-4 edge-5"]
    );
}

#[test]
fn control_selector_change() {
    let case = "control-selector-change";
    let free = plan(case, None);
    assert_eq!(
        gone(&free).len(),
        6,
        "the built-in controller takes all of them"
    );
    assert_eq!(free["delete"][0]["cause"], "NodeNotEligible");
    let strict = plan(case, Some("strict"));
    assert_eq!(gone(&strict), ["agent-1"]);
    assert_eq!(holds(&strict), ["RemovalBudget n-2 n-3 n-4 n-5 n-6"]);
}

#[test]
fn why_notready_nodes_hold_the_budget_and_healthy_ones_roll_with_bad_nodes() {
    for case in [
        "why-notready-nodes-hold-the-budget",
        "why-notready-nodes-hold-the-budget.not-deleted-yet",
    ] {
        // Two of ten: a fifth of the eight that are eligible is two, rounded up.
        let plan = plan(case, Some("bad-nodes"));
        assert_eq!(gone(&plan), ["agent-01"], "{case}");
        assert_eq!(plan["rollout"]["unavailable"], 1, "{case}");
        assert_eq!(
            plan["rollout"]["blockedBy"],
            serde_json::json!([]),
            "{case}"
        );
        let rules = holds(&plan);
        assert!(
            rules[rules.len() - 1].starts_with("MaxUnavailable gpu-02"),
            "{rules:?}"
        );
    }
    let plan = plan(
        "why-notready-nodes-hold-the-budget.not-deleted-yet",
        Some("bad-nodes"),
    );
    let hold = &plan["holds"][0];
    assert_eq!(holds(&plan)[0], "NodeExempt gpu-09 gpu-10");
    assert!(hold["nodes"][0]["since"].is_string(), "{hold}");
    assert_eq!(hold["untilWhat"], "the node is ready");
}

#[test]
fn why_unreachable_node_picked_first_and_is_no_candidate_with_bad_nodes() {
    let case = "why-unreachable-node-picked-first";
    assert_eq!(gone(&plan(case, None)), ["agent-3"]);
    let plan = plan(case, Some("bad-nodes"));
    assert_eq!(gone(&plan), ["agent-1"]);
    assert_eq!(holds(&plan)[0], "NodeExempt n-3");
}
