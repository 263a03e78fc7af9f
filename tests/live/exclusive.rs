//! `exclusive`: what a real API server says of scheduling gates, and a roll of twelve nodes by two
//! controllers at once, beside the same without the key.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, name_of};
use crate::control_plane::{ControlPlane, Options};
use crate::controller::Launch;
use crate::referee::Referee;
use crate::rollout::set_image;
use crate::validation::{call, send};

const GATE: &str = "daemonset-controller.io/exclusive";
const NODES: usize = 12;
const USERS: [&str; 2] = ["controller", "controller-b"];

fn gated(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": {
            "schedulingGates": [{ "name": "example.com/other" }, { "name": GATE }],
            "containers": [{ "name": "c", "image": "none" }],
        },
    })
}

async fn patch(client: &kube::Client, path: &str, body: &Value) -> (u16, Value) {
    let content_type = "application/strategic-merge-patch+json";
    send(client, Method::PATCH, path, content_type, body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_keeps_gated_pods_from_running() {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    let plane = ControlPlane::start("exclusive-api", options).await;
    let client = plane.client("admin").await;
    let said = |body: &Value| body["message"].as_str().unwrap_or("").to_owned();

    // A pod with a node cannot be gated.
    let mut placed = gated("placed");
    placed["spec"]["nodeName"] = json!("n");
    let (code, body) = call(&client, Method::POST, PODS, &placed).await;
    println!("with a node: {code} {}", said(&body));
    assert_eq!(code, 422, "{body}");

    let (code, pod) = call(&client, Method::POST, PODS, &gated("a")).await;
    assert_eq!(code, 201, "{pod}");
    let condition = &pod["status"]["conditions"][0];
    assert_eq!(condition["reason"], "SchedulingGated", "{pod}");

    // It cannot be bound.
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "a" },
        "target": { "apiVersion": "v1", "kind": "Node", "name": "n" },
    });
    let bind = format!("{PODS}/a/binding");
    let (code, body) = call(&client, Method::POST, &bind, &binding).await;
    println!("bound: {code} {}", said(&body));
    assert_eq!(code, 409, "{body}");

    // A gate goes by its name, in the version that was seen; other gates stay, and none is added.
    let path = format!("{PODS}/a");
    let without = |version: &Value, uid: &Value| {
        json!({
            "metadata": { "uid": uid, "resourceVersion": version },
            "spec": { "schedulingGates": [{ "$patch": "delete", "name": GATE }] },
        })
    };
    let uid = pod["metadata"]["uid"].clone();
    let version = pod["metadata"]["resourceVersion"].clone();
    let (code, body) = patch(&client, &path, &without(&json!("1"), &uid)).await;
    println!("another version: {code} {}", said(&body));
    assert_eq!(code, 409, "{body}");
    let (code, body) = patch(&client, &path, &without(&version, &json!("other"))).await;
    println!("another UID: {code} {}", said(&body));
    assert!([409, 422].contains(&code), "{body}");
    let (code, body) = patch(&client, &path, &without(&version, &uid)).await;
    assert_eq!(code, 200, "{body}");
    let left = &body["spec"]["schedulingGates"];
    assert_eq!(*left, json!([{ "name": "example.com/other" }]));
    let again = json!({ "spec": { "schedulingGates": [{ "name": GATE }] } });
    let (code, body) = patch(&client, &path, &again).await;
    println!("added again: {code} {}", said(&body));
    assert_eq!(code, 422, "{body}");

    // One that is deleted is gone at once; with a finalizer it stays, and can lose its gate, but in
    // another version.
    let (_, pod) = call(&client, Method::POST, PODS, &gated("b")).await;
    let preconditions = |pod: &Value| {
        let metadata = &pod["metadata"];
        json!({ "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {
            "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"] } })
    };
    let path = format!("{PODS}/b");
    let (code, _) = call(&client, Method::DELETE, &path, &preconditions(&pod)).await;
    assert_eq!(code, 200);
    let (code, _) = call(&client, Method::GET, &path, &Value::Null).await;
    assert_eq!(code, 404);
    let mut kept = gated("c");
    kept["metadata"]["finalizers"] = json!(["example.com/keep"]);
    let (_, pod) = call(&client, Method::POST, PODS, &kept).await;
    let path = format!("{PODS}/c");
    let (code, _) = call(&client, Method::DELETE, &path, &preconditions(&pod)).await;
    assert_eq!(code, 200);
    let metadata = &pod["metadata"];
    let body = without(&metadata["resourceVersion"], &metadata["uid"]);
    let (code, body) = patch(&client, &path, &body).await;
    println!("after its delete: {code} {}", said(&body));
    assert_eq!(code, 409, "{body}");
}

/// What a roll cost.
#[derive(Debug)]
struct Cost {
    time: Duration,
    /// The requests of both controllers by kind.
    requests: BTreeMap<String, usize>,
}

/// A roll of all nodes, two at a time, by two controllers at once.
async fn roll(name: &str, key: bool) -> Cost {
    let mut lab = Lab::alone(name).await;
    lab.add_nodes(1..=NODES).await;
    let _running = USERS.map(|user| Launch::new(&lab).user(user).start());
    let mut set = lab.daemon_set("agent");
    if key {
        set["metadata"]["annotations"] = json!({ GATE: "true" });
    }
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 2 } });
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/ready-after": "300ms" });
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let counts = |lab: &Lab| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for user in USERS {
            for entry in lab.plane.audit(user) {
                let of_pods = entry.object_ref.resource == "pods" && entry.verb != "watch";
                if of_pods {
                    let code = entry.response_status.code;
                    *counts
                        .entry(format!("{} {code}", entry.kind()))
                        .or_default() += 1;
                }
            }
        }
        counts
    };
    let before = counts(&lab);
    let begun = Instant::now();
    set_image(&lab, "agent:2").await;
    let said = lab
        .kubectl_ok(&["rollout", "status", "daemonset/agent", "--timeout=120s"])
        .await;
    assert!(said.ends_with("successfully rolled out\n"), "{said}");
    let time = begun.elapsed();
    lab.until_covered("agent", NODES as i32, SOON).await;
    let mut requests = counts(&lab);
    for (kind, count) in &mut requests {
        *count -= before.get(kind).copied().unwrap_or(0);
    }
    requests.retain(|_, count| *count > 0);
    for pod in lab.pods().await {
        let gates = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.scheduling_gates.clone());
        assert!(
            gates.is_none_or(|gates| gates.is_empty()),
            "{}",
            name_of(&pod)
        );
    }
    referee.finish().await.expect_clean(NODES * 5);
    Cost { time, requests }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_controllers_roll_twelve_nodes_and_it_costs_a_read_a_batch_and_a_patch_a_pod() {
    let without = roll("exclusive-without", false).await;
    let with = roll("exclusive-with", true).await;
    println!("without: {without:?}\nwith: {with:?}");
    let count = |cost: &Cost, kind: &str| cost.requests.get(kind).copied().unwrap_or(0);
    assert_eq!(count(&without, "patch pods 200"), 0);
    assert_eq!(
        count(&with, "patch pods 200"),
        NODES,
        "each loses its gate once"
    );
    assert_eq!(count(&with, "create pods 201"), NODES, "{with:?}");
    assert!(with.time < without.time * 3 + Duration::from_secs(5));
}
