//! `budget: bad-nodes`: what becomes of a rollout where nodes are exempt, rule by rule.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::{Value, json};

/// `default/web` with this value of `budget`, and this strategy.
pub fn set(budget: &str, max_unavailable: Value, max_surge: Value) -> Object {
    daemon_set().with(json!({
        "metadata": {"annotations": {"daemonset-controller.io/budget": budget}},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": max_unavailable, "maxSurge": max_surge},
        }},
    }))
}

/// With a cap of half the nodes, and one at a time.
pub fn one() -> Object {
    set("bad-nodes=50%", json!(1), json!(0))
}

/// With this key besides.
pub fn key(set: Object, key: &str, value: &str) -> Object {
    let key = format!("daemonset-controller.io/{key}");
    set.with(json!({"metadata": {"annotations": {key: value}}}))
}

pub fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(5_000)
}

pub fn unschedulable(pod: Object) -> Object {
    pod.with(json!({"status": {"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"},
    ]}}))
}

/// A node with this condition since so many seconds ago.
pub fn with(node: Object, kind: &str, status: &str, seconds: i64) -> Object {
    let condition = json!({"type": kind, "status": status, "lastTransitionTime": ago(seconds)});
    node.with(json!({"status": {"conditions": [condition]}}))
}

/// A node that nobody has heard of for so many seconds.
pub fn down(name: &str, seconds: i64) -> Object {
    with(node(name), "Ready", "Unknown", seconds)
}

pub fn cluster(set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let older = revision(OLD, 1, &template(1));
    Cluster::bare(set, [current, older].into_iter().chain(objects))
}

pub fn plan_of(set: Object, objects: impl IntoIterator<Item = Object>) -> Plan {
    cluster(set, objects).plan()
}

/// Rule, reason and first nodes of each hold.
pub fn holds(plan: &Plan) -> Vec<String> {
    let line = |hold: &daemonset_controller::plan::Hold| {
        let nodes = hold.nodes.as_ref().map(|nodes| nodes.first.join(" "));
        format!(
            "{:?} {}",
            hold.rule,
            nodes.unwrap_or_else(|| "*".to_owned())
        )
    };
    plan.holds.iter().map(line).collect()
}

pub fn unavailable(plan: &Plan) -> usize {
    plan.rollout.as_ref().expect("a rolling update").unavailable
}

/// So many nodes that are down, `bad-0` and so on, and as many more that are well, `n-0` and so on.
fn nodes(bad: usize, well: usize) -> Vec<Object> {
    let bad = (0..bad).map(|n| format!("bad-{n}"));
    let bad = bad.flat_map(|name| [down(&name, 60), unready(old(&name))]);
    let well = (0..well).map(|n| format!("n-{n}"));
    bad.chain(well.flat_map(|name| [node(&name), old(&name)]))
        .collect()
}

