//! `exclusive`: pods are created with a gate, which goes when a later read has shown that nothing
//! else may run on the node. What is late stays gated and goes.

use std::time::Duration;

use daemonset_controller::sim::api::late::{Late, Told};
use daemonset_controller::sim::api::resource::PODS;
use daemonset_controller::sim::promises::Violation;
use serde_json::{Value, json};

use super::late_writes::{Search, history};
use super::rollout::*;
use super::world::*;

/// The gate, by its name.
pub const GATE: &str = "daemonset-controller.io/exclusive";

/// So many nodes with pods, and the key.
pub async fn exclusive(nodes: usize, strategy: Value) -> (World, Controller) {
    let server = seeded(1);
    (0..nodes).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
    let mut web = daemon_set("default", "web");
    web["metadata"]["annotations"] = json!({ GATE: "true" });
    web["spec"]["updateStrategy"] = strategy;
    server.add("daemonsets", web);
    server.kubelet();
    let running = start(&server, "a");
    seconds(5).await;
    (server, running)
}

/// The pods that have the gate.
pub fn gated(server: &World) -> Vec<String> {
    let is_gated = |pod: &Value| {
        let gates = pod["spec"]["schedulingGates"].as_array();
        gates.is_some_and(|gates| gates.iter().any(|g| g["name"] == GATE))
    };
    let pods = server.all("pods").into_iter().filter(is_gated);
    pods.map(|p| p["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// All violations so far.
pub fn broken(server: &World) -> Vec<Violation> {
    let names: Vec<&str> = server.controllers.borrow().iter().copied().collect();
    server.cluster.borrow().violations(&names)
}

/// Reads of all pods of the DaemonSet that are consistent: not those of the watch's start.
fn reads(server: &World, since: usize) -> Vec<Entry> {
    server.requests(|c| {
        c.number >= since
            && c.is("GET", "/pods")
            && c.query.contains("labelSelector")
            && !c.query.contains("resourceVersion")
            && !c.query.contains("watch")
    })
}

fn patches(server: &World, since: usize) -> Vec<Entry> {
    let is_it = |c: &Entry| {
        c.number >= since && &*c.client == "a" && c.method == "PATCH" && c.path.contains("/pods/")
    };
    server.requests(is_it)
}

#[tokio::test(start_paused = true)]
async fn pods_are_created_with_the_gate_and_lose_it_after_one_read() {
    let (server, running) = exclusive(3, rolling(1, 0)).await;
    let posts = server.posts();
    assert_eq!(posts.len(), 3);
    for post in &posts {
        let body: Value = serde_json::from_slice(&post.body).expect("a pod");
        assert_eq!(body["spec"]["schedulingGates"], json!([{"name": GATE}]));
    }
    let (reads, patches) = (reads(&server, 0), patches(&server, 0));
    assert_eq!((reads.len(), patches.len()), (1, 3));
    let last = posts.iter().map(|p| p.number).max().expect("a create");
    assert!(reads[0].number > last, "the read is later than the creates");
    assert!(patches.iter().all(|p| p.number > reads[0].number));
    server.assert_covered(3);
    assert_eq!(gated(&server), [""; 0]);
    server.at_rest().await;
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn without_the_key_there_is_no_gate_and_no_request_more() {
    let (server, _running) = covered(3, rolling(1, 0)).await;
    assert_eq!(reads(&server, 0).len() + patches(&server, 0).len(), 0);
    for post in server.posts() {
        let body: Value = serde_json::from_slice(&post.body).expect("a pod");
        assert!(body["spec"]["schedulingGates"].is_null());
    }
}

#[tokio::test(start_paused = true)]
async fn a_roll_replaces_each_pod_once_and_costs_a_read_for_each_batch() {
    let (server, running) = exclusive(4, rolling(2, 0)).await;
    let (begun, pods) = (server.requests_so_far(), server.pods_ever());
    change_to(&server, "2", "500ms");
    seconds(40).await;
    assert_rolled(&server, 4, "2");
    assert_eq!(server.pods_ever(), pods + 4);
    assert_eq!(patches(&server, begun).len(), 4, "one for each pod");
    let reads = reads(&server, begun).len();
    assert!((2..=4).contains(&reads), "{reads}");
    assert!(broken(&server).is_empty());
    server.at_rest().await;
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_create_that_is_late_stays_gated_and_is_deleted() {
    let (server, running) = exclusive(1, rolling(1, 0)).await;
    let late = Late {
        told: Told::Cut(Duration::ZERO),
        ..Late::on_the_way(Duration::from_secs(60))
    };
    server.rule(
        1,
        |c: &Entry| c.is("POST", "/pods"),
        Act::TakeEffectLate(late),
    );
    let first = server.posts()[0].body.clone();
    let first: Value = serde_json::from_slice(&first).expect("a pod");
    let first = first["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    seconds(20).await;
    server.assert_covered(1);
    // The name of the late one becomes free again.
    let live = server.all("pods").into_iter().find(is_live).expect("a pod");
    let second = live["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    server.edit("pods", &second, json!({"status": ready("Failed")}));
    seconds(60).await;
    assert!(broken(&server).is_empty(), "{:?}", broken(&server));
    server.assert_covered(1);
    assert_eq!(gated(&server), [""; 0]);
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_controller_half_a_second_behind_starts_no_second_pod() {
    let (server, _running) = exclusive(1, rolling(1, 0)).await;
    let _other = start(&server, "b");
    seconds(5).await;
    server.gate("b", &PODS, Some(Gate::Lag(Duration::from_millis(500))));
    seconds(5).await;
    for _ in 0..6 {
        if let Some(pod) = server.all("pods").into_iter().find(is_live) {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            server.edit("pods", name, json!({"status": ready("Failed")}));
            server.ask_to_delete("pods", name);
        }
        millis(130).await;
    }
    seconds(30).await;
    assert!(broken(&server).is_empty(), "{:?}", broken(&server));
    server.assert_covered(1);
}

#[tokio::test(start_paused = true)]
async fn a_gated_pod_waits_for_one_that_terminates() {
    let (server, running) = exclusive(1, rolling(1, 0)).await;
    let old = server.all("pods").remove(0);
    let name = old["metadata"]["name"].as_str().expect("a name");
    // Somebody else creates a gated pod beside it, and it terminates slowly.
    script(&server, "n0", "terminate-after", json!("20s"));
    server.ask_to_delete("pods", name);
    let mut other = old.clone();
    other["metadata"] = json!({
        "name": "web-late", "namespace": "default", "labels": old["metadata"]["labels"],
        "ownerReferences": old["metadata"]["ownerReferences"],
    });
    other["status"] = Value::Null;
    other["spec"]["nodeName"] = Value::Null;
    other["spec"]["schedulingGates"] = json!([{"name": GATE}]);
    server.add("pods", other);
    seconds(2).await;
    let is_there = |name: &str| !server.get("pods", name).is_null();
    if is_there(name) {
        assert_eq!(gated(&server), ["web-late"]);
    }
    seconds(60).await;
    assert!(!is_there(name));
    assert_eq!(gated(&server), [""; 0]);
    server.assert_covered(1);
    assert!(broken(&server).is_empty(), "{:?}", broken(&server));
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn gates_of_the_template_stay_and_are_somebody_elses() {
    let (server, running) = exclusive(1, rolling(1, 0)).await;
    let gates = json!([{"name": "example.com/wait"}]);
    respec(
        &server,
        json!({"template": {"spec": {"schedulingGates": gates}}}),
    );
    seconds(20).await;
    let pod = server.all("pods").into_iter().find(is_live).expect("a pod");
    assert_eq!(pod["spec"]["schedulingGates"], gates);
    assert_eq!(pod["spec"]["nodeName"], Value::Null);
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn surging_contradicts_it_and_the_rollout_is_held_while_upkeep_goes_on() {
    let (server, running) = exclusive(2, rolling(0, 1)).await;
    server.assert_covered(2);
    let pods = server.pods_ever();
    change(&server, "2");
    seconds(20).await;
    assert_eq!(server.pods_ever(), pods, "nothing is replaced");
    let told = server.events("InvalidAnnotation");
    assert!(told.iter().any(|e| e.contains("maxSurge: 0")), "{told:?}");
    let name = server.all("pods")[0]["metadata"]["name"].clone();
    server.ask_to_delete("pods", name.as_str().expect("a name"));
    seconds(20).await;
    server.assert_covered(2);
    assert!(server.pods_ever() > pods);
    assert!(broken(&server).is_empty());
    respec(&server, json!({"updateStrategy": rolling(1, 0)}));
    seconds(40).await;
    assert_rolled(&server, 2, "2");
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn gated_pods_lose_their_gate_when_the_key_goes() {
    let (server, running) = exclusive(2, rolling(1, 0)).await;
    running.kill();
    for pod in server.all("pods") {
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        server.edit("pods", &name, json!({"status": ready("Failed")}));
    }
    // It dies after the creates.
    let is_ungate = |c: &Entry| c.method == "PATCH" && c.path.contains("/pods/");
    server.rule(100, is_ungate, Act::Fail);
    let running = start(&server, "a");
    seconds(5).await;
    running.kill();
    assert_eq!(gated(&server).len(), 2);
    server.clear_rules();
    set_key(&server, "exclusive", Value::Null);
    let _running = start(&server, "a");
    seconds(20).await;
    assert_eq!(gated(&server), [""; 0]);
    server.assert_covered(2);
}

/// What the search without the key finds at once, it does not find with it.
#[tokio::test(start_paused = true)]
async fn late_writes_of_minutes_start_no_second_pod() {
    let mut with_late_creates = 0;
    for seed in seeds("0-6") {
        let search = Search {
            exclusive: true,
            ..Search::of(seed)
        };
        let outcome = history(search).await;
        let seen: Vec<String> = outcome.doubles.iter().map(|(_, v)| v.to_string()).collect();
        assert!(seen.is_empty(), "seed {seed}: {seen:?}");
        assert!(outcome.others.is_empty(), "{seed}: {:?}", outcome.others);
        with_late_creates += usize::from(outcome.unanswered > 0);
    }
    let all = seeds("0-6").count();
    assert!(
        with_late_creates * 2 > all,
        "{with_late_creates} of {all} histories had a late create"
    );
}
