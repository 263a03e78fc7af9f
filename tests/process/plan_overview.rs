//! A line for each DaemonSet, the targets that are understood, and the exit code that tells whether
//! there is something to do.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::plan_run::{NOW, data, plan, plan_of, updating, validate_as};

const FILES: [&str; 2] = [
    "-f",
    "cluster.yaml,nodes.yaml,odd.yaml,first.yaml,malformed-selector.yaml,unselective.yaml",
];

/// A DaemonSet as a cluster holds it when there is nothing to do, its labels `app=settled`.
const SETTLED: &str = r#"
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: settled, namespace: quiet, uid: d, generation: 1, labels: {app: settled, tier: node}}
  spec: &spec
    selector: {matchLabels: {app: settled}}
    revisionHistoryLimit: 10
    updateStrategy: {type: OnDelete}
    template: &template {metadata: {labels: {app: settled}}, spec: {containers: [], dnsPolicy: ClusterFirst,
      restartPolicy: Always, schedulerName: default-scheduler, securityContext: {}, terminationGracePeriodSeconds: 30}}
  status: {observedGeneration: 1, desiredNumberScheduled: 0, currentNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0}
- apiVersion: apps/v1
  kind: ControllerRevision
  metadata: {name: settled-1, namespace: quiet, uid: r, labels: {app: settled, controller-revision-hash: "1"},
    ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: settled, uid: d, controller: true}]}
  revision: 1
  data: {spec: {template: {<<: *template, $patch: replace}}}
"#;

fn overview(args: &[&str]) -> Value {
    let answer = plan(&[&FILES[..], &["--now", NOW, "-o", "json"], args].concat());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    validate_as("/$defs/overview", &answer.stdout)
}

fn names(overview: &Value) -> Vec<String> {
    let list = overview.as_array().unwrap().iter();
    list.map(|o| {
        let name = &o["daemonSet"];
        format!(
            "{}/{}",
            name["namespace"].as_str().unwrap(),
            name["name"].as_str().unwrap()
        )
    })
    .collect()
}

#[test]
fn there_is_a_line_for_each_daemon_set_as_in_the_golden_files() {
    for output in ["text", "json"] {
        let answer = plan(&[&FILES[..], &["-A", "--now", NOW, "-o", output]].concat());
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        let file = data().join(format!("overview.golden.{output}"));
        if updating() {
            fs::write(&file, &answer.stdout).unwrap();
        } else {
            let golden = fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(golden, answer.stdout, "UPDATE_GOLDEN=1 writes it");
        }
    }
}

#[test]
fn what_is_said_of_each_is_what_its_own_plan_says() {
    let all = overview(&["-A"]);
    let each = [
        "default/agent",
        "default/malformed",
        "default/unselective",
        "logging/agent",
        "logging/odd",
    ];
    assert_eq!(names(&all), each);
    for entry in all.as_array().unwrap() {
        let name = &entry["daemonSet"];
        let target = format!(
            "{}/{}",
            name["namespace"].as_str().unwrap(),
            name["name"].as_str().unwrap()
        );
        let answer = plan(&[&FILES[..], &["--now", NOW, "-o", "json", "-d", &target]].concat());
        let own: Value = serde_json::from_str(&answer.stdout).unwrap();
        for field in [
            "daemonSet",
            "now",
            "leftAlone",
            "revision",
            "summary",
            "notes",
            "defaults",
        ] {
            assert_eq!(entry.get(field), own.get(field), "{target}: {field}");
        }
    }
}

#[test]
fn the_summary_counts_what_the_plan_lists() {
    let answer = plan(&["-f", "cluster.yaml,nodes.yaml", "--now", NOW, "-o", "json"]);
    let json: Value = serde_json::from_str(&answer.stdout).unwrap();
    let summary = &json["summary"];
    let length = |value: &Value| json!(value.as_array().unwrap().len());
    assert_eq!(summary["create"], length(&json["create"]));
    assert_eq!(summary["delete"], length(&json["delete"]));
    assert_eq!(summary["adopt"], length(&json["claims"]["adopt"]));
    assert_eq!(summary["release"], length(&json["claims"]["release"]));
    assert_eq!(
        summary["revisions"]["delete"],
        length(&json["revisionOps"]["delete"])
    );
    assert_eq!(summary["settled"], false);
    let changes = summary["status"].as_object().unwrap();
    for (field, change) in changes {
        assert_eq!(change["to"], json["status"][field], "{field}");
        assert_ne!(change["from"], change["to"], "{field}");
    }
    assert!(!changes.is_empty());
}

