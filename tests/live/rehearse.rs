//! Rehearsals on a real control plane: what is rehearsed against the cluster or a snapshot of it,
//! with a person's own rights, is what then happens.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::budget::Judge;
use crate::cluster::{Lab, SOON};
use crate::commands::{json_of, run, run_as};
use crate::controller::{Controller, built_in};
use crate::failing::until_progressing;

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
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    until_progressing(&lab, "True", "Complete").await;
    (lab, controller)
}

/// The DaemonSet as somebody would apply it next: another image.
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
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = json!("agent:2");
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
