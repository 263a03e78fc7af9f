//! Host ports on the simulated cluster: the scheduler leaves a pod Pending while another one has
//! its port, and a kubelet does not admit such a pod that is bound past the scheduler.

use std::time::Duration;

use daemonset_controller::sim::api::resource::PODS;
use daemonset_controller::sim::cluster::{Cluster, Part};
use serde_json::{Value, json};

fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1).with(&[Part::Kubelets, Part::Scheduler]);
    cluster.add_nodes(1);
    cluster
}

fn create(cluster: &Cluster, name: &str, port: Value, node: Option<&str>) {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "containers": [{ "name": "a", "image": "a", "ports": [port] }] },
    });
    if let Some(node) = node {
        pod["spec"]["nodeName"] = json!(node);
    }
    cluster.create(&PODS, &pod).expect("it is created");
}

/// The statuses of these pods after a while, in which nothing more happens.
async fn later<const N: usize>(cluster: &Cluster, names: [&str; N]) -> [Value; N] {
    tokio::time::sleep(Duration::from_secs(20)).await;
    names.map(|name| {
        let pod = cluster.server.get(&PODS, "default", name);
        pod.map_or(Value::Null, |pod| pod["status"].clone())
    })
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_at_the_scheduler_until_its_port_is_free() {
    let cluster = cluster();
    let port = || json!({ "containerPort": 1, "hostPort": 80 });
    create(&cluster, "first", port(), None);
    create(&cluster, "second", port(), None);
    let [first, second] = later(&cluster, ["first", "second"]).await;
    assert_eq!(
        (&first["phase"], &second["phase"]),
        (&json!("Running"), &json!("Pending"))
    );
    let message = second["conditions"][0]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        message.starts_with(
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
        ),
        "{message}"
    );
    let deleted = cluster.delete(&PODS, "default", "first", &Value::Null);
    deleted.expect("it is deleted");
    let [second] = later(&cluster, ["second"]).await;
    assert_eq!(second["phase"], "Running");
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_rejects_a_pod_that_is_bound_to_a_node_without_its_port() {
    let cluster = cluster();
    let port = |ip: &str| json!({ "containerPort": 1, "hostPort": 80, "hostIP": ip });
    create(&cluster, "first", port("127.0.0.1"), Some("n0"));
    let [first] = later(&cluster, ["first"]).await;
    assert_eq!(first["phase"], "Running");
    create(&cluster, "second", port("0.0.0.0"), Some("n0"));
    create(&cluster, "third", port("10.0.0.1"), Some("n0"));
    let [first, second, third] = later(&cluster, ["first", "second", "third"]).await;
    assert_eq!(
        (&first["phase"], &third["phase"]),
        (&json!("Running"), &json!("Running"))
    );
    assert_eq!(
        (&second["phase"], &second["reason"], &second["message"]),
        (
            &json!("Failed"),
            &json!("NodePorts"),
            &json!(
                "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the \
                 requested pod ports"
            )
        )
    );
}
