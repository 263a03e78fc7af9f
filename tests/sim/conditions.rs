//! The conditions of a DaemonSet through its rollouts, as readers of the API see them.

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

const KEY: &str = "daemonset-controller.io/";

/// Sets keys; null removes one.
pub fn set_keys(server: &World, keys: Value) {
    let keys = keys.as_object().expect("keys").iter();
    let annotations: Value = keys
        .map(|(key, v)| (format!("{KEY}{key}"), v.clone()))
        .collect();
    let metadata = json!({"metadata": {"annotations": annotations}});
    server.edit("daemonsets", "web", metadata);
}

/// `type status reason` of each condition.
pub fn words(daemon_set: &Value) -> Vec<String> {
    let list = daemon_set["status"]["conditions"].as_array();
    let text = |c: &Value, field: &str| c[field].as_str().unwrap_or("-").to_owned();
    let words = |c: &Value| ["type", "status", "reason"].map(|f| text(c, f)).join(" ");
    list.into_iter().flatten().map(words).collect()
}

/// The same of `default/web` now.
pub fn now(server: &World) -> Vec<String> {
    words(&server.get("daemonsets", "web"))
}

/// What a condition of this type said, at each change of it: status and reason.
fn story(server: &World, kind: &str) -> Vec<String> {
    let mut told: Vec<String> = server.read(|store| {
        let all = store.history(resource("daemonsets")).iter();
        let each = all.map(|write| {
            let of = words(&write.object).into_iter();
            let mut of = of.filter_map(|w| Some(w.strip_prefix(kind)?.trim().to_owned()));
            of.next().unwrap_or_default()
        });
        each.collect()
    });
    told.dedup();
    told
}

/// The status writes that changed no count.
fn told_alone(server: &World) -> usize {
    let without = |object: &Value| {
        let mut status = object["status"].clone();
        if let Some(fields) = status.as_object_mut() {
            fields.remove("conditions");
        }
        (
            object["metadata"]["annotations"].clone(),
            object["spec"].clone(),
            status,
        )
    };
    server.read(|store| {
        let all = store.history(resource("daemonsets")).iter();
        let same = all.filter(|w| {
            let before = w.before.as_deref();
            before.is_some_and(|before| without(before) == without(&w.object))
        });
        same.count()
    })
}

