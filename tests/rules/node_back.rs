//! A node that works again after a shutdown: what failed there because of that waits no longer.

use crate::support::*;
use daemonset_controller::model::{BackoffKind, Kind, Version};
use serde_json::json;

fn machine(ready: &str, boot: &str, version: u64) -> Object {
    let status = json!({"status": {
        "conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"bootID": boot},
    }});
    node("a").with(status).version(version)
}

fn rejected(reason: &str) -> Object {
    let pod = pod("p").on("a").phase("Failed");
    pod.with(json!({"status": {"reason": reason}}))
}

/// A node in this state, where the pod was replaced often since the shutdown began.
fn shut_down(ready: &str, reason: &str) -> Cluster {
    let objects = [machine(ready, "one", 1), rejected(reason)];
    let mut cluster = Cluster::new(daemon_set(), objects);
    for kind in Kind::ALL {
        // An older list: what is there is newer.
        cluster.cache.list_began(kind);
        cluster.cache.list_completed(kind, Version(0));
    }
    for kind in [BackoffKind::Failed, BackoffKind::ShutDown] {
        (0..7).for_each(|_| cluster.attempt("a", kind, 0));
    }
    assert!(cluster.plan().is_settled(), "it waits for a minute");
    cluster.cache.take_dirty();
    cluster
}

#[test]
fn a_pod_that_failed_by_the_shutdown_is_replaced_when_the_node_is_ready_or_started_anew() {
    for (before, after) in [
        ("False", machine("True", "one", 2)),
        ("Unknown", machine("True", "one", 2)),
        ("True", machine("True", "two", 2)),
    ] {
        let mut cluster = shut_down(before, "NodeShutdown");
        cluster.put(&after);
        assert_eq!(cluster.cache.take_dirty().len(), 1, "{before}");
        let plan = cluster.plan();
        assert_eq!(deletes(&plan).len(), 1, "{before}");
        assert_eq!(plan.backoff[0].kind, BackoffKind::ShutDown);
    }
}

#[test]
fn what_failed_for_another_reason_or_on_a_node_that_is_not_back_goes_on_waiting() {
    for (reason, before, after) in [
        ("OutOfcpu", "False", machine("True", "two", 2)),
        ("NodeShutdown", "False", machine("False", "two", 2)),
        ("NodeShutdown", "False", machine("Unknown", "one", 2)),
        ("NodeShutdown", "True", machine("True", "one", 2)),
        ("NodeShutdown", "True", machine("True", "", 2)),
    ] {
        let mut cluster = shut_down(before, reason);
        cluster.put(&after);
        assert!(cluster.plan().is_settled(), "{reason} {before}");
    }
}
