//! Rolling updates with kubectl: within the budget at every moment, with the history that kubectl
//! rolls back to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::budget::{Judge, Worst};
use crate::cluster::{Lab, SOON, same};
use crate::controller::Controller;

/// How many nodes there are, unless a test says otherwise.
pub const NODES: usize = 10;

/// Ten nodes covered by `agent` with this budget; a pod needs a moment to become ready.
pub async fn lab(name: &str, budget: Value) -> (Lab, Controller) {
    lab_of(NODES, name, budget).await
}

async fn lab_of(nodes: usize, name: &str, budget: Value) -> (Lab, Controller) {
    let mut lab = Lab::shared(name).await;
    lab.add_nodes(1..=nodes).await;
    let controller = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": budget });
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/ready-after": "300ms" });
    lab.create(&set).await;
    lab.until_covered("agent", nodes as i32, SOON).await;
    (lab, controller)
}

/// The images of the pods that are not terminating.
pub async fn images(lab: &Lab) -> BTreeSet<String> {
    let pods = lab.pods().await;
    let staying = pods
        .iter()
        .filter(|p| p.metadata.deletion_timestamp.is_none());
    let image = |p: &k8s_openapi::api::core::v1::Pod| {
        let spec = p.spec.as_ref().expect("a spec");
        spec.containers[0].image.clone().unwrap_or_default()
    };
    staying.map(image).collect()
}

/// Changes the template.
pub async fn set_image(lab: &Lab, image: &str) {
    let image = format!("c={image}");
    lab.kubectl_ok(&["set", "image", "daemonset/agent", &image])
        .await;
}

/// Waits until kubectl says so, and sees that all ten nodes have this image.
pub async fn until_rolled_out(lab: &Lab, image: &str) {
    until_all_rolled_out(lab, NODES, image).await;
}

