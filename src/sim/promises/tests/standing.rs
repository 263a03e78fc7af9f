//! Pods beside others that are on their way out, for nodes that are gone, and what is left at rest.

use serde_json::json;

use super::*;

#[test]
fn a_pod_is_made_beside_one_that_is_known_to_be_terminating_only_while_surging() {
    let terminating = || {
        let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        changed("a", going)
    };
    let story = Story::new().there(terminating()).created(pod("b"));
    assert_eq!(story.history(), ["S1"]);
    let surging = Story::new().with_daemon_set(surge());
    let story = surging.there(terminating()).created(pod("b"));
    assert!(story.history().is_empty());
    let mut ended = terminating();
    ended["status"]["phase"] = json!("Failed");
    let story = Story::new().there(ended).created(pod("b"));
    assert!(story.history().is_empty());
}

#[test]
fn at_rest_no_pod_waits_for_a_node_that_is_gone() {
    let waits = json!({"spec": {"nodeName": null, "affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gone"]}]},
        ]},
    }}}});
    let story = Story::new().there(pod("a")).there(changed("b", waits));
    let found = story.settled(story.now());
    let told = "d/b waits for gone, which is gone";
    assert!(found.iter().any(|said| said.contains(told)), "{found:?}");
}

#[test]
fn at_rest_a_rolling_update_leaves_no_pod_of_an_old_revision_where_it_may_stay() {
    let rolling = json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }}});
    let mut story = Story::new().with_daemon_set(rolling).there(pod("a"));
    let taints = json!([{"key": "k", "effect": "NoSchedule"}]);
    let tainted = json!({"metadata": {"name": "m"}, "spec": {"taints": taints}});
    story.put(&NODES, tainted, None);
    let old = json!({
        "metadata": {"labels": {"controller-revision-hash": "old"}}, "spec": {"nodeName": "m"},
    });
    let story = story.there(changed("b", old));
    let found = story.settled(story.now());
    let told = "d/b is of an old revision";
    assert!(found.iter().any(|said| said.contains(told)), "{found:?}");
}
