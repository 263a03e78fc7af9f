//! `resources` on a cluster that lives: pods get what their node's class has, a changed rule
//! resizes them in place, whatever dies in between, and nothing is restarted.

use std::collections::BTreeMap;

use daemonset_controller::sim::api::{Act, ApiStatus, Entry};
use daemonset_controller::sim::cluster::Controller;
use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

const MARK: &str = "daemonset-controller.io/resources";

/// Nodes of the pool get so much memory.
fn rules(memory: &str) -> String {
    format!(
        r#"[{{"nodes":"pool=edge","containers":{{"c":{{"limits":{{"memory":"{memory}"}}}}}}}}]"#
    )
}

fn label(server: &World, node: &str, pool: Value) {
    let labels = json!({"metadata": {"labels": {"pool": pool}}});
    server.edit("nodes", node, labels);
}

/// Four nodes with pods, two of them of the pool, and a controller that serves them.
async fn served() -> (World, Controller) {
    let (server, running) = covered(4, rolling(1, 0)).await;
    let resources =
        json!({"requests": {"cpu": "10m", "memory": "10Mi"}, "limits": {"memory": "400Mi"}});
    let container = json!([{"name": "c", "image": "i", "resources": resources}]);
    respec(
        &server,
        json!({"template": {"spec": {"containers": container}}}),
    );
    seconds(60).await;
    for node in ["n0", "n1"] {
        label(&server, node, json!("edge"));
    }
    seconds(5).await;
    (server, running)
}

/// Node to the pod's UID, its limit of memory, and that of its mark.
fn pods(server: &World) -> BTreeMap<String, (String, String, String)> {
    let all = server.all("pods").into_iter();
    let of = |pod: Value| {
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let limit = text(&pod["spec"]["containers"][0]["resources"]["limits"]["memory"]);
        let mark = text(&pod["metadata"]["annotations"][MARK]);
        let marked: Value = serde_json::from_str(&mark).unwrap_or_default();
        let marked = text(&marked["c"]["limits"]["memory"]);
        (
            target(&pod).to_owned(),
            (text(&pod["metadata"]["uid"]), limit, marked),
        )
    };
    all.map(of).collect()
}

/// Node, limit and mark.
fn limits(server: &World) -> Vec<String> {
    let all = pods(server).into_iter();
    all.map(|(node, (_, limit, mark))| format!("{node} {limit} {mark}").trim_end().to_owned())
        .collect()
}

fn uids(server: &World) -> Vec<String> {
    pods(server).into_values().map(|(uid, ..)| uid).collect()
}

fn resizes(c: &Entry) -> bool {
    c.is("PATCH", "/resize")
}

