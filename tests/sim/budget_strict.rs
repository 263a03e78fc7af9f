//! `budget: strict`: bad days in the middle of a rollout on which the built-in controller's rules
//! take down more than the budget.

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

/// Nodes whose old pod is gone or going, and that have no available new one.
fn in_flight(server: &World, nodes: usize) -> usize {
    let pods = server.all("pods");
    let on = |node: &str| {
        pods.iter()
            .filter(|pod| target(pod) == node)
            .collect::<Vec<_>>()
    };
    let is_in_flight = |n: usize| {
        let here = on(&format!("n{n}"));
        let stays = |pod: &&Value| is_live(pod) && version_of(pod) == "1";
        let done = |pod: &&Value| is_live(pod) && version_of(pod) != "1" && is_ready(pod);
        !here.iter().any(|pod| stays(pod) || done(pod))
    };
    (0..nodes).filter(|n| is_in_flight(*n)).count()
}

fn version_of(pod: &Value) -> &str {
    pod["metadata"]["annotations"]["v"].as_str().unwrap_or("1")
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let is_it = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(is_it))
}

/// The most nodes in flight at once until the rollout is complete.
async fn worst_until_rolled(server: &World, nodes: usize, version: &str) -> usize {
    let end = server.elapsed() + Duration::from_secs(600);
    let mut worst = 0;
    while nodes_of(server, version).len() < nodes {
        worst = worst.max(in_flight(server, nodes));
        millis(20).await;
        assert!(server.elapsed() < end, "{:?}", versions(server));
    }
    seconds(30).await;
    assert_rolled(server, nodes, version);
    worst
}

/// All old pods lose their readiness in the middle of a rollout of one at a time.
async fn outage(value: &str) -> usize {
    let (server, _running) = covered(8, rolling(1, 0)).await;
    budget(&server, value);
    change_to(&server, "2", "2s");
    until_departed(&server, 1, 60).await;
    for node in nodes_of(&server, "1") {
        lose_readiness(&server, &node).await;
    }
    let worst = worst_until_rolled(&server, 8, "2").await;
    server.at_rest().await;
    worst
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_the_middle_of_a_rollout_takes_down_no_more_than_the_budget() {
    assert_eq!(outage("strict").await, 1);
    assert!(
        outage("off").await > 1,
        "the built-in controller's rule takes all that are not ready"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_update_within_min_ready_seconds_goes_one_at_a_time() {
    for (value, expected) in [("strict", 1), ("off", 4)] {
        let (server, _running) = covered(4, rolling(4, 0)).await;
        budget(&server, value);
        respec(&server, json!({"minReadySeconds": 30}));
        change_to(&server, "2", "1s");
        seconds(10).await;
        assert_eq!(
            nodes_of(&server, "2").len(),
            4,
            "none of them is available yet"
        );
        respec(&server, json!({"updateStrategy": rolling(1, 0)}));
        let before = gone_from(&server).len();
        change_to(&server, "3", "1s");
        seconds(5).await;
        assert_eq!(gone_from(&server).len() - before, expected, "{value}");
        seconds(300).await;
        assert_rolled(&server, 4, "3");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_node_selector_removes_one_agent_after_another() {
    for (value, expected) in [("strict", 1), ("off", 4)] {
        let (server, _running) = covered(4, rolling(1, 0)).await;
        budget(&server, value);
        server.kubelet_that("terminate-after", "2s");
        respec(
            &server,
            json!({"template": {"spec": {"nodeSelector": {"zone": "2"}}}}),
        );
        let end = server.elapsed() + Duration::from_secs(120);
        let mut worst = 0;
        while !server.all("pods").is_empty() {
            let pods = server.all("pods").into_iter();
            worst = worst.max(pods.filter(is_going).count());
            millis(20).await;
            assert!(server.elapsed() < end, "{:?}", versions(&server));
        }
        assert_eq!(worst, expected, "{value}");
        server.at_rest().await;
    }
}
