//! Exactly one pod on every eligible node, and a status that says so.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::audit::count_writes;
use crate::cluster::{Lab, SOON, controller_of, node_of, same};
use crate::controller::{Controller, Launch, built_in};
use crate::referee::Referee;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn covers_fifty_nodes_and_those_that_join() {
    let mut lab = Lab::shared("coverage").await;
    lab.add_nodes(1..=50).await;
    let controller = Controller::start(&lab);
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let set = lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 50, SOON).await;
    lab.add_nodes(51..=60).await;
    lab.until_covered("agent", 60, SOON).await;

    let pods = lab.pods().await;
    let nodes: BTreeSet<String> = pods.iter().map(node_of).collect();
    let wanted: BTreeSet<String> = (1..=60).map(|number| lab.node_name(number)).collect();
    assert_eq!(nodes, wanted, "one pod on every node");
    assert_eq!(pods.len(), 60);
    let revision = lab
        .revisions()
        .await
        .remove(0)
        .metadata
        .labels
        .unwrap_or_default();
    for pod in &pods {
        assert_eq!(controller_of(pod), set.metadata.uid.as_deref());
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        assert_eq!(
            labels.get("controller-revision-hash"),
            revision.get("controller-revision-hash")
        );
        assert_eq!(
            labels.get("pod-template-generation").map(String::as_str),
            Some("1")
        );
    }
    referee.finish().await.expect_clean(60 * 3);
    let peak = controller.usage().peak_mib;
    assert!(built_in() || peak < 60.0, "{peak} MiB for 60 nodes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_cluster_is_written_to_no_more() {
    let mut lab = Lab::shared("settled").await;
    lab.add_nodes(1..=10).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 10, SOON).await;
    let user = if built_in() {
        crate::control_plane::BUILT_IN
    } else {
        "controller"
    };
    let writes = || {
        let mut entries = lab.plane.audit(user);
        entries.retain(|entry| {
            entry.object_ref.namespace == lab.namespace && entry.object_ref.resource != "events"
        });
        count_writes(&entries)
    };
    let before = writes();
    assert_eq!(before.get("create pods"), Some(&10), "{before:?}");
    assert_eq!(
        before.get("create controllerrevisions"),
        Some(&1),
        "{before:?}"
    );
    // Heartbeats and notes on nodes and pods are no reason to write; a new DaemonSet's coverage is
    // the sign that the controller has dealt with them.
    for number in 1..=10 {
        lab.patch_node(
            &lab.node_name(number),
            &json!({ "metadata": { "annotations": { "note": "1" } } }),
        )
        .await;
    }
    lab.kubectl_ok(&["annotate", "pods", "--all", "note=1"])
        .await;
    lab.create(&lab.daemon_set("sign")).await;
    lab.until_covered("sign", 10, SOON).await;
    let agents = |entry: &crate::audit::Entry| {
        let about = format!(
            "{}{}",
            entry.object_ref.name, entry.request_object["metadata"]["generateName"]
        );
        entry.writes() && about.contains("agent")
    };
    let mut entries = lab.plane.audit(user);
    entries.retain(|entry| {
        entry.object_ref.namespace == lab.namespace && entry.object_ref.resource != "events"
    });
    let about_agent: Vec<String> = entries
        .iter()
        .filter(|e| agents(e))
        .map(|e| e.kind())
        .collect();
    assert_eq!(
        about_agent.len(),
        before.values().sum::<usize>(),
        "{about_agent:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_counts_as_available_after_min_ready_seconds() {
    let mut lab = Lab::shared("min-ready").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["minReadySeconds"] = json!(4);
    lab.create(&set).await;
    lab.until("ready, but not yet available", SOON, async || {
        let status = lab.status("agent").await?;
        same(
            (status.number_ready, status.number_available.unwrap_or(0)),
            (3, 0),
        )
    })
    .await;
    // No pod changes any more: only a timer of the controller's own can bring this about.
    lab.until_covered("agent", 3, Duration::from_secs(15)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_scheduler_it_writes_the_node_name_itself() {
    if built_in() {
        return; // it has no such mode
    }
    let mut lab = Lab::shared("node-name").await;
    lab.add_nodes(1..=4).await;
    let _controller = Launch::new(&lab).arg("--placement=node-name").start();
    let mut set = lab.daemon_set("agent");
    set["spec"]["template"]["spec"]["schedulerName"] = json!("nobody"); // no scheduler takes these
    lab.create(&set).await;
    lab.until_covered("agent", 4, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemon_sets_do_not_get_into_each_others_way() {
    let mut lab = Lab::shared("side-by-side").await;
    lab.add_nodes(1..=5).await;
    let _controller = Controller::start(&lab);
    let mut stuck = lab.daemon_set("stuck");
    stuck["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/ready-after": "never" });
    lab.create(&stuck).await;
    let mut failing = lab.daemon_set("failing");
    failing["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/fail-after": "0s" });
    lab.create(&failing).await;
    for number in 1..=4 {
        lab.create(&lab.daemon_set(&format!("agent-{number}")))
            .await;
    }
    for number in 1..=4 {
        lab.until_covered(&format!("agent-{number}"), 5, SOON).await;
    }
    let status = lab.get("stuck").await.status.unwrap_or_default();
    assert_eq!(
        (status.current_number_scheduled, status.number_ready),
        (5, 0)
    );
}
