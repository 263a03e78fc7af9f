//! Resident memory of a process with 5,000 nodes and 5,000 daemon pods. This test has a binary of
//! its own, so that nothing else is in the process.

#[path = "../support/mod.rs"]
mod support;

use daemonset_controller::{cache::Cache, model::Kind};
use serde_json::value::RawValue;
use support::{
    daemon_set,
    fleet::{node_text, stored_pod, stored_pod_text},
};

const MOST_KIB: u64 = 60 * 1024;

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn five_thousand_nodes_and_pods_stay_under_sixty_megabytes() {
    let Some(before) = resident_kib() else {
        eprintln!(
            "NOT CHECKED: there is no /proc/self/status with VmRSS here; memory was not measured"
        );
        return;
    };
    let mut cache = Cache::default();
    let mut take = |kind, text: String| {
        let raw = RawValue::from_string(text).expect("JSON");
        cache.observe(kind, &raw).unwrap_or_else(|e| panic!("{e}"));
    };
    take(Kind::DaemonSet, daemon_set().json.to_string());
    let stored = stored_pod();
    assert!(stored.len() >= 7_000);
    for i in 0..5_000 {
        take(Kind::Node, node_text(i));
        take(Kind::Pod, stored_pod_text(&stored, i));
    }
    let after = resident_kib().expect("it was there before");
    println!("resident: {before} KiB before, {after} KiB with 5,000 nodes and 5,000 pods");
    assert_eq!((cache.nodes().len(), cache.pods()), (5_000, 5_000));
    assert!(after < MOST_KIB, "{after} KiB resident");
}
