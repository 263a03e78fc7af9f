//! A canary on a cluster that lives: chosen, baked, released, with crashes, joining nodes and
//! people who change their mind.

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

const RELEASED: &str = "state.daemonset-controller.io/released";

/// The stages that are over, of the newest revision.
fn released(server: &World) -> Value {
    let all = server.all("controllerrevisions").into_iter();
    let newest = all
        .max_by_key(|r| r["revision"].as_i64())
        .expect("a revision");
    newest["metadata"]["annotations"][RELEASED].clone()
}

fn hash_of_newest(server: &World) -> String {
    let all = server.all("controllerrevisions").into_iter();
    let newest = all
        .max_by_key(|r| r["revision"].as_i64())
        .expect("a revision");
    let hash = &newest["metadata"]["labels"]["controller-revision-hash"];
    hash.as_str().expect("a hash").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_canary_is_replaced_bakes_and_is_followed_by_the_others() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, _running) = covered(8, strategy).await;
        set_key(&server, "canary", "25%");
        set_key(&server, "bake", "5m");
        seconds(5).await;
        change_to(&server, "2", "2s");
        seconds(60).await;
        let canary = nodes_of(&server, "2");
        assert_eq!(canary.len(), 2);
        assert_eq!(released(&server), Value::Null);
        seconds(200).await;
        assert_eq!(
            touched(&server, "2"),
            canary,
            "no other node in its five minutes"
        );
        seconds(100).await;
        assert_eq!(released(&server), "[\"canary\"]");
        seconds(60).await;
        assert_rolled(&server, 8, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_not_available_is_followed_by_nobody() {
    let (server, _running) = covered(6, rolling(3, 0)).await;
    set_key(&server, "canary", "1");
    set_key(&server, "bake", "1m");
    seconds(5).await;
    change_to(&server, "2", "never");
    seconds(3600).await;
    assert_eq!(touched(&server, "2").len(), 1);
    assert_eq!(nodes_of(&server, "1").len(), 5);
    // A new template in mid-canary: the node of the canary moves first, and the others follow it.
    change_to(&server, "3", "1s");
    seconds(30).await;
    assert_eq!(nodes_of(&server, "3"), touched(&server, "2"));
    seconds(120).await;
    assert_rolled(&server, 6, "3");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_dies_joins_or_crashes_no_node_but_the_canary_gets_the_target() {
    let (server, running) = covered(5, rolling(2, 0)).await;
    set_key(&server, "canary", "1");
    set_key(&server, "bake", "approval");
    seconds(5).await;
    change_to(&server, "2", "2s");
    until_departed(&server, 1, 60).await;
    // The controller dies while the canary's old pod is gone and the new one is not there yet.
    running.kill();
    seconds(5).await;
    let second = start(&server, "b");
    seconds(60).await;
    let canary = nodes_of(&server, "2");
    assert_eq!(canary.len(), 1);
    for round in 0..6 {
        let pods = server.all("pods");
        let live: Vec<&Value> = pods.iter().filter(|pod| is_live(pod)).collect();
        let victim = live[round % live.len()]["metadata"]["name"]
            .as_str()
            .expect("a name");
        match round % 3 {
            0 => server.remove("pods", victim),
            1 => server.ask_to_delete("pods", victim),
            _ => server.edit("pods", victim, json!({"status": {"phase": "Failed"}})),
        }
        server.add("nodes", node(&format!("n{}", 5 + round)));
        seconds(30).await;
    }
    second.kill();
    let _third = start(&server, "c");
    seconds(60).await;
    server.assert_covered(11);
    assert_eq!(
        touched(&server, "2"),
        canary,
        "one node, and always the same"
    );
    set_key(&server, "approve", "another");
    seconds(60).await;
    assert_eq!(touched(&server, "2"), canary);
    set_key(&server, "approve", hash_of_newest(&server));
    seconds(120).await;
    assert_rolled(&server, 11, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn going_back_in_the_middle_of_a_canary_needs_none() {
    let (server, _running) = covered(6, rolling(2, 0)).await;
    set_key(&server, "canary", "2");
    seconds(5).await;
    change_to(&server, "2", "2s");
    seconds(30).await;
    assert_eq!(nodes_of(&server, "2").len(), 2);
    // The first template had no version; as `kubectl rollout undo` has it.
    respec(
        &server,
        json!({"template": {"metadata": {"annotations": {"v": null}}}}),
    );
    seconds(60).await;
    assert_eq!(nodes_of(&server, "1").len(), 6);
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["updatedNumberScheduled"], 6, "{status}");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn removing_the_key_in_the_middle_releases_all_nodes_at_once() {
    let (server, _running) = covered(6, rolling(6, 0)).await;
    set_key(&server, "canary", "1");
    seconds(5).await;
    change_to(&server, "2", "1s");
    seconds(30).await;
    assert_eq!(nodes_of(&server, "2").len(), 1);
    set_key(&server, "canary", Value::Null);
    seconds(30).await;
    assert_rolled(&server, 6, "2");
    server.at_rest().await;
}
