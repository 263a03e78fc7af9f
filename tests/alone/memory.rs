//! Resident memory of a process with 5,000 nodes and 5,000 daemon pods. This test has a binary of
//! its own, so that nothing else is in the process.

#[path = "../support/mod.rs"]
mod support;

use daemonset_controller::{
    cache::Cache,
    model::{Key, Kind},
};
use serde_json::{Value, json, value::RawValue};
use support::{
    daemon_set,
    fleet::{heartbeat_text, node_text, stored_pod, stored_pod_text},
    merge,
};

const MOST_KIB: u64 = 60 * 1024;

fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A later state of a stored pod, whose container crashes again and again. Its words are longer
/// than what is kept.
fn crashing(stored: &str) -> String {
    let long = "x".repeat(10_000);
    let mut pod: Value = serde_json::from_str(stored).expect("JSON");
    merge(
        &mut pod,
        json!({
            "metadata": {"resourceVersion": "2@@"},
            "status": {
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "containerStatuses": [{
                    "name": "c", "restartCount": 7,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": format!("@@ {long}")}},
                    "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": long}},
                }],
            },
        }),
    );
    pod.to_string()
}

/// How many nodes and pods store something that only explains.
fn explained(cache: &Cache) -> (usize, usize) {
    let nodes = cache.nodes().iter().filter(|(_, n)| n.detail.is_some());
    let pods = (0..5_000).filter(|i| {
        let pod = cache.pod(&Key::new("default", format!("web-{i:06}")));
        pod.expect("the pod").detail.is_some()
    });
    (nodes.count(), pods.count())
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
    let take = |cache: &mut Cache, kind, text: String| {
        let raw = RawValue::from_string(text).expect("JSON");
        cache.observe(kind, &raw).unwrap_or_else(|e| panic!("{e}"));
    };
    take(&mut cache, Kind::DaemonSet, daemon_set().json.to_string());
    let stored = stored_pod();
    assert!(stored.len() >= 7_000);
    for i in 0..5_000 {
        take(&mut cache, Kind::Node, node_text(i));
        take(&mut cache, Kind::Pod, stored_pod_text(&stored, i));
    }
    let after = resident_kib().expect("it was there before");
    println!("resident: {before} KiB before, {after} KiB with 5,000 nodes and 5,000 pods");
    assert_eq!((cache.nodes().len(), cache.pods()), (5_000, 5_000));
    assert!(after < MOST_KIB, "{after} KiB resident");

    for beat in 0..2 {
        for i in 0..5_000 {
            take(&mut cache, Kind::Node, heartbeat_text(i, "True", beat));
        }
    }
    assert_eq!(
        explained(&cache),
        (0, 0),
        "healthy nodes and pods store nothing that only explains"
    );
    let crashing = crashing(&stored);
    for i in 0..5_000 {
        take(&mut cache, Kind::Node, heartbeat_text(i, "Unknown", 2));
        take(&mut cache, Kind::Pod, stored_pod_text(&crashing, i));
    }
    let after = resident_kib().expect("it was there before");
    println!("resident: {after} KiB where none of them is healthy");
    assert_eq!(explained(&cache), (5_000, 5_000));
    assert!(
        after < MOST_KIB,
        "{after} KiB resident where none of them is healthy"
    );
}
