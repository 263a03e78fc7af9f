//! The whole cluster, with everything that runs beside the controller.

use std::time::Duration;

use daemonset_controller::sim::api::resource::{DAEMON_SETS, NODES, PODS};
use daemonset_controller::sim::cluster::{Cluster, Controller, Part};
use daemonset_controller::sim::kubelets::NodeSpec;
use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Value, json};

use super::world::{daemon_set, is_live, report, target};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);

/// A cluster with all its parts, so many nodes and a DaemonSet that covers them.
async fn cluster(nodes: usize) -> (Cluster, Controller) {
    let mut cluster = Cluster::new(7).with(&Part::ALL);
    cluster.add_nodes(nodes);
    let web = daemon_set("default", "web");
    cluster.apply(&web).expect("a DaemonSet");
    let controller = cluster.controller("a");
    assert!(cluster.rest(MINUTE, HOUR).await);
    assert_eq!(live(&cluster).len(), nodes);
    (cluster, controller)
}

fn live(cluster: &Cluster) -> Vec<String> {
    let pods = cluster.server.pods().into_iter().filter(is_live);
    pods.map(|pod| target(&pod).to_owned()).collect()
}

/// Asserts that all promises hold, once the cluster is quiet.
async fn finish(cluster: &mut Cluster) {
    assert!(cluster.rest(2 * MINUTE, HOUR).await);
    report(&cluster.unsettled(&["a"], MINUTE));
    report(&cluster.violations(&["a"]));
}

#[tokio::test(start_paused = true)]
async fn in_a_settled_cluster_nothing_but_leases_is_written() {
    let (mut cluster, _controller) = cluster(3).await;
    let version = cluster.server.read(|store| store.version());
    let next = cluster.next(HOUR).await;
    assert!(next.is_none(), "{next:?}");
    assert!(cluster.server.read(|store| store.version()) > version);
    cluster.add_node(&NodeSpec::new("late"));
    let next = cluster.next(HOUR).await.expect("there is work");
    assert!(next.is("POST", "/pods"), "{}", next.line());
    finish(&mut cluster).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_keeps_its_pod_and_one_that_is_gone_does_not() {
    let (mut cluster, _controller) = cluster(3).await;
    let silent =
        |value: Value| json!({"metadata": {"annotations": {(format!("{PREFIX}silent")): value}}});
    cluster
        .patch(&NODES, "", "n1", &silent("true".into()))
        .expect("a node");
    assert!(cluster.rest(MINUTE, HOUR).await);
    let ready = |cluster: &Cluster| {
        let web = cluster.server.get(&DAEMON_SETS, "default", "web");
        web.expect("it is there")["status"]["numberReady"].clone()
    };
    assert_eq!(ready(&cluster), 2);
    let node = cluster.server.get(&NODES, "", "n1").expect("a node");
    assert!(
        node["spec"]["taints"].to_string().contains("unreachable"),
        "{node}"
    );
    assert_eq!(live(&cluster).len(), 3);
    cluster
        .patch(&NODES, "", "n1", &silent(Value::Null))
        .expect("a node");
    assert!(cluster.rest(MINUTE, HOUR).await);
    assert_eq!(ready(&cluster), 3);
    cluster
        .delete(&NODES, "", "n2", &Value::Null)
        .expect("a node");
    assert!(cluster.rest(MINUTE, HOUR).await);
    let mut left = live(&cluster);
    left.sort();
    assert_eq!(left, ["n0", "n1"]);
    finish(&mut cluster).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_deleted_daemon_set_owned_goes_with_it_and_orphans_are_adopted_by_the_next() {
    let (mut cluster, _controller) = cluster(3).await;
    let before = live(&cluster);
    let orphan = json!({"propagationPolicy": "Orphan"});
    cluster
        .delete(&DAEMON_SETS, "default", "web", &orphan)
        .expect("it is there");
    assert!(cluster.rest(MINUTE, HOUR).await);
    assert!(cluster.server.get(&DAEMON_SETS, "default", "web").is_none());
    assert_eq!(live(&cluster), before);
    let made = cluster
        .apply(&daemon_set("default", "web"))
        .expect("a DaemonSet");
    assert!(cluster.rest(MINUTE, HOUR).await);
    let pods = cluster.server.all(&PODS);
    assert_eq!(pods.len(), 3);
    for pod in pods {
        assert_eq!(
            pod["metadata"]["ownerReferences"][0]["uid"],
            made["metadata"]["uid"]
        );
    }
    finish(&mut cluster).await;
    cluster
        .delete(&DAEMON_SETS, "default", "web", &Value::Null)
        .expect("it is there");
    assert!(cluster.rest(MINUTE, HOUR).await);
    assert!(cluster.server.pods().is_empty());
    assert!(
        cluster
            .server
            .all(super::world::resource("controllerrevisions"))
            .is_empty()
    );
    report(&cluster.violations(&["a"]));
}
