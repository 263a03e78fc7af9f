//! `canary`, `bake` and `approve`, rule by rule.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::{HoldRule, Plan};
use serde_json::{Value, json};

fn cluster(set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let older = revision(OLD, 1, &template(1));
    Cluster::bare(set, [current, older].into_iter().chain(objects))
}

fn plan_of(keys: &[(&str, &str)], names: &str, pods: impl IntoIterator<Item = Object>) -> Plan {
    cluster(set(keys), nodes(names).into_iter().chain(pods)).plan()
}

fn is_released(plan: &Plan) -> bool {
    plan.revision_ops.release_stages.is_some()
}

#[test]
fn the_canary_goes_first_and_the_others_wait_for_it() {
    let all = || ["a", "b", "c", "d"].map(old);
    for (canary, goes) in [
        ("1", &["a"][..]),
        ("2", &["a", "b"]),
        ("9", &["a", "b", "c", "d"]),
        ("25%", &["a"]),
        ("26%", &["a", "b"]),
        ("1%", &["a"]),
        ("100%", &["a", "b", "c", "d"]),
    ] {
        let plan = plan_of(&[("canary", canary)], "a b c d", all());
        assert_eq!(gone(&plan), goes, "{canary}");
    }
    let plan = plan_of(&[("canary", "1")], "a b c d", all());
    assert_eq!(holds(&plan), ["Canary b c d"]);
    // Nodes that wait are not up to date.
    let rollout = plan.rollout.expect("a rolling update");
    assert_eq!((rollout.updated, rollout.old), (0, 4));
}

#[test]
fn the_oldest_pods_are_first_but_nodes_where_nothing_is_lost_come_before() {
    let pods = [
        old("a").created(500),
        old("b").created(900),
        old("c").created(700),
    ];
    assert_eq!(gone(&plan_of(&[("canary", "1")], "a b c", pods)), ["b"]);
    // A node without a pod gets the new one, and counts.
    let plan = plan_of(&[("canary", "1")], "a b", [old("a")]);
    let created: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert_eq!((gone(&plan).len(), created), (0, vec!["b new".to_owned()]));
    // After another change in the middle of a canary its nodes are the first ones again.
    let third = revision("third", 1, &template(3));
    let pods = [
        old("a").created(900),
        old("b").created(100).hash("third"),
        old("c").created(800),
    ];
    let objects = nodes("a b c").into_iter().chain(pods).chain([third]);
    let stable = revision(OLD, 1, &template(1)).with(
        json!({"metadata": {"annotations": {"state.daemonset-controller.io/completed": ago(50)}}}),
    );
    let keyed = set(&[("canary", "1")]);
    let current = revision(NEW, 2, &keyed.json["spec"]["template"]);
    let plan = Cluster::bare(keyed, [current, stable].into_iter().chain(objects)).plan();
    assert_eq!(gone(&plan), ["b"]);
}

#[test]
fn a_node_stays_in_while_its_pod_is_replaced_or_dies() {
    // a was chosen, and its old pod is on its way out or gone.
    let keys = [("canary", "1")];
    let pods = [old("a").terminating(), old("b").created(9_000)];
    assert_eq!(gone(&plan_of(&keys, "a b", pods)), NONE);
    let mut gone_pod = cluster(
        set(&keys),
        nodes("a b").into_iter().chain([old("a"), old("b")]),
    );
    gone_pod
        .cache
        .deleted(daemonset_controller::model::Kind::Pod, &old("a").raw());
    let plan = gone_pod.plan();
    let created: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert_eq!((gone(&plan).len(), created), (0, vec!["a new".to_owned()]));
    // Its new pod failed.
    let plan = plan_of(&keys, "a b", [new("a", 10).phase("Failed"), old("b")]);
    assert_eq!(plan.creates.len(), 1);
    assert_eq!(
        (&*plan.creates[0].node, &*plan.creates[0].revision),
        ("a", NEW)
    );
    assert_eq!(holds(&plan), ["Canary b"]);
}