#[tokio::test(start_paused = true)]
async fn a_changed_rule_resizes_pods_and_restarts_none() {
    let (server, running) = served().await;
    let before = uids(&server);
    set_key(&server, "resources", rules("200Mi"));
    seconds(5).await;
    let edge = ["n0 200Mi 200Mi", "n1 200Mi 200Mi", "n2 400Mi", "n3 400Mi"];
    assert_eq!(limits(&server), edge);
    set_key(&server, "resources", rules("300Mi"));
    seconds(5).await;
    assert_eq!(limits(&server)[..2], ["n0 300Mi 300Mi", "n1 300Mi 300Mi"]);
    // A node of another class.
    label(&server, "n0", Value::Null);
    label(&server, "n3", json!("edge"));
    seconds(5).await;
    let moved = ["n0 400Mi", "n1 300Mi 300Mi", "n2 400Mi", "n3 300Mi 300Mi"];
    assert_eq!(limits(&server), moved);
    assert_eq!(uids(&server), before, "the same pods");
    assert_eq!(server.requests(resizes).len(), 6);
    // A node that joins has it from the start.
    let mut fresh = node("n9");
    fresh["metadata"]["labels"]["pool"] = json!("edge");
    server.add("nodes", fresh);
    seconds(30).await;
    assert_eq!(limits(&server)[4], "n9 300Mi 300Mi");
    // While the rollout is held nothing changes.
    set_key(&server, "hold", "rollout");
    set_key(&server, "resources", rules("350Mi"));
    seconds(30).await;
    assert_eq!(limits(&server)[1], "n1 300Mi 300Mi");
    set_key(&server, "hold", Value::Null);
    seconds(5).await;
    assert_eq!(limits(&server)[1], "n1 350Mi 350Mi");
    // Without the key nobody touches them.
    let resized = server.requests(resizes).len();
    set_key(&server, "resources", Value::Null);
    seconds(60).await;
    assert_eq!(server.requests(resizes).len(), resized);
    assert_eq!(limits(&server)[1], "n1 350Mi 350Mi");
    server.at_rest().await;
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_dies_between_the_two_patches_is_followed_by_one_that_does_both() {
    let (server, running) = served().await;
    let before = uids(&server);
    // Only the first patch of each pod is carried out.
    let marks = |c: &Entry| c.is_for("PATCH", "pods") && !resizes(c);
    server.rule(usize::MAX, marks, Act::Hang);
    set_key(&server, "resources", rules("200Mi"));
    seconds(5).await;
    assert_eq!(limits(&server)[0], "n0 200Mi");
    running.kill();
    server.clear_rules();
    let again = start(&server, "b");
    seconds(30).await;
    assert_eq!(limits(&server)[..2], ["n0 200Mi 200Mi", "n1 200Mi 200Mi"]);
    assert_eq!(uids(&server), before);
    server.at_rest().await;
    assert!(again.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_refused_resize_is_told_and_disturbs_nothing_else() {
    let (server, running) = served().await;
    let refusal = ApiStatus::new(
        403,
        "Forbidden",
        "pods \"x\" is forbidden: node didn't have enough",
    );
    server.rule(usize::MAX, resizes, Act::Refuse(refusal));
    set_key(&server, "resources", rules("200Mi"));
    seconds(60).await;
    // Six waits of 1 to 32 seconds, for two pods.
    let tries = server.requests(resizes).len();
    assert!((10..=14).contains(&tries), "{tries}");
    assert!(
        server
            .all("events")
            .iter()
            .any(|e| e["reason"] == "FailedResize")
    );
    // A rollout goes on meanwhile, and its pods have the class.
    change(&server, "2");
    seconds(120).await;
    assert_rolled(&server, 4, "2");
    assert_eq!(limits(&server)[..2], ["n0 200Mi 200Mi", "n1 200Mi 200Mi"]);
    server.clear_rules();
    server.at_rest().await;
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_without_resizes_is_asked_once_for_all() {
    let (server, running) = served().await;
    let words = "the server could not find the requested resource";
    let unknown = ApiStatus::new(404, "NotFound", words);
    server.rule(usize::MAX, resizes, Act::Refuse(unknown));
    set_key(&server, "resources", rules("200Mi"));
    seconds(60).await;
    let tries = server.requests(resizes).len();
    assert!((5..=8).contains(&tries), "{tries}");
    assert_eq!(limits(&server)[0], "n0 400Mi");
    // An agent that goes comes back with what its class has.
    let name = pods(&server);
    let gone = server.all("pods").into_iter().find(|p| target(p) == "n0");
    let gone = gone.expect("a pod");
    server.ask_to_delete("pods", gone["metadata"]["name"].as_str().expect("a name"));
    seconds(60).await;
    assert_eq!(limits(&server)[0], "n0 200Mi 200Mi");
    assert_ne!(pods(&server)["n0"].0, name["n0"].0);
    assert!(running.is_running());
}

#[tokio::test(start_paused = true)]
async fn a_class_whose_pods_are_refused_keeps_no_other_node_from_its_pod() {
    let (server, running) = served().await;
    let refusal = ApiStatus::new(
        403,
        "Forbidden",
        "maximum memory usage per Container is 1Gi",
    );
    let too_large =
        |c: &Entry| c.is("POST", "/pods") && String::from_utf8_lossy(&c.body).contains("5000Mi");
    server.rule(usize::MAX, too_large, Act::Refuse(refusal));
    server.rule(
        usize::MAX,
        resizes,
        Act::Refuse(ApiStatus::new(403, "Forbidden", "too large")),
    );
    set_key(&server, "resources", rules("5000Mi"));
    seconds(5).await;
    for node in ["n0", "n3"] {
        let gone = server.all("pods").into_iter().find(|p| target(p) == node);
        let name = &gone.expect("a pod")["metadata"]["name"];
        server.ask_to_delete("pods", name.as_str().expect("a name"));
    }
    seconds(120).await;
    let there: Vec<String> = pods(&server).into_keys().collect();
    assert_eq!(there, ["n1", "n2", "n3"], "n0 is of the class, n3 is not");
    // It costs no more than one refusal each time.
    let tries = server
        .requests(|c| c.is("POST", "/pods") && c.code == 403)
        .len();
    seconds(600).await;
    let more = server
        .requests(|c| c.is("POST", "/pods") && c.code == 403)
        .len()
        - tries;
    assert!((1..=10).contains(&more), "{more}");
    server.clear_rules();
    set_key(&server, "resources", Value::Null);
    server.at_rest().await;
    assert!(running.is_running());
}
