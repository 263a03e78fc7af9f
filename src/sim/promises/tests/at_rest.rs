//! L1 can be broken in each of its ways.

use serde_json::json;

use super::*;

#[test]
fn what_is_not_as_it_should_be_at_rest() {
    let new = Story::new;
    let settled = || new().there(pod("a"));
    let status = |field: &str| json!({"status": {(field): 7}});
    let orphan = json!({"metadata": {"ownerReferences": null}, "spec": {"nodeName": "m"}});
    let deleting = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    for (what, story, expected) in [
        ("all is well", settled(), ""),
        ("no pod", new(), "n has 0 live pods, not one (Eligible)"),
        ("two pods", settled().there(pod("b")), "n has 2 live pods"),
        (
            "a pod where it may not run",
            settled().tainted("NoExecute"),
            "n has 1 live pods, not none",
        ),
        (
            "a pod that is nobody's",
            settled().there(changed("o", orphan)),
            "d/o is nobody's",
        ),
        (
            "no revision",
            settled().with_daemon_set(json!({"spec": {"template": {"spec": {"a": 1}}}})),
            "has no revision",
        ),
        (
            "ready",
            settled().with_daemon_set(status("numberReady")),
            "numberReady 7, not 1",
        ),
        (
            "wanted",
            settled().with_daemon_set(status("desiredNumberScheduled")),
            "desiredNumberScheduled 7, not 1",
        ),
        (
            "observed",
            settled().with_daemon_set(status("observedGeneration")),
            "observedGeneration 7, not 1",
        ),
        (
            "one that is being deleted",
            new().with_daemon_set(deleting),
            "",
        ),
    ] {
        let found = story.settled(story.now());
        let as_expected = match expected {
            "" => found.is_empty(),
            expected => found.iter().any(|said| said.contains(expected)),
        };
        assert!(as_expected, "{what}: {found:?}");
    }
}

#[test]
fn a_controller_that_goes_on_writing_is_not_at_rest() {
    let mut story = Story::new().there(pod("a"));
    let at = story.now();
    for (client, method) in [("us", "GET"), ("kubelet", "PATCH"), ("us", "PATCH")] {
        story.request(Some((client, method, &format!("{POD}a"))));
    }
    assert_eq!(
        story.settled(at),
        ["it still writes, though nothing changes"]
    );
    assert!(story.settled(at + Duration::from_secs(1)).is_empty());
}

/// As the built-in controller counts: an orphan of a DaemonSet of the same name may be such a pod.
#[test]
fn a_pod_of_another_hash_is_updated_by_the_deprecated_template_generation() {
    let labels = json!({"controller-revision-hash": "old", "pod-template-generation": "2"});
    let left = json!({"metadata": {"labels": labels}});
    let said = "DaemonSet d/web: its status has updatedNumberScheduled 1, not 0";
    for (generation, expected) in [("2", &[][..]), ("3", &[said][..])] {
        let annotations = json!({"deprecated.daemonset.template.generation": generation});
        let story = Story::new()
            .there(changed("a", left.clone()))
            .with_daemon_set(json!({"metadata": {"annotations": annotations}}));
        assert_eq!(story.settled(story.now()), expected, "{generation}");
    }
}