#[test]
fn a_selector_chooses_by_labels_of_nodes() {
    let labelled = |name: &str| node(name).label("canary", "yes");
    let objects = [
        node("a"),
        labelled("b"),
        labelled("c"),
        old("a"),
        old("b"),
        old("c"),
    ];
    let keys = [("canary", "canary=yes")];
    let plan = cluster(set(&keys), objects.clone()).plan();
    assert_eq!(gone(&plan), ["b", "c"]);
    assert_eq!(holds(&plan), ["Canary a"]);
    let plan = cluster(set(&[("canary", "canary=no")]), objects).plan();
    assert_eq!(gone(&plan), NONE);
    assert_eq!(holds(&plan), ["NoCanaryNode a b c"]);
}

#[test]
fn the_budget_applies_inside_of_the_canary() {
    let one = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}}});
    let objects = nodes("a b c").into_iter().chain(["a", "b", "c"].map(old));
    let plan = cluster(set(&[("canary", "2")]).with(one), objects).plan();
    assert_eq!(gone(&plan), ["a"]);
    assert_eq!(holds(&plan), ["Canary c", "MaxUnavailable b"]);
}

#[test]
fn the_canary_bakes_and_then_its_end_is_recorded_before_others_follow() {
    let with = |bake: &[(&str, &str)], available: i64| {
        let keys: Vec<_> = [("canary", "1")].iter().chain(bake).copied().collect();
        plan_of(&keys, "a b", [new("a", available), old("b")])
    };
    // Ten minutes are the default.
    let plan = with(&[], 599);
    assert_eq!(holds(&plan), ["Baking b"]);
    assert_eq!(plan.holds[0].until, Some(later(1)));
    assert_eq!(plan.wake_at, Some(later(1)), "and it is looked at then");
    assert!(!is_released(&plan));
    let plan = with(&[], 600);
    assert!(is_released(&plan));
    assert_eq!(gone(&plan), NONE, "not in this plan");
    let event = &plan.events[0];
    assert_eq!(
        (event.kind.as_str(), event.reason),
        ("Normal", "CanaryReady")
    );
    assert!(is_released(&with(&[("bake", "1m")], 60)));
    assert!(is_released(&with(&[("bake", "0s")], 0)));
    assert_eq!(holds(&with(&[("bake", "1h")], 3_599)), ["Baking b"]);
    // The stage is as old as its youngest pod.
    let plan = plan_of(
        &[("canary", "2"), ("bake", "1m")],
        "a b c",
        [new("a", 500), new("b", 20), old("c")],
    );
    assert_eq!(plan.holds[0].until, Some(later(40)));
}

#[test]
fn once_recorded_all_nodes_follow_whatever_becomes_of_the_canary() {
    let keys = [("canary", "1")];
    let released = json!({"metadata": {"annotations": {"state.daemonset-controller.io/released": "[\"canary\"]"}}});
    let keyed = set(&keys);
    let current = revision(NEW, 2, &keyed.json["spec"]["template"]).with(released);
    let objects = [current, revision(OLD, 1, &template(1))];
    let pods = [new("a", 5).phase("Failed"), old("b")];
    let objects = objects.into_iter().chain(nodes("a b")).chain(pods);
    let plan = Cluster::bare(keyed, objects).plan();
    assert_eq!(gone(&plan), ["a", "b"]);
}

#[test]
fn approval_is_of_the_hash_and_any_other_is_ignored() {
    let with = |approve: &str| {
        let keys = [("canary", "1"), ("bake", "approval"), ("approve", approve)];
        plan_of(&keys, "a b", [new("a", 99_999), old("b")])
    };
    let plan = with("other");
    assert_eq!(holds(&plan), ["AwaitingApproval b"]);
    let HoldRule::AwaitingApproval(hash) = &plan.holds[0].rule else {
        panic!("{:?}", plan.holds);
    };
    assert_eq!(&**hash, NEW, "the hash to approve is named");
    assert!(is_released(&with(NEW)));
    // It need not wait for the bake, nor for the canary.
    let keys = [("canary", "1"), ("approve", NEW)];
    assert!(is_released(&plan_of(&keys, "a b", [old("a"), old("b")])));
}

