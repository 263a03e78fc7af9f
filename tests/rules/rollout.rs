//! Rolling updates, rule by rule.

use crate::support::*;
use daemonset_controller::{
    model::Key,
    plan::{ActionPhase, HoldRule, Plan},
};
use serde_json::{Value, json};

const NONE: [&str; 0] = [];

/// `default/web` with this budget.
fn rolling(max_unavailable: Value, max_surge: Value) -> Object {
    daemon_set().with(json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": max_unavailable, "maxSurge": max_surge},
    }}}))
}

/// A ready pod of the older revision on the node of its name.
fn old(node: &str) -> Object {
    pod(&format!("old-{node}")).on(node).ready(100).hash(OLD)
}

/// A ready pod of the current revision on the node of its name.
fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(100)
}

fn nodes(names: &str) -> Vec<Object> {
    names.split(' ').map(node).collect()
}

fn plan_of(set: Object, names: &str, pods: impl IntoIterator<Item = Object>) -> Plan {
    Cluster::new(set, nodes(names).into_iter().chain(pods)).plan()
}

fn next(plan: &Plan) -> Vec<String> {
    let rollout = plan.rollout.as_ref().expect("a rolling update");
    rollout.next.iter().map(|n| n.to_string()).collect()
}

#[test]
fn as_many_available_old_pods_go_as_the_budget_leaves() {
    let all = || ["a", "b", "c", "d"].map(old);
    for (budget, goes) in [
        (json!(1), &["a"][..]),
        (json!(2), &["a", "b"]),
        (json!("30%"), &["a", "b"]),
        (json!("100%"), &["a", "b", "c", "d"]),
        (json!(9), &["a", "b", "c", "d"]),
    ] {
        let plan = plan_of(rolling(budget.clone(), json!(0)), "a b c d", all());
        let wanted: Vec<String> = goes
            .iter()
            .map(|n| format!("rollout old-{n} Outdated"))
            .collect();
        assert_eq!(deletes(&plan), wanted, "maxUnavailable {budget}");
        assert_eq!(
            creates(&plan),
            NONE,
            "the new pod comes when the old one is gone"
        );
    }
}

#[test]
fn zero_together_with_zero_counts_as_one() {
    let plan = plan_of(rolling(json!(0), json!(0)), "a b", ["a", "b"].map(old));
    assert_eq!(deletes(&plan), ["rollout old-a Outdated"]);
}

#[test]
fn on_delete_and_unknown_strategies_replace_nothing() {
    for strategy in [json!({"type": "OnDelete"}), json!({"type": "Later"})] {
        let set = daemon_set().with(json!({"spec": {"updateStrategy": strategy}}));
        let plan = plan_of(set, "a", [old("a")]);
        assert!(plan.is_settled() && plan.rollout.is_none());
    }
    let odd = rolling(json!("many"), json!(0));
    assert_eq!(deletes(&plan_of(odd, "a", [old("a")])), NONE);
}

#[test]
fn what_is_unavailable_already_counts() {
    let budget = || rolling(json!(2), json!(0));
    for (what, b) in [
        ("a new pod that is not ready", new("b").with(unready())),
        ("a pod on its way out", old("b").terminating()),
    ] {
        let plan = plan_of(budget(), "a b c d", [old("a"), b, old("c"), old("d")]);
        assert_eq!(deletes(&plan), ["rollout old-a Outdated"], "{what}");
        assert_eq!(next(&plan), ["c", "d"], "{what}");
    }
    let plan = plan_of(budget(), "a b c d", ["a", "c", "d"].map(old));
    assert_eq!(creates(&plan), ["manage b NodeWithoutPod"]);
    assert_eq!(deletes(&plan), ["rollout old-a Outdated"]);
    let twice = [
        old("a"),
        old("b"),
        old("c"),
        pod("zz").on("c").ready(9).hash(OLD),
    ];
    let plan = plan_of(rolling(json!(1), json!(0)), "a b c", twice);
    assert_eq!(
        deletes(&plan),
        ["manage zz Duplicate"],
        "a node with two old pods counts"
    );
}

#[test]
fn old_pods_that_are_not_available_go_at_once_and_count() {
    let lame = |n: &str| old(n).with(unready());
    let plan = plan_of(
        rolling(json!(1), json!(0)),
        "a b c",
        [old("a"), lame("b"), lame("c")],
    );
    assert_eq!(
        deletes(&plan),
        [
            "rollout old-b OldUnavailable",
            "rollout old-c OldUnavailable"
        ]
    );
    assert_eq!(next(&plan), ["a"], "nothing is left of the budget");
}

#[test]
fn the_oldest_pods_go_first_and_ties_go_by_node() {
    let pods = [
        old("a").created(5),
        old("b").created(9),
        old("c").created(9),
        old("d").created(7),
    ];
    let plan = plan_of(rolling(json!(1), json!(0)), "a b c d", pods);
    assert_eq!(deletes(&plan), ["rollout old-b Outdated"]);
    assert_eq!(next(&plan), ["c", "d", "a"]);
}

#[test]
fn min_ready_seconds_hold_the_next_one_and_the_plan_wakes_then() {
    let set = rolling(json!(1), json!(0)).with(json!({"spec": {"minReadySeconds": 30}}));
    let plan = plan_of(set, "a b", [new("a").ready(12), old("b")]);
    assert_eq!(deletes(&plan), NONE);
    assert_eq!(plan.wake_at, Some(later(18)));
}

