//! Nodes that fail on a cluster that lives: crash loops and images that are not there, in stages
//! and without, with crashes of the controller.

use std::collections::BTreeSet;

use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

/// Another version of the template, whose pods are scripted so.
pub fn change_with(server: &World, version: &str, script: &[(&str, &str)]) {
    let mut annotations = json!({
        "v": version, (format!("{PREFIX}crash-after")): null, (format!("{PREFIX}pull-fails-after")): null,
    });
    for (key, value) in script {
        annotations[format!("{PREFIX}{key}")] = json!(value);
    }
    let metadata = json!({"annotations": annotations});
    respec(server, json!({"template": {"metadata": metadata}}));
}

/// Status and reason of a condition.
pub fn condition(server: &World, kind: &str) -> Option<(String, String)> {
    let set = server.get("daemonsets", "web");
    let all = set["status"]["conditions"].as_array()?;
    let found = all.iter().find(|c| c["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or("").to_owned();
    Some((text("status"), text("reason")))
}

/// What a condition says.
pub fn is(status: &str, reason: &str) -> Option<(String, String)> {
    Some((status.to_owned(), reason.to_owned()))
}

/// The hash of the revision with the highest number.
pub fn hash_of_newest(server: &World) -> String {
    let all = server.all("controllerrevisions").into_iter();
    let newest = all.max_by_key(|r| r["revision"].as_i64());
    let newest = newest.expect("a revision");
    let hash = &newest["metadata"]["labels"]["controller-revision-hash"];
    hash.as_str().expect("a hash").to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_there_stops_the_rollout_with_and_without_stages() {
    for (key, value) in [("on-failure", "pause"), ("canary", "2")] {
        let (server, running) = covered(6, rolling(2, 0)).await;
        set_key(&server, key, value);
        seconds(5).await;
        change_with(&server, "2", &[("pull-fails-after", "1s")]);
        seconds(120).await;
        assert_eq!(condition(&server, "Progressing"), is("False", "AutoPaused"));
        assert_eq!(condition(&server, "Stalled"), is("True", "AutoPaused"));
        // Nothing else is to be done then, and it is told all the same.
        let told = server.events("RolloutFailed");
        assert_eq!(told.len(), 1, "{told:?}");
        // Another controller finds the same.
        running.kill();
        let second = start(&server, "b");
        seconds(600).await;
        assert_eq!(server.events("RolloutFailed"), told);
        assert_eq!(touched(&server, "2").len(), 2, "{key}");
        assert_eq!(nodes_of(&server, "1").len(), 4);
        // A good template needs nobody.
        change_with(&server, "3", &[]);
        seconds(1_500).await;
        assert_rolled(&server, 6, "3");
        assert_eq!(condition(&server, "Stalled"), None);
        server.at_rest().await;
        drop(second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_pauses_is_approved_and_pauses_again() {
    let (server, running) = covered(6, rolling("100%", 0)).await;
    set_key(&server, "canary", "2");
    seconds(5).await;
    // It does not complete in a moment in which no pod crashes.
    script(&server, "n5", "pull-fails-after", json!("0s"));
    // Each run lasts ten seconds, so the pods become available again and again.
    change_with(&server, "2", &[("crash-after", "10s")]);
    seconds(300).await;
    let paused = || condition(&server, "Progressing") == is("False", "AutoPaused");
    assert_eq!(touched(&server, "2").len(), 2);
    assert!(paused());
    running.kill();
    let _second = start(&server, "b");
    seconds(300).await;
    assert_eq!(touched(&server, "2").len(), 2, "it was not forgotten");
    set_key(&server, "approve", hash_of_newest(&server));
    seconds(5).await;
    assert_eq!(touched(&server, "2").len(), 6, "it goes on");
    assert!(!paused());
    // They go on crashing.
    seconds(300).await;
    assert!(paused());
    // The same annotation once more is another approval.
    set_key(&server, "approve", Value::Null);
    seconds(5).await;
    assert!(paused());
    set_key(&server, "approve", hash_of_newest(&server));
    seconds(5).await;
    assert!(!paused());
    seconds(300).await;
    assert!(paused());
    // A good template needs nobody.
    script(&server, "n5", "pull-fails-after", Value::Null);
    change_with(&server, "3", &[]);
    seconds(900).await;
    assert_rolled(&server, 6, "3");
}

#[tokio::test(start_paused = true)]
async fn a_failure_stays_in_its_group() {
    let (server, _running) = covered(6, rolling(3, 0)).await;
    for n in 0..6 {
        let labels = json!({"metadata": {"labels": {"pool": (n / 3).to_string()}}});
        server.edit("nodes", &format!("n{n}"), labels);
    }
    set_key(&server, "order", "pool");
    set_key(&server, "bake", "1m");
    seconds(5).await;
    script(&server, "n4", "pull-fails-after", json!("1s"));
    change_with(&server, "2", &[]);
    seconds(600).await;
    assert_eq!(condition(&server, "Progressing"), is("False", "AutoPaused"));
    let first: BTreeSet<String> = ["n0", "n1", "n2"].map(str::to_owned).into();
    assert!(nodes_of(&server, "2").is_superset(&first));
    // In the first group instead, the second one is never touched.
    script(&server, "n1", "pull-fails-after", json!("1s"));
    change_with(&server, "3", &[]);
    seconds(600).await;
    assert!(
        touched(&server, "3").is_subset(&first),
        "{:?}",
        touched(&server, "3")
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_neither_forgotten_nor_renewed_by_a_restart_and_a_hold_stops_it() {
    let (server, mut running) = covered(6, rolling(1, 0)).await;
    set_key(&server, "deadline", "10m");
    seconds(5).await;
    change_to(&server, "2", "never");
    let past = || condition(&server, "Progressing") == is("False", "ProgressDeadlineExceeded");
    for n in 0..5 {
        seconds(100).await;
        running.kill();
        running = start(&server, ["b", "c"][n % 2]);
    }
    assert!(!past());
    // A hold of an hour stops the time, and its end begins it anew.
    set_key(&server, "hold", "rollout");
    seconds(900).await;
    running.kill();
    running = start(&server, "d");
    seconds(30).await;
    set_key(&server, "hold", Value::Null);
    seconds(550).await;
    assert!(!past());
    running.kill();
    let _last = start(&server, "e");
    seconds(100).await;
    assert!(past());
    assert_eq!(
        condition(&server, "Stalled"),
        is("True", "ProgressDeadlineExceeded")
    );
    assert_eq!(touched(&server, "2").len(), 1);
    set_key(&server, "approve", hash_of_newest(&server));
    seconds(5).await;
    assert!(!past());
    seconds(700).await;
    assert!(past());
    change_to(&server, "3", "2s");
    seconds(120).await;
    assert_rolled(&server, 6, "3");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_may_fail_keeps_no_stage_waiting() {
    let (server, _running) = covered(6, rolling(3, 0)).await;
    for n in 0..6 {
        let labels = json!({"metadata": {"labels": {"pool": (n / 3).to_string()}}});
        server.edit("nodes", &format!("n{n}"), labels);
    }
    set_key(&server, "order", "pool");
    set_key(&server, "bake", "1m");
    set_key(&server, "on-failure", "pause,tolerate=1");
    seconds(5).await;
    script(&server, "n1", "pull-fails-after", json!("1s"));
    change_with(&server, "2", &[]);
    seconds(900).await;
    assert_eq!(nodes_of(&server, "2").len(), 6);
    assert_eq!(condition(&server, "Progressing"), is("True", "Rolling"));
}