#[test]
fn above_the_cap_nothing_is_replaced() {
    for (value, bad, well, is_held) in [
        ("bad-nodes=2", 2, 1, false),
        ("bad-nodes=2", 3, 20, true),
        ("bad-nodes=50%", 2, 2, false),
        ("bad-nodes=49%", 3, 2, false),
        ("bad-nodes=40%", 3, 2, true),
        ("bad-nodes=100%", 3, 1, false),
        // A fifth, rounded up.
        ("bad-nodes", 2, 8, false),
        ("bad-nodes", 3, 8, false),
        ("bad-nodes", 3, 7, true),
        ("bad-nodes,strict", 3, 7, true),
        ("strict,bad-nodes=50%", 3, 7, false),
    ] {
        let plan = plan_of(set(value, json!(1), json!(0)), nodes(bad, well));
        assert_eq!(
            plan.deletes.is_empty(),
            is_held,
            "{value}: {bad} of {}",
            bad + well
        );
        let rules: Vec<&str> = plan.holds.iter().map(|h| h.rule.as_str()).collect();
        assert_eq!(
            rules.contains(&"TooManyBadNodes"),
            is_held,
            "{value}: {rules:?}"
        );
        assert!(rules.contains(&"NodeExempt"));
    }
    let plan = plan_of(set("bad-nodes", json!(1), json!(0)), nodes(3, 7));
    let expected = [
        "TooManyBadNodes(TooMany { count: 3, cap: 2 }) n-0 n-1 n-2 n-3 n-4",
        "NodeExempt(NotReady) bad-0 bad-1 bad-2",
    ];
    assert_eq!(holds(&plan), expected);
    let said = plan.holds[0].rule.message();
    assert!(
        said.contains("3 nodes are out of order") && said.contains("allows 2 of them"),
        "{said}"
    );
    // Unavailable old pods stay as well, and upkeep goes on.
    let more = [
        node("x"),
        unready(old("x")),
        node("y"),
        new("y").phase("Failed"),
        node("z"),
    ];
    let plan = plan_of(
        set("bad-nodes=2", json!(1), json!(0)),
        nodes(3, 7).into_iter().chain(more),
    );
    assert_eq!(deletes(&plan), ["successor new-y PodFailed"]);
    assert_eq!(
        creates(&plan),
        ["successor y PodFailed", "manage z NodeWithoutPod"]
    );
    // With surge too.
    for surge in [json!(1), json!("100%")] {
        let more = [
            node("x").taint("k:NoSchedule"),
            old("x"),
            node("y"),
            unready(old("y")),
        ];
        let objects = nodes(3, 7).into_iter().chain(more);
        let plan = plan_of(set("bad-nodes=2", json!(0), surge), objects);
        assert_eq!(
            (gone(&plan).len(), creates(&plan).len()),
            (0, 0),
            "{:?}",
            plan.deletes
        );
        assert_eq!(plan.holds[0].nodes.as_ref().map(|n| n.count), Some(9));
    }
    // Where no node is left but bad ones, the DaemonSet is held as a whole.
    let plan = plan_of(set("bad-nodes=2", json!(1), json!(0)), nodes(3, 0));
    assert!(holds(&plan)[0].ends_with("*"), "{:?}", holds(&plan));
    // Where nothing is to be replaced, nothing is held.
    let objects = (0..3).flat_map(|n| {
        let name = format!("bad-{n}");
        [down(&name, 2_000), unready(new(&name))]
    });
    let plan = plan_of(set("bad-nodes=2", json!(1), json!(0)), objects);
    assert_eq!(holds(&plan), NONE);
}

#[test]
fn nodes_that_the_daemonset_has_nothing_to_do_with_do_not_count_against_the_cap() {
    let elsewhere = (0..9).map(|n| down(&format!("other-{n}"), 60).taint("k:NoSchedule"));
    let objects = nodes(1, 2).into_iter().chain(elsewhere);
    let plan = plan_of(set("bad-nodes=1", json!(1), json!(0)), objects);
    assert_eq!(gone(&plan), ["n-0"]);
    // One that is not eligible any more but has a pod does.
    let evicted = [
        down("x", 60).taint("node.kubernetes.io/unreachable:NoSchedule"),
        old("x"),
    ];
    let objects = nodes(1, 2).into_iter().chain(evicted);
    let plan = plan_of(
        set("bad-nodes=1", json!(1), json!(0)),
        objects.collect::<Vec<_>>(),
    );
    assert_eq!(gone(&plan), NONE);
}

