//! The status is that of the DaemonSet that was seen, and is written only when it changes.

use std::time::Duration;

use serde_json::{Value, json};

use super::server::Act;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_settled_cluster_is_only_watched() {
    let server = world(10);
    server.kubelet(ready("Running"));
    let _running = start(&server, "a");
    seconds(60).await;
    let (version, calls) = (server.store(|s, _| s.version), server.calls(|_| true).len());
    seconds(3600).await;
    let later = server.calls(|_| true).split_off(calls);
    assert!(!later.is_empty());
    let others: Vec<_> = later
        .iter()
        .filter(|c| !c.query.contains("watch="))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(server.store(|s, _| s.version), version);
    assert_eq!(server.get("daemonsets", "web")["status"]["numberReady"], 10);
}

#[tokio::test(start_paused = true)]
async fn conditions_and_unknown_fields_stay() {
    let server = world(2);
    let foreign = json!({
        "conditions": [{"type": "Theirs", "status": "True"}], "futureField": {"a": [1, 2]},
    });
    server.edit("daemonsets", "web", json!({"status": foreign}));
    server.kubelet(ready("Running"));
    let _running = start(&server, "a");
    seconds(60).await;
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["numberReady"], 2);
    assert_eq!(status["observedGeneration"], 1);
    for field in ["conditions", "futureField"] {
        assert_eq!(status[field], foreign[field]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_for_another_state_is_planned_anew() {
    let server = world(1);
    let _running = start(&server, "a");
    seconds(10).await;
    server.freeze("a", "daemonsets", true);
    let slow = Act::Delay(Duration::from_secs(1));
    server.rule(1, |c| c.is("PATCH", "/status"), slow);
    let before = server.statuses().len();
    server.add("nodes", node("n1"));
    millis(500).await;
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": {"a": "b"}}}),
    );
    seconds(30).await;
    let writes = server.statuses().split_off(before);
    assert_eq!(codes(&writes), [409, 200]);
    let version = |n: usize| writes[n].body["metadata"]["resourceVersion"].clone();
    assert!(version(0).is_string() && version(0) != version(1));
    let daemon_set = server.get("daemonsets", "web");
    assert_eq!(daemon_set["metadata"]["annotations"]["a"], "b");
    assert_eq!(daemon_set["status"]["desiredNumberScheduled"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_made_anew_under_the_name_does_not_get_its_predecessors_status() {
    let server = world(1);
    let _running = start(&server, "a");
    seconds(10).await;
    server.freeze("a", "daemonsets", true);
    let before = server.statuses().len();
    let mut successor = daemon_set("default", "web");
    successor["metadata"]["uid"] = json!("ds-2");
    server.replace("daemonsets", "web", successor);
    // The predecessor's pod becomes ready, which would be news for its status.
    let ready = json!({"spec": {"nodeName": "n0"}, "status": ready("Running")});
    server.edit("pods", &name(&["n0", ""]), ready);
    seconds(30).await;
    let writes = server.statuses().split_off(before);
    let of = |c: &super::server::Call| c.body["metadata"]["uid"].clone();
    assert_eq!((of(&writes[0]), writes[0].code), (json!(UID), 422));
    for write in writes.iter().filter(|w| w.code == 200) {
        assert_eq!(of(write), "ds-2");
    }
    let taken_in = writes.iter().any(|w| w.code == 200);
    assert!(taken_in, "the successor is read back and planned");
    // Nobody was counted as ready who was not the successor's.
    let history: Vec<Value> = server.store(|s, _| {
        let of = s
            .events
            .iter()
            .filter(|e| e.object["metadata"]["uid"] == "ds-2");
        of.map(|e| e.object["status"]["numberReady"].clone())
            .collect()
    });
    assert!(history.iter().all(|n| n.is_null() || n == 0), "{history:?}");
}
