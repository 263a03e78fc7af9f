//! Rehearsals on a real control plane: what is rehearsed against the cluster or a snapshot of it,
//! with a person's own rights, is what then happens.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::budget::Judge;
use crate::cluster::{Lab, SOON};
use crate::commands::{json_of, run, run_as};
use crate::controller::{Controller, built_in};
use crate::failing::{nodes_of, script, until_progressing};

const ZONE: usize = 3;
const NODES: usize = 3 * ZONE;
const BUDGET: usize = 2;
const SCRIPT: &str = "sim.daemonset-controller.io/";

/// How much later a stage may begin than it was rehearsed, in seconds: the machine of the test has
/// other things to do as well.
const LATER: u64 = 30;

/// Three zones of three nodes whose pods are ready three seconds after they run and end two seconds
/// after they are asked to, and a rollout with a canary and zones.
async fn scene() -> (Lab, Controller) {
    let mut lab = Lab::alone("rehearse").await;
    let nodes = (1..=NODES).map(|number| {
        let zone = ["a", "b", "c"][(number - 1) / ZONE];
        lab.node(number)
            .label("topology.kubernetes.io/zone", zone)
            .annotation(&format!("{SCRIPT}ready-after"), "3s")
            .annotation(&format!("{SCRIPT}terminate-after"), "2s")
    });
    let nodes = nodes.collect();
    lab.register(nodes).await;
    let controller = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["metadata"]["annotations"] = json!({
        "daemonset-controller.io/canary": "1",
        "daemonset-controller.io/order": "topology.kubernetes.io/zone",
        "daemonset-controller.io/bake": "5s",
    });
    let budget = json!({ "maxUnavailable": BUDGET });
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": budget });
    // What nodes are made to do later is nothing to the pods of this template. And without a probe
    // a pod would be ready between two crashes.
    let template = &mut set["spec"]["template"];
    template["metadata"]["annotations"] = json!({
        (format!("{SCRIPT}crash-after")): "never", (format!("{SCRIPT}ready-after")): "3s",
    });
    template["spec"]["containers"][0]["readinessProbe"] = json!({ "tcpSocket": { "port": 80 } });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    until_progressing(&lab, "True", "Complete").await;
    (lab, controller)
}

/// The DaemonSet as somebody would apply it next: another image, whose pods do what their nodes
/// say.
async fn next_manifest(lab: &Lab, folder: &TempDir) -> PathBuf {
    let text = lab
        .kubectl_ok(&["get", "daemonset", "agent", "-o", "json"])
        .await;
    let stored: Value = serde_json::from_str(&text).expect("JSON");
    let mut manifest = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {
            "name": "agent", "namespace": lab.namespace,
            "annotations": stored["metadata"]["annotations"],
        },
        "spec": stored["spec"],
    });
    let template = &mut manifest["spec"]["template"];
    template["spec"]["containers"][0]["image"] = json!("agent:2");
    template["metadata"]["annotations"] = Value::Null;
    let file = folder.path().join("next.json");
    fs::write(&file, manifest.to_string()).expect("it is written");
    file
}

/// The stages of a report, each once: reason and seconds.
fn stages(report: &Value) -> Vec<(String, u64)> {
    let mut found: Vec<(String, u64)> = Vec::new();
    for stage in report["stages"].as_array().expect("stages") {
        let name = stage["progress"].as_str().expect("a word");
        if found.last().is_none_or(|(last, _)| last != name) {
            found.push((name.to_owned(), stage["from"].as_u64().expect("seconds")));
        }
    }
    found
}