#[test]
fn surging_the_new_pod_comes_first_and_goes_by_the_surge() {
    for (surge, nodes) in [
        (json!(1), &["a"][..]),
        (json!("60%"), &["a", "b"]),
        (json!(5), &["a", "b", "c"]),
    ] {
        let set = rolling(json!(0), surge.clone());
        let plan = plan_of(set, "a b c", ["a", "b", "c"].map(old));
        let wanted: Vec<String> = nodes
            .iter()
            .map(|n| format!("rollout {n} Outdated"))
            .collect();
        assert_eq!(creates(&plan), wanted, "maxSurge {surge}");
        assert_eq!(deletes(&plan), NONE);
    }
}

#[test]
fn surging_an_unavailable_old_pod_gets_its_successor_at_once() {
    let lame = |n: &str| old(n).with(unready());
    let pods = [old("a"), lame("b"), lame("c")];
    let plan = plan_of(rolling(json!(0), json!(1)), "a b c", pods);
    let wanted = [
        "rollout a Outdated",
        "rollout b OldUnavailable",
        "rollout c OldUnavailable",
    ];
    assert_eq!(creates(&plan), wanted, "beside the surge, as upstream");
}

#[test]
fn surging_the_old_pod_goes_when_the_new_one_is_available() {
    let set = || rolling(json!(0), json!(1)).with(json!({"spec": {"minReadySeconds": 30}}));
    let plan = plan_of(set(), "a b", [old("a"), new("a").ready(10), old("b")]);
    assert_eq!(
        (creates(&plan).len(), deletes(&plan).len()),
        (0, 0),
        "the surge is used up"
    );
    assert_eq!(plan.wake_at, Some(later(20)));
    let plan = plan_of(set(), "a b", [old("a"), new("a").ready(40), old("b")]);
    assert_eq!(deletes(&plan).len(), 1);
    assert_eq!(creates(&plan), ["rollout b Outdated"]);
}

#[test]
fn surging_available_pods_elsewhere_go_only_while_enough_others_are_available() {
    let tainted = || node("z").taint("k:NoSchedule");
    for (others, goes) in [
        ([new("a"), new("b").with(unready())], &NONE[..]),
        ([new("a"), new("b")], &["rollout old-z Misplaced"]),
    ] {
        let objects = nodes("a b")
            .into_iter()
            .chain([tainted(), old("z")])
            .chain(others);
        let plan = Cluster::new(rolling(json!(0), json!(1)), objects).plan();
        assert_eq!(deletes(&plan), goes);
        assert_eq!(creates(&plan), NONE);
    }
    let lame = [tainted(), old("z").with(unready())];
    let plan = Cluster::new(rolling(json!(0), json!(1)), lame).plan();
    assert_eq!(deletes(&plan), ["rollout old-z OldUnavailable"]);
}

#[test]
fn both_parts_of_a_plan_keep_to_one_budget() {
    // The pod on `b` goes because of a taint: it is unavailable, and the rest of the budget is for
    // `a`.
    let tainted = node("b").taint("k:NoExecute");
    let objects = nodes("a c d").into_iter().chain([tainted]);
    let all = objects.chain(["a", "b", "c", "d"].map(old));
    let plan = Cluster::new(rolling(json!(2), json!(0)), all).plan();
    assert_eq!(
        deletes(&plan),
        ["rollout old-a Outdated", "manage old-b NodeNotEligible"]
    );
    // A failed pod is replaced once, by the first part.
    let failed = old("a").phase("Failed");
    for set in [rolling(json!(1), json!(0)), rolling(json!(0), json!(1))] {
        let plan = plan_of(set, "a", [failed.clone()]);
        assert_eq!(deletes(&plan).len(), 1);
        assert_eq!(plan.creates.len(), 1);
        assert!(plan.deletes.iter().all(|d| d.phase != ActionPhase::Rollout));
    }
}

#[test]
fn a_node_with_a_pod_that_cannot_be_decoded_counts_and_is_left_alone() {
    let broken = old("b").with(json!({"metadata": {"labels": 7}}));
    let mut cluster = Cluster::new(
        rolling(json!(1), json!(0)),
        nodes("a b").into_iter().chain([old("a")]),
    );
    let _ = cluster.cache.observe(broken.kind, &broken.raw());
    let plan = cluster.plan();
    assert_eq!(deletes(&plan), NONE);
}

fn unready() -> Value {
    json!({"status": {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": ago(1)}]}})
}

/// Nothing tells yet whether the pod is on its way out, or lives on.
#[test]
fn while_surging_no_pod_is_made_beside_one_whose_delete_is_not_confirmed() {
    let old = pod("old").on("a").ready(900).hash(OLD);
    let new = pod("new").on("a").ready(9);
    for there in [vec![new.clone()], vec![old, new.clone()]] {
        let objects = [node("a")].into_iter().chain(there);
        let mut cluster = Cluster::new(daemon_set().surging(), objects);
        let key = Key::new("default", "new");
        assert!(cluster.cache.delete_pending(&key, &"pod-new".into()));
        let plan = cluster.plan();
        assert!(plan.creates.is_empty());
        assert!(plan.holds.iter().any(|h| h.rule == HoldRule::DeletePending));
        // The delete is confirmed.
        cluster.put(&new.clone().terminating().version(2));
        assert_eq!(cluster.plan().creates.len(), 1);
    }
}
