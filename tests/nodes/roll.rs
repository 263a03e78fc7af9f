//! Rolling updates on real nodes, judged at every resourceVersion.

use serde_json::json;

use crate::agent::{AGENT, agent, arguments};
use crate::budget::Judge;
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::{Place, SOON};
use crate::referee::Referee;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_max_unavailable_one_node_at_a_time_is_without_a_ready_pod() {
    let place = Place::new("roll", Way::Chart).await;
    let mut set = agent(&[]);
    set["spec"]["minReadySeconds"] = json!(1);
    place.cover(&set).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    let judge = Judge::start(&place, NODES).await;
    // Old pods take a second to end, and stay Ready until then.
    place.change(&arguments(&["-linger=1s"])).await;
    place.until_all_available().await;
    place.change(&arguments(&["-linger=500ms"])).await;
    place.until_all_available().await;
    let after = place.uids().await;
    assert!(
        before.iter().all(|(node, uid)| after[node] != *uid),
        "all are new"
    );
    let worst = judge.finish(NODES * 2 * 4).await;
    assert_eq!((worst.unavailable, worst.doubled), (1, 0), "{worst:?}");
    place.end(referee, NODES * 2 * 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_max_surge_no_node_is_ever_without_a_ready_pod() {
    let place = Place::new("surge", Way::Chart).await;
    let mut set = agent(&[]);
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    place.cover(&set).await;
    let referee = Referee::start_surging(place.api.clone(), &place.namespace).await;
    let judge = Judge::start(&place, NODES).await;
    place.change(&arguments(&["-linger=500ms"])).await;
    place.until_all_available().await;
    let worst = judge.finish(NODES * 4).await;
    assert_eq!((worst.unavailable, worst.doubled), (0, 1), "{worst:?}");
    place.end(referee, NODES * 4).await;
}

/// The new pod cannot be bound while the old one has the port, and the old one stays until the new
/// one is available: https://github.com/kubernetes/kubernetes/issues/107837 and its kind. It says
/// so, and a change of the strategy ends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_port_stops_a_surge_which_says_why() {
    let place = Place::new("host-port", Way::Chart).await;
    let mut set = agent(&[]);
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    set["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{ "containerPort": 8080, "hostPort": 18080 }]);
    place.cover(&set).await;
    let before = place.uids().await;
    // The port leads to the pod from the node's own address.
    let node = place.cluster.node(1);
    node.run("exec 3<>/dev/tcp/172.30.77.11/18080").await;

    place.change(&arguments(&["-linger=100ms"])).await;
    place
        .until("events name the port", SOON, async || {
            let events = place
                .kubectl_ok(&["get", "events", "-o", "jsonpath={.items[*].message}"])
                .await;
            if events.contains("hostPort")
                || events.contains("host port")
                || events.contains("free ports")
            {
                Ok(())
            } else {
                Err(events)
            }
        })
        .await;
    let now = place.uids().await;
    assert!(
        before.iter().all(|(node, uid)| now.get(node) == Some(uid)),
        "no old pod went"
    );
    let strategy = json!([{ "op": "replace", "path": "/spec/updateStrategy",
        "value": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1, "maxSurge": 0 } } }]);
    place.change(&strategy).await;
    place.until_all_available().await;
    let port = place
        .kubectl_ok(&[
            "get",
            "daemonset",
            AGENT,
            "-o",
            "jsonpath={.status.numberAvailable}",
        ])
        .await;
    assert_eq!(port, NODES.to_string());
    place.leave().await;
}
