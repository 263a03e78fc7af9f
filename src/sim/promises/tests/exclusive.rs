//! S9 can be broken in each of its ways.

use serde_json::json;

use super::*;

fn exclusive() -> Story {
    let key = json!({"daemonset-controller.io/exclusive": "true"});
    Story::new().with_daemon_set(json!({"metadata": {"annotations": key}}))
}

fn gated(name: &str) -> Value {
    let gates = json!([{"name": "daemonset-controller.io/exclusive"}]);
    changed(name, json!({"spec": {"schedulingGates": gates}}))
}

#[test]
fn by_table() {
    let none: [&str; 0] = [];
    let failed = json!({"status": {"phase": "Failed"}});
    let with = exclusive;
    let cases: Vec<(&str, Story, &[&str])> = vec![
        (
            "a gated pod beside one",
            with().there(pod("a")).created(gated("b")),
            &none,
        ),
        (
            "it loses its gate there",
            with().there(pod("a")).created(gated("b")).patched(pod("b")),
            &["S9"],
        ),
        (
            "alone it may",
            with().created(gated("b")).patched(pod("b")),
            &none,
        ),
        (
            "beside one that is over",
            with()
                .there(changed("a", failed))
                .created(gated("b"))
                .patched(pod("b")),
            &none,
        ),
        (
            "without the key",
            Story::new()
                .there(pod("a"))
                .created(gated("b"))
                .patched(pod("b")),
            &none,
        ),
    ];
    for (case, story, wanted) in cases {
        assert_eq!(story.history(), wanted, "{case}");
    }
}

#[test]
fn a_pod_that_terminates_could_run() {
    let mut story = exclusive().there(pod("a"));
    let mut going = pod("a");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    story.put(&PODS, going, None);
    let story = story.created(gated("b")).patched(pod("b"));
    assert_eq!(story.history(), ["S9"]);
}
