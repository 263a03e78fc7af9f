//! The harness itself, tried with the built-in controller: a failure here is one of the harness,
//! not of our controller.

use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, name_of};
use crate::control_plane::BUILT_IN;
use crate::referee::Referee;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_built_in_controller_covers_five_nodes() {
    let mut lab = Lab::alone("rig").await;
    lab.add_nodes(1..=5).await;
    let _built_in = lab.plane.start_built_in();
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    lab.create(&lab.daemon_set("agent")).await;
    let rollout = lab
        .kubectl_ok(&["rollout", "status", "daemonset/agent", "--timeout=60s"])
        .await;
    assert!(rollout.contains("successfully rolled out"), "{rollout}");
    lab.until_covered("agent", 5, SOON).await;

    // A pod deleted by hand goes through its end and is replaced, and the referee finds nothing
    // wrong.
    let before = lab.pods().await;
    assert_eq!(before.len(), 5);
    lab.kubectl_ok(&[
        "delete",
        "pod",
        name_of(&before[0]),
        "--wait=true",
        "--timeout=60s",
    ])
    .await;
    lab.until_covered("agent", 5, SOON).await;
    referee.finish().await.expect_clean(5 * 3 + 4);

    // The audit log knows who did it.
    let writes = crate::audit::count_writes(&lab.plane.audit(BUILT_IN));
    assert_eq!(writes.get("create pods"), Some(&6), "{writes:?}");

    // And the garbage collector cleans up.
    lab.kubectl_ok(&["delete", "daemonset", "agent"]).await;
    let marker = 1; // the referee's last pod
    lab.until_pods(marker, SOON).await;
    lab.plane.kill_api_server();
    lab.plane.start_api_server().await;
    assert_eq!(
        lab.kubectl_ok(&["get", "daemonsets", "-o", "name"]).await,
        ""
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_referee_sees_a_second_pod_on_a_node() {
    let mut lab = Lab::shared("rig-referee").await;
    lab.add_nodes(1..=1).await;
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    // Two pods with one controller, made by hand: the first bound, the second only pinned, for a
    // moment.
    let pod = |name: &str, place: serde_json::Value| {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": true,
                "uid": "11111111-2222-3333-4444-555555555555" }] },
            "spec": { "containers": [{ "name": "c", "image": "registry.example/agent:1" }] },
        });
        for (key, value) in place.as_object().expect("an object") {
            pod["spec"][key] = value.clone();
        }
        serde_json::from_value(pod).expect("a pod")
    };
    let node = lab.node_name(1);
    let pinned = json!({ "schedulerName": "nobody", "affinity": { "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchFields": [{ "key": "metadata.name", "operator": "In", "values": [node] }] }] } } } });
    let pods = lab.pod_api();
    pods.create(
        &PostParams::default(),
        &pod("one", json!({ "nodeName": node })),
    )
    .await
    .expect("a pod");
    pods.create(&PostParams::default(), &pod("two", pinned))
        .await
        .expect("a pod");
    pods.delete("two", &DeleteParams::default().grace_period(0))
        .await
        .expect("the pod goes");
    let verdict = referee.finish().await;
    let first = verdict.violations.first().expect("the referee saw it");
    assert_eq!(first.pods, ["one", "two"]);
    assert_eq!(first.node, node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubelets_do_what_annotations_say() {
    let mut lab = Lab::shared("rig-kubelets").await;
    let special = lab
        .node(2)
        .annotation("sim.daemonset-controller.io/ready-after", "never");
    lab.register(vec![lab.node(1), special]).await;
    let script = |name: &str, node: usize, key: &str, value: &str| {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "annotations": { format!("sim.daemonset-controller.io/{key}"): value } },
            "spec": { "nodeName": lab.node_name(node), "containers": [{ "name": "c", "image": "none" }] },
        });
        serde_json::from_value(pod).expect("a pod")
    };
    let pods = lab.pod_api();
    for (name, node, key, value) in [
        ("fails", 1, "fail-after", "100ms"),
        ("finishes", 1, "succeed-after", "100ms"),
        ("waits", 1, "start-after", "never"),
        ("lingers", 1, "terminate-after", "never"),
        ("never-ready", 2, "note", "the node's annotation holds"),
    ] {
        pods.create(&PostParams::default(), &script(name, node, key, value))
            .await
            .expect("a pod");
    }
    let phases = "jsonpath={range .items[*]}{.metadata.name}={.status.phase}/\
                  {.status.conditions[?(@.type==\"Ready\")].status} {end}";
    lab.until("each pod is where its script leads", SOON, async || {
        let seen = lab.kubectl_ok(&["get", "pods", "-o", phases]).await;
        let wanted = "fails=Failed/False finishes=Succeeded/False lingers=Running/True never-ready=Running/False \
                      waits=Pending/ ";
        crate::cluster::same(seen.as_str(), wanted)
    })
    .await;
    lab.kubectl_ok(&["delete", "pods", "--all", "--wait=false"])
        .await;
    lab.until("only the one that lingers is left", SOON, async || {
        let names: Vec<String> = lab
            .pods()
            .await
            .iter()
            .map(|pod| name_of(pod).to_owned())
            .collect();
        crate::cluster::same(names, vec!["lingers".to_owned()])
    })
    .await;
}
