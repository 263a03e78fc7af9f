//! `maxSurge`: the new pod is created beside the old one, which is deleted when the new one is
//! available, or when it is not ready itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn the_new_pod_comes_first_on_as_many_nodes_as_the_surge_allows() {
    for (nodes, surge, expected) in [
        (4, json!(1), 1),
        (10, json!("21%"), 3),
        (3, json!("100%"), 3),
        (3, json!(7), 3),
    ] {
        let (server, _running) = covered(nodes, rolling(0, surge.clone())).await;
        let before = version(&server);
        change_to(&server, "2", "2s");
        seconds(40).await;
        assert_rolled(&server, nodes, "2");
        let worst = worst(&server, before);
        assert_eq!((worst.unavailable, worst.doubled), (0, expected), "{surge}");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_old_pod_goes_at_the_second_at_which_the_new_one_is_available() {
    let (server, _running) = covered(2, rolling(0, 1)).await;
    respec(&server, json!({"minReadySeconds": 30}));
    seconds(60).await;
    let before = version(&server);
    change_to(&server, "2", "2s");
    seconds(120).await;
    assert_eq!(gone_from(&server), ["n0", "n1"]);
    for (at, node) in departures(&server) {
        let pods = server.all("pods").into_iter();
        let pod = pods
            .into_iter()
            .find(|p| target(p) == node)
            .expect("the new pod");
        let ready = ready_at(&pod).expect("it is ready").as_second() - server.epoch().as_second();
        let due = Duration::from_secs(ready.unsigned_abs() + 30);
        assert!(
            at >= due && at - due < Duration::from_millis(25),
            "{at:?} is not {due:?}"
        );
    }
    assert_eq!(
        worst(&server, before),
        Worst {
            unavailable: 0,
            doubled: 1
        }
    );
    seconds(60).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_pod_that_is_not_ready_is_followed_beside_the_surge_and_goes_as_soon_as_the_new_one_is_there()
 {
    let (server, _running) = covered(5, rolling(0, 1)).await;
    for node in ["n1", "n3"] {
        lose_readiness(&server, node).await;
    }
    seconds(1).await;
    change_to(&server, "2", "10s");
    seconds(2).await;
    // Neither of the new pods is ready.
    assert_eq!(gone_from(&server), ["n1", "n3"]);
    let doubled = || {
        versions(&server)
            .into_iter()
            .filter(|(_, all)| all.len() > 1)
            .count()
    };
    assert_eq!(doubled(), 1, "{:?}", versions(&server));
    seconds(90).await;
    assert_eq!(gone_from(&server)[2..], ["n0", "n2", "n4"]);
    assert_rolled(&server, 5, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn of_more_than_two_pods_the_oldest_of_each_kind_stays() {
    let (server, _running) = covered(1, rolling(0, 1)).await;
    change_to(&server, "2", "never");
    seconds(10).await;
    let two: Vec<Value> = server.all("pods");
    assert_eq!(two.len(), 2);
    // Somebody's tool makes more of them, which are adopted.
    for (n, pod) in two.iter().enumerate() {
        let mut more = orphan(&format!("more-{n}"), "n0");
        more["metadata"]["labels"] = pod["metadata"]["labels"].clone();
        more["metadata"]["annotations"] = pod["metadata"]["annotations"].clone();
        server.add("pods", more);
    }
    seconds(10).await;
    let names = |pods: &[Value]| -> Vec<Value> {
        pods.iter().map(|p| p["metadata"]["name"].clone()).collect()
    };
    assert_eq!(names(&server.all("pods")), names(&two));
    assert_eq!(gone_from(&server), ["n0", "n0"], "{:?}", server.deletes());
    become_ready(&server, "1s");
    seconds(30).await;
    assert_rolled(&server, 1, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_old_pod_where_none_may_come_any_more_goes_when_enough_others_are_available() {
    let (server, _running) = covered(3, rolling(0, 1)).await;
    let taint = json!({"spec": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}});
    server.edit("nodes", "n2", taint);
    lose_readiness(&server, "n0").await;
    seconds(5).await;
    // Of two eligible nodes one is without an available pod; n2's is the second that is available.
    change_to(&server, "2", "20s");
    seconds(15).await;
    assert_eq!(gone_from(&server), ["n0"]);
    seconds(100).await;
    assert_eq!(gone_from(&server)[1..], ["n2", "n1"]);
    let rolled: Vec<String> = versions(&server).into_keys().collect();
    assert_eq!(rolled, ["n0", "n1"]);
    assert_eq!(nodes_of(&server, "2").len(), 2);
    server.at_rest().await;
}
