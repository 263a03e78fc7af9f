//! `budget: bad-nodes`: dead nodes hold up no rollout, and a rollout that kills nodes stops.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

/// Sets the key `budget`.
fn budget(server: &World, value: &str) {
    let annotations = json!({ "daemonset-controller.io/budget": value });
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": annotations}}),
    );
}

/// The node's kubelet dies: its pod is no longer ready and never goes, and nobody hears of it.
async fn goes_down(server: &World, node: &str) {
    script(server, node, "unready-after", json!("0s"));
    script(server, node, "terminate-after", json!("never"));
    script(server, node, "start-after", json!("never"));
    millis(20).await;
    ready(server, node, "Unknown");
}

/// The kubelet is back, and its pod is ready again.
async fn comes_back(server: &World, node: &str) {
    for what in ["unready-after", "terminate-after", "start-after"] {
        script(server, node, what, Value::Null);
    }
    millis(20).await;
    ready(server, node, "True");
    let pods = server.all("pods").into_iter();
    for pod in pods.filter(|pod| target(pod) == node && is_live(pod)) {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        server.edit("pods", name, json!({"status": super::world::ready("True")}));
    }
}

/// The node's condition Ready has this status from now on.
fn ready(server: &World, node: &str, status: &str) {
    let now = format!("{:.0}", server.now());
    let condition = json!([{"type": "Ready", "status": status, "lastTransitionTime": now}]);
    server.edit("nodes", node, json!({"status": {"conditions": condition}}));
}

fn names(numbers: impl Iterator<Item = usize>) -> BTreeSet<String> {
    numbers.map(|n| format!("n{n}")).collect()
}

/// The revisions on which it is recorded that they completed.
fn completed(server: &World) -> usize {
    let key = "/metadata/annotations/state.daemonset-controller.io~1completed";
    let revisions = server.all("controllerrevisions");
    revisions
        .iter()
        .filter(|r| r.pointer(key).is_some())
        .count()
}

/// Waits until so many nodes have this version.
async fn until_rolled(server: &World, nodes: usize, version: &str, patience: u64) {
    let end = server.elapsed() + Duration::from_secs(patience);
    while nodes_of(server, version).len() < nodes {
        seconds(1).await;
        let there = nodes_of(server, version).len();
        assert!(server.elapsed() < end, "{there} of {nodes} nodes");
    }
}

#[tokio::test(start_paused = true)]
async fn with_5_of_72_nodes_down_and_a_budget_of_4_the_others_are_rolled_out_and_those_follow() {
    let (server, _running) = covered(72, rolling(4, 0)).await;
    budget(&server, "bad-nodes");
    seconds(2).await;
    assert_eq!(completed(&server), 1, "the first version");
    let down = names((0..5).map(|n| n * 14));
    for node in &down {
        goes_down(&server, node).await;
    }
    seconds(60).await;
    change_to(&server, "2", "2s");
    until_rolled(&server, 67, "2", 600).await;
    seconds(30).await;
    assert_eq!(nodes_of(&server, "1"), down, "their pods stay");
    let gone = gone_from(&server);
    assert!(gone.iter().all(|node| !down.contains(node)), "{gone:?}");
    assert_eq!(completed(&server), 2, "it is complete without them");
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["updatedNumberScheduled"], 67, "{status}");
    server.at_rest().await;

    for node in &down {
        comes_back(&server, node).await;
    }
    until_rolled(&server, 72, "2", 120).await;
    seconds(30).await;
    assert_rolled(&server, 72, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_key_dead_nodes_use_up_the_budget() {
    for (value, rolled) in [("off", 0), ("bad-nodes", 16)] {
        let (server, _running) = covered(20, rolling(3, 0)).await;
        budget(&server, value);
        for n in 0..4 {
            goes_down(&server, &format!("n{n}")).await;
        }
        seconds(60).await;
        change_to(&server, "2", "2s");
        seconds(300).await;
        assert_eq!(nodes_of(&server, "2").len(), rolled, "{value}");
    }
}

/// The nodes that the second version takes down, each soon after it runs there.
async fn killed(server: &World, for_seconds: u64) -> BTreeSet<String> {
    let mut dead = BTreeSet::new();
    for _ in 0..for_seconds {
        seconds(1).await;
        let pods = server.all("pods").into_iter();
        let runs = |pod: &Value| pod["status"]["phase"] == "Running" && is_live(pod);
        for pod in pods.filter(runs) {
            let node = target(&pod).to_owned();
            let new = pod["metadata"]["annotations"]["v"] == "2";
            if new && dead.insert(node.clone()) {
                // In another second than that in which it was created.
                seconds(1).await;
                goes_down(server, &node).await;
            }
        }
    }
    dead
}

#[tokio::test(start_paused = true)]
async fn of_72_nodes_a_new_version_that_takes_its_node_down_reaches_one() {
    let (server, _running) = covered(72, rolling(4, 0)).await;
    budget(&server, "bad-nodes");
    set_key(&server, "canary", "1");
    seconds(2).await;
    change_to(&server, "2", "1s");
    assert_eq!(killed(&server, 60).await.len(), 1);
    assert_eq!(gone_from(&server).len(), 1);
    assert_eq!(nodes_of(&server, "1").len(), 71);
    let set = server.get("daemonsets", "web");
    let conditions = set["status"]["conditions"].as_array().expect("conditions");
    let stalled = conditions.iter().find(|c| c["type"] == "Stalled");
    let stalled = stalled.expect("it is said");
    assert_eq!(stalled["reason"], "AutoPaused");
    let why = stalled["message"].as_str().expect("a message");
    assert!(why.contains("the node is not ready"), "{why}");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_version_that_takes_its_nodes_down_stops_within_the_budget() {
    for value in ["bad-nodes", "strict,bad-nodes"] {
        let (server, _running) = covered(30, rolling(3, 0)).await;
        budget(&server, value);
        for node in ["n4", "n9"] {
            goes_down(&server, node).await;
        }
        seconds(60).await;
        change_to(&server, "2", "never");
        let dead = killed(&server, 300).await;
        assert_eq!(dead.len(), 3, "{value}: {dead:?}");
        assert_eq!(gone_from(&server).len(), 3, "{value}");
        assert_eq!(nodes_of(&server, "1").len(), 27, "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_with_too_many_bad_nodes_is_not_touched_until_they_are_fewer() {
    let (server, _running) = covered(10, rolling(2, 0)).await;
    budget(&server, "strict,bad-nodes=20%");
    for node in ["n1", "n3", "n5"] {
        goes_down(&server, node).await;
    }
    change_to(&server, "2", "2s");
    seconds(120).await;
    assert_eq!(nodes_of(&server, "1").len(), 10);
    // A pod that dies is replaced all the same.
    let pods = server.all("pods").into_iter();
    let mut on_n7 = pods.filter(|pod| target(pod) == "n7");
    let name = on_n7.next().expect("a pod")["metadata"]["name"].clone();
    server.ask_to_delete("pods", name.as_str().expect("a name"));
    seconds(10).await;
    server.assert_covered(10);
    comes_back(&server, "n3").await;
    until_rolled(&server, 8, "2", 60).await;
    seconds(10).await;
    assert_eq!(nodes_of(&server, "1"), names([1, 5].into_iter()));
    server.at_rest().await;
}
