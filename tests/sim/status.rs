//! The status belongs to the generation of the DaemonSet that was seen, and is written only when it
//! changes.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_settled_cluster_is_only_watched() {
    let server = world(10);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(60).await;
    let (version, calls) = (
        server.read(|s| s.version()),
        server.requests(|_| true).len(),
    );
    seconds(3600).await;
    let later = server.requests(|_| true).split_off(calls);
    assert!(!later.is_empty());
    let others: Vec<_> = later
        .iter()
        .filter(|c| !c.query.contains("watch="))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(server.read(|s| s.version()), version);
    assert_eq!(server.get("daemonsets", "web")["status"]["numberReady"], 10);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn conditions_and_fields_that_are_not_its_own_stay() {
    let server = world(2);
    let foreign = json!([{"type": "Theirs", "status": "True"}]);
    server.edit(
        "daemonsets",
        "web",
        json!({"status": {"conditions": foreign}}),
    );
    server.kubelet();
    let _running = start(&server, "a");
    seconds(60).await;
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["numberReady"], 2);
    assert_eq!(status["observedGeneration"], 1);
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["status"]),
        (&json!("Theirs"), &json!("True"))
    );
    // Of a field that this build does not know the API server of a later version does.
    let own = [
        "Scheduled",
        "Misscheduled",
        "numberReady",
        "Available",
        "Unavailable",
        "observedGeneration",
    ];
    for write in server.statuses() {
        let sent = write.json()["status"].clone();
        for field in sent.as_object().expect("an object").keys() {
            assert!(own.iter().any(|name| field.ends_with(name)), "{field}");
        }
    }
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn that_all_is_done_is_said_at_once_and_what_is_on_the_way_ten_times_a_second() {
    let server = world(4);
    let _running = start(&server, "a");
    seconds(10).await;
    let before = server.statuses().len();
    let begun = server.elapsed();
    for node in ["n0", "n1", "n2", "n3"] {
        let ready = json!({"spec": {"nodeName": node}, "status": ready("Running")});
        server.edit("pods", &name(&[node, ""]), ready);
        millis(45).await;
    }
    seconds(10).await;
    let writes = server.statuses().split_off(before);
    let told: Vec<_> = writes
        .iter()
        .map(|w| (w.json()["status"]["numberAvailable"].clone(), w.at - begun))
        .collect();
    let counts: Vec<_> = told.iter().map(|(count, _)| count.clone()).collect();
    assert_eq!(counts, [json!(1), json!(3), json!(4)], "{told:?}");
    let (second, last) = (told[1].1, told[2].1);
    assert!(second - told[0].1 >= Duration::from_millis(100), "{told:?}");
    assert!(last - second < Duration::from_millis(80), "{told:?}");
    server.at_rest().await;
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
    let version = |n: usize| writes[n].json()["metadata"]["resourceVersion"].clone();
    assert!(version(0).is_string() && version(0) != version(1));
    let daemon_set = server.get("daemonsets", "web");
    assert_eq!(daemon_set["metadata"]["annotations"]["a"], "b");
    assert_eq!(daemon_set["status"]["desiredNumberScheduled"], 2);
    server.at_rest().await;
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
    let of = |c: &Entry| c.json()["metadata"]["uid"].clone();
    // The state is looked at before the UID.
    assert_eq!((of(&writes[0]), writes[0].code), (json!(UID), 409));
    for write in writes.iter().filter(|w| w.code == 200) {
        assert_eq!(of(write), "ds-2");
    }
    let taken_in = writes.iter().any(|w| w.code == 200);
    assert!(taken_in, "the successor is read back and planned");
    // Nobody was counted as ready who was not the successor's.
    let history: Vec<Value> = server.read(|store| {
        let all = store.history(resource("daemonsets")).iter();
        let of = all.filter(|w| w.object["metadata"]["uid"] == "ds-2");
        of.map(|w| w.object["status"]["numberReady"].clone())
            .collect()
    });
    assert!(history.iter().all(|n| n.is_null() || n == 0), "{history:?}");
    server.at_rest().await;
}

/// The built-in controller of 1.37.1 looks at such a node again only when something else changes.
#[tokio::test(start_paused = true)]
async fn a_no_schedule_taint_is_in_the_status_within_a_second() {
    let server = world(3);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(60).await;
    let counts = || {
        let status = server.get("daemonsets", "web")["status"].clone();
        let fields = [
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "numberMisscheduled",
        ];
        fields.map(|field| status[field].as_i64())
    };
    assert_eq!(counts(), [Some(3), Some(3), Some(0)]);
    let taint = json!([{"key": "k", "value": "v", "effect": "NoSchedule"}]);
    server.edit("nodes", "n1", json!({"spec": {"taints": taint}}));
    seconds(1).await;
    assert_eq!(counts(), [Some(2), Some(2), Some(1)]);
    server.edit("nodes", "n1", json!({"spec": {"taints": null}}));
    seconds(1).await;
    assert_eq!(counts(), [Some(3), Some(3), Some(0)]);
    server.at_rest().await;
}

/// They were stored before the API server knew them as a list with keys. A patch that merges the
/// list would fold them, and fail on an entry without a type.
#[tokio::test(start_paused = true)]
async fn stored_conditions_of_one_type_stay_both_and_in_their_order() {
    let server = world(2);
    let stored = json!([
        {"type": "Theirs", "status": "True", "reason": "First"},
        {"type": "Other", "status": "Unknown"},
        {"type": "Theirs", "status": "False", "reason": "Second"},
    ]);
    let patch = json!({"status": {"conditions": stored}});
    server.edit("daemonsets", "web", patch);
    let before = server.get("daemonsets", "web")["status"]["conditions"].clone();
    server.kubelet();
    let _running = start(&server, "a");
    seconds(60).await;
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["numberReady"], 2);
    assert_eq!(status["conditions"], before);
    server.at_rest().await;
}
