//! Rollouts during which something else changes: the strategy, the budget, the nodes.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, node_of, same};
use crate::referee::Referee;
use crate::rollout::{NODES, images, lab, set_image, until_rolled_out};

fn strategy(strategy: Value) -> Value {
    json!({ "spec": { "updateStrategy": strategy } })
}

/// A template whose pods become ready after so long.
fn ready_after(time: &str) -> Value {
    let note = json!({ "sim.daemonset-controller.io/ready-after": time });
    json!({ "spec": { "template": { "metadata": { "annotations": note } } } })
}

async fn until_stuck(lab: &Lab, updated: i32) {
    lab.until("the budget is used up", SOON, async || {
        let status = lab.status("agent").await?;
        same(
            (status.updated_number_scheduled, status.number_available),
            (Some(updated), Some(NODES as i32 - updated)),
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_delete_stops_a_roll_and_rolling_update_goes_on_with_it() {
    let (mut lab, _controller) = lab("stop-rollout", json!({ "maxUnavailable": 1 })).await;
    set_image(&lab, "agent:2").await;
    lab.until("it has begun", SOON, async || {
        let status = lab.status("agent").await?;
        let updated = status.updated_number_scheduled.unwrap_or(0);
        same(updated >= 2, true)
    })
    .await;
    let stop = strategy(json!({ "type": "OnDelete", "rollingUpdate": null }));
    lab.patch("agent", &stop).await;
    let standing = |nodes: usize| {
        let lab = &lab;
        lab.until("every node has an available pod", SOON, async move || {
            let status = lab.status("agent").await?;
            same(
                (status.number_available, status.current_number_scheduled),
                (Some(nodes as i32), nodes as i32),
            )
            .map(|()| status.updated_number_scheduled.unwrap_or(0))
        })
    };
    standing(NODES).await;
    // A terminating pod counts as available until it is gone.
    lab.until("no pod is on its way out", SOON, async || {
        let pods = lab.pods().await;
        let staying = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none();
        let staying = pods.iter().filter(staying).count();
        same((staying, pods.len()), (NODES, NODES))
    })
    .await;
    let updated = standing(NODES).await;
    assert!(updated < NODES as i32, "it was stopped in the middle");
    // A node that joins shows that the controller is at work.
    lab.add_nodes(NODES + 1..=NODES + 1).await;
    let now_updated = {
        let lab = &lab;
        lab.until("the node has its pod", SOON, async move || {
            let status = lab.status("agent").await?;
            same(status.number_available, Some(NODES as i32 + 1))
                .map(|()| status.updated_number_scheduled.unwrap_or(0))
        })
        .await
    };
    assert_eq!(now_updated, updated + 1, "no other pod was replaced");
    assert_eq!(images(&lab).await.len(), 2);
    // The tests' ten nodes once more, and it goes on.
    let gone = lab.node_name(NODES + 1);
    lab.patch_node(
        &gone,
        &json!({ "metadata": { "labels": { crate::cluster::LAB: null } } }),
    )
    .await;
    lab.patch("agent", &strategy(json!({ "type": "RollingUpdate" })))
        .await;
    until_rolled_out(&lab, "agent:2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_is_raised_in_the_middle_counts_at_once() {
    let (lab, _controller) = lab("raise-rollout", json!({ "maxUnavailable": 1 })).await;
    lab.patch("agent", &ready_after("never")).await;
    until_stuck(&lab, 1).await;
    let raise = strategy(json!({ "rollingUpdate": { "maxUnavailable": 4 } }));
    lab.patch("agent", &raise).await;
    until_stuck(&lab, 4).await;
    lab.patch("agent", &ready_after("50ms")).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_join_leave_and_are_tainted_in_the_middle_do_not_keep_a_roll_from_its_end() {
    let (mut lab, _controller) = lab("moving-rollout", json!({ "maxUnavailable": 3 })).await;
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let old = lab.pods().await;
    lab.patch("agent", &ready_after("never")).await;
    until_stuck(&lab, 3).await;
    // It stands: which pods are old is certain.
    let now = lab.pods().await;
    let kept = old
        .iter()
        .filter(|o| now.iter().any(|n| n.metadata.uid == o.metadata.uid));
    let nodes: Vec<String> = kept.map(node_of).collect();
    assert_eq!(nodes.len(), NODES - 3);
    let taint = json!({ "spec": { "taints": [{ "key": "live.test/t", "effect": "NoSchedule" }] } });
    lab.patch_node(&nodes[0], &taint).await;
    lab.kubectl_ok(&["delete", "node", &nodes[1]]).await;
    lab.add_nodes(NODES + 1..=NODES + 1).await;
    lab.patch("agent", &ready_after("50ms")).await;
    // One more, one less, and one that keeps no old pod and gets no new one.
    lab.until_covered("agent", NODES as i32 - 1, 2 * SOON).await;
    let staying = lab.pods().await;
    let on = |node: &String| {
        staying
            .iter()
            .filter(|p| p.metadata.deletion_timestamp.is_none() && node_of(p) == *node)
            .count()
    };
    assert_eq!(on(&nodes[0]), 0, "the tainted node's pod was old");
    assert_eq!(on(&lab.node_name(NODES + 1)), 1);
    referee.finish().await.expect_clean(NODES * 4);
}
