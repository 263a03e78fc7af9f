//! A node goes away and comes back: a graceful shutdown, a kubelet that stops.

use crate::agent::agent;
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::{Place, SOON};

/// The number of a node of which no other test of this file needs anything.
const NODE: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_shuts_down_gracefully_is_covered_again_after_its_reboot() {
    let place = Place::new("shutdown", Way::Chart).await;
    place.cover(&agent(&[])).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    let node = place.cluster.node(NODE);
    let boot = || async {
        let path = format!("node/{}", node.name());
        let field = "jsonpath={.status.nodeInfo.bootID}";
        place.cluster.kubectl(&["get", &path, "-o", field]).await
    };
    let first_boot = boot().await;
    node.shut_down().await;
    // What is created there now is rejected by the kubelet, at once.
    node.power_off().await;
    node.power_on().await;
    place
        .until("another boot", SOON, async || {
            let now = boot().await;
            if now == first_boot { Err(now) } else { Ok(()) }
        })
        .await;
    place.cluster.until_ready(node).await;
    place.until_all_available().await;
    let after = place.uids().await;
    for (name, uid) in &before {
        let is_same = after[name] == *uid;
        assert_eq!(
            is_same,
            *name != node.name(),
            "only the pod of {} is new",
            node.name()
        );
    }
    place.end(referee, NODES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubelet_that_stops_costs_no_pod() {
    let place = Place::new("kubelet", Way::Chart).await;
    place.cover(&agent(&[])).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    let node = place.cluster.node(NODE);
    node.stop_kubelet().await;
    place.cluster.until_lost(node).await;
    place
        .until_status("one pod is not ready", |status| {
            status.number_ready == (NODES - 1) as i32
        })
        .await;
    node.start_kubelet().await;
    place.cluster.until_ready(node).await;
    place.until_all_available().await;
    assert_eq!(place.uids().await, before, "the same pods");
    place.end(referee, 2).await;
}
