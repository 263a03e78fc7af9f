//! Why there is a new revision: the nearest one of the past, and what differs. `revised.yaml` has
//! two revisions that are equally near, one that is farther, and one of another DaemonSet.

use serde_json::{Value, json};

use crate::plan_run::{Answer, NOW, plan, plan_of, schema, validate};

const FILES: [&str; 6] = ["-f", "revised.yaml", "-f", "nodes.yaml", "--now", NOW];

fn with(args: &[&str]) -> Answer {
    let answer = plan(&[&FILES[..], args].concat());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    answer
}

fn diff(args: &[&str]) -> Value {
    let answer = with(&[&["-o", "json"], args].concat());
    validate(&schema(), &answer.stdout)["revision"]["diff"].clone()
}

fn change<'a>(diff: &'a Value, path: &str) -> &'a Value {
    let mut changes = diff["changes"].as_array().unwrap().iter();
    let path = format!("spec.template.{path}");
    let found = changes.find(|c| c["path"] == *path);
    found.unwrap_or_else(|| panic!("no {path} in {diff}"))
}

#[test]
fn of_revisions_that_are_equally_near_it_is_the_one_with_the_highest_number() {
    let diff = diff(&[]);
    assert_eq!(diff["nearest"], json!({"name": "agent-three", "number": 3}));
}

#[test]
fn each_difference_has_a_path_and_both_values() {
    let diff = diff(&["--show-values"]);
    let agent = "spec.containers[name=agent]";
    assert_eq!(
        *change(&diff, &format!("{agent}.image")),
        json!({
            "path": "spec.template.spec.containers[name=agent].image",
            "op": "changed",
            "from": "registry.example/agent:3.0",
            "to": "registry.example/agent:4.0",
        })
    );
    let port = change(
        &diff,
        &format!("{agent}.ports[containerPort=9090,protocol=TCP]"),
    );
    assert_eq!(
        (&port["op"], &port["from"]["containerPort"]),
        (&json!("removed"), &json!(9090))
    );
    assert!(port.get("to").is_none());
    assert_eq!(
        change(&diff, "spec.containers[name=sidecar]")["op"],
        "added"
    );
    let order = change(&diff, &format!("{agent}.env"));
    assert_eq!(order["op"], "reordered");
    assert_eq!(order["from"], json!(["ZONE", "LEVEL", "TOKEN"]));
    assert_eq!(order["to"], json!(["LEVEL", "TOKEN", "ZONE"]));
    // `3.0e1` and `creationTimestamp: null` are no difference to the controller.
    assert_eq!(diff["changes"].as_array().unwrap().len(), 10, "{diff:#}");
}

#[test]
fn values_that_may_be_secrets_are_shown_only_on_request() {
    for args in [&["-o", "json"][..], &["-o", "text"], &["-o", "text", "-v"]] {
        let hidden = with(args).stdout;
        for secret in [
            "=three",
            ": three",
            "\"three\"",
            "four",
            "debug",
            "\"secret\"",
        ] {
            assert!(!hidden.contains(secret), "{secret} in {hidden}");
        }
        let shown = with(&[args, &["--show-values"]].concat()).stdout;
        assert!(
            shown.contains("--token=four") && !shown.contains("hidden"),
            "{shown}"
        );
    }
    let diff = diff(&[]);
    let token = change(&diff, "spec.containers[name=agent].env[name=TOKEN].value");
    let expected = json!({
        "path": "spec.template.spec.containers[name=agent].env[name=TOKEN].value",
        "op": "changed",
        "from": "<hidden>",
        "to": "<hidden>",
        "hidden": true,
    });
    assert_eq!(*token, expected);
    assert!(with(&[]).stdout.contains("--show-values shows them"));
}

#[test]
fn there_is_no_difference_where_no_revision_is_created_or_there_is_none_yet() {
    for files in [["cluster.yaml", "nodes.yaml"], ["first.yaml", "nodes.yaml"]] {
        let answer = plan(&["-f", files[0], "-f", files[1], "-o", "json"]);
        let json = validate(&schema(), &answer.stdout);
        assert!(json["revision"].get("diff").is_none(), "{json:#}");
    }
}

#[test]
fn many_differences_are_cut_in_text_unless_all_are_asked_for() {
    let labels = |value: &str| {
        let labels: Vec<String> = (0..30).map(|i| format!("l{i:02}: {value}")).collect();
        format!("{{app: a, {}}}", labels.join(", "))
    };
    let owner = "{apiVersion: apps/v1, kind: DaemonSet, name: a, uid: u, controller: true}";
    let input = format!(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {{name: a, uid: u}}\nspec:\n  selector: {{matchLabels: {{app: a}}}}\n  \
         template: {{metadata: {{labels: {}}}, spec: {{containers: []}}}}\n---\n\
         apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {{name: a-1, uid: r, labels: {{app: a}}, ownerReferences: [{owner}]}}\n\
         revision: 1\ndata: {{spec: {{template: {{$patch: replace, metadata: {{labels: {}}}, spec: {{containers: []}}}}}}}}\n",
        labels("new"),
        labels("old"),
    );
    let lines = |args: &[&str]| {
        let answer = plan_of(&input, &[&["-f", "-"], args].concat());
        answer
            .stdout
            .lines()
            .filter(|l| l.contains("labels.l"))
            .count()
    };
    assert_eq!((lines(&[]), lines(&["-v"])), (20, 30));
    let text = plan_of(&input, &["-f", "-"]).stdout;
    // Defaults of the spec are differences, too, of a revision that has none.
    assert!(text.contains(" more (-v lists them)"), "{text}");
    let json: Value =
        serde_json::from_str(&plan_of(&input, &["-f", "-", "-o", "json"]).stdout).unwrap();
    assert!(
        json["revision"]["diff"]["changes"]
            .as_array()
            .unwrap()
            .len()
            >= 30
    );
}

#[test]
fn the_documented_lines_are_printed_in_their_order() {
    let markdown = include_str!("../../docs/plan.md");
    let block = markdown.split("```diff\n").nth(1).unwrap();
    let block = block.split("```").next().unwrap();
    let printed = with(&[]).stdout;
    let mut rest = printed.lines();
    for line in block.lines() {
        assert!(
            rest.any(|printed| printed == line),
            "{line} is not in {printed}"
        );
    }
    assert!(
        block.lines().count() > 4,
        "this test no longer reads the document"
    );
}
