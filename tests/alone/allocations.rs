//! A settled plan allocates at most a tenth of the bytes that the built-in controller allocates.
//!
//! The counting allocator stands in for the global one in this test binary only, and counts by
//! thread.

#[path = "../support/mod.rs"]
mod support;

use support::fleet::fleet;

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

/// Counting a sync of a settled DaemonSet for the metrics allocates nothing.
#[test]
fn counting_a_settled_sync_allocates_nothing() {
    use daemonset_controller::{model::Key, runtime::monitor::Monitor};
    let mut cluster = fleet(1_000, false, true);
    let plan = cluster.plan();
    let ds = cluster.snapshot(|s| s.daemon_set.clone());
    let key = Key::new(ds.namespace.clone(), ds.name.clone());
    let monitor = Monitor::new();
    monitor.set_leader(true);
    monitor.planned(&key, &ds, &plan);
    let text = monitor.exposition();
    assert!(text.contains("_desired_pods{namespace="), "{text}");
    let info = allocation_counter::measure(|| {
        monitor.planned(&key, &ds, &plan);
        monitor.carried_out(&key, false);
    });
    assert_eq!(info.count_total, 0);
}