/// Follows the condition Progressing until the rollout of this generation is complete: each reason,
/// and the seconds since the first.
async fn lived(lab: &Lab) -> Vec<(String, u64)> {
    let begun = tokio::time::Instant::now();
    let mut found: Vec<(String, u64)> = Vec::new();
    while found.last().is_none_or(|(last, _)| last != "Complete") {
        let last = found.last().map(|(last, _)| last.clone());
        let next = lab.until("another stage", 10 * SOON, async || {
            let set = lab.get("agent").await;
            let status = set.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let mut conditions = conditions.into_iter();
            let progressing = conditions.find(|c| c.type_.as_deref() == Some("Progressing"));
            let reason = progressing.and_then(|c| c.reason);
            let is_read = status.observed_generation == set.metadata.generation;
            match is_read && reason != last {
                true => Ok(reason.unwrap_or_default()),
                false => Err(format!("{reason:?}")),
            }
        });
        found.push((next.await, begun.elapsed().as_secs()));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_goes_as_it_was_rehearsed() {
    if built_in() {
        return; // it writes no conditions
    }
    let (lab, mut controller) = scene().await;
    let folder = TempDir::new().expect("a folder");
    let file = next_manifest(&lab, &folder).await;
    let file = file.to_str().expect("text");

    // Against the cluster, and against a snapshot of it.
    let gone = ["--gone-after", "2s"];
    let (code, direct) = json_of(&lab, &[&["rehearse", "-f", file][..], &gone].concat());
    assert_eq!(code, 0, "{direct}");
    let (code, snapshot, error) = run(&lab, &["snapshot", "ds", "agent"]);
    assert_eq!(code, 0, "{error}");
    let kept = folder.path().join("snapshot.json");
    fs::write(&kept, snapshot).expect("it is written");
    let kept = kept.to_str().expect("text");
    let words = ["rehearse", "-f", file, "--snapshot", kept];
    let (code, report) = json_of(&lab, &[&words[..], &gone].concat());
    assert_eq!(code, 0, "{report}");
    for field in [
        "ending", "figures", "stages", "supposed", "nodes", "changes",
    ] {
        assert_eq!(direct[field], report[field], "{field}");
    }
    assert_eq!(report["ending"]["how"], "Complete");

    // Nothing was written, and then it happens.
    let before = lab.get("agent").await.metadata;
    assert_eq!(before.generation, Some(1));
    let judge = Judge::start(&lab, NODES).await;
    lab.kubectl_ok(&["apply", "-f", file]).await;
    let lived = lived(&lab).await;
    let rehearsed = stages(&report);
    let names = |all: &[(String, u64)]| -> Vec<String> {
        all.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&lived), names(&rehearsed));
    for ((name, rehearsed), (_, lived)) in rehearsed.iter().zip(&lived) {
        let bound = *rehearsed..=*rehearsed + LATER;
        // The second in which the first one was read is not known.
        assert!(
            bound.contains(&(lived + 1)),
            "{name}: {rehearsed} s rehearsed, {lived} s lived"
        );
    }
    let worst = judge.finish(2 * NODES).await;
    assert_eq!(
        worst.unavailable as u64,
        report["figures"]["mostUnavailable"]
    );
    controller.expect_running();
}

/// Sets keys of rollout control.
async fn annotate(lab: &Lab, keys: &[&str]) {
    let mut words = vec!["annotate", "daemonset", "agent", "--overwrite"];
    words.extend(keys);
    lab.kubectl_ok(&words).await;
}

/// What the rehearsal of this manifest says, with more words.
fn rehearsal(lab: &Lab, file: &str, more: &[&str]) -> Value {
    let words = ["rehearse", "-f", file, "--gone-after", "2s"];
    let (code, report) = json_of(lab, &[&words[..], more].concat());
    assert_eq!(code, 0, "{report}");
    report
}

/// The nodes that have the new image.
async fn updated(lab: &Lab) -> BTreeSet<String> {
    nodes_of(lab, "agent:2").await
}

/// The nodes that have the new revision at the end, whether or not it is well there.
fn rehearsed_nodes(report: &Value) -> BTreeSet<String> {
    let nodes = report["nodes"].as_array().expect("nodes").iter();
    let new = nodes.filter(|node| node["last"] == "n" || node["last"] == "f");
    let name = |node: &Value| node["name"].as_str().expect("a name").to_owned();
    new.map(name).collect()
}

/// A hold, a zone that fails and pauses, and the way back: the rehearsal ends as the rollout does,
/// with the new revision on the same nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_holds_fails_and_goes_back_was_rehearsed() {
    if built_in() {
        return; // it writes no conditions
    }
    let (lab, mut controller) = scene().await;
    let folder = TempDir::new().expect("a folder");

    annotate(&lab, &["daemonset-controller.io/hold=rollout"]).await;
    let file = next_manifest(&lab, &folder).await;
    let file = file.to_str().expect("text");
    let held = rehearsal(&lab, file, &[]);
    assert_eq!(held["ending"]["how"], "Waits", "{held}");
    assert_eq!(held["figures"]["created"], 0);
    lab.kubectl_ok(&["apply", "-f", file]).await;
    until_progressing(&lab, "Unknown", "Paused").await;
    assert_eq!(updated(&lab).await, rehearsed_nodes(&held));

    // The second zone will fail.
    for number in ZONE + 1..=2 * ZONE {
        script(
            &lab,
            number,
            &[("crash-after", json!("1ms")), ("ready-after", json!("1h"))],
        )
        .await;
    }
    let removed = [
        "daemonset-controller.io/hold-",
        "daemonset-controller.io/canary-",
    ];
    for (on_failure, reason) in [("pause", "AutoPaused"), ("rollback", "RolledBack")] {
        let key = format!("daemonset-controller.io/on-failure={on_failure}");
        // What is rehearsed has the keys that will be set, and what is set is what was rehearsed.
        let mut manifest: Value =
            serde_json::from_str(&fs::read_to_string(file).expect("a file")).expect("JSON");
        let annotations = manifest["metadata"]["annotations"].as_object_mut();
        let annotations = annotations.expect("annotations");
        for (key, value) in [
            ("hold", None),
            ("canary", None),
            ("on-failure", Some(on_failure)),
        ] {
            let key = format!("daemonset-controller.io/{key}");
            annotations.remove(&key);
            annotations.extend(value.map(|value| (key, json!(value))));
        }
        fs::write(file, manifest.to_string()).expect("it is written");
        let report = rehearsal(&lab, file, &["--fail", "zone=b"]);
        assert_eq!(report["ending"]["how"], "Stalled", "{report}");
        let conditions = report["conditions"].as_array().expect("conditions").iter();
        let reasons: Vec<&str> = conditions.filter_map(|c| c["reason"].as_str()).collect();
        assert!(reasons.contains(&reason), "{reasons:?}");
        annotate(&lab, &[&removed[..], &[&*key]].concat()).await;
        until_progressing(&lab, "False", reason).await;
        assert_eq!(
            updated(&lab).await,
            rehearsed_nodes(&report),
            "{on_failure}"
        );
    }
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_learns_which_right_is_missing() {
    let lab = Lab::shared("rehearse-rights").await;
    lab.create(&lab.daemon_set("agent")).await;
    let (code, out, error) = run(&lab, &["rehearse", "ds", "missing"]);
    assert_eq!((code, &*out), (2, ""), "{error}");
    assert!(error.contains("there is no DaemonSet"), "{error}");
    let refused = run_as("nobody", &lab, &["rehearse", "ds", "agent"]);
    assert_eq!(refused.0, 1, "{}", refused.1);
    assert!(refused.2.contains("403"), "{}", refused.2);
}
