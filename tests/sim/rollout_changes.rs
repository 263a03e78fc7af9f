//! Rollouts during which something else changes: the strategy, the budget, the nodes.

use daemonset_controller::sim::cluster::Part;
use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

fn strategy(server: &World, strategy: Value) {
    // The members of the other type are removed.
    let mut strategy = strategy;
    if strategy["type"] == "OnDelete" {
        strategy["rollingUpdate"] = Value::Null;
    }
    respec(server, json!({"updateStrategy": strategy}));
}

#[tokio::test(start_paused = true)]
async fn on_delete_stops_a_roll_at_once_and_rolling_update_goes_on_with_it() {
    for begun in [rolling(1, 0), rolling(0, 1)] {
        let (server, _running) = covered(6, begun.clone()).await;
        change_to(&server, "2", "2s");
        until_departed(&server, 2, 30).await;
        strategy(&server, json!({"type": "OnDelete"}));
        let so_far = gone_from(&server).len();
        seconds(600).await;
        // Of two pods on a node the oldest stays, now that two are no longer allowed.
        assert!(
            gone_from(&server).len() <= so_far + 1,
            "{:?}",
            gone_from(&server)
        );
        server.assert_covered(6);
        assert!(nodes_of(&server, "1").len() >= 3);
        strategy(&server, begun);
        seconds(60).await;
        assert_rolled(&server, 6, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_counts_from_the_moment_it_changes() {
    let (server, _running) = covered(8, rolling(1, 0)).await;
    let before = version(&server);
    change_to(&server, "2", "never");
    seconds(30).await;
    assert_eq!(gone_from(&server).len(), 1);
    strategy(&server, rolling(4, 0));
    seconds(30).await;
    assert_eq!(gone_from(&server).len(), 4);
    strategy(&server, rolling(2, 0));
    change_to(&server, "3", "5s");
    seconds(1).await;
    // The four of the second version go at once; with the lower budget no other does before two are
    // left.
    assert_eq!(gone_from(&server).len(), 8);
    seconds(120).await;
    assert_rolled(&server, 8, "3");
    assert_eq!(worst(&server, before).unavailable, 4);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_roll_goes_on_in_the_other_way_when_max_unavailable_becomes_max_surge_or_the_other_way_round()
 {
    for (from, to) in [
        (rolling(2, 0), rolling(0, 2)),
        (rolling(0, 2), rolling(2, 0)),
    ] {
        let (server, _running) = covered(6, from).await;
        let before = version(&server);
        change_to(&server, "2", "3s");
        until_departed(&server, 1, 30).await;
        millis(1_500).await;
        strategy(&server, to);
        seconds(90).await;
        assert_rolled(&server, 6, "2");
        let worst = worst(&server, before);
        assert!(worst.unavailable <= 2 && worst.doubled <= 2, "{worst:?}");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_join_and_leave_in_the_middle_do_not_keep_a_roll_from_its_end() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, _running) = covered(8, strategy).await;
        server.switch(Part::PodGarbageCollector, true);
        change_to(&server, "2", "never");
        seconds(20).await;
        server.add("nodes", node("joins"));
        server.remove("nodes", "n7"); // an old pod
        server.remove("nodes", "n0"); // a new one, which was not ready
        server.edit("nodes", "n6", away(true));
        let taint =
            json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}});
        server.edit("nodes", "n5", taint);
        seconds(20).await;
        change_to(&server, "3", "2s");
        seconds(300).await;
        let rolled: Vec<String> = versions(&server).into_keys().collect();
        // The old pod on n5 went and none may come.
        assert_eq!(rolled, ["joins", "n1", "n2", "n3", "n4"]);
        assert_rolled(&server, 5, "3");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_turn_unready_use_the_budget_up_and_their_old_pods_are_replaced_beside_it() {
    let server = world(0);
    server.switch(Part::NodeLifecycle, true);
    (0..6).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
    respec(&server, json!({"updateStrategy": rolling(2, 0)}));
    become_ready(&server, "2s");
    server.kubelet();
    let _running = start(&server, "a");
    seconds(20).await;
    let silent = |node: &str, yes: bool| {
        script(
            &server,
            node,
            "silent",
            if yes { json!("true") } else { Value::Null },
        );
    };
    change_to(&server, "2", "30s");
    seconds(10).await;
    assert_eq!(gone_from(&server), ["n0", "n1"]);
    // One with a new pod, one with an old one: nobody hears of them, and their pods are not ready
    // any more.
    silent("n1", true);
    silent("n5", true);
    seconds(110).await;
    // When n0 was back, n2's turn came. n5's old pod went as soon as it counted as not ready,
    // beside the budget; and while neither n1 nor n5 comes back, nothing is left of that.
    assert_eq!(gone_from(&server), ["n0", "n1", "n2", "n5"]);
    silent("n1", false);
    silent("n5", false);
    seconds(300).await;
    assert_eq!(gone_from(&server).len(), 6);
    assert_rolled(&server, 6, "2");
    server.at_rest().await;
}
