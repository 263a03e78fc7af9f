//! `order`, rule by rule: group after group, and what is released.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::{Value, json};

/// A node of this zone; "" for one without the label.
fn in_zone(name: &str, zone: &str) -> Object {
    match zone {
        "" => node(name),
        zone => node(name).with(json!({"metadata": {"labels": {"zone": zone}}})),
    }
}

/// Two nodes of each of the zones 2 and 10, and one without: `2a 2b 10a 10b x`.
fn nodes() -> Vec<Object> {
    [
        ("2a", "2"),
        ("2b", "2"),
        ("10a", "10"),
        ("10b", "10"),
        ("x", ""),
    ]
    .map(|(name, zone)| in_zone(name, zone))
    .into()
}

fn old_on(names: &str) -> Vec<Object> {
    names.split_whitespace().map(old).collect()
}

/// These stages are over; the older revision completed.
fn plan_after(
    released: &[&str],
    keys: &[(&str, &str)],
    objects: impl IntoIterator<Item = Object>,
) -> Plan {
    let set = set(keys);
    let mut current = revision(NEW, 2, &set.json["spec"]["template"]);
    let state = |key: &str, value: String| {
        let key = format!("state.daemonset-controller.io/{key}");
        json!({"metadata": {"annotations": {(key): value}}})
    };
    if !released.is_empty() {
        current = current.with(state("released", json!(released).to_string()));
    }
    let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
    Cluster::bare(set, [current, older].into_iter().chain(objects)).plan()
}

const ORDER: &[(&str, &str)] = &[("order", "zone"), ("bake", "1m")];

fn released(plan: &Plan) -> Vec<String> {
    let stages = plan.revision_ops.release_stages.as_ref();
    stages.map_or_else(Vec::new, |(_, names)| {
        names.iter().map(|n| n.to_string()).collect()
    })
}

#[test]
fn the_first_group_goes_first_in_natural_or_given_order() {
    let all = || nodes().into_iter().chain(old_on("2a 2b 10a 10b x"));
    let plan = plan_after(&[], ORDER, all());
    assert_eq!(gone(&plan), ["2a", "2b"]);
    assert_eq!(holds(&plan), ["EarlierGroup 10a 10b x"]);
    assert_eq!(
        gone(&plan_after(&[], &[("order", "zone=10")], all())),
        ["10a", "10b"]
    );
    // Every node is a group of its own.
    let one_by_one = [("order", "kubernetes.io/hostname")];
    assert_eq!(gone(&plan_after(&[], &one_by_one, all())), ["2a"]);
}

#[test]
fn the_next_group_follows_when_the_last_one_is_available_has_baked_and_that_is_recorded() {
    let with = |released: &[&str], seconds| {
        let pods = [new("2a", 600), new("2b", seconds)];
        let others = old_on("10a 10b x");
        plan_after(
            released,
            ORDER,
            nodes().into_iter().chain(pods).chain(others),
        )
    };
    let bakes = with(&[], 59);
    assert_eq!((gone(&bakes).len(), released(&bakes).len()), (0, 0));
    assert_eq!(holds(&bakes), ["Baking 10a 10b x"]);
    assert_eq!(bakes.wake_at, Some(later(1)));
    let over = with(&[], 60);
    assert_eq!(
        (gone(&over), released(&over)),
        (vec![], vec!["zone=2".to_owned()])
    );
    assert_eq!(holds(&over), ["StageNotRecorded 10a 10b x"]);
    assert_eq!(over.events[0].reason, "StageReleased");
    let next = with(&["zone=2"], 60);
    assert_eq!(gone(&next), ["10a", "10b"]);
    assert_eq!(holds(&next), ["EarlierGroup x"]);
}

#[test]
fn a_failure_stays_in_its_group() {
    let pods = [new("2a", 600), pod("new-2b").on("2b")];
    let objects = || {
        nodes()
            .into_iter()
            .chain(pods.clone())
            .chain(old_on("10a 10b x"))
    };
    let plan = plan_after(&[], ORDER, objects());
    assert_eq!(
        (gone(&plan).len(), holds(&plan)),
        (0, vec!["EarlierGroup 10a 10b x".to_owned()])
    );
    // Nobody's approval makes an unavailable group good.
    let approved = [("order", "zone"), ("bake", "approval"), ("approve", NEW)];
    assert_eq!(gone(&plan_after(&[], &approved, objects())), NONE);
}

#[test]
fn approval_is_asked_for_once() {
    let objects = || {
        let pods = [new("2a", 1), new("2b", 1)];
        nodes().into_iter().chain(pods).chain(old_on("10a 10b x"))
    };
    let asks = plan_after(&[], &[("order", "zone"), ("bake", "approval")], objects());
    assert_eq!(holds(&asks), ["AwaitingApproval 10a 10b x"]);
    let keys = [("order", "zone"), ("bake", "approval"), ("approve", NEW)];
    assert_eq!(released(&plan_after(&[], &keys, objects())), ["zone=2"]);
}

