//! Names (`docs/design.md`): two controllers, one of which is some events behind, create one pod a
//! node, whatever people do to pods.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::time::Duration;

use super::world::*;

/// Somebody fails or deletes a live pod on a node; gracefully or at once. One that not everybody
/// knows of yet is not failed: whoever has missed a pod's coming, its end, its successor and its
/// deletion makes a second one, which is known (`docs/design.md`, "Known gap").
pub fn meddle_with_pod(server: &World, node: &str, how: u32, lag: Duration) {
    let live = server.all("pods").into_iter();
    let mut live = live.filter(|p| is_live(p) && owner(p) == UID && target(p) == node);
    let Some(pod) = live.next() else { return };
    let uid = &pod["metadata"]["uid"];
    let came = server.read(|store| {
        let mut writes = store.history(resource("pods")).iter();
        writes
            .find(|w| w.object["metadata"]["uid"] == *uid)
            .map(|w| w.at)
    });
    let is_known = came.is_some_and(|at| server.elapsed() > at + lag + Duration::from_millis(5));
    let how = if is_known { how } else { 1 + how % 2 };
    let pod = pod["metadata"]["name"].as_str().expect("a name");
    let path = format!("/api/v1/namespaces/default/pods/{pod}");
    match how {
        0 => server.edit("pods", pod, json!({"status": ready("Failed")})),
        1 => drop(server.perform("DELETE", &path, &Value::Null)),
        2 => drop(server.perform("DELETE", &path, &json!({"gracePeriodSeconds": 0}))),
        _ => {
            // Failed, and taken away before anybody can have acted on it.
            server.edit("pods", pod, json!({"status": ready("Failed")}));
            drop(server.perform("DELETE", &path, &json!({"gracePeriodSeconds": 0})));
        }
    }
}

/// How far one of the controllers lags.
const MOST: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn pods_that_people_fail_and_delete_are_replaced_once_while_one_controller_lags() {
    for seed in 0..4 {
        let mut dice = StdRng::seed_from_u64(seed);
        let server = seeded(seed);
        (0..3).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
        server.add("daemonsets", daemon_set("default", "web"));
        server.kubelet();
        let _running = [start(&server, "a"), start(&server, "b")];
        seconds(10).await;
        for _ in 0..30 {
            let lag = dice.random_range(Duration::ZERO..=MOST);
            let (who, other) = [("a", "b"), ("b", "a")][dice.random_range(0..2)];
            server.lag(who, lag);
            server.lag(other, Duration::ZERO);
            let node = format!("n{}", dice.random_range(0..3));
            meddle_with_pod(&server, &node, dice.random_range(0..4), MOST);
            // The next may come before this one is replaced, and before the other one has seen it.
            millis(dice.random_range(0..400)).await;
        }
        server.at_rest().await;
        server.assert_covered(3);
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_name_follows_from_how_the_pod_before_it_ended() {
    let server = world(1);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    let first = name(&["n0", ""]);
    assert_eq!(names(&server.posts()), std::slice::from_ref(&first));
    // Its kubelet ends it on request, and the next one has the other name.
    let second = name(&["n0", "2"]);
    server.ask_to_delete("pods", &first);
    seconds(10).await;
    assert_eq!(
        names(&server.posts())[1..],
        std::slice::from_ref(&second)[..]
    );
    // It is gone, and its kubelet has not said that it ended.
    server.remove("pods", &second);
    seconds(10).await;
    assert_eq!(
        names(&server.posts())[2..],
        std::slice::from_ref(&second)[..]
    );
    // It ended by itself.
    let uid = server.get("pods", &second)["metadata"]["uid"].clone();
    server.edit("pods", &second, json!({"status": ready("Failed")}));
    server.remove("pods", &second);
    seconds(10).await;
    let third = name(&["n0", uid.as_str().expect("a UID")]);
    assert_eq!(names(&server.posts())[3..], [third]);
    server.at_rest().await;
    server.assert_covered(1);
}

/// One controller alone remembers the last pod of a node, and so for a moment only.
#[tokio::test(start_paused = true)]
async fn a_controller_that_started_while_a_node_was_empty_names_its_pod_as_one_that_remembers() {
    let server = world(1);
    server.kubelet();
    let _a = start(&server, "a");
    let b = start(&server, "b");
    seconds(10).await;
    // From now on the node's pod bears another name than its first.
    meddle_with_pod(&server, "n0", 3, Duration::ZERO);
    seconds(10).await;
    server.edit("nodes", "n0", away(true));
    seconds(10).await;
    assert!(server.covered().is_empty());
    b.kill();
    let _b = start(&server, "b");
    seconds(600).await;
    server.edit("nodes", "n0", away(false));
    seconds(10).await;
    server.at_rest().await;
}

/// One of two controllers sees a moment later that the last pod is gone, and forgets it a moment
/// later. In between the node may have a pod again.
#[tokio::test(start_paused = true)]
async fn controllers_that_forget_the_last_pod_at_different_moments_make_one_pod() {
    for after in (1600..=4600).step_by(100) {
        let server = world(1);
        let surging =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}});
        server.edit(
            "daemonsets",
            "web",
            json!({"spec": {"updateStrategy": surging}}),
        );
        server.kubelet();
        let _running = [start(&server, "a"), start(&server, "b")];
        seconds(10).await;
        let lag = Gate::Lag(Duration::from_millis(300));
        server.gate("b", resource("pods"), Some(lag));
        server.edit("nodes", "n0", away(true));
        while !server.all("pods").is_empty() {
            millis(1).await;
        }
        millis(after).await;
        server.edit("nodes", "n0", away(false));
        seconds(10).await;
        server.at_rest().await;
        server.assert_covered(1);
    }
}

/// A delete that is answered with 404 says that the pod is gone, and not whether it had ended
/// before.
#[tokio::test(start_paused = true)]
async fn a_pod_that_a_roll_finds_gone_is_followed_by_the_same_name_as_where_it_was_seen_to_end() {
    let server = world(1);
    let rolling = json!({"maxUnavailable": 1, "maxSurge": 0});
    let strategy =
        json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}});
    server.edit("daemonsets", "web", strategy);
    server.kubelet();
    let _running = [start(&server, "a"), start(&server, "b")];
    seconds(10).await;
    server.gate(
        "b",
        resource("pods"),
        Some(Gate::Lag(Duration::from_secs(1))),
    );
    meddle_with_pod(&server, "n0", 3, Duration::ZERO);
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    server.perform("PATCH", path, &patch).expect("a patch");
    seconds(10).await;
    server.at_rest().await;
}
