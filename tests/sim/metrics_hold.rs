//! A rollout that is held, in the metrics and the events: since when, on how many nodes, by which
//! rule.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::metrics::{metrics, web};
use super::rollout::*;
use super::world::*;

const HOLD: &str = "daemonset-controller.io/hold";

/// A metric of `default/web` by its rule.
fn by_rule(controller: &Controller, name: &str) -> BTreeMap<String, f64> {
    let metrics = metrics(controller);
    let all = metrics.samples(name);
    all.filter(|s| s.labels["namespace"] == "default" && s.labels["daemonset"] == "web")
        .map(|s| (s.labels["rule"].clone(), s.value))
        .collect()
}

/// Since when each rule holds.
fn since(controller: &Controller) -> BTreeMap<String, f64> {
    by_rule(
        controller,
        "daemonset_controller_hold_start_timestamp_seconds",
    )
}

/// On how many nodes each rule holds.
fn nodes(controller: &Controller) -> Vec<(String, f64)> {
    let found = by_rule(controller, "daemonset_controller_held_nodes");
    found.into_iter().collect()
}

fn rule(name: &str, nodes: u32) -> (String, f64) {
    (name.to_owned(), f64::from(nodes))
}

/// The time of day, since the Unix epoch.
fn time(server: &World) -> f64 {
    server.now().as_microsecond() as f64 / 1e6
}

