//! Why something is not done: `plan` and `explain` on inputs that people were puzzled by, each with
//! what is right. The real binary is run on files of `tests/data/cases`.

use std::{env, fs, path::Path, process::Output};

use serde_json::{Value, json};

/// The time of all cases.
const NOW: &str = "2026-11-20T06:00:00Z";

fn run(command: &str, case: &str, more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut run = crate::binary::alone();
    run.args([command, "-f"])
        .arg(root.join(format!("tests/data/cases/{case}.yaml")))
        .args(["--now", NOW])
        .args(more)
        .output()
        .expect("it starts")
}

fn text(command: &str, case: &str, more: &[&str]) -> String {
    let output = run(command, case, more);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The JSON, held against its schema.
fn json_of(command: &str, case: &str, more: &[&str]) -> Value {
    let mut args = vec!["-o", "json"];
    args.extend(more);
    let value: Value = serde_json::from_str(&text(command, case, &args)).expect("JSON");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(format!("docs/{command}.schema.json"));
    let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(why) = schema.validate(&value) {
        panic!("{command} {case}: {}: {why}", why.instance_path());
    }
    value
}

/// One field of each element.
fn each<'v>(list: &'v Value, field: &str) -> Vec<&'v str> {
    let list = list.as_array().expect("a list").iter();
    list.map(|x| x[field].as_str().expect("a text")).collect()
}

#[test]
fn why_notready_nodes_hold_the_budget() {
    let case = "why-notready-nodes-hold-the-budget";
    let plan = json_of("plan", case, &[]);
    assert_eq!(
        (&plan["create"], &plan["delete"]),
        (&json!([]), &json!([])),
        "the decision is upstream's"
    );
    let blocked = &plan["rollout"]["blockedBy"];
    assert_eq!(each(blocked, "node"), ["gpu-09", "gpu-10"]);
    assert_eq!(each(blocked, "pod"), ["agent-09", "agent-10"]);
    assert_eq!(each(blocked, "reason"), ["Terminating"; 2]);
    for block in blocked.as_array().unwrap() {
        let message = block["message"].as_str().unwrap();
        assert!(message.contains("Ready condition is Unknown"), "{message}");
    }
    let hold = &plan["holds"][0];
    assert_eq!(
        (&hold["rule"], hold["nodes"].as_array().unwrap().len()),
        (&json!("MaxUnavailable"), 8)
    );
    let text = text("plan", case, &[]);
    assert!(
        text.contains("2 of at most 1 unavailable: 0 by this plan, 2 before it"),
        "{text}"
    );
    assert!(text.contains("gpu-09 (agent-09"), "{text}");
    assert!(
        text.contains("the status counts 0 unavailable: eligible nodes only (2 of the 2 are not)"),
        "{text}"
    );

    let explained = json_of("explain", case, &["--node", "gpu-09"]);
    let node = &explained["nodes"][0];
    assert_eq!(node["cause"]["kind"], "NotAvailable");
    assert_eq!(node["cause"]["reason"], "Terminating");
    assert_eq!(node["next"], "nothing is done until the pod is gone");
}

#[test]
fn why_notready_nodes_hold_the_budget_before_their_pods_are_deleted() {
    let case = "why-notready-nodes-hold-the-budget.not-deleted-yet";
    let plan = json_of("plan", case, &[]);
    let blocked = &plan["rollout"]["blockedBy"];
    assert_eq!(each(blocked, "node"), ["gpu-09", "gpu-10"]);
    assert_eq!(each(blocked, "reason"), ["NodeNotReady"; 2]);
    assert_eq!(
        each(&plan["delete"], "pod"),
        ["agent-09", "agent-10"],
        "old and unavailable: nothing is lost"
    );
}

#[test]
fn why_unreachable_node_picked_first() {
    let case = "why-unreachable-node-picked-first";
    let plan = json_of("plan", case, &[]);
    assert_eq!(
        each(&plan["delete"], "pod"),
        ["agent-3"],
        "the decision is upstream's"
    );
    assert_eq!(
        each(&plan["rollout"]["blockedBy"], "reason"),
        ["NodeNotReady"]
    );
    assert_eq!(
        plan["rollout"]["blockedBy"][0]["since"],
        "2026-11-20T00:00:00Z"
    );
    let explained = json_of("explain", case, &["--pod", "agent-3"]);
    assert_eq!(each(&explained["nodes"], "name"), ["n-3"]);
    assert_eq!(explained["nodes"][0]["pods"][0]["state"], "NodeNotReady");
}

#[test]
fn why_all_obstacles() {
    let case = "why-all-obstacles";
    let reasons = [
        "NodeSelectorMismatch",
        "NodeSelectorMismatch",
        "UntoleratedNoExecuteTaint",
        "UntoleratedNoScheduleTaint",
    ];
    let plan = json_of("plan", case, &[]);
    assert_eq!(each(&plan["nodes"][0]["obstacles"], "reason"), reasons);
    let explained = json_of("explain", case, &["--node", "n-1"]);
    let obstacles = &explained["nodes"][0]["obstacles"];
    assert_eq!(obstacles, &plan["nodes"][0]["obstacles"]);
    for text in [
        text("plan", case, &[]),
        text("explain", case, &["--node", "n-1"]),
    ] {
        for problem in each(obstacles, "message") {
            assert!(text.contains(problem), "{problem} is missing in\n{text}");
        }
    }
    let verbose = text("plan", case, &["-v"]);
    for change in each(obstacles, "change") {
        assert!(
            verbose.contains(change),
            "{change} is missing in\n{verbose}"
        );
    }
}

#[test]
fn why_ondelete_which_are_old() {
    let case = "why-ondelete-which-are-old";
    let plan = json_of("plan", case, &[]);
    let hold = &plan["holds"][0];
    assert_eq!(hold["rule"], "OnDelete");
    assert_eq!(each(&hold["nodes"], "node"), ["n-2", "n-3"]);
    assert_eq!(each(&hold["nodes"], "pod"), ["agent-2", "agent-3"]);
    let text = text("plan", case, &[]);
    assert!(text.contains("n-2 (agent-2), n-3 (agent-3)"), "{text}");
}

#[test]
fn groups_are_listed_commonest_first() {
    let explained = json_of("explain", "why-notready-nodes-hold-the-budget", &["--all"]);
    let groups = explained["groups"].as_array().unwrap();
    let sizes: Vec<usize> = groups
        .iter()
        .map(|g| g["nodes"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [8, 2]);
    assert_eq!(groups[0]["cause"]["reason"], "MaxUnavailable");
}

#[test]
fn what_cannot_be_explained_is_refused_with_what_would_be_right() {
    let case = "why-all-obstacles";
    for (args, expected) in [
        (&["--node", "nowhere"][..], "there is no node nowhere"),
        (
            &["--pod", "nobody"],
            "there is no pod nobody in namespace ops",
        ),
        (
            &["--node", "n-1", "--all"],
            "--node and --all are both given: leave one out",
        ),
        (
            &["--node", "n-1", "--pod", "p"],
            "--node and --pod are both given: leave one out",
        ),
        (&["ds"], "explains one DaemonSet: name it"),
        (&["-d", "ops/other"], "there is no DaemonSet ops/other"),
    ] {
        let output = run("explain", case, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    }
}