#[test]
fn the_rule_applies_to_a_strict_budget_too() {
    // Bad nodes take no room, neither from old pods nor from pods that are not wanted any more.
    let strict = |cap: &str| set(&format!("strict,{cap}"), json!(1), json!(0));
    let objects = || {
        let more = [node("x"), unready(old("x")), node("y"), unready(old("y"))];
        nodes(2, 2).into_iter().chain(more)
    };
    assert_eq!(gone(&plan_of(strict("bad-nodes=2"), objects())), ["x"]);
    let plan = plan_of(set("strict", json!(1), json!(0)), objects());
    assert_eq!(gone(&plan), ["bad-0"], "strict alone");

    let selector = json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "2"}}}}});
    let wanted = [down("w", 60).label("zone", "2"), unready(old("w"))];
    let leaving = ["a", "b"]
        .into_iter()
        .flat_map(|name| [node(name), old(name)]);
    let objects: Vec<Object> = wanted.into_iter().chain(leaving).collect();
    let plan = plan_of(
        strict("bad-nodes=1").with(selector.clone()),
        objects.clone(),
    );
    assert_eq!(gone(&plan), ["a"]);
    let plan = plan_of(
        set("strict", json!(1), json!(0)).with(selector.clone()),
        objects.clone(),
    );
    let gone_for = |plan: &Plan| -> Vec<&'static str> {
        plan.deletes.iter().map(|d| d.cause.as_str()).collect()
    };
    assert_eq!(gone_for(&plan), ["OldUnavailable"], "w has taken the room");
    // What is not wanted on a bad node leaves it as upkeep has it.
    let also = [down("bad", 60), old("bad")];
    let objects = objects.into_iter().chain(also);
    let plan = plan_of(strict("bad-nodes=2").with(selector), objects);
    assert_eq!(gone(&plan), ["a", "bad"]);
}

#[test]
fn while_surging_a_bad_node_gets_no_second_pod_and_is_not_counted() {
    let surging = |budget: &str| set(budget, json!(0), json!(1));
    let plan = plan_of(surging("bad-nodes=1"), nodes(1, 2));
    assert_eq!(creates(&plan), ["rollout n-0 Outdated"]);
    let plan = plan_of(surging("off"), nodes(1, 2));
    assert_eq!(
        creates(&plan),
        ["rollout bad-0 OldUnavailable", "rollout n-0 Outdated"]
    );
    // Its second pod, from before it was bad, takes no room, and stays.
    let second = pod("new-bad-0").pinned(&["bad-0"]).created(30);
    let maintained = |pods: [Object; 2]| {
        let bad = with(node("bad-0"), "MaintenanceInProgress", "True", 10);
        let objects = [node("n-0"), old("n-0"), bad].into_iter().chain(pods);
        plan_of(surging("bad-nodes=1"), objects)
    };
    let plan = maintained([old("bad-0"), second]);
    assert_eq!(creates(&plan), ["rollout n-0 Outdated"]);
    assert_eq!(gone(&plan), NONE);
    // A replacement whose new pod is available comes to its end.
    let plan = maintained([old("bad-0"), new("bad-0")]);
    assert_eq!(deletes(&plan), ["manage old-bad-0 Replaced"]);
    // An available pod leaves a node that is no longer eligible while enough others are available;
    // bad ones are not waited for.
    let misplaced = [node("x").taint("k:NoSchedule"), old("x")];
    let done = [node("n-0"), new("n-0")];
    let bad = nodes(1, 0);
    let objects = || {
        bad.iter()
            .cloned()
            .chain(misplaced.clone())
            .chain(done.clone())
    };
    let plan = plan_of(surging("bad-nodes=1"), objects());
    assert_eq!(deletes(&plan), ["rollout old-x Misplaced"]);
    assert!(
        !deletes(&plan_of(surging("off"), objects()))
            .contains(&"rollout old-x Misplaced".to_owned())
    );
}

#[test]
fn the_canary_passes_over_bad_nodes() {
    let canary = |value: &str| key(one(), "canary", value);
    let both = |a: Object| {
        [
            a,
            old("a").created(9_000),
            node("b"),
            old("b"),
            node("c"),
            old("c"),
        ]
    };
    assert_eq!(gone(&plan_of(canary("1"), both(node("a")))), ["a"]);
    assert_eq!(gone(&plan_of(canary("1"), both(down("a", 60)))), ["b"]);
    // A share is one of all eligible nodes.
    let two = key(set("bad-nodes", json!(2), json!(0)), "canary", "40%");
    assert_eq!(gone(&plan_of(two, both(down("a", 60)))), ["b", "c"]);
    // A selector that selects bad ones only has nobody.
    let selects = canary("canary=yes");
    let plan = plan_of(selects, both(down("a", 60).label("canary", "yes")));
    assert_eq!(gone(&plan), NONE);
    assert!(
        holds(&plan).contains(&"NoCanaryNode a b c".to_owned()),
        "{:?}",
        holds(&plan)
    );
    // One that turns bad after it got the new pod stays in, and keeps the others waiting.
    let now_down = |since| {
        let objects = [down("a", since), unready(new("a")), node("b"), old("b")];
        plan_of(canary("1"), objects)
    };
    let plan = now_down(60);
    assert_eq!(gone(&plan), NONE);
    assert_eq!(holds(&plan), ["Canary b"]);
    // One that was down before is another matter: the next one takes its place.
    assert_eq!(gone(&now_down(2_000)), ["b"]);
    // It is not waited for when the canary is judged.
    let baked = [
        down("a", 2_000),
        unready(new("a")),
        node("b"),
        new("b"),
        node("c"),
        old("c"),
    ];
    let plan = plan_of(key(canary("1"), "bake", "1m"), baked);
    assert!(plan.revision_ops.release_stages.is_some());
}

