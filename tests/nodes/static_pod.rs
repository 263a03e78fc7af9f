//! The controller as a static pod, beside the control plane: its node needs no network for it.

use crate::agent::{agent, arguments};
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_pod_covers_all_nodes_and_survives_a_reboot_of_its_own() {
    let place = Place::new("static-pod", Way::StaticPod).await;
    let referee = place.referee().await;
    place.cover(&agent(&[])).await;
    let leader = place.cluster.leader(None).await;
    let node = place.cluster.node(1);
    node.power_off().await;
    node.power_on().await;
    place.cluster.until_ready(node).await;
    place.cluster.leader(Some(&leader.holder)).await;
    place.change(&arguments(&["-linger=100ms"])).await;
    place.until_all_available().await;
    place.end(referee, NODES * 4).await;
}
