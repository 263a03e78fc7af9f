//! Two controllers at once, without a leader, one of them blind for minutes: never two live pods on
//! a node.

use daemonset_controller::sim::api::resource::{DAEMON_SETS, PODS};
use serde_json::json;

use super::world::*;

/// Nodes come, are tainted and not, pods fail and are deleted: one thing a turn, by turn number.
fn disturb(server: &World, turn: usize) {
    let node_name = format!("n{}", turn * 7 % 10);
    let live = server
        .all("pods")
        .into_iter()
        .find(|p| is_live(p) && target(p) == node_name);
    let pod_name = live.map(|p| p["metadata"]["name"].as_str().unwrap_or("").to_owned());
    match (turn % 5, pod_name) {
        (0, _) => server.add("nodes", node(&format!("late-{turn}"))),
        (1, _) => server.edit("nodes", &node_name, away(true)),
        (2, _) => (0..10).for_each(|n| server.edit("nodes", &format!("n{n}"), away(false))),
        (3, Some(pod)) => server.edit("pods", &pod, json!({"status": ready("Failed")})),
        (4, Some(pod)) => server.remove("pods", &pod),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn two_controllers_never_make_two_live_pods_on_a_node() {
    for blind in ["pods", "daemonsets", "controllerrevisions"] {
        let server = world(10);
        server.kubelet();
        let _running = [start(&server, "a"), start(&server, "b")];
        seconds(10).await;
        for turn in 0..30 {
            match turn % 20 {
                3 => server.freeze("b", blind, true),
                15 => server.freeze("b", blind, false),
                _ => {}
            }
            disturb(&server, turn);
            seconds(31).await;
        }
        seconds(120).await;
        server.assert_covered(16);
        let by = |name| {
            server
                .requests(move |c| &*c.client == name && c.is("POST", "/pods"))
                .len()
        };
        assert!(by("a") > 0 && by("b") > 0);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_controllers_that_start_together_cover_each_node_once() {
    let server = world(100);
    let _running = [start(&server, "a"), start(&server, "b")];
    seconds(30).await;
    server.assert_covered(100);
    assert_eq!(server.all("controllerrevisions").len(), 1);
    assert!(server.deletes().is_empty());
    assert!(server.events("FailedCreate").is_empty());
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn two_controllers_that_count_differently_do_not_fight_over_the_status() {
    let server = world(3);
    let _running = [start(&server, "a"), start(&server, "b")];
    seconds(10).await;
    server.freeze("b", "pods", true);
    server.edit(
        "pods",
        &name(&["n0", ""]),
        json!({"spec": {"nodeName": "n0"}, "status": ready("Running")}),
    );
    let before = server.statuses().len();
    seconds(600).await;
    let writes = server.statuses().len() - before;
    assert!((2..80).contains(&writes), "{writes}");
    // A change is written at once, by the controller that sees it.
    server.edit(
        "pods",
        &name(&["n1", ""]),
        json!({"spec": {"nodeName": "n1"}, "status": ready("Running")}),
    );
    millis(200).await;
    assert_eq!(server.get("daemonsets", "web")["status"]["numberReady"], 2);
    server.at_rest().await;
}

/// The watch of pods of `b` has ended, and its lists of all pods are not answered. Meanwhile the
/// node's pod is replaced twice, and then there is to be a rolling update with surge, so that `b`
/// would name a pod after the first one. With `reads` its other reads are answered.
async fn watch_of_one_ends(server: &World, reads: bool) {
    let is_list = move |c: &Entry| c.method == "GET" && c.target.is_some() && !c.is_watch();
    let is_meant =
        move |c: &Entry| &*c.client == "b" && is_list(c) && (!reads || c.path == "/api/v1/pods");
    server.rule(usize::MAX, is_meant, Act::Hang);
    server.server().expire(&PODS);
    for _ in 0..2 {
        let live = server.all("pods").into_iter().find(is_live);
        let name = live.expect("a pod")["metadata"]["name"].clone();
        let name = name.as_str().unwrap_or_default();
        server.edit("pods", name, json!({"status": ready("Failed")}));
        seconds(5).await;
    }
    let surging = json!({"maxSurge": 1, "maxUnavailable": 0});
    let rollout = json!({"spec": {
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": surging},
        "template": {"metadata": {"annotations": {"a": "2"}}},
    }});
    let patched = {
        let cluster = server.cluster.borrow();
        cluster.patch(&DAEMON_SETS, "default", "web", &rollout)
    };
    patched.expect("a rollout begins");
    seconds(5).await;
}

fn posts_of_b(server: &World) -> usize {
    let is_post = |c: &Entry| &*c.client == "b" && c.is("POST", "/pods");
    server.requests(is_post).len()
}

#[tokio::test(start_paused = true)]
async fn a_controller_whose_watch_of_pods_ended_reads_them_before_it_makes_any() {
    let server = world(1);
    server.kubelet();
    let _running = [start(&server, "a"), start(&server, "b")];
    seconds(10).await;
    watch_of_one_ends(&server, true).await;
    server.at_rest().await;
    server.assert_covered(1);
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_cannot_read_pods_either_makes_none_until_it_can() {
    let server = world(1);
    server.kubelet();
    let [a, _b] = [start(&server, "a"), start(&server, "b")];
    seconds(10).await;
    let before = posts_of_b(&server);
    watch_of_one_ends(&server, false).await;
    a.kill();
    let live = server.all("pods").into_iter().find(is_live);
    let name = live.expect("a pod")["metadata"]["name"].clone();
    server.remove("pods", name.as_str().unwrap_or_default());
    seconds(60).await;
    assert_eq!(posts_of_b(&server), before);
    server.server().clear_rules();
    seconds(120).await;
    server.assert_covered(1);
    server.at_rest().await;
}