#[test]
fn there_is_no_canary_for_a_first_install_and_for_what_is_known_to_be_good() {
    let keyed = set(&[("canary", "1")]);
    let current = revision(NEW, 1, &keyed.json["spec"]["template"]);
    let plan = Cluster::bare(keyed.clone(), [current.clone(), node("a"), node("b")]).plan();
    assert_eq!(plan.creates.len(), 2, "a first install");
    assert!(plan.creates.iter().all(|c| &*c.revision == NEW));
    // The way back to a revision that completed before.
    let at = |seconds| json!({"metadata": {"annotations": {"state.daemonset-controller.io/completed": ago(seconds)}}});
    let older = revision(OLD, 1, &template(1)).with(at(50));
    let objects = [
        current.with(at(90)),
        older,
        node("a"),
        node("b"),
        old("a"),
        old("b"),
    ];
    assert_eq!(gone(&Cluster::bare(keyed, objects).plan()), ["a", "b"]);
    // Without the key the others follow at once.
    let plan = plan_of(&[("bake", "1h")], "a b", [new("a", 5), old("b")]);
    assert_eq!(gone(&plan), ["b"]);
}

#[test]
fn hold_comes_before_canary_and_growing_it_releases_more() {
    let pods = || [new("a", 5_000), old("b"), old("c")];
    let plan = plan_of(&[("canary", "2"), ("hold", "rollout")], "a b c", pods());
    assert_eq!(
        (gone(&plan).len(), holds(&plan)),
        (0, vec!["HeldByAnnotation b c".to_owned()])
    );
    let keys = [("canary", "2"), ("bake", "approval")];
    assert_eq!(gone(&plan_of(&keys, "a b c", pods())), ["b"]);
    // A smaller one moves no node back.
    let keys = [("canary", "1"), ("bake", "approval")];
    let plan = plan_of(&keys, "a b c", [new("a", 5_000), new("b", 5_000), old("c")]);
    assert!(plan.deletes.is_empty() && plan.creates.is_empty());
    assert_eq!(holds(&plan), ["AwaitingApproval c"]);
}

#[test]
fn a_node_that_joins_in_the_middle_gets_what_is_stable() {
    let keys = [("canary", "1")];
    let plan = plan_of(&keys, "a b c", [new("a", 5), old("b")]);
    let created: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert_eq!(created, ["c old"]);
}

#[test]
fn only_eligible_nodes_are_in_the_canary() {
    let spec = json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "2"}}}}});
    let objects = [
        node("a"),
        node("b").label("zone", "2"),
        old("a").created(9_000),
        old("b"),
    ];
    let plan = cluster(set(&[("canary", "1")]).with(spec), objects).plan();
    assert_eq!(gone(&plan), ["b"]);
    let value: Value = json!(plan.status.expect("a status").desired_number_scheduled);
    assert_eq!(value, 2, "a keeps its revision, which wants it");
}

/// It gets no pod, because what it had is not known, and so it has none.
#[test]
fn a_node_that_waits_for_a_revision_that_is_gone_uses_the_budget() {
    let labelled = |name: &str, pool: &str| {
        let labels = json!({"metadata": {"labels": {"pool": pool}}});
        node(name).with(labels)
    };
    for (waiting, goes) in [(&["c"][..], vec!["a"]), (&["c", "d"], vec![])] {
        let keyed = set_with(&[("canary", "pool=0")], json!(2), json!(0));
        let current = revision(NEW, 2, &keyed.json["spec"]["template"]);
        let unreadable = revision(OLD, 1, &template(1)).with(json!({"data": {"spec": null}}));
        let nodes = [labelled("a", "0"), labelled("b", "0")];
        let others = waiting.iter().map(|name| labelled(name, "1"));
        let objects = nodes.into_iter().chain(others).chain(["a", "b"].map(old));
        let objects = [current, unreadable].into_iter().chain(objects);
        let plan = Cluster::bare(keyed, objects).plan();
        assert_eq!(gone(&plan), goes, "{waiting:?}");
        let expected = format!("PinnedRevisionMissing {}", waiting.join(" "));
        assert!(holds(&plan).contains(&expected), "{:?}", holds(&plan));
    }
}