#[tokio::test(start_paused = true)]
async fn a_hold_has_its_begin_and_its_nodes_until_it_ends_and_is_not_a_rollout_that_is_stuck() {
    let (server, a) = covered(4, rolling(1, 0)).await;
    assert!(since(&a).is_empty() && nodes(&a).is_empty());
    let before = time(&server);
    set_key(&server, "hold", "rollout");
    seconds(5).await;
    let begun = since(&a);
    let at = begun["HeldByAnnotation"];
    assert!((before..before + 1.0).contains(&at), "{at} after {before}");
    assert_eq!(nodes(&a), [rule("HeldByAnnotation", 0)], "all are current");
    // The hold goes on over new templates, nodes and hours.
    change_to(&server, "2", "1s");
    seconds(3600).await;
    assert_eq!(nodes(&a), [rule("HeldByAnnotation", 4)]);
    server.add("nodes", node("n4"));
    change_to(&server, "3", "400s");
    seconds(3600).await;
    assert_eq!(nodes(&a), [rule("HeldByAnnotation", 5)]);
    assert_eq!(since(&a), begun);
    assert_eq!(web(&a, "rollout_stuck"), Some(0.0), "it is wanted so");
    assert_eq!(web(&a, "rollout_age_seconds"), Some(0.0));
    set_key(&server, "hold", Value::Null);
    seconds(5).await;
    assert!(since(&a).is_empty() && nodes(&a).is_empty());
    // One slow node after another is progress again.
    let mut slow = 0;
    while web(&a, "rollout_age_seconds") != Some(0.0) {
        assert_eq!(web(&a, "rollout_stuck"), Some(0.0), "after {slow} s");
        seconds(10).await;
        slow += 10;
    }
    assert!(slow > 4 * 400, "{slow} s put nothing to the test");
    assert_rolled(&server, 5, "3");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn each_rule_that_holds_has_a_begin_of_its_own() {
    let (server, a) = covered(2, rolling(1, 0)).await;
    set_key(&server, "hold", "all");
    seconds(60).await;
    let begun = since(&a)["HeldByAnnotation"];
    assert_eq!(nodes(&a), [rule("HeldByAnnotation", 0)], "nothing to do");
    server.add("nodes", node("n2"));
    seconds(60).await;
    let both = [rule("AllHeldByAnnotation", 1), rule("HeldByAnnotation", 0)];
    assert_eq!(nodes(&a), both);
    assert_eq!(since(&a)["HeldByAnnotation"], begun);
    let later = since(&a)["AllHeldByAnnotation"];
    assert!((begun + 59.0..begun + 62.0).contains(&later));
    set_key(&server, "hold", "al");
    seconds(60).await;
    assert_eq!(nodes(&a), [rule("InvalidAnnotation", 0)]);
    server.assert_covered(3);
    // The other hold ended in between.
    set_key(&server, "hold", "rollout");
    seconds(60).await;
    assert!(since(&a)["HeldByAnnotation"] > begun + 170.0);
    assert_eq!(nodes(&a), [rule("HeldByAnnotation", 0)]);
    // What runs before a rollout is gone, and so is what it was made from.
    change_to(&server, "2", "1s");
    seconds(30).await;
    let all = server.all("controllerrevisions").into_iter();
    let oldest = all.min_by_key(|r| r["revision"].as_i64()).expect("one");
    let name = oldest["metadata"]["name"].as_str().expect("a name");
    server.remove("controllerrevisions", name);
    let pod = server.all("pods").remove(0);
    server.remove("pods", pod["metadata"]["name"].as_str().expect("a name"));
    seconds(30).await;
    let both = [
        rule("HeldByAnnotation", 2),
        rule("PinnedRevisionMissing", 1),
    ];
    assert_eq!(nodes(&a), both);
    set_key(&server, "hold", "off");
    seconds(60).await;
    assert_eq!(nodes(&a), []);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_shows_holds_and_they_go_with_the_daemon_set() {
    let server = world(2);
    server.kubelet();
    let mut held = daemon_set("default", "other");
    held["metadata"]["annotations"] = json!({ HOLD: "rollout" });
    server.add("daemonsets", held);
    let a = replica(&server, "a");
    seconds(1).await;
    let b = replica(&server, "b");
    seconds(30).await;
    set_key(&server, "hold", "rollout");
    seconds(600).await;
    let all = |controller: &Controller| {
        let metrics = metrics(controller);
        let all = metrics.samples("daemonset_controller_hold_start_timestamp_seconds");
        all.count()
    };
    assert_eq!((all(&a), all(&b)), (2, 0));
    let first = since(&a)["HeldByAnnotation"];
    a.stop().await;
    seconds(60).await;
    assert_eq!(all(&b), 2);
    let second = since(&b)["HeldByAnnotation"];
    assert!(second > first + 590.0, "it begins anew: {second} {first}");
    server.remove("daemonsets", "other");
    seconds(5).await;
    assert_eq!(all(&b), 1);
    server.remove("daemonsets", "web");
    seconds(5).await;
    assert_eq!(all(&b), 0);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn pauses_and_their_end_are_told_once_by_the_process_that_saw_them() {
    let (server, running) = covered(4, rolling(1, 0)).await;
    let told = |reason: &str| server.events(reason);
    set_key(&server, "hold", "rollout");
    seconds(5).await;
    change_to(&server, "2", "1s");
    seconds(3600).await;
    let paused = told("RolloutPaused");
    assert_eq!(paused.len(), 1, "{paused:?}");
    let sentence = "No pod is replaced by one of another revision: the key \
                    daemonset-controller.io/hold says so. Revision web-";
    assert!(paused[0].starts_with(sentence), "{paused:?}");
    assert!(paused[0].ends_with(" is on 4 of 4 nodes"), "{paused:?}");
    // Who begins with a hold did not see it begin.
    running.kill();
    let _second = start(&server, "b");
    seconds(60).await;
    assert_eq!(told("RolloutPaused"), paused);
    // Another rule is another pause.
    set_key(&server, "hold", "all");
    seconds(60).await;
    let paused = told("RolloutPaused");
    assert_eq!(paused.len(), 2);
    assert!(paused[1].starts_with("No pod is created or deleted: "));
    assert_eq!(told("RolloutResumed"), [""; 0]);
    set_key(&server, "hold", Value::Null);
    seconds(3600).await;
    let resumed = told("RolloutResumed");
    assert_eq!(resumed.len(), 1, "{resumed:?}");
    let sentence = "The rollout is no longer held. Revision web-";
    assert!(resumed[0].starts_with(sentence), "{resumed:?}");
    assert!(resumed[0].ends_with(" is on 0 of 4 nodes"), "{resumed:?}");
    assert_rolled(&server, 4, "2");
    assert_eq!(told("RolloutPaused").len(), 2);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_annotation_that_cannot_be_read_is_told_where_nothing_else_is_to_be_done() {
    let (server, _running) = covered(2, rolling(1, 0)).await;
    // Recorded by now, so that the next plan has nothing to do.
    set_key(&server, "hold", "rollout");
    seconds(60).await;
    assert_eq!(server.events("InvalidAnnotation"), [""; 0]);
    set_key(&server, "hold", "rollot");
    seconds(3600).await;
    let said = server.events("InvalidAnnotation");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("\"rollot\" is not a valid value"),
        "{said:?}"
    );
    let paused = server.events("RolloutPaused");
    assert!(
        paused[1].contains("\"rollot\" is not a valid value"),
        "{paused:?}"
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_on_only_when_a_person_acts_has_a_begin_until_it_is_mended() {
    let (server, a) = covered(2, rolling(1, 0)).await;
    let stalled = || -> BTreeMap<String, f64> {
        let metrics = metrics(&a);
        let all = metrics.samples("daemonset_controller_rollout_stalled_start_timestamp_seconds");
        all.map(|s| (s.labels["reason"].clone(), s.value)).collect()
    };
    set_key(&server, "hold", "rollout");
    seconds(60).await;
    assert!(stalled().is_empty(), "a hold is wanted");
    set_key(&server, "hold", "rollot");
    seconds(600).await;
    let first = stalled();
    assert_eq!(first.len(), 1);
    let age = time(&server) - first["InvalidAnnotation"];
    assert!((599.0..601.0).contains(&age), "{age}");
    let budget = |value: &str| {
        let budget = json!({"maxUnavailable": value});
        let strategy = json!({"updateStrategy": {"rollingUpdate": budget}});
        server.edit("daemonsets", "web", json!({"spec": strategy}));
    };
    set_key(&server, "hold", Value::Null);
    budget("half");
    seconds(60).await;
    assert!(
        stalled().is_empty(),
        "without a key there is no such condition"
    );
    set_key(&server, "hold", "rollout");
    seconds(60).await;
    assert!(stalled()["InvalidBudget"] > first["InvalidAnnotation"] + 600.0);
    budget("50%");
    seconds(5).await;
    assert!(stalled().is_empty());
    server.at_rest().await;
}
