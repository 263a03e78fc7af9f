//! A settled plan allocates at most a tenth of the bytes that the built-in controller allocates.
//!
//! The counting allocator stands in for the global one in this test binary only, and counts by
//! thread.

#[path = "../support/mod.rs"]
mod support;

use daemonset_controller::{model::Kind, plan};
use serde_json::{json, value::RawValue};
use support::{
    NEW, Object,
    fleet::{fleet, heartbeat_text},
    pod,
};

/// Bytes and calls of the second plan (the first one computes the verdicts, which are remembered).
fn of_settled_plan(nodes: usize, affinity: bool) -> (u64, u64) {
    let mut cluster = fleet(nodes, affinity, true);
    assert!(cluster.plan().is_settled());
    let info = allocation_counter::measure(|| {
        assert!(cluster.plan().is_settled());
    });
    let affinity = if affinity {
        "six-expression affinity"
    } else {
        "no affinity"
    };
    println!(
        "settled plan, {nodes} nodes, {affinity}: {} bytes in {} allocations",
        info.bytes_total, info.count_total
    );
    assert!(info.count_total > 0, "nothing is being counted");
    assert_eq!(
        info.bytes_current, 0,
        "a settled plan leaves nothing behind"
    );
    (info.bytes_total, info.count_total)
}

#[test]
fn a_settled_plan_allocates_a_tenth_of_what_the_built_in_controller_does() {
    for (nodes, affinity, most_bytes) in [
        (1_000, false, 120_000),
        (1_000, true, 120_000),
        (10_000, false, 1_100_000),
        (10_000, true, 1_100_000),
    ] {
        let (bytes, count) = of_settled_plan(nodes, affinity);
        assert!(bytes < most_bytes, "{bytes} bytes at {nodes} nodes");
        assert!(
            count < 100,
            "{count} allocations at {nodes} nodes: something allocates for each of them"
        );
    }
}

/// What one sync cannot carry out is counted, and not worked out.
#[test]
fn a_plan_of_a_first_cover_for_one_sync_allocates_as_often_in_a_large_cluster_as_in_a_small_one() {
    let [small, middle, large] = [1_000, 10_000, 65_000].map(|nodes| {
        let mut cluster = fleet(nodes, false, false);
        let now = cluster.now;
        let mut plan = || cluster.snapshot(|s| plan::for_sync(s, now, 250));
        assert_eq!(plan().creates_left, nodes - 250);
        let info = allocation_counter::measure(|| drop(plan()));
        assert!(info.count_total > 250, "nothing is being counted");
        info.count_total
    });
    // What grows does so by doubling.
    assert!(middle < small + 10, "{small}, then {middle}");
    assert!(large < small + 20, "{small}, then {large}");
}

/// A pod of the fleet whose container was restarted so many times, in a later state.
fn restarted(i: usize, times: u64) -> Object {
    let name = format!("{i:06}");
    pod(&format!("web-{name}"))
        .on(&format!("node-{name}"))
        .hash(NEW)
        .ready(500)
        .version(1_000 + times)
        .with(json!({"status": {"containerStatuses": [{
            "name": "c", "restartCount": times,
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
        }]}}))
}

/// Facts that only explain cost a plan nothing.
#[test]
fn a_settled_plan_allocates_no_more_where_there_is_something_to_explain() {
    let mut cluster = fleet(1_000, false, true);
    assert!(cluster.plan().is_settled());
    let before = allocation_counter::measure(|| assert!(cluster.plan().is_settled()));
    for i in 0..1_000 {
        let node = RawValue::from_string(heartbeat_text(i, "Unknown", 0)).expect("JSON");
        cluster.cache.observe(Kind::Node, &node).expect("a node");
        cluster.put(&restarted(i, 3));
    }
    let (mut nodes, mut pods) = (0, 0);
    cluster.snapshot(|s| {
        nodes = s.nodes.iter().filter(|(_, n)| n.detail.is_some()).count();
        pods = s.pods.iter().filter(|p| p.detail.is_some()).count();
    });
    assert_eq!(
        (nodes, pods),
        (1_000, 1_000),
        "there is something to explain"
    );
    let after = allocation_counter::measure(|| assert!(cluster.plan().is_settled()));
    assert_eq!(
        (after.bytes_total, after.count_total),
        (before.bytes_total, before.count_total)
    );
}

/// The newest state takes the place of the one before it, and nothing is left of that one.
#[test]
fn heartbeats_and_restarts_leave_nothing_behind() {
    let mut cluster = fleet(100, false, true);
    let mut beat = 0;
    for ready in ["True", "Unknown"] {
        for is_first in [true, false, false] {
            beat += 1;
            let nodes = (0..100).map(|i| heartbeat_text(i, ready, beat));
            let nodes: Vec<Box<RawValue>> = nodes
                .map(|text| RawValue::from_string(text).expect("JSON"))
                .collect();
            let pods: Vec<Box<RawValue>> = (0..100).map(|i| restarted(i, beat).raw()).collect();
            let cache = &mut cluster.cache;
            let info = allocation_counter::measure(|| {
                for (node, pod) in nodes.iter().zip(&pods) {
                    cache.observe(Kind::Node, node).expect("a node");
                    cache.observe(Kind::Pod, pod).expect("a pod");
                }
            });
            assert!(info.count_total > 0, "the states are read");
            if !is_first {
                assert_eq!(info.bytes_current, 0, "{ready}, beat {beat}");
            }
        }
    }
}

/// Counting a sync of a settled DaemonSet for the metrics allocates nothing.
#[test]
fn counting_a_settled_sync_allocates_nothing() {
    use daemonset_controller::{
        model::{Key, Time},
        runtime::monitor::Monitor,
    };
    let mut cluster = fleet(1_000, false, true);
    let plan = cluster.plan();
    let ds = cluster.snapshot(|s| s.daemon_set.clone());
    let key = Key::new(ds.namespace.clone(), ds.name.clone());
    let monitor = Monitor::new();
    monitor.set_leader(true);
    monitor.planned(&key, &ds, &plan, Time::default());
    let text = monitor.exposition();
    assert!(text.contains("_desired_pods{namespace="), "{text}");
    let info = allocation_counter::measure(|| {
        monitor.planned(&key, &ds, &plan, Time::default());
        monitor.carried_out(&key, false);
    });
    assert_eq!(info.count_total, 0);
}
