//! `replace-by: eviction` on a real API server with the real disruption controller: which
//! disruption budgets hold back which nodes, and what can never work.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::budget::Judge;
use crate::cluster::{Lab, SOON, name_of, node_of, same};
use crate::controller::{Controller, built_in};

const NODES: usize = 4;
/// A refused eviction is tried again after five minutes at most.
const LATER: Duration = Duration::from_secs(400);

async fn cluster(name: &str) -> (Lab, Controller) {
    let mut lab = Lab::alone(name).await;
    lab.add_nodes(1..=NODES).await;
    let ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["metadata"]["annotations"] = json!({ "daemonset-controller.io/replace-by": "eviction" });
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    (lab, ours)
}

/// A budget for the pods with this label, with the counts of the disruption controller.
async fn budget(lab: &Lab, name: &str, (key, value): (&str, &str), spec: Value, reason: &str) {
    let mut spec = spec;
    spec["selector"] = json!({ "matchLabels": { key: value } });
    let budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "name": name, "namespace": lab.namespace }, "spec": spec });
    lab.apply(&budget.to_string()).await;
    let path = "jsonpath={.status.conditions[0].reason}";
    let get = ["get", "poddisruptionbudget", name, "-o", path];
    lab.until("the budget was looked at", SOON, async || {
        same(lab.kubectl_ok(&get).await.trim(), reason)
    })
    .await;
}

async fn set_image(lab: &Lab, image: &str) {
    let container = json!([{ "name": "c", "image": image }]);
    let patch = json!({ "spec": { "template": { "spec": { "containers": container } } } });
    lab.patch("agent", &patch).await;
}

/// The nodes with a pod of this image.
async fn nodes_of(lab: &Lab, image: &str) -> BTreeSet<String> {
    let pods = lab.pods().await.into_iter();
    let of = pods.filter(|pod| {
        let containers = pod.spec.as_ref().map(|spec| &spec.containers[0]);
        containers.and_then(|c| c.image.as_deref()) == Some(image)
    });
    of.map(|pod| node_of(&pod)).collect()
}

async fn until_on(lab: &Lab, image: &str, nodes: &BTreeSet<String>, limit: Duration) {
    lab.until(&format!("{image} is on {nodes:?}"), limit, async || {
        let status = lab.get("agent").await.status.unwrap_or_default();
        let ready = usize::try_from(status.number_ready).unwrap_or(0);
        same((nodes_of(lab, image).await, ready), (nodes.clone(), NODES))
    })
    .await;
}

async fn until_stalled(lab: &Lab, wanted: Option<&str>, limit: Duration) {
    lab.until(&format!("stalled: {wanted:?}"), limit, async || {
        let status = lab.get("agent").await.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let stalled = conditions
            .into_iter()
            .find(|c| c.type_.as_deref() == Some("Stalled"));
        let reason = stalled.and_then(|c| c.reason);
        same(reason.as_deref(), wanted)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_of_a_whole_number_holds_back_its_node_and_is_lifted() {
    if built_in() {
        return; // it does not know the key
    }
    let (lab, mut ours) = cluster("eviction").await;
    let pods = lab.pods().await;
    let (guarded, node) = (name_of(&pods[0]).to_owned(), node_of(&pods[0]));
    lab.kubectl_ok(&["label", "pod", &guarded, "guard=yes"])
        .await;
    let one = json!({ "minAvailable": 1 });
    budget(&lab, "guard", ("guard", "yes"), one, "InsufficientPods").await;
    let judge = Judge::start(&lab, NODES).await;

    set_image(&lab, "agent:2").await;
    let all: BTreeSet<String> = (1..=NODES).map(|n| lab.node_name(n)).collect();
    let mut others = all.clone();
    others.remove(&node);
    until_on(&lab, "agent:2", &others, SOON).await;
    let events = lab.events("EvictionRefused").await;
    let messages: Vec<String> = events.into_iter().filter_map(|e| e.message).collect();
    let said = format!(
        "Eviction of pod {guarded} on node {node} refused: The disruption budget guard needs 1 \
         healthy pods and has 1 currently"
    );
    assert_eq!(messages, [said]);
    until_stalled(&lab, None, SOON).await;

    lab.kubectl_ok(&["delete", "poddisruptionbudget", "guard"])
        .await;
    until_on(&lab, "agent:2", &all, LATER).await;

    // One for all, of one less than there are nodes: one at a time, and it never ends to work.
    let three = json!({ "minAvailable": NODES - 1 });
    budget(&lab, "all", ("app", "agent"), three, "SufficientPods").await;
    set_image(&lab, "agent:3").await;
    until_on(&lab, "agent:3", &all, LATER).await;
    assert_eq!(judge.finish(NODES).await.unavailable, 1);
    let requests = lab.plane.audit("controller").into_iter();
    let deletes = requests.filter(|entry| entry.kind() == "delete pods");
    assert_eq!(deletes.count(), 0, "all of it went by eviction");
    ours.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_work_is_said_and_the_rollout_completes_when_it_is_gone() {
    if built_in() {
        return;
    }
    let (lab, mut ours) = cluster("unusable").await;
    let agent = ("app", "agent");
    let all: BTreeSet<String> = (1..=NODES).map(|n| lab.node_name(n)).collect();
    let unusable = Some("DisruptionBudgetUnusable");
    for (number, spec) in [
        json!({ "maxUnavailable": 1 }),
        json!({ "minAvailable": "10%" }),
    ]
    .into_iter()
    .enumerate()
    {
        budget(&lab, "agent", agent, spec, "SyncFailed").await;
        let image = format!("agent:{}", number + 2);
        set_image(&lab, &image).await;
        until_stalled(&lab, unusable, SOON).await;
        let said = lab.get("agent").await.status.unwrap_or_default();
        let said = serde_json::to_string(&said.conditions).expect("conditions");
        assert!(
            said.contains("daemonsets.apps does not implement the scale subresource"),
            "{said}"
        );
        assert_eq!(nodes_of(&lab, &image).await, BTreeSet::new());
        lab.kubectl_ok(&["delete", "poddisruptionbudget", "agent"])
            .await;
        until_on(&lab, &image, &all, LATER).await;
        until_stalled(&lab, None, SOON).await;
    }
    // Two that could each work alone.
    for name in ["a", "b"] {
        let one = json!({ "minAvailable": 1 });
        budget(&lab, name, agent, one, "SufficientPods").await;
    }
    set_image(&lab, "agent:4").await;
    until_stalled(&lab, unusable, SOON).await;
    lab.kubectl_ok(&["delete", "poddisruptionbudget", "a"])
        .await;
    until_on(&lab, "agent:4", &all, LATER).await;
    ours.expect_running();
}