#[test]
fn daemon_sets_are_chosen_by_namespace_and_labels() {
    let all = [
        SETTLED,
        "---\n",
        &fs::read_to_string(data().join("odd.yaml")).unwrap(),
    ]
    .concat();
    for (args, expected) in [
        (&["-l", "app=settled"][..], &["quiet/settled"][..]),
        (
            &["-l", "app==settled,tier in (node,other)"],
            &["quiet/settled"],
        ),
        (&["-l", "tier notin (node)"], &["logging/odd"]),
        (&["-l", "!tier"], &["logging/odd"]),
        (&["-A"], &["logging/odd", "quiet/settled"]),
        (&["ds"], &["logging/odd", "quiet/settled"]),
        (&["ds", "-n", "quiet"], &["quiet/settled"]),
    ] {
        let answer = plan_of(&all, &[&["-f", "-", "-o", "json"], args].concat());
        assert_eq!(answer.code, 0, "{args:?}: {}", answer.stderr);
        assert_eq!(
            names(&serde_json::from_str(&answer.stdout).unwrap()),
            expected,
            "{args:?}"
        );
    }
    for (args, why) in [
        (
            &["-l", "app=other"][..],
            "there is no DaemonSet with such labels in the files",
        ),
        (
            &["-l", "app=settled", "-n", "logging"],
            "with such labels in namespace logging in the files",
        ),
        (
            &["ds", "-n", "empty"],
            "there is no DaemonSet in namespace empty in the files",
        ),
    ] {
        let answer = plan_of(&all, &[&["-f", "-"], args].concat());
        assert_eq!(answer.code, 2, "{args:?}");
        assert!(answer.stderr.contains(why), "{args:?}: {}", answer.stderr);
    }
}

#[test]
fn one_daemon_set_is_named_as_for_kubectl() {
    for args in [
        &["ds/odd"][..],
        &["ds", "odd"],
        &["daemonset/odd"],
        &["daemonsets.apps", "odd"],
        &["logging/odd"],
        &["-A", "odd"],
        &["-d", "ds/odd"],
    ] {
        let answer = plan(&[&FILES[..], args].concat());
        assert!(
            answer.stdout.starts_with("DaemonSet   logging/odd\n"),
            "{args:?}: {}",
            answer.stderr
        );
    }
}

#[test]
fn the_exit_code_tells_on_request_whether_there_is_something_to_do() {
    let of = |stdin: &str, args: &[&str]| plan_of(stdin, &[&["--now", NOW], args].concat()).code;
    let busy = &["-f", "cluster.yaml,nodes.yaml", "--exit-code"][..];
    assert_eq!(of("", busy), 3);
    assert_eq!(of("", &busy[..2]), 0);
    assert_eq!(of("", &[busy, &["-o", "json"]].concat()), 3);
    assert_eq!(of(SETTLED, &["-f", "-", "--exit-code"]), 0);
    // A status that is written is no change that anybody would have to look at.
    let status = SETTLED.replace(
        "observedGeneration: 1, desired",
        "observedGeneration: 0, desired",
    );
    assert_eq!(of(&status, &["-f", "-", "--exit-code"]), 0);
    let json = plan_of(&status, &["-f", "-", "-o", "json"]).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["summary"]["settled"], true);
    assert_eq!(
        json["summary"]["status"],
        json!({"observedGeneration": {"from": 0, "to": 1}})
    );
    // Nothing is done about one that is left alone.
    assert_eq!(of("", &["-f", "malformed-selector.yaml", "--exit-code"]), 0);
    // Of several, one is enough.
    let cluster = fs::read_to_string(Path::new(&data()).join("cluster.yaml")).unwrap();
    assert_eq!(
        of(
            &[SETTLED, "---\n", &cluster].concat(),
            &["-f", "-", "-f", "nodes.yaml", "-A", "--exit-code"]
        ),
        3
    );
    assert_eq!(of(SETTLED, &["-f", "-", "-A", "--exit-code"]), 0);
    // Errors are as before.
    assert_eq!(of("", &["-f", "missing.yaml", "--exit-code"]), 2);
    assert_eq!(of("", &["--exit-code"]), 1);
}

#[test]
fn a_settled_daemon_set_is_a_line_of_dashes() {
    let answer = plan_of(SETTLED, &["-f", "-", "-A", "--now", NOW]);
    let line = answer.stdout.lines().nth(1).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        words,
        ["quiet", "settled", "-", "-", "-", "-", "-", "-", "-"],
        "{}",
        answer.stdout
    );
    assert!(
        answer
            .stdout
            .ends_with("1 DaemonSet at 2026-11-21T06:00:00Z: 1 with nothing to do.\n")
    );
}