/// The same on so many nodes.
pub async fn until_all_rolled_out(lab: &Lab, nodes: usize, image: &str) {
    let said = lab
        .kubectl_ok(&["rollout", "status", "daemonset/agent", "--timeout=60s"])
        .await;
    assert!(said.ends_with("successfully rolled out\n"), "{said}");
    lab.until_covered("agent", nodes as i32, SOON).await;
    same(images(lab).await, BTreeSet::from([image.to_owned()])).expect("the new image everywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_never_takes_down_more_than_max_unavailable() {
    let (lab, _controller) = lab("rollout", json!({ "maxUnavailable": "25%" })).await;
    let judge = Judge::start(&lab, NODES).await;
    set_image(&lab, "agent:2").await;
    until_rolled_out(&lab, "agent:2").await;
    // Each pod is deleted, made, bound, run, ready: five versions and more.
    let worst = judge.finish(NODES * 5).await;
    assert_eq!((worst.unavailable, worst.doubled), (3, 0), "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surge_leaves_no_node_without_a_ready_pod() {
    let budget = json!({ "maxUnavailable": 0, "maxSurge": 2 });
    let (lab, _controller) = lab("surge", budget).await;
    let judge = Judge::start(&lab, NODES).await;
    set_image(&lab, "agent:2").await;
    until_rolled_out(&lab, "agent:2").await;
    let worst = judge.finish(NODES * 5).await;
    assert_eq!((worst.unavailable, worst.doubled), (0, 2), "{worst:?}");
}

/// A rollout on a hundred nodes; the verdict of the judge.
async fn rollout_on_a_hundred(name: &str, budget: Value) -> Worst {
    let nodes = 100;
    let (lab, _controller) = lab_of(nodes, name, budget).await;
    let judge = Judge::start(&lab, nodes).await;
    set_image(&lab, "agent:2").await;
    until_all_rolled_out(&lab, nodes, "agent:2").await;
    judge.finish(nodes * 5).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_on_a_hundred_nodes_keeps_to_max_unavailable_and_makes_use_of_it() {
    let worst = rollout_on_a_hundred("rollout-100", json!({ "maxUnavailable": "10%" })).await;
    assert_eq!((worst.unavailable, worst.doubled), (10, 0), "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_surge_of_a_hundred_nodes_keeps_to_max_surge_and_makes_use_of_it() {
    let budget = json!({ "maxUnavailable": 0, "maxSurge": "10%" });
    let worst = rollout_on_a_hundred("surge-100", budget).await;
    assert_eq!(worst.unavailable, 0, "{worst:?}");
    // The scheduler binds one pod after another: the first may be ready before the last is bound.
    assert!((6..=10).contains(&worst.doubled), "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_rolls_back_and_restarts() {
    let (lab, _controller) = lab("undo", json!({ "maxUnavailable": 5 })).await;
    let first = "registry.example/agent:1";
    set_image(&lab, "agent:2").await;
    until_rolled_out(&lab, "agent:2").await;
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    until_rolled_out(&lab, first).await;
    let numbers: Vec<i64> = lab
        .revisions()
        .await
        .iter()
        .filter_map(|r| r.revision)
        .collect();
    assert_eq!(
        numbers,
        [2, 3],
        "the first revision again, with a higher number"
    );
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent", "--to-revision=2"])
        .await;
    until_rolled_out(&lab, "agent:2").await;
    let history = lab
        .kubectl_ok(&["rollout", "history", "daemonset/agent"])
        .await;
    assert!(
        history.contains("\n3 ") && history.contains("\n4 "),
        "{history}"
    );

    let before: BTreeSet<Option<String>> = lab
        .pods()
        .await
        .into_iter()
        .map(|p| p.metadata.uid)
        .collect();
    lab.kubectl_ok(&["rollout", "restart", "daemonset/agent"])
        .await;
    until_rolled_out(&lab, "agent:2").await;
    let after: BTreeSet<Option<String>> = lab
        .pods()
        .await
        .into_iter()
        .map(|p| p.metadata.uid)
        .collect();
    assert!(before.is_disjoint(&after), "every pod is a new one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_whose_pods_never_become_ready_stops_at_the_budget_and_goes_on_when_mended() {
    let (lab, _controller) = lab("stuck-rollout", json!({ "maxUnavailable": 2 })).await;
    let judge = Judge::start(&lab, NODES).await;
    let never = |ready: &str| {
        let note = json!({ "sim.daemonset-controller.io/ready-after": ready });
        json!({ "spec": { "template": { "metadata": { "annotations": note } } } })
    };
    lab.patch("agent", &never("never")).await;
    lab.until("two new pods, and no more", SOON, async || {
        let status = lab.status("agent").await?;
        same(
            (status.updated_number_scheduled, status.number_available),
            (Some(2), Some(NODES as i32 - 2)),
        )
    })
    .await;
    lab.patch("agent", &never("100ms")).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let worst = judge.finish(NODES * 5).await;
    assert_eq!(worst.unavailable, 2, "{worst:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_delete_replaces_only_what_somebody_deletes() {
    let (lab, _controller) = lab("on-delete", json!({})).await;
    let strategy =
        json!({ "spec": { "updateStrategy": { "type": "OnDelete", "rollingUpdate": null } } });
    lab.patch("agent", &strategy).await;
    set_image(&lab, "agent:2").await;
    let pod = lab.pods().await.remove(0);
    lab.kubectl_ok(&["delete", "pod", crate::cluster::name_of(&pod)])
        .await;
    lab.until("one pod of the new image", SOON, async || {
        let status = lab.status("agent").await?;
        same(
            (status.updated_number_scheduled, status.number_available),
            (Some(1), Some(NODES as i32)),
        )
    })
    .await;
    assert_eq!(images(&lab).await.len(), 2);
    // From here on it rolls out.
    lab.patch(
        "agent",
        &json!({ "spec": { "updateStrategy": { "type": "RollingUpdate" } } }),
    )
    .await;
    until_rolled_out(&lab, "agent:2").await;
}