#[tokio::test(start_paused = true)]
async fn a_rollout_with_a_canary_tells_each_stage_once() {
    let (server, running) = covered(6, rolling(2, 0)).await;
    assert_eq!(now(&server), [""; 0]);
    set_keys(&server, json!({"canary": "1", "bake": "5m"}));
    seconds(5).await;
    assert_eq!(
        now(&server),
        ["Available True PodsAvailable", "Progressing True Complete"]
    );
    assert_eq!(server.events("RolloutStarted"), [""; 0]);
    change_to(&server, "2", "2s");
    seconds(100).await;
    assert_eq!(now(&server)[1], "Progressing True Baking");
    // Whoever starts anew tells nothing again.
    running.kill();
    let _second = start(&server, "b");
    seconds(900).await;
    assert_rolled(&server, 6, "2");
    assert_eq!(
        story(&server, "Progressing"),
        [
            "",
            "True Complete",
            "True Canary",
            "True Baking",
            "True Rolling",
            "True Baking",
            "True Complete"
        ]
    );
    assert_eq!(story(&server, "Reconciling"), ["", "True Baking", ""]);
    assert_eq!(story(&server, "Stalled"), [""]);
    assert_eq!(
        now(&server),
        ["Available True PodsAvailable", "Progressing True Complete"]
    );
    // The first conditions, two bakes that end, and no more: the rest goes with the counts.
    assert!(
        (2..=5).contains(&told_alone(&server)),
        "{}",
        told_alone(&server)
    );
    let started = server.events("RolloutStarted");
    assert_eq!(started.len(), 1, "{started:?}");
    assert!(
        started[0].ends_with(" begins: the nodes of the canary come first. Keys: bake, canary"),
        "{started:?}"
    );
    assert_eq!(server.events("CanaryReady").len(), 1);
    let complete = server.events("RolloutComplete");
    assert_eq!(complete.len(), 1, "{complete:?}");
    assert!(complete[0].starts_with("Revision web-"), "{complete:?}");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_counts_look_complete_and_reconciling_says_that_it_bakes() {
    let (server, _running) = covered(3, rolling(3, 0)).await;
    set_keys(&server, json!({"canary": "100%", "bake": "approval"}));
    seconds(5).await;
    change_to(&server, "2", "1s");
    seconds(60).await;
    assert_rolled(&server, 3, "2");
    let expected = [
        "Available True PodsAvailable",
        "Progressing Unknown AwaitingApproval",
        "Reconciling True AwaitingApproval",
    ];
    assert_eq!(now(&server), expected);
    let hash = server.all("pods")[0]["metadata"]["labels"]["controller-revision-hash"].clone();
    set_keys(&server, json!({ "approve": hash }));
    seconds(30).await;
    assert_eq!(
        now(&server),
        ["Available True PodsAvailable", "Progressing True Complete"]
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn conditions_of_others_stay_and_ours_go_with_the_last_key() {
    let (server, _running) = covered(2, rolling(1, 0)).await;
    let theirs = json!([
        {"type": "Theirs", "status": "True", "reason": "First", "message": "é \" \\"},
        {"type": "Theirs", "status": "False", "reason": "Second"},
        {"type": "Progressing", "status": "True", "reason": "NotOurs"},
    ]);
    let patch = json!({"status": {"conditions": theirs}});
    server.edit("daemonsets", "web", patch);
    let before = server.get("daemonsets", "web")["status"]["conditions"].clone();
    seconds(5).await;
    assert_eq!(
        server.get("daemonsets", "web")["status"]["conditions"],
        before,
        "no key"
    );
    set_keys(&server, json!({"hold": "rollot"}));
    seconds(5).await;
    let held = server.get("daemonsets", "web")["status"]["conditions"].clone();
    assert_eq!((&held[0], &held[1]), (&before[0], &before[1]));
    let expected = [
        "Progressing Unknown Paused",
        "Available True PodsAvailable",
        "Stalled True InvalidAnnotation",
    ];
    assert_eq!(now(&server)[2..], expected);
    set_keys(&server, json!({"hold": "off"}));
    seconds(5).await;
    let left = server.get("daemonsets", "web")["status"]["conditions"].clone();
    assert_eq!(left, json!([before[0], before[1]]));
    server.edit("daemonsets", "web", json!({"status": {"conditions": null}}));
    set_keys(&server, json!({"hold": "all"}));
    seconds(5).await;
    assert_eq!(now(&server).len(), 2);
    set_keys(&server, json!({"hold": null}));
    seconds(5).await;
    let status = server.get("daemonsets", "web")["status"].clone();
    assert!(status["conditions"].is_null(), "{status}");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_key_no_patch_names_conditions() {
    let (server, _running) = covered(4, rolling(2, 0)).await;
    change_to(&server, "2", "2s");
    seconds(60).await;
    assert_rolled(&server, 4, "2");
    for write in server.statuses() {
        assert!(write.json()["status"]["conditions"].is_null());
        assert!(!String::from_utf8_lossy(&write.body).contains("conditions"));
    }
    assert_eq!(server.events("RolloutStarted"), [""; 0]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_first_install_rolls_out_and_completes() {
    let server = world(3);
    let keys = json!({"daemonset-controller.io/canary": "1"});
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": keys}}),
    );
    server.kubelet();
    let _running = start(&server, "a");
    seconds(60).await;
    server.assert_covered(3);
    assert_eq!(
        story(&server, "Progressing").last().expect("one"),
        "True Complete"
    );
    assert_eq!(story(&server, "Reconciling"), [""], "nothing bakes");
    let told = ["RolloutStarted", "RolloutComplete"].map(|reason| server.events(reason).len());
    assert_eq!(told, [1, 1]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_last_group_completes_and_is_told_once() {
    for bake in ["0s", "1s", "20s"] {
        let (server, _running) = covered(4, rolling(1, 0)).await;
        set_keys(
            &server,
            json!({"order": "kubernetes.io/hostname", "bake": bake}),
        );
        seconds(5).await;
        change(&server, "2");
        seconds(300).await;
        assert_rolled(&server, 4, "2");
        let told = ["RolloutStarted", "RolloutComplete"].map(|reason| server.events(reason).len());
        assert_eq!(told, [1, 1], "bake {bake}");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_begin_of_a_rollout_is_recorded_before_a_pod_is_replaced() {
    let (server, _running) = covered(3, rolling(1, 0)).await;
    set_keys(&server, json!({"budget": "strict"}));
    seconds(5).await;
    let newest = || {
        let all = server.all("controllerrevisions").into_iter();
        let newest = all
            .max_by_key(|r| r["revision"].as_i64())
            .expect("a revision");
        newest["metadata"]["annotations"]["state.daemonset-controller.io/started"].clone()
    };
    assert!(newest().is_null(), "it had completed before");
    let begun = server.now();
    change_to(&server, "2", "2s");
    until_departed(&server, 1, 60).await;
    let started = newest();
    let at: jiff::Timestamp = started.as_str().expect("a time").parse().expect("RFC 3339");
    assert!(at >= begun && at <= server.now(), "{at}");
    seconds(60).await;
    assert_eq!(newest(), started, "it stays");
    // As `kubectl rollout undo` has it.
    respec(
        &server,
        json!({"template": {"metadata": {"annotations": {"v": null}}}}),
    );
    seconds(60).await;
    assert_rolled(&server, 3, "1");
    let back: jiff::Timestamp = newest()
        .as_str()
        .expect("a time")
        .parse()
        .expect("RFC 3339");
    assert!(back > at, "another rollout");
    server.at_rest().await;
}
