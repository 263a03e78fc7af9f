//! `budget: strict`, rule by rule.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::{Value, json};

/// `default/web` with this budget, strict or not.
fn set(strict: bool, max_unavailable: Value, max_surge: Value) -> Object {
    let value = if strict { "strict" } else { "off" };
    daemon_set().with(json!({
        "metadata": {"annotations": {"daemonset-controller.io/budget": value}},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": max_unavailable, "maxSurge": max_surge},
        }},
    }))
}

fn old(node: &str) -> Object {
    pod(&format!("old-{node}")).on(node).ready(100).hash(OLD)
}

fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(100)
}

fn plan_of(set: Object, names: &str, pods: impl IntoIterator<Item = Object>) -> Plan {
    let nodes: Vec<Object> = names.split(' ').map(node).collect();
    Cluster::new(set, nodes.into_iter().chain(pods)).plan()
}

fn next(plan: &Plan) -> Vec<String> {
    let rollout = plan.rollout.as_ref().expect("a rolling update");
    rollout.next.iter().map(|n| n.to_string()).collect()
}

#[test]
fn old_pods_that_are_not_available_go_within_the_budget() {
    let all = || ["a", "b", "c"].map(|node| unready(old(node)));
    let plan = plan_of(set(true, json!(1), json!(0)), "a b c", all());
    assert_eq!(deletes(&plan), ["rollout old-a OldUnavailable"]);
    assert_eq!(next(&plan), ["b", "c"]);
    let held: Vec<&str> = plan.holds.iter().map(|hold| hold.rule.as_str()).collect();
    assert_eq!(held, ["MaxUnavailable"]);
    let plan = plan_of(set(false, json!(1), json!(0)), "a b c", all());
    assert_eq!(deletes(&plan).len(), 3, "upstream takes all of them");
}

#[test]
fn a_second_update_within_min_ready_seconds_takes_one_at_a_time() {
    // All pods of the first update are ready and not available yet.
    let fresh = || ["a", "b", "c"].map(|node| old(node).ready(10));
    let with = |strict| {
        let set = set(strict, json!(1), json!(0)).with(json!({"spec": {"minReadySeconds": 120}}));
        deletes(&plan_of(set, "a b c", fresh()))
    };
    assert_eq!(with(true), ["rollout old-a OldUnavailable"]);
    assert_eq!(with(false).len(), 3);
}

#[test]
fn what_is_in_flight_counts_and_available_pods_wait_for_all_that_are_not() {
    // b's replacement is not available yet.
    let pods = || [unready(old("a")), unready(new("b")), old("c"), old("d")];
    let of = |budget: usize| {
        deletes(&plan_of(
            set(true, json!(budget), json!(0)),
            "a b c d",
            pods(),
        ))
    };
    assert_eq!(of(1), NONE);
    assert_eq!(of(2), ["rollout old-a OldUnavailable"]);
    assert_eq!(
        of(3),
        ["rollout old-a OldUnavailable", "rollout old-c Outdated"]
    );
    // A node without a pod and one whose pod is terminating are in flight as well.
    let pods = [unready(old("a")), old("b").terminating(), old("d")];
    let plan = plan_of(set(true, json!(2), json!(0)), "a b c d", pods);
    assert_eq!(deletes(&plan), NONE);
    // Upkeep replaces a failed pod in any case, and that counts.
    let pods = [old("a").phase("Failed"), unready(old("b"))];
    let plan = plan_of(set(true, json!(1), json!(0)), "a b", pods);
    assert_eq!(deletes(&plan), ["successor old-a PodFailed"]);
}

#[test]
fn while_surging_nodes_with_an_old_pod_that_is_not_available_count_against_max_surge() {
    let pods = || [unready(old("a")), unready(old("b")), old("c"), old("d")];
    let of = |strict, surge: usize| {
        creates(&plan_of(
            set(strict, json!(0), json!(surge)),
            "a b c d",
            pods(),
        ))
    };
    assert_eq!(of(true, 1), ["rollout a OldUnavailable"]);
    assert_eq!(
        of(true, 2),
        ["rollout a OldUnavailable", "rollout b OldUnavailable"]
    );
    let three = of(true, 3);
    assert_eq!(three[2..], ["rollout c Outdated"]);
    assert_eq!(
        of(false, 1).len(),
        3,
        "upstream: both, and one that is available"
    );
}

#[test]
fn a_changed_selector_removes_pods_within_the_budget() {
    let selected = |strict, budget: Value| {
        set(strict, budget, json!(0))
            .with(json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "2"}}}}}))
    };
    // a to c are not wanted any more, d is.
    let cluster = |set: Object, d: Object| {
        let nodes = [
            node("a"),
            node("b"),
            node("c"),
            node("d").label("zone", "2"),
        ];
        let pods = [
            old("a").created(500),
            old("b").created(900),
            unready(old("c")),
            d,
        ];
        Cluster::new(set, nodes.into_iter().chain(pods)).plan()
    };
    let gone =
        |plan: &Plan| -> Vec<String> { plan.deletes.iter().map(|d| d.node.to_string()).collect() };
    let plan = cluster(selected(false, json!(1)), new("d"));
    assert_eq!(gone(&plan), ["a", "b", "c"], "upstream takes all at once");
    let plan = cluster(selected(true, json!(1)), new("d"));
    assert_eq!(gone(&plan), ["c"], "the one that is not available is first");
    let held = &plan.holds[0];
    assert_eq!(held.rule.as_str(), "RemovalBudget");
    let first: Vec<&str> = held
        .nodes
        .as_ref()
        .expect("nodes")
        .first
        .iter()
        .map(|n| &**n)
        .collect();
    assert_eq!(first, ["b", "a"], "then the oldest");
    // While the node that is wanted has no available pod there is no room.
    let plan = cluster(selected(true, json!(1)), unready(new("d")));
    assert_eq!(gone(&plan), NONE);
    // Where no node is wanted any more, one at a time goes, whatever the percentage.
    let nowhere = selected(true, json!("10%"));
    let nodes = [
        node("a"),
        node("b"),
        old("a").created(500),
        old("b").created(900),
    ];
    assert_eq!(gone(&Cluster::new(nowhere, nodes).plan()), ["b"]);
}

#[test]
fn a_taint_that_evicts_is_no_matter_of_the_budget() {
    let nodes = [
        node("a").taint("k:NoExecute"),
        node("b").taint("k:NoExecute"),
    ];
    let pods = [new("a"), new("b")];
    let plan = Cluster::new(set(true, json!(1), json!(0)), nodes.into_iter().chain(pods)).plan();
    assert_eq!(plan.deletes.len(), 2);
}