#[test]
fn a_rollout_completes_without_bad_nodes_and_they_follow_when_they_are_well() {
    let recorded = |plan: &Plan| {
        let (revision, _) = plan.revision_ops.set_completed.as_ref()?;
        Some(revision.name.to_string())
    };
    let mut cluster = cluster(
        one(),
        [down("bad", 60), unready(old("bad")), node("a"), new("a")],
    );
    let plan = cluster.plan();
    assert_eq!(recorded(&plan).as_deref(), Some("web-new"));
    assert_eq!(gone(&plan), NONE);
    let status = plan.status.expect("a status");
    assert_eq!(
        (
            status.desired_number_scheduled,
            status.updated_number_scheduled
        ),
        (2, 1),
        "the status is honest"
    );
    // Back again.
    cluster.put(&with(node("bad"), "Ready", "True", 1).version(2));
    let plan = cluster.plan();
    assert_eq!(recorded(&plan), None);
    assert_eq!(gone(&plan), ["bad"]);

    let of = |set: Object, objects: [Object; 4]| recorded(&plan_of(set, objects));
    // Without the key it is waited for, and so is one that counts.
    let objects = || [down("bad", 60), unready(old("bad")), node("a"), new("a")];
    assert_eq!(of(set("strict", json!(1), json!(0)), objects()), None);
    let after = [down("bad", 60), unready(new("bad")), node("a"), new("a")];
    assert_eq!(of(one(), after), None);
    // That all are bad proves nothing, nor does a rollout with too many of them.
    let all = [
        down("a", 60),
        unready(old("a")),
        down("bad", 60),
        unready(old("bad")),
    ];
    assert_eq!(of(set("bad-nodes=100%", json!(1), json!(0)), all), None);
    let many = nodes(2, 0).into_iter().chain([node("a"), new("a")]);
    assert_eq!(
        recorded(&plan_of(set("bad-nodes=1", json!(1), json!(0)), many)),
        None
    );
}

#[test]
fn an_older_revision_completed_without_bad_nodes_too() {
    // All of it is what the built-in controller rolled out before somebody changed the template.
    let recorded = |set: Object, bad: Object, here: Object| {
        let plan = plan_of(set, [bad, here, node("a"), old("a")]);
        let (revision, _) = plan.revision_ops.set_completed?;
        Some(revision.name.to_string())
    };
    let web_old = Some("web-old".to_owned());
    let older = || unready(pod("older-bad").on("bad").hash("older"));
    assert_eq!(recorded(one(), down("bad", 2_000), older()), web_old);
    assert_eq!(
        recorded(one(), down("bad", 2_000), unready(old("bad"))),
        web_old
    );
    // This node went down when it had the older revision: that one never completed.
    assert_eq!(recorded(one(), down("bad", 60), unready(old("bad"))), None);
    assert_eq!(
        recorded(
            set("strict", json!(1), json!(0)),
            down("bad", 2_000),
            older()
        ),
        None
    );
}

#[test]
fn with_on_delete_the_key_changes_nothing_but_what_completes() {
    let on_delete = one().with(json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}));
    let plan = plan_of(on_delete, nodes(1, 1));
    assert_eq!(holds(&plan), ["OnDelete bad-0 n-0"]);
}
