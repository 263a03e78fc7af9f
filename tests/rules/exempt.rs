//! `budget: bad-nodes`: which nodes are exempt.

use super::keyed::{NONE, gone, old, unready};
use crate::bad_nodes::*;
use crate::support::*;
use serde_json::json;

#[test]
fn each_reason_exempts_a_node_and_its_old_pod_stays() {
    let bad = || node("bad");
    let alive = || unready(old("bad"));
    for (reason, bad, pod) in [
        ("NotReady", down("bad", 60), alive()),
        ("NotReady", with(bad(), "Ready", "False", 60), alive()),
        ("Unschedulable", bad(), unschedulable(old("bad"))),
        (
            "Maintenance",
            with(bad(), "MaintenanceInProgress", "True", 60),
            alive(),
        ),
        (
            "ShuttingDown",
            with(bad(), "GracefulNodeShutdownInProgress", "True", 60),
            alive(),
        ),
        ("Terminating", bad().terminating(), alive()),
        (
            "AboutToGo",
            bad().taint("ToBeDeletedByClusterAutoscaler=1:NoSchedule"),
            alive(),
        ),
        (
            "AboutToGo",
            bad().taint("karpenter.sh/disrupted:NoSchedule"),
            alive(),
        ),
        (
            "AboutToGo",
            bad().taint("karpenter.sh/disruption=disrupting:NoSchedule"),
            alive(),
        ),
    ] {
        let objects = || {
            let rest = [node("a"), node("b"), old("a"), old("b")];
            rest.into_iter().chain([bad.clone(), pod.clone()])
        };
        let plan = plan_of(one(), objects());
        assert_eq!(gone(&plan), ["a"], "{reason}");
        assert_eq!(unavailable(&plan), 1, "the one that goes");
        let held = [
            format!("NodeExempt({reason}) bad"),
            "MaxUnavailable b".into(),
        ];
        let mut holds = holds(&plan);
        holds.sort();
        holds.reverse();
        assert_eq!(holds, held, "{reason}");
        // Also where its pod is available.
        let pods = [old("a"), old("b"), old("bad")];
        let nodes = [node("a"), node("b"), bad.clone()];
        if reason != "Unschedulable" {
            let plan = plan_of(one(), nodes.into_iter().chain(pods));
            assert_eq!(gone(&plan), ["a"], "{reason}");
        }
        // Without the key its old pod goes, and it uses up the budget.
        let plan = plan_of(set("off", json!(1), json!(0)), objects());
        assert_eq!(gone(&plan), ["bad"], "{reason}");
    }
}

#[test]
fn what_does_not_say_that_a_node_is_bad() {
    let waits = |reason: &str| {
        unready(old("x")).with(json!({"status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": reason},
        ]}}))
    };
    for (what, bad, pod) in [
        (
            "cordoned",
            node("x").taint("node.kubernetes.io/unschedulable:NoSchedule"),
            old("x"),
        ),
        ("no kubelet has written to it", node("x"), old("x")),
        (
            "no maintenance",
            with(node("x"), "MaintenanceInProgress", "False", 60),
            old("x"),
        ),
        (
            "a candidate only",
            node("x").taint("DeletionCandidateOfClusterAutoscaler:PreferNoSchedule"),
            old("x"),
        ),
        ("gated", node("x"), waits("SchedulingGated")),
    ] {
        let plan = plan_of(one(), [node("a"), old("a").created(1), bad, pod]);
        assert_eq!(gone(&plan), ["x"], "{what}");
    }
}

#[test]
fn a_node_that_became_not_ready_after_it_got_the_new_pod_counts() {
    // The pods are 1,000 s old.
    let of = |new_pod: Object, bad: Object| {
        let rest = [node("a"), old("a"), node("b"), old("b")];
        plan_of(one(), rest.into_iter().chain([bad, new_pod]))
    };
    for (since, exempt) in [(1_001, true), (1_000, false), (999, false)] {
        let plan = of(unready(new("bad")), down("bad", since));
        let goes = if exempt {
            vec!["a".to_owned()]
        } else {
            Vec::new()
        };
        assert_eq!(gone(&plan), goes, "{since}");
        assert_eq!(unavailable(&plan), 1, "{since}");
    }
    // A pod of the new revision that is on its way out was there all the same, and so was one that
    // failed.
    let going = of(new("bad").terminating(), down("bad", 60));
    assert_eq!(gone(&going), NONE);
    let failed = of(new("bad").phase("Failed"), down("bad", 60));
    assert_eq!(deletes(&failed), ["successor new-bad PodFailed"]);
    // Nobody can tell since when: that is no excuse.
    let no_time = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    let plan = of(unready(new("bad")), node("bad").with(no_time));
    assert_eq!(gone(&plan), NONE);
    // Whatever it has, a node that is about to go is.
    let leaving = with(node("bad"), "MaintenanceInProgress", "True", 60);
    assert_eq!(gone(&of(unready(new("bad")), leaving)), ["a"]);
}

#[test]
fn an_exempt_node_without_a_pod_gets_one_and_stays_exempt() {
    let plan = plan_of(one(), [down("bad", 60), node("a"), old("a")]);
    assert_eq!(creates(&plan), ["manage bad NodeWithoutPod"]);
    assert_eq!(gone(&plan), ["a"]);
    // Not scheduled yet: it was made after the node was down.
    let pinned = pod("new-bad").pinned(&["bad"]).created(30);
    let plan = plan_of(one(), [down("bad", 60), pinned, node("a"), old("a")]);
    assert_eq!(gone(&plan), ["a"]);
}
