//! `status` of a rollout that failed: the nodes that fail are named, with what is wrong.

use serde_json::{Value, json};

use crate::commands_status::valid;
use crate::simulated::{Cluster, REVISIONS};

const WHY: &str = "container c is in CrashLoopBackOff";

const PODS: &str = "/api/v1/namespaces/logging/pods";

/// The middle of a rollout that began, with this `on-failure`.
pub fn rolled_out(on_failure: &str) -> Cluster {
    let cluster = Cluster::updating(json!({ "daemonset-controller.io/on-failure": on_failure }));
    // Another node has the new template too.
    let set = cluster.agent();
    let now = json!({ "gracePeriodSeconds": 0 });
    let (code, _) = cluster.send("DELETE", &format!("{PODS}/agent-b"), "", &now);
    assert_eq!(code, 200);
    cluster.pod(&set, "node-b", "bbbb");
    record(&cluster, json!({ "started": "2026-05-01T05:00:00Z" }));
    cluster
}

/// The controller has recorded this on the new revision.
pub fn record(cluster: &Cluster, state: Value) {
    let state = state.as_object().unwrap().iter();
    let state = state.map(|(key, value)| (format!("state.daemonset-controller.io/{key}"), value));
    let annotations: serde_json::Map<String, Value> =
        state.map(|(key, value)| (key, value.clone())).collect();
    let patch = json!({ "metadata": { "annotations": annotations } });
    cluster.patch(&format!("{REVISIONS}/agent-bbbb"), patch);
}

/// The container of this node's pod has this state.
pub fn container(cluster: &Cluster, node: &str, state: Value, restarts: u32) {
    let ready = json!([{ "type": "Ready", "status": "False", "lastTransitionTime": "2026-05-01T06:00:01Z" }]);
    let container = json!([{
        "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": restarts,
        "state": state,
    }]);
    let status = json!({ "phase": "Running", "conditions": ready, "containerStatuses": container });
    let path = format!("{PODS}/agent-{node}/status");
    cluster.patch(&path, json!({ "status": status }));
}

/// The controller has found that the new revision failed.
pub fn fail(cluster: &Cluster) {
    let verdict =
        json!({ "failed": true, "when": "2026-05-01T06:30:00Z", "node": "node-a", "why": WHY });
    record(cluster, json!({ "verdict": verdict.to_string() }));
}

/// These nodes went back.
pub fn go_back(cluster: &Cluster, nodes: &[&str]) {
    let set = cluster.agent();
    let now = json!({ "gracePeriodSeconds": 0 });
    for node in nodes {
        let (code, _) = cluster.send("DELETE", &format!("{PODS}/agent-{node}"), "", &now);
        assert_eq!(code, 200);
        cluster.pod(&set, &format!("node-{node}"), "aaaa");
    }
}

/// The state of a container that crashes.
pub fn crashes() -> Value {
    json!({ "waiting": { "reason": "CrashLoopBackOff" } })
}

#[test]
fn nodes_that_fail_are_named_with_what_is_wrong() {
    let cluster = rolled_out("pause");
    container(&cluster, "a", crashes(), 1);
    container(&cluster, "b", json!({ "running": {} }), 3);
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!((answer.code, &*answer.stderr), (1, ""));
    let expected = "
1 node: Fails CrashLoopBackOff
  container c is in CrashLoopBackOff
  node-a

1 node: Fails Restarted
  container c has been restarted more than 2 times
  node-b

";
    assert!(answer.stdout.contains(expected), "{}", answer.stdout);
    let stage =
        "Stage       AutoPaused: no pod is replaced by one of another revision: a node failed";
    assert!(answer.stdout.contains(stage), "{}", answer.stdout);
    let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
    let status = valid("status", &answer.stdout);
    assert_eq!(status["stage"], "AutoPaused");
    let first = json!({ "cause": {
        "kind": "Fails", "reason": "CrashLoopBackOff", "message": "container c is in CrashLoopBackOff",
    }, "nodes": ["node-a"] });
    assert_eq!(status["failing"][0], first);
}

#[test]
fn nodes_that_may_fail_are_named_too_and_none_where_nobody_looks_for_them() {
    for (on_failure, stage, failing) in [
        ("pause,tolerate=1", "Rolling", 1),
        ("continue", "Rolling", 1),
        ("off", "Rolling", 0),
    ] {
        let cluster = rolled_out(on_failure);
        container(&cluster, "a", crashes(), 1);
        let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
        let status = valid("status", &answer.stdout);
        assert_eq!(status["stage"], stage, "{on_failure}");
        let named = status["failing"].as_array().unwrap();
        assert_eq!(named.len(), failing, "{on_failure}: {status}");
    }
}

/// Every stage of a rollback is one that the schema knows.
#[test]
fn what_fails_while_it_goes_back_is_told_apart_from_what_fails_with_the_revision() {
    let cluster = rolled_out("rollback");
    container(&cluster, "a", crashes(), 1);
    let status = |cluster: &Cluster| {
        let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
        valid("status", &answer.stdout)
    };
    assert_eq!(status(&cluster)["stage"], "RollingBack");
    fail(&cluster);
    let going = status(&cluster);
    assert_eq!(going["stage"], "RollingBack");
    assert_eq!(going["failing"][0]["nodes"], json!(["node-a"]));
    let history = cluster.run(&["history", "logging/agent", "-o", "json"]);
    let history = valid("history", &history.stdout);
    assert_eq!(history["revisions"][1]["failed"], WHY);
    let text = cluster.run(&["history", "logging/agent"]).stdout;
    assert!(text.contains("current, failed"), "{text}");

    // node-a went back, and crashes with the stable revision as well.
    go_back(&cluster, &["a"]);
    container(&cluster, "a", crashes(), 1);
    let paused = status(&cluster);
    assert_eq!(paused["stage"], "RollbackPaused");
    let message = &paused["failing"][0]["cause"]["message"];
    assert_eq!(
        message,
        "with the stable revision, container c is in CrashLoopBackOff"
    );
    // What fails when all have gone back is upkeep.
    go_back(&cluster, &["b"]);
    let back = status(&cluster);
    assert_eq!(
        (&back["stage"], &back["failing"]),
        (&"RolledBack".into(), &json!([]))
    );
}

/// The built-in controller knows no verdict, and rolls out what failed: at once, or when a node
/// that uses up the budget is back.
#[test]
fn handing_back_is_said_to_roll_out_a_revision_that_failed() {
    let cluster = rolled_out("rollback");
    fail(&cluster);
    go_back(&cluster, &["a", "b"]);
    for (deletes, old) in [(1, 4), (0, 3)] {
        let answer = cluster.run(&["handback", "--check", "-o", "json"]);
        assert_eq!(answer.code, 1, "{}", answer.stdout);
        let handback = valid("handback", &answer.stdout);
        let agent = &handback["daemonSets"][0];
        assert_eq!(agent["stage"], "RolledBack");
        assert_eq!(agent["atOnce"]["delete"], deletes, "{handback}");
        assert_eq!(agent["old"], old);
        // One of them is on its way out.
        let (code, _) = cluster.send("DELETE", &format!("{PODS}/agent-d"), "", &json!({}));
        assert_eq!(code, 200);
    }
}
