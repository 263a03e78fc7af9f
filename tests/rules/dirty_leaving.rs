//! Which changes of a node or a pod concern DaemonSets where the operator asks to look at nodes
//! that are leaving.

use daemonset_controller::{
    cache::Cache,
    model::{FeatureGates, Kind, Settings},
};
use serde_json::{Value, json};

use super::dirty::{cluster_with, node, observe, pod};

const NOBODY: [&str; 0] = [];

/// What the operator chose: nothing, the gate, the option.
fn choices() -> [Settings; 3] {
    let gates = FeatureGates {
        daemon_set_graceful_node_shutdown: true,
        ..FeatureGates::default()
    };
    [
        Settings::default(),
        Settings {
            gates,
            ..Settings::default()
        },
        Settings {
            suppress_on_leaving_nodes: true,
            ..Settings::default()
        },
    ]
}

/// The DaemonSets `a`, `b` and `everywhere`, and a node where `b` does not belong.
fn cluster(settings: Settings) -> Cache {
    let mut cache = cluster_with(settings, |_| json!({}));
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    cache
}

/// The state of the node of this version, with these conditions.
fn state(version: u64, conditions: Value) -> Value {
    let mut state = node(version, "1", version);
    state["status"]["conditions"] = conditions;
    state
}

fn condition(kind: &str, status: &str, version: u64) -> Value {
    json!([{
        "type": kind, "status": status, "lastHeartbeatTime": format!("2026-01-01T00:00:{version:02}Z"),
        "lastTransitionTime": format!("2026-01-01T00:01:{version:02}Z"),
    }])
}

#[test]
fn only_a_change_of_the_conditions_status_wakes_and_only_who_belongs_there() {
    for (settings, is_on) in choices().into_iter().zip([false, true, true]) {
        let mut cache = cluster(settings);
        let mut version = 3;
        let mut says = |status: &str| {
            version += 1;
            let conditions = condition("GracefulNodeShutdownInProgress", status, version);
            observe(&mut cache, Kind::Node, &state(version, conditions))
        };
        let wakes: &[&str] = if is_on { &["a", "everywhere"] } else { &[] };
        let mut heartbeats = 0;
        for status in ["True", "False", "True", "Unknown", "True"] {
            assert_eq!(says(status), wakes, "{status}");
            for _ in 0..5 {
                heartbeats += says(status).len();
            }
        }
        assert_eq!(heartbeats, 0, "25 heartbeats, each with other times");
        assert_eq!(says("False"), wakes);
        assert_eq!(says("Unknown"), NOBODY, "not in progress either way");
    }
}

#[test]
fn with_the_option_every_sign_wakes() {
    for (settings, is_on) in choices().into_iter().zip([false, false, true]) {
        let mut cache = cluster(settings);
        let wakes: &[&str] = if is_on { &["a", "everywhere"] } else { &[] };
        let mut version = 3;
        let mut next = |change: &dyn Fn(&mut Value)| {
            version += 1;
            let mut state = state(version, json!([]));
            change(&mut state);
            observe(&mut cache, Kind::Node, &state)
        };
        let deleted = |state: &mut Value| {
            state["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:09Z");
        };
        let tainted = |state: &mut Value| {
            let key = "ToBeDeletedByClusterAutoscaler";
            state["spec"]["taints"] = json!([{"key": key, "effect": "PreferNoSchedule"}]);
        };
        let ready = |status: &'static str, message: &'static str| {
            move |state: &mut Value| {
                let ready = json!([{"type": "Ready", "status": status, "message": message}]);
                state["status"]["conditions"] = ready;
            }
        };
        for (sign, change) in [
            ("deleted", &deleted as &dyn Fn(&mut Value)),
            ("tainted", &tainted),
            ("shutting down", &ready("False", "node is shutting down")),
            ("lost", &ready("Unknown", "gone")),
        ] {
            assert_eq!(next(change), wakes, "{sign}");
            assert_eq!(next(change), NOBODY, "{sign}: a heartbeat");
            assert_eq!(next(&|_| {}), wakes, "{sign} no more");
        }
        // Whether it is ready says nothing of whether it goes.
        assert_eq!(next(&ready("False", "the network is not ready")), NOBODY);
    }
}

#[test]
fn with_the_option_the_kubelets_reason_concerns_the_pods_controller() {
    for (settings, is_on) in choices().into_iter().zip([false, false, true]) {
        let mut cache = cluster(settings);
        let mut failed = pod(10, Some("a"), "a", "Failed");
        assert_eq!(observe(&mut cache, Kind::Pod, &failed), ["a"]);
        failed["metadata"]["resourceVersion"] = json!("11");
        failed["status"]["reason"] = json!("Terminated");
        let wakes: &[&str] = if is_on { &["a"] } else { &[] };
        assert_eq!(observe(&mut cache, Kind::Pod, &failed), wakes);
        failed["metadata"]["resourceVersion"] = json!("12");
        failed["status"]["reason"] = json!("NodeShutdown");
        assert_eq!(observe(&mut cache, Kind::Pod, &failed), NOBODY);
    }
}
