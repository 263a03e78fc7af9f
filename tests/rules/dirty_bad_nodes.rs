//! What concerns DaemonSets with `budget: bad-nodes`: whether a node is well, and the scheduler's
//! word on a pod.

use daemonset_controller::{cache::Cache, model::Kind};
use serde_json::{Value, json, value::to_raw_value};

use super::dirty::{cluster_where, dirty, node, observe, pod};

/// The cluster where `b` asks for `bad-nodes`, with the node n and a pod of `a` or `b` there.
fn cluster_with_bad_nodes(pod_of: &str) -> Cache {
    let budget = |value: &str| json!({"daemonset-controller.io/budget": value});
    let mut cache = cluster_where(|name| match name {
        "a" => budget("strict"),
        "b" => budget("strict,bad-nodes"),
        _ => json!({}),
    });
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    observe(
        &mut cache,
        Kind::Pod,
        &pod(4, Some(pod_of), pod_of, "Running"),
    );
    cache
}

#[test]
fn whether_a_node_is_well_concerns_those_with_bad_nodes_only_and_a_heartbeat_nobody() {
    let mut cache = cluster_with_bad_nodes("a");
    let mut version = 4;
    let mut state = |cache: &mut Cache, conditions: &Value, more: &Value| {
        version += 1;
        let mut state = node(version, "1", version);
        state["status"]["conditions"] = conditions.clone();
        for (field, value) in more.as_object().expect("fields") {
            state[field]["deletionTimestamp"] = value["deletionTimestamp"].clone();
            state[field]["taints"] = value["taints"].clone();
        }
        observe(cache, Kind::Node, &state)
    };
    let condition = |kind: &str, status: &str, second: u64, beat: u64| {
        json!([{
            "type": kind, "status": status, "lastTransitionTime": format!("2026-01-01T00:00:0{second}Z"),
            "lastHeartbeatTime": format!("2026-01-01T00:01:0{beat}Z"),
        }])
    };
    let nothing = json!({});
    let mut woken = 0;
    for (kind, status, second) in [
        ("Ready", "False", 1),
        // Its time counts: it says whether it was ready in between.
        ("Ready", "False", 2),
        ("Ready", "Unknown", 2),
        ("Ready", "True", 3),
        ("MaintenanceInProgress", "True", 3),
        ("MaintenanceInProgress", "False", 4),
        ("GracefulNodeShutdownInProgress", "True", 5),
        ("Ready", "True", 5),
    ] {
        let news = state(&mut cache, &condition(kind, status, second, 0), &nothing);
        assert_eq!(news, ["b"], "{kind} {status} {second}");
        for beat in 1..10 {
            woken += state(&mut cache, &condition(kind, status, second, beat), &nothing).len();
        }
    }
    assert_eq!(woken, 0, "72 heartbeats");
    // The status of these two counts, and not since when they have it.
    for kind in ["MaintenanceInProgress", "GracefulNodeShutdownInProgress"] {
        assert_eq!(
            state(&mut cache, &condition(kind, "True", 1, 0), &nothing),
            ["b"]
        );
        assert_eq!(
            state(&mut cache, &condition(kind, "True", 2, 0), &nothing),
            [""; 0]
        );
        assert_eq!(state(&mut cache, &json!([]), &nothing), ["b"]);
    }
    // A node that has been ready since another time is as well as before.
    for second in [1, 2] {
        assert_eq!(
            state(&mut cache, &condition("Ready", "True", second, 0), &nothing),
            [""; 0]
        );
    }
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:09Z"}});
    assert_eq!(state(&mut cache, &json!([]), &going), ["b"]);
    assert_eq!(state(&mut cache, &json!([]), &going), [""; 0]);
    assert_eq!(state(&mut cache, &json!([]), &nothing), ["b"]);
    // Taints that keep no pod away change no verdict.
    for (key, expected) in [
        ("ToBeDeletedByClusterAutoscaler", &["b"][..]),
        ("other", &[]),
    ] {
        let taints = json!([{"key": key, "effect": "PreferNoSchedule"}]);
        let tainted = json!({"spec": {"taints": taints}});
        assert_eq!(state(&mut cache, &json!([]), &tainted), expected, "{key}");
        assert_eq!(state(&mut cache, &json!([]), &tainted), [""; 0], "{key}");
        assert_eq!(state(&mut cache, &json!([]), &nothing), expected, "{key}");
    }
    // One that is bad and gone is no longer counted.
    state(&mut cache, &condition("Ready", "Unknown", 9, 0), &nothing);
    cache.deleted(Kind::Node, &to_raw_value(&node(99, "1", 0)).unwrap());
    assert!(dirty(&mut cache).contains(&"b".to_owned()));
}

#[test]
fn the_schedulers_word_on_a_pod_concerns_its_controller_where_that_has_bad_nodes() {
    for (owner, expected) in [("b", &["b"][..]), ("a", &[])] {
        let mut cache = cluster_with_bad_nodes(owner);
        let mut version = 4;
        let mut says = |cache: &mut Cache, reason: &str, message: &str| {
            version += 1;
            let mut state = pod(version, Some(owner), owner, "Running");
            state["status"]["conditions"] = json!([
                {"type": "PodScheduled", "status": "False", "reason": reason, "message": message},
            ]);
            observe(cache, Kind::Pod, &state)
        };
        // Any control: the condition Available tells that it waits for the scheduler.
        assert_eq!(says(&mut cache, "SchedulingGated", "m"), [owner], "{owner}");
        assert_eq!(says(&mut cache, "Unschedulable", "m"), expected, "{owner}");
        assert_eq!(says(&mut cache, "Unschedulable", "other words"), [""; 0]);
        assert_eq!(
            says(&mut cache, "SchedulingGated", "m"),
            expected,
            "{owner}"
        );
        // What else explains still concerns nobody.
        let scheduled = pod(98, Some(owner), owner, "Running");
        assert_eq!(observe(&mut cache, Kind::Pod, &scheduled), [owner]);
        let mut restarted = pod(99, Some(owner), owner, "Running");
        restarted["status"]["containerStatuses"] = json!([{"name": "c", "restartCount": 3}]);
        assert_eq!(observe(&mut cache, Kind::Pod, &restarted), [""; 0]);
    }
}