#[test]
fn who_joins_or_is_relabelled_is_never_moved_back() {
    let join = |zone: &str| {
        let pods = [new("2a", 600), new("2b", 600), new("10a", 600)];
        let objects = nodes().into_iter().chain(pods).chain(old_on("10b x"));
        let plan = plan_after(&["zone=2"], ORDER, objects.chain([in_zone("j", zone)]));
        let create = plan
            .creates
            .iter()
            .find(|c| &*c.node == "j")
            .expect("a create");
        create.revision.to_string()
    };
    assert_eq!(
        [join("2"), join("10"), join("11"), join("")],
        [NEW, NEW, OLD, OLD]
    );
    // A new group that comes before the open one is a stage of its own: its turn is now.
    assert_eq!(join("1"), NEW);
    // 2a is now of a zone whose turn is later.
    let relabelled = [
        in_zone("2a", "99"),
        in_zone("2b", "2"),
        in_zone("10a", "10"),
    ];
    let pods = [new("2a", 600), old("2b"), old("10a")];
    let plan = plan_after(&[], ORDER, relabelled.into_iter().chain(pods));
    assert_eq!(gone(&plan), ["2b"]);
    assert_eq!(holds(&plan), ["EarlierGroup 10a"]);
}

#[test]
fn groups_that_are_done_already_are_recorded_together() {
    let pods = ["2a", "2b", "10a", "10b"].map(|node| new(node, 600));
    let plan = plan_after(
        &[],
        ORDER,
        nodes().into_iter().chain(pods).chain([old("x")]),
    );
    assert_eq!(released(&plan), ["zone=2", "zone=10"]);
    assert_eq!(gone(&plan), NONE);
    let done = ["2a", "2b", "10a", "10b", "x"].map(|node| new(node, 600));
    let plan = plan_after(
        &["zone=2", "zone=10"],
        ORDER,
        nodes().into_iter().chain(done),
    );
    assert_eq!(released(&plan), ["zone=2", "zone=10", "!zone"]);
}

#[test]
fn the_last_group_bakes_once() {
    let all = |seconds| ["2a", "2b", "10a", "10b", "x"].map(|node| new(node, seconds));
    let stages = ["zone=2", "zone=10", "!zone"];
    let plan = plan_after(&stages, ORDER, nodes().into_iter().chain(all(60)));
    assert!(plan.revision_ops.set_completed.is_some());
    let plan = plan_after(&stages, ORDER, nodes().into_iter().chain(all(59)));
    assert!(plan.revision_ops.set_completed.is_none());
}

#[test]
fn a_canary_comes_first_and_is_spread_over_the_groups() {
    let all = || nodes().into_iter().chain(old_on("2a 2b 10a 10b x"));
    for (canary, chosen) in [
        ("1", &["2a"][..]),
        ("2", &["10a", "2a"]),
        ("3", &["10a", "2a", "x"]),
        ("4", &["10a", "2a", "2b", "x"]),
    ] {
        let keys = [("canary", canary), ("order", "zone")];
        let plan = plan_after(&[], &keys, all());
        let mut gone = gone(&plan);
        gone.sort();
        assert_eq!(gone, chosen, "{canary}");
    }
    // Those that have it already count for their group.
    let keys = [("canary", "2"), ("order", "zone")];
    let pods = old_on("2b 10a 10b x").into_iter().chain([new("2a", 5)]);
    assert_eq!(
        gone(&plan_after(&[], &keys, nodes().into_iter().chain(pods))),
        ["10a"]
    );
    // After the canary the groups, and its nodes stay as they are.
    let pods = old_on("2a 2b 10b x").into_iter().chain([new("10a", 600)]);
    let plan = plan_after(&["canary"], &keys, nodes().into_iter().chain(pods));
    assert_eq!(gone(&plan), ["2a", "2b"]);
}

#[test]
fn without_what_is_stable_and_for_what_is_known_there_are_no_groups() {
    let set = set(ORDER);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let first = Cluster::bare(set.clone(), [current.clone()].into_iter().chain(nodes())).plan();
    assert_eq!(first.creates.len(), 5);
    let completed = json!({"metadata": {"annotations": {"state.daemonset-controller.io/completed": ago(9_000)}}});
    let known = [current.with(completed), revision(OLD, 1, &template(1))];
    let back = known
        .into_iter()
        .chain(nodes())
        .chain(old_on("2a 2b 10a 10b x"));
    assert_eq!(gone(&Cluster::bare(set, back).plan()).len(), 5);
}

#[test]
fn a_thousand_groups() {
    let name = |n: usize| format!("n{n:04}");
    let nodes = (0..1_000).map(|n| in_zone(&name(n), &format!("z{n}")));
    let pods = (0..1_000).map(|n| match n {
        0..500 => new(&name(n), 600),
        _ => old(&name(n)),
    });
    let plan = plan_after(&[], ORDER, nodes.chain(pods));
    assert_eq!(released(&plan).len(), 500);
    assert!(plan.events[0].message.len() < 1_024);
    let body: usize = released(&plan).iter().map(|name| name.len() + 3).sum();
    assert!(body < 256 * 1024, "an annotation holds it");
    let _: Value = json!(released(&plan));
}
