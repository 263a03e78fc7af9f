//! `plan` and `explain` on nodes that are about to go: by default as the built-in controller, which
//! makes pods there again and again, and none with the feature gate or the option.

use std::{env, path::Path};

use serde_json::Value;

const GATE: &str = "--feature-gates=DaemonSetGracefulNodeShutdown=true";
const OPTION: &str = "--suppress-on-leaving-nodes";
const SHUTTING_DOWN: [&str; 2] = ["control-shutting-down", "control-shutting-down.gone"];
const TAKEN: &str = "control-autoscaler-takes-node";

/// What a command says of a case of `tests/data/cases`.
fn run(case: &str, args: &[&str], variables: &[(&str, &str)]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(format!("tests/data/cases/{case}.yaml"));
    let mut run = crate::binary::alone();
    let output = run
        .envs(variables.iter().copied())
        .args(args)
        .args(["--now", "2026-11-20T06:00:00Z", "-f"])
        .arg(file)
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case} {args:?}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

/// The plan of a case with this flag.
fn plan(case: &str, flag: Option<&str>) -> Value {
    let args: Vec<&str> = ["plan", "-o", "json"].into_iter().chain(flag).collect();
    let value: Value = serde_json::from_str(&run(case, &args, &[])).expect("JSON");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read_to_string(root.join("docs/plan.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(why) = schema.validate(&value) {
        panic!("{case}: {}: {why}", why.instance_path());
    }
    value
}

/// The nodes that get a pod, the pods that go, and the rules that hold.
fn outline(plan: &Value) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
    let list = |list: &'static str, field: &'static str| {
        let items = plan[list].as_array().expect("a list").iter();
        items.map(move |item| item[field].as_str().expect("a text"))
    };
    (
        list("create", "node").collect(),
        list("delete", "pod").collect(),
        list("holds", "rule").collect(),
    )
}

#[test]
fn control_shutting_down() {
    for (case, failed) in SHUTTING_DOWN.into_iter().zip([&["agent-down1"][..], &[]]) {
        let free = plan(case, None);
        assert_eq!(
            outline(&free),
            (vec!["worker-1"], failed.to_vec(), vec![]),
            "{case}: as the built-in controller"
        );
        for flag in [GATE, OPTION] {
            let suppressed = plan(case, Some(flag));
            let expected = (vec![], failed.to_vec(), vec!["NodeLeaving"]);
            assert_eq!(outline(&suppressed), expected, "{case} {flag}");
            let status = &suppressed["status"];
            assert_eq!(status["desiredNumberScheduled"], 2, "{case} {flag}");
            assert_eq!(status["numberUnavailable"], 1, "{case} {flag}");
            let hold = &suppressed["holds"][0];
            assert_eq!(hold["nodes"][0]["node"], "worker-1");
            assert_eq!(hold["nodes"][0]["since"], "2026-11-20T05:59:00Z");
            assert_eq!(hold["untilWhat"], "the condition is no longer True");
        }
    }
}

#[test]
fn control_autoscaler_takes_node() {
    let free = plan(TAKEN, None);
    assert_eq!(outline(&free), (vec!["spot-1"], vec!["agent-rej"], vec![]));
    // The gate knows of one condition, which nobody sets here.
    assert_eq!(plan(TAKEN, Some(GATE)), free);
    let suppressed = plan(TAKEN, Some(OPTION));
    let expected = (vec![], vec!["agent-rej"], vec!["NodeLeaving"]);
    assert_eq!(outline(&suppressed), expected);
    assert_eq!(suppressed["holds"][0]["untilWhat"], "the node is gone");
}

#[test]
fn the_variables_do_what_the_flags_do() {
    let gate = "DaemonSetGracefulNodeShutdown=true";
    for (variable, value, flag) in [
        ("DAEMONSET_CONTROLLER_FEATURE_GATES", gate, GATE),
        (
            "DAEMONSET_CONTROLLER_SUPPRESS_ON_LEAVING_NODES",
            "true",
            OPTION,
        ),
    ] {
        for case in [SHUTTING_DOWN[0], TAKEN] {
            let args = ["plan", "-o", "json"];
            let by_variable: Value =
                serde_json::from_str(&run(case, &args, &[(variable, value)])).expect("JSON");
            assert_eq!(by_variable, plan(case, Some(flag)), "{case}");
        }
    }
}

#[test]
fn plan_and_explain_say_that_nothing_is_created_and_why() {
    let args = ["plan", "--no-advice", OPTION];
    let text = run(SHUTTING_DOWN[1], &args, &[]);
    for part in ["NodeLeaving", "worker-1", "the node is shutting down"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = run(SHUTTING_DOWN[1], &["explain", "--all", OPTION], &[]);
    let part = "no pod is created on the node, and what runs there is left alone: the node is shutting down";
    assert!(text.contains(part), "{text}");
    let text = run(
        SHUTTING_DOWN[1],
        &["explain", "--node=worker-1", OPTION],
        &[],
    );
    let part = "nothing more is done until the condition is no longer True";
    assert!(text.contains(part), "{text}");
    // The failed pod goes, and nothing follows.
    let text = run(TAKEN, &["explain", "--node=spot-1", OPTION], &[]);
    let next = "pod agent-rej is deleted now; no other is created until the node is gone";
    assert!(text.contains(next), "{text}");
}
