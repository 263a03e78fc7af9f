//! Nodes that change: labels, taints, cordons, and nodes that go.

use serde_json::json;

use crate::cluster::{LAB, Lab, SOON, name_of, node_of, same};
use crate::controller::{Controller, built_in};

async fn names(lab: &Lab) -> Vec<String> {
    lab.pods()
        .await
        .iter()
        .map(|pod| name_of(pod).to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_label_goes_loses_its_pod_and_gets_one_when_it_is_back() {
    let mut lab = Lab::shared("labels").await;
    lab.add_nodes(1..=5).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 5, SOON).await;
    let node = lab.node_name(3);
    lab.patch_node(
        &node,
        &json!({ "metadata": { "labels": { LAB: "elsewhere" } } }),
    )
    .await;
    let set = lab.until_covered("agent", 4, SOON).await;
    assert_eq!(set.status.unwrap_or_default().number_misscheduled, 0);
    let pods = lab.until_pods(4, SOON).await;
    assert!(
        pods.iter().all(|pod| node_of(pod) != node),
        "nothing is left on {node}"
    );
    lab.patch_node(
        &node,
        &json!({ "metadata": { "labels": { LAB: lab.namespace } } }),
    )
    .await;
    lab.until_covered("agent", 5, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_schedule_keeps_what_runs_and_no_execute_removes_it() {
    let mut lab = Lab::shared("taints").await;
    lab.register(vec![
        lab.node(1),
        lab.node(2),
        lab.node(3).taint("live.test/full", "yes", "NoSchedule"),
    ])
    .await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 2, SOON).await;

    // NoSchedule: the pod stays, but the node is none of those that should have one.
    let node = lab.node_name(1);
    let taint = |effect: &str| json!({ "spec": { "taints": [{ "key": "live.test/t", "effect": effect }] } });
    let before = names(&lab).await;
    lab.patch_node(&node, &taint("NoSchedule")).await;
    if built_in() {
        // It looks again only when something else happens to the DaemonSet.
        lab.kubectl_ok(&["annotate", "daemonset", "agent", "look=again"])
            .await;
    }
    lab.until("one node misscheduled", SOON, async || {
        let status = lab.status("agent").await?;
        same(
            (status.desired_number_scheduled, status.number_misscheduled),
            (1, 1),
        )
    })
    .await;
    assert_eq!(
        names(&lab).await,
        before,
        "the pod on the tainted node runs on"
    );

    // NoExecute: it goes.
    lab.patch_node(&node, &taint("NoExecute")).await;
    lab.until_covered("agent", 1, SOON).await;
    let pods = lab.until_pods(1, SOON).await;
    assert_eq!(node_of(&pods[0]), lab.node_name(2));

    // PreferNoSchedule is no matter, and the third node's taint goes too.
    lab.patch_node(&node, &taint("PreferNoSchedule")).await;
    lab.patch_node(&lab.node_name(3), &json!({ "spec": { "taints": null } }))
        .await;
    lab.until_covered("agent", 3, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cordoned_node_keeps_its_pod_and_gets_a_new_one() {
    let mut lab = Lab::shared("cordons").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    let node = lab.node_name(2);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    let before = names(&lab).await;
    // kubectl cordons; the taint that goes with it is the node lifecycle controller's, which is
    // off.
    lab.kubectl_ok(&["cordon", &node]).await;
    lab.kubectl_ok(&[
        "taint",
        "node",
        &node,
        "node.kubernetes.io/unschedulable=:NoSchedule",
    ])
    .await;
    lab.create(&lab.daemon_set("later")).await;
    lab.until_covered("later", 3, SOON).await;
    let now: Vec<String> = names(&lab)
        .await
        .into_iter()
        .filter(|name| name.starts_with("agent"))
        .collect();
    assert_eq!(now, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_counts_no_more() {
    let mut lab = Lab::shared("gone-nodes").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    lab.kubectl_ok(&["delete", "node", &lab.node_name(1)]).await;
    lab.until_covered("agent", 2, SOON).await;
    // The pod that ran there is the pod garbage collector's; one on a node of the same name is ours
    // again.
    let left = lab
        .pods()
        .await
        .into_iter()
        .find(|pod| node_of(pod) == lab.node_name(1));
    if let Some(pod) = left {
        lab.kubectl_ok(&[
            "delete",
            "pod",
            name_of(&pod),
            "--force",
            "--grace-period=0",
        ])
        .await;
    }
    lab.register(vec![lab.node(1)]).await;
    lab.until_covered("agent", 3, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_keeps_its_pod_and_counts_again_when_it_is_back() {
    let mut lab = Lab::with_node_lifecycle("silent").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    let before = names(&lab).await;
    let node = lab.node_name(2);
    let silent = |value: serde_json::Value| json!({ "metadata": { "annotations": { "sim.daemonset-controller.io/silent": value } } });
    lab.patch_node(&node, &silent(json!("true"))).await;
    // Tolerated is unreachable:NoExecute, not the NoSchedule that comes with it: the pod stays,
    // uncounted.
    lab.until(
        "the node is unreachable and misscheduled",
        SOON,
        async || {
            let taints = lab
                .node_api()
                .get(&node)
                .await
                .expect("the node")
                .spec
                .and_then(|spec| spec.taints);
            let taints = taints.unwrap_or_default();
            let lost = taints.iter().any(|taint| {
                taint.key == "node.kubernetes.io/unreachable" && taint.effect == "NoExecute"
            });
            let status = lab.status("agent").await?;
            same(
                (
                    lost,
                    status.desired_number_scheduled,
                    status.number_misscheduled,
                ),
                (true, 2, 1),
            )
        },
    )
    .await;
    lab.patch_node(&node, &silent(json!(null))).await;
    lab.until_covered("agent", 3, SOON).await;
    assert_eq!(names(&lab).await, before, "the same pods all along");
}
