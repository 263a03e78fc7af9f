//! The metrics of a rollout: its age, and whether it is stuck.

use std::time::Duration;

use daemonset_controller::plan::rollout::progress::{PATIENCE, REFUSED};
use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Value, json};

use super::metrics::{actions, counts, web};
use super::world::*;

/// The strategy RollingUpdate without surge.
fn rolling_update(max_unavailable: u32) -> Value {
    let budget = json!({"maxUnavailable": max_unavailable, "maxSurge": 0});
    json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": budget}}})
}

/// Another template: pods of version `version` that become ready after this time.
fn version(version: u32, ready_after: &str) -> Value {
    let annotations =
        json!({"v": version.to_string(), format!("{PREFIX}ready-after"): ready_after});
    json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
}

/// Somebody changes `default/web`, by way of the API server.
fn change(server: &World, patch: Value) {
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    let changed = server.perform("PATCH", path, &patch);
    changed.unwrap_or_else(|why| panic!("{why}: {patch}"));
}

/// Whether the rollout of `default/web` is stuck, and for how long it has been under way, in whole
/// seconds, rounded up.
fn rollout(controller: &Controller) -> (bool, u64) {
    let age = web(controller, "rollout_age_seconds").expect("it is known");
    let stuck = web(controller, "rollout_stuck").expect("it is known");
    (stuck == 1.0, age.ceil() as u64)
}

/// Lets time pass until no rollout is under way.
async fn until_rolled_out(controller: &Controller, patience: u64) {
    for _ in 0..patience {
        if rollout(controller) == (false, 0) {
            return;
        }
        seconds(1).await;
    }
    panic!("{:?}", rollout(controller));
}

#[tokio::test(start_paused = true)]
async fn a_rollout_has_an_age_until_it_ends_and_a_new_template_begins_another() {
    let server = world(6);
    change(&server, rolling_update(1));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(rollout(&a), (false, 0), "the first pods are no rollout");
    change(&server, version(2, "60s"));
    seconds(61).await;
    let (stuck, age) = rollout(&a);
    assert!(!stuck && (60..=62).contains(&age), "{age} s");
    seconds(60).await;
    change(&server, version(3, "20s"));
    seconds(11).await;
    let (stuck, age) = rollout(&a);
    assert!(
        !stuck && (10..=12).contains(&age),
        "another template is another rollout: {age} s"
    );
    seconds(30).await;
    assert!(!rollout(&a).0 && rollout(&a).1 >= 40);
    until_rolled_out(&a, 600).await;
    assert_eq!(counts(&a), [6.0, 6.0, 6.0, 6.0, 6.0, 0.0].map(Some));
    let done = actions(&a);
    assert!(done["delete Outdated"] >= 6.0, "{done:?}");
    // What happens later to pods that are up to date is no rollout.
    server.ask_to_delete(
        "pods",
        server.all("pods")[0]["metadata"]["name"]
            .as_str()
            .expect("a name"),
    );
    for _ in 0..60 {
        seconds(1).await;
        assert_eq!(rollout(&a), (false, 0));
    }
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_whose_pods_do_not_become_ready_is_stuck_and_goes_on_when_they_do() {
    let server = world(6);
    change(&server, rolling_update(2));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    // Two nodes are done before it stands still.
    for node in ["n2", "n3", "n4", "n5"] {
        let never =
            json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): "never"}}});
        server.edit("nodes", node, never);
    }
    let second = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    change(&server, second);
    let patience = PATIENCE.as_secs() + 30;
    let mut stuck_at = None;
    for _ in 0..patience + 300 {
        seconds(1).await;
        let (stuck, age) = rollout(&a);
        if stuck {
            stuck_at = Some(age);
            break;
        }
    }
    let stuck_at = stuck_at.expect("it stands still");
    assert!(
        (patience..patience + 240).contains(&stuck_at),
        "{stuck_at} s"
    );
    let [desired, _, _, available, updated, _] = counts(&a);
    assert_eq!((desired, available), (Some(6.0), Some(4.0)));
    assert!(updated < desired);
    seconds(3_600).await;
    assert!(rollout(&a).0, "it stays so");
    // Mended, it takes one node after another, which is progress.
    change(&server, version(3, "1s"));
    for node in ["n2", "n3", "n4", "n5"] {
        let mended = json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): null}}});
        server.edit("nodes", node, mended);
    }
    seconds(5).await;
    assert!(!rollout(&a).0);
    until_rolled_out(&a, 1_200).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_rollout_is_not_stuck_for_being_slow() {
    let server = world(4);
    change(&server, rolling_update(1));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    change(&server, json!({"spec": {"minReadySeconds": 1_200}}));
    seconds(1_300).await;
    change(&server, version(2, "500s"));
    for _ in 0..4 * 28 {
        seconds(60).await;
        assert!(!rollout(&a).0, "{:?}", rollout(&a));
    }
    assert!(
        rollout(&a).1 > 6_000,
        "{:?}: nothing was put to the test",
        rollout(&a)
    );
    until_rolled_out(&a, 2_000).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_rests_because_pods_are_refused_is_stuck_at_once() {
    let server = world(6);
    change(&server, rolling_update(2));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    let quota = ApiStatus::new(403, "Forbidden", "exceeded quota: none");
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), Act::Refuse(quota));
    change(&server, version(2, "1s"));
    let mut stuck_at = None;
    for _ in 0..300 {
        seconds(1).await;
        let (stuck, age) = rollout(&a);
        if stuck {
            stuck_at = Some(age);
            break;
        }
    }
    let least = REFUSED.as_secs();
    let stuck_at = stuck_at.expect("it rests");
    assert!((least..least + 60).contains(&stuck_at), "{stuck_at} s");
    server.clear_rules();
    until_rolled_out(&a, 900).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_not_ready_before_does_not_keep_a_rollout_from_its_end() {
    let server = world(6);
    change(&server, rolling_update(3));
    let never = json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): "never"}}});
    server.edit("nodes", "n5", never);
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(counts(&a)[3], Some(5.0));
    let second = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    change(&server, second);
    millis(100).await;
    assert_ne!(rollout(&a), (false, 0), "it is under way");
    until_rolled_out(&a, 900).await;
    assert!(actions(&a)["delete Outdated"] >= 5.0);
    let [desired, _, _, available, updated, _] = counts(&a);
    assert_eq!((desired, updated), (Some(6.0), Some(6.0)));
    assert_eq!(available, Some(5.0), "that node is as it was");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_surging_rollout_has_an_age_and_an_end_like_any_other() {
    let server = world(6);
    let strategy = json!({"maxUnavailable": 0, "maxSurge": 1});
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": strategy});
    change(&server, json!({"spec": {"updateStrategy": strategy}}));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(rollout(&a), (false, 0));
    change(&server, version(2, "250s"));
    seconds(2).await;
    while rollout(&a) != (false, 0) {
        assert!(
            !rollout(&a).0,
            "one node after another is done: {:?}",
            rollout(&a)
        );
        assert!(rollout(&a).1 < 6 * 260);
        seconds(10).await;
    }
    assert!(
        server.elapsed() > Duration::from_secs(6 * 250),
        "nothing was put to the test"
    );
    assert_eq!(counts(&a), [6.0, 6.0, 6.0, 6.0, 6.0, 0.0].map(Some));
    server.at_rest().await;
}
