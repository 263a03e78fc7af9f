//! The leader dies in the middle of a roll: by a crash, by eviction, with its node.

use crate::agent::{AGENT, agent, arguments};
use crate::budget::Judge;
use crate::cluster::NODES;
use crate::installation::{Leader, Way};
use crate::place::Place;
use crate::referee::Referee;

/// A roll of which one node has the new revision.
async fn in_the_middle(name: &str) -> (Place, Leader, Referee, Judge) {
    let place = Place::new(name, Way::Chart).await;
    place.cover(&agent(&[])).await;
    let referee = place.referee().await;
    let judge = Judge::start(&place, NODES).await;
    let leader = place.cluster.leader(None).await;
    place.change(&arguments(&["-linger=1s"])).await;
    place
        .until_status("one node has the new revision", |status| {
            status.updated_number_scheduled.unwrap_or(0) >= 1
        })
        .await;
    (place, leader, referee, judge)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_crashes_is_followed_when_its_lease_is_over() {
    let (place, leader, referee, judge) = in_the_middle("crash").await;
    place
        .cluster
        .node_named(&leader.node)
        .kill_controller()
        .await;
    // Its Lease was not given back: the holder is another, or the same pod started anew.
    place.cluster.leader(Some(&leader.holder)).await;
    place.until_all_available().await;
    let worst = judge.finish(NODES * 4).await;
    assert_eq!((worst.unavailable, worst.doubled), (1, 0), "{worst:?}");
    // The kubelet started its container again.
    let restarts = [
        "get",
        "pod",
        &leader.pod,
        "-n",
        "kube-system",
        "-o",
        "jsonpath={.status.containerStatuses[0].restartCount}",
    ];
    assert_eq!(place.cluster.kubectl(&restarts).await, "1");
    place.end(referee, NODES * 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_node_is_drained_hands_over() {
    let (place, leader, referee, judge) = in_the_middle("drain").await;
    let drain = [
        "drain",
        &leader.node,
        "--ignore-daemonsets",
        "--timeout=90s",
    ];
    place.cluster.kubectl(&drain).await;
    place.cluster.leader(Some(&leader.holder)).await;
    place.until_all_available().await;
    place.cluster.kubectl(&["uncordon", &leader.node]).await;
    let worst = judge.finish(NODES * 4).await;
    assert_eq!((worst.unavailable, worst.doubled), (1, 0), "{worst:?}");
    place.end(referee, NODES * 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_node_loses_power_is_followed_and_the_roll_waits_for_the_node() {
    let (place, leader, referee, _) = in_the_middle("power").await;
    let node = place.cluster.node_named(&leader.node);
    node.power_off().await;
    let next = place.cluster.leader(Some(&leader.holder)).await;
    assert_ne!(next.node, leader.node, "nothing runs on a node that is off");
    place.cluster.until_lost(node).await;
    // The lost node uses up the budget: nothing else goes.
    place
        .until_status("the lost node is not available", |status| {
            status.number_unavailable == Some(1)
        })
        .await;
    node.power_on().await;
    place.cluster.until_ready(node).await;
    place.until_all_available().await;
    let restarted = place
        .kubectl_ok(&[
            "get",
            "daemonset",
            AGENT,
            "-o",
            "jsonpath={.status.numberReady}",
        ])
        .await;
    assert_eq!(restarted, NODES.to_string());
    place.end(referee, NODES * 4).await;
}
