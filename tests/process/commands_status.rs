//! `status` and `history`: what they print, their exit codes, and how `status` waits and watches.

use std::fs;

use daemonset_controller::{model::Labels, plan::control::digest};
use serde_json::{Value, json};

use crate::rollout_defaults::File;
use crate::simulated::{AGENT, BINARY, Cluster, REVISIONS, Running, SETS, daemon_set, ended};

/// Holds JSON against the part of the schema for this command.
pub fn valid(command: &str, text: &str) -> Value {
    let schema = fs::read_to_string("docs/commands.schema.json").unwrap();
    let mut schema: Value = serde_json::from_str(&schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("a schema");
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = format!("#/$defs/{command}").into();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    let json: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"));
    if let Err(why) = schema.validate(&json) {
        panic!("{}: {why}\n{text}", why.instance_path());
    }
    json
}

fn canary() -> Value {
    json!({
        "daemonset-controller.io/canary": "1", "daemonset-controller.io/bake": "approval",
        "daemonset-controller.io/hold": "off",
    })
}

/// What the controller says when it has read these annotations.
fn read_condition(annotations: &Value) -> Value {
    let pairs = annotations.as_object().unwrap().iter();
    let labels: Labels = pairs.map(|(k, v)| (&**k, v.as_str().unwrap())).collect();
    let digest = digest::of_keys(&labels).expect("keys");
    json!([{
        "type": "Progressing", "status": "Unknown", "reason": "AwaitingApproval",
        "message": format!("the canary is available (keys {digest})"),
    }])
}

#[test]
fn a_canary_that_waits_names_its_nodes_and_the_command_that_approves() {
    let cluster = Cluster::updating(canary());
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!((answer.code, &*answer.stderr), (2, ""));
    let expected = "\
DaemonSet   logging/agent
State       under way
Stage       AwaitingApproval: the canary is available, and the other nodes wait until somebody approves
Revision    agent-bbbb, number 2, hash bbbb
Nodes       4 desired, 1 up to date, 4 available, 3 held
Keys        bake=approval canary=1 (not read by the controller yet)

3 nodes: Held AwaitingApproval
  the node keeps its revision: the stage before is available and waits for the annotation daemonset-controller.io/approve: bbbb
  node-b, node-c, node-d

What you can do
  daemonset-controller approve logging/agent bbbb: all other nodes follow
  daemonset-controller hold logging/agent: no further pod is replaced
  kubectl rollout undo daemonset/agent -n logging --to-revision=1: all nodes go back to the stable revision
";
    assert_eq!(answer.stdout, expected);

    cluster.observed("agent", read_condition(&canary()));
    let answer = cluster.run(&["status", "ds", "agent", "-o", "json"]);
    assert_eq!(answer.code, 2);
    let status = valid("status", &answer.stdout);
    assert_eq!(status["keysRead"], true);
    assert_eq!(status["keys"], json!({ "bake": "approval", "canary": "1" }));
    assert_eq!(
        status["counts"],
        json!({ "desired": 4, "updated": 1, "available": 4, "held": 3 })
    );
    assert_eq!(
        status["waiting"][0]["nodes"],
        json!(["node-b", "node-c", "node-d"])
    );
}

#[test]
fn the_exit_code_says_complete_stalled_or_under_way() {
    let key = |value: &str| json!({ "daemonset-controller.io/hold": value });
    for (annotations, code, stage, can) in [
        (json!({}), 2, "Rolling", "daemonset-controller hold"),
        (key("rollout"), 2, "Paused", "daemonset-controller resume"),
        (key("all"), 2, "Paused", "daemonset-controller resume"),
        (key("rollot"), 1, "Paused", "correct or remove it: "),
        (
            json!({ "daemonset-controller.io/canary": "pool=none" }),
            1,
            "Paused",
            "daemonset-controller approve logging/agent bbbb",
        ),
    ] {
        let cluster = Cluster::updating(annotations.clone());
        let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
        let status = valid("status", &answer.stdout);
        assert_eq!(
            (answer.code, &status["stage"]),
            (code, &stage.into()),
            "{annotations}"
        );
        assert_eq!(status["stalled"].is_object(), code == 1, "{annotations}");
        let next = status["next"].to_string();
        assert!(next.contains(can), "{annotations}: {next}");
        let text = cluster.run(&["status", "logging/agent"]).stdout;
        assert!(text.contains(can), "{annotations}: {text}");
    }
    let cluster = Cluster::updating(json!({}));
    cluster.complete();
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
    assert!(
        answer.stdout.contains("State       complete\n"),
        "{}",
        answer.stdout
    );
    assert!(
        answer.stdout.contains("Keys        none\n"),
        "{}",
        answer.stdout
    );
    assert!(
        !answer.stdout.contains("What you can do"),
        "{}",
        answer.stdout
    );
}

#[test]
fn a_huge_annotation_is_cut_in_text_and_whole_in_json() {
    let value = "x".repeat(200_000);
    let mut annotations = json!({ "daemonset-controller.io/canary": format!("{value}=") });
    for number in 0..1_000 {
        annotations[format!("daemonset-controller.io/k{number}")] = "y".into();
    }
    let cluster = Cluster::updating(annotations);
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let longest = answer.stdout.lines().map(str::len).max();
    assert!(longest < Some(500), "{longest:?}");
    let json = cluster.run(&["status", "logging/agent", "-o", "json"]);
    let keys = valid("status", &json.stdout)["keys"].clone();
    assert_eq!(keys.as_object().unwrap().len(), 1_001);
    let answer = cluster.run(&["handback", "--check"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert!(answer.stdout.lines().all(|line| line.len() < 500));
}

#[test]
fn errors_have_exit_codes_of_their_own() {
    let cluster = Cluster::updating(json!({}));
    for (args, code, said) in [
        (&["status"][..], 3, "<DAEMONSET>..."),
        (&["status", "agent", "--frobnicate"], 3, "--frobnicate"),
        (&["status", "ds"], 3, "a DaemonSet is needed"),
        (
            &["status", "logging/none"],
            3,
            "there is no DaemonSet logging/none\n",
        ),
        (
            &["status", "none"],
            3,
            "there is no DaemonSet none in the cluster\n",
        ),
        (
            &["status", "a/agent", "-n", "b"],
            3,
            "contradict each other",
        ),
        (
            &["history", "logging/none"],
            3,
            "there is no DaemonSet logging/none\n",
        ),
        (
            &["hold", "logging/none"],
            3,
            "there is no DaemonSet logging/none\n",
        ),
        (&["approve", "logging/agent", "No"], 3, "is no hash"),
        (&["plan", "--frobnicate"], 2, "--frobnicate"),
    ] {
        let answer = cluster.run(args);
        assert_eq!(answer.code, code, "{args:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(said), "{args:?}: {}", answer.stderr);
    }
    let mut away = cluster.command(BINARY, &["status", "logging/agent"]);
    let config = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: \"http://127.0.0.1:1\"}}]\n\
                  users: [{name: c, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), config).unwrap();
    let answer = ended(away.env("KUBECONFIG", file.path()));
    assert_eq!(answer.code, 4, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("http://127.0.0.1:1"),
        "{}",
        answer.stderr
    );
}

#[test]
fn a_name_alone_is_in_the_namespace_of_the_context_or_the_only_one() {
    let cluster = Cluster::updating(json!({}));
    let other = json!({ "metadata": { "name": "other" } });
    cluster.post("/api/v1/namespaces", other);
    let mut second = daemon_set("agent", &json!({}));
    second["metadata"]["namespace"] = "other".into();
    cluster.post("/apis/apps/v1/namespaces/other/daemonsets", second);
    let answer = cluster.run(&["status", "agent"]);
    assert_eq!(answer.code, 3);
    let said = "error: there are several DaemonSets of that name, say which one: logging/agent, other/agent\n";
    assert_eq!(answer.stderr, said);
    cluster.in_namespace("logging");
    let answer = cluster.run(&["status", "agent"]);
    assert!(
        answer.stdout.starts_with("DaemonSet   logging/agent\n"),
        "{}",
        answer.stderr
    );
    let answer = cluster.run(&["status", "agent", "-n", "other"]);
    assert!(
        answer.stdout.starts_with("DaemonSet   other/agent\n"),
        "{}",
        answer.stderr
    );
}

/// Neither a complete rollout nor a stalled one counts before the controller has read the keys.
#[test]
fn waiting_ends_when_the_keys_were_read_and_the_rollout_is_complete() {
    let cluster = Cluster::updating(canary());
    let args = ["status", "logging/agent", "--wait", "--watch"];
    let mut waits = Running::start(&mut cluster.command(BINARY, &args));
    let line = waits.until(|line| line.contains("AwaitingApproval"));
    let expected = "logging/agent: AwaitingApproval: the canary is available, and the other nodes wait until somebody \
                    approves; 4 desired, 1 up to date, 4 available, 3 held; not read by the controller yet";
    assert_eq!(line, expected);
    let mut approved = canary();
    approved["daemonset-controller.io/approve"] = "bbbb".into();
    let annotations = json!({ "metadata": { "annotations": approved } });
    cluster.patch(AGENT, annotations);
    // As the controller records it.
    let released = json!({ "state.daemonset-controller.io/released": "[\"canary\"]" });
    let released = json!({ "metadata": { "annotations": released } });
    cluster.patch(&format!("{REVISIONS}/agent-bbbb"), released);
    cluster.complete();
    waits.until(|line| line.contains("Complete"));
    assert!(waits.runs(), "the keys were not read yet");
    // A digest of other keys is no sign that these were read.
    cluster.observed("agent", read_condition(&canary()));
    let touched =
        json!({ "metadata": { "annotations": { "daemonset-controller.io/bake": "1s" } } });
    approved["daemonset-controller.io/bake"] = "1s".into();
    cluster.patch(AGENT, touched);
    assert!(waits.runs(), "the digest is of other keys");
    cluster.observed("agent", read_condition(&approved));
    let unread = "not read by the controller yet";
    waits.until(|line| line.contains("Complete") && !line.contains(unread));
    assert_eq!(waits.code(), Some(0));
}

#[test]
fn waiting_without_watching_prints_the_end_alone_and_a_stalled_rollout_ends_it() {
    let annotations = json!({ "daemonset-controller.io/hold": "rollot" });
    let cluster = Cluster::updating(annotations.clone());
    cluster.observed("agent", read_condition(&annotations));
    let answer = cluster.run(&["status", "logging/agent", "--wait", "-o", "json"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    assert_eq!(valid("status", &answer.stdout)["state"], "stalled");
}

#[test]
fn watching_ends_with_the_daemon_set() {
    let cluster = Cluster::updating(json!({}));
    let args = ["status", "logging/agent", "-w", "-o", "json"];
    let watches = Running::start(&mut cluster.command(BINARY, &args));
    let first = watches.until(|_| true);
    assert_eq!(valid("status", &first)["stage"], "Rolling");
    let options = json!({ "propagationPolicy": "Background" });
    let (code, _) = cluster.send(
        "DELETE",
        &format!("{SETS}/agent"),
        "application/json",
        &options,
    );
    assert_eq!(code, 200);
    assert_eq!(watches.code(), Some(3));
}

#[test]
fn the_history_says_how_each_revision_stands() {
    let cluster = Cluster::updating(canary());
    let answer = cluster.run(&["history", "logging/agent", "-o", "json"]);
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    let history = valid("history", &answer.stdout);
    let of = |field: &str| -> Vec<Value> {
        let all = history["revisions"].as_array().unwrap().iter();
        all.map(|revision| revision[field].clone()).collect()
    };
    assert_eq!(of("hash"), ["aaaa", "bbbb"]);
    assert_eq!(of("number"), [1, 2]);
    assert_eq!(of("pods"), [3, 1]);
    assert_eq!(of("current"), [false, true]);
    assert_eq!(of("stable"), [true, false]);
    assert_eq!(of("released"), [json!([]), json!([])]);
    assert_eq!(
        of("completed"),
        [json!("2026-05-01T06:00:00Z"), Value::Null]
    );
    assert_eq!(
        of("images"),
        [
            json!(["registry.example/agent:1"]),
            json!(["registry.example/agent:2"])
        ]
    );
    assert!(of("created").iter().all(Value::is_string));

    let released = json!({ "state.daemonset-controller.io/released": "[\"canary\"]" });
    let released = json!({ "metadata": { "annotations": released } });
    cluster.patch(&format!("{REVISIONS}/agent-bbbb"), released);
    let text = cluster.run(&["history", "logging/agent"]).stdout;
    let columns = |line: &str| -> Vec<String> {
        line.split("  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let lines: Vec<Vec<String>> = text.lines().map(columns).collect();
    assert_eq!(
        lines[2],
        [
            "NUMBER",
            "HASH",
            "CREATED",
            "PODS",
            "STATE",
            "COMPLETED",
            "IMAGES"
        ]
    );
    assert_eq!(
        lines[3][4..],
        ["stable", "2026-05-01T06:00:00Z", "registry.example/agent:1"]
    );
    assert_eq!(
        lines[4][3..],
        ["1", "current, canary over", "-", "registry.example/agent:2"]
    );
}

#[test]
fn the_status_follows_the_cluster_defaults() {
    let cluster = Cluster::updating(json!({ "daemonset-controller.io/bake": "5m" }));
    let file = File::new("status", "- set: {hold: rollout, bake: 1m}\n");
    let args = ["status", "logging/agent", "-o", "json"];
    let with = cluster.run(&[&args[..], &["--rollout-defaults", file.path()]].concat());
    assert_eq!(with.code, 2, "{}", with.stderr);
    let status = valid("status", &with.stdout);
    assert_eq!(status["keys"], json!({ "bake": "5m", "hold": "rollout" }));
    assert_eq!(status["stage"], "Paused");
    let without = cluster.run(&args);
    assert_eq!(valid("status", &without.stdout)["stage"], "Rolling");
    let broken = File::new("status-broken", "- set: {hold: maybe}\n");
    let answer = cluster.run(&[&args[..], &["--rollout-defaults", broken.path()]].concat());
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer.stderr.contains("rollout, all or off"),
        "{}",
        answer.stderr
    );
}

#[test]
fn an_approval_of_another_revision_is_said_to_approve_nothing() {
    let mut keys = canary();
    keys["daemonset-controller.io/approve"] = "cccc".into();
    let answer = Cluster::updating(keys).run(&["status", "logging/agent", "-o", "json"]);
    let notes = valid("status", &answer.stdout)["notes"].to_string();
    assert!(
        notes.contains("cccc, which is not the hash of this revision, bbbb"),
        "{notes}"
    );
}

#[test]
fn with_on_delete_the_first_thing_to_do_is_to_delete_the_pods() {
    let cluster = Cluster::updating(json!({}));
    let strategy =
        json!({ "spec": { "updateStrategy": { "type": "OnDelete", "rollingUpdate": null } } });
    cluster.patch(AGENT, strategy);
    let keys = json!({ "metadata": { "annotations": { "daemonset-controller.io/canary": "2" } } });
    cluster.patch(AGENT, keys);
    let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
    let status = valid("status", &answer.stdout);
    assert_eq!(status["stage"], "Canary", "{status}");
    let first = status["next"][0]["what"].as_str().expect("a step");
    assert!(first.starts_with("delete the old pods"), "{first}");
}
