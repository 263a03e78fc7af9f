//! A plan for one sync is the whole plan as far as the sync can carry it out, on random clusters.

use std::collections::BTreeMap;

use crate::arbitrary::{World, troubled_world, world};
use crate::config::config;
use crate::support::*;
use daemonset_controller::{
    model::Denial,
    plan::{self, Create, Plan},
};
use proptest::prelude::*;
use serde_json::json;

/// How many nodes that wait for their turn are named at least.
const NAMED: usize = 5;

/// What the pod of a create is made from.
fn kind(create: &Create) -> (&str, Option<usize>) {
    let rule = create.resources.as_ref().map(|rule| rule.number);
    (&create.revision, rule)
}

/// Holds the plan for a sync of `burst` creates against the whole one.
fn check(mut part: Plan, whole: Plan, burst: usize) -> Result<(), TestCaseError> {
    let count = part.creates.len() + part.creates_left;
    prop_assert_eq!(count, whole.creates.len());
    prop_assert!(part.creates.iter().all(|c| whole.creates.contains(c)));
    prop_assert!(part.creates.is_sorted_by_key(|c| &c.node));
    let mut of_kind: BTreeMap<_, usize> = BTreeMap::new();
    for create in &whole.creates {
        let seen = of_kind.entry(kind(create)).or_default();
        *seen += 1;
        let is_due = *seen <= burst;
        prop_assert!(
            !is_due || part.creates.contains(create),
            "a sync of {burst} could make the pod of {}",
            create.node
        );
    }
    let templates = &whole.older_templates;
    prop_assert!(part.older_templates.iter().all(|t| templates.contains(t)));
    if let (Some(part), Some(whole)) = (&mut part.rollout, &whole.rollout) {
        prop_assert!(part.next.len() >= whole.next.len().min(NAMED));
        prop_assert!(whole.next.starts_with(&part.next));
        part.next.clone_from(&whole.next);
    }
    part.creates.clone_from(&whole.creates);
    part.older_templates.clone_from(&whole.older_templates);
    part.creates_left = 0;
    prop_assert_eq!(part, whole);
    Ok(())
}

fn compare(world: &World, denied: bool, burst: usize) -> Result<(), TestCaseError> {
    let mut cluster = world.cluster(None);
    if denied {
        let now = cluster.now;
        let words = Some("exceeded quota".into());
        cluster.cache.creates_carried_out(&key(), words, now);
    }
    let now = cluster.now;
    let (part, whole) = cluster.snapshot(|s| {
        let is_denied = s.creates_denied.is_some_and(|d: &Denial| d.since == now);
        assert_eq!(is_denied, denied);
        (plan::for_sync(s, now, burst), plan::plan(s, now))
    });
    check(part, whole, burst)
}

/// The world with these annotations of rollout control.
fn keyed(world: &World, keys: &[(&str, &str)]) -> World {
    let mut world = world.clone();
    for (key, value) in keys {
        let key = format!("daemonset-controller.io/{key}");
        let annotations = json!({"metadata": {"annotations": {key: value}}});
        world.objects[0] = world.objects[0].clone().with(annotations);
    }
    world
}

proptest! {
    #![proptest_config(config(300, 20_261_201))]

    #[test]
    fn without_keys(world in world(), denied in any::<bool>(), burst in 1..4_usize) {
        compare(&world, denied, burst)?;
    }

    #[test]
    fn with_keys(world in troubled_world(), denied in any::<bool>(), burst in 1..4_usize) {
        for keys in [
            &[("hold", "rollout")] as &[_],
            &[("hold", "all")],
            &[("budget", "strict")],
            &[("budget", "bad-nodes")],
            &[("budget", "strict"), ("replace-by", "eviction")],
            &[("canary", "1")],
        ] {
            compare(&keyed(&world, keys), denied, burst)?;
        }
    }
}

#[test]
fn of_many_nodes_the_first_are_worked_out_and_the_others_counted() {
    let nodes = (0..40).rev().map(|i| node(&format!("n{i:02}")));
    let mut cluster = Cluster::new(daemon_set(), nodes);
    let now = cluster.now;
    let plan = cluster.snapshot(|s| plan::for_sync(s, now, 7));
    let names: Vec<&str> = plan.creates.iter().map(|c| &*c.node).collect();
    assert_eq!(names, ["n00", "n01", "n02", "n03", "n04", "n05", "n06"]);
    assert_eq!(plan.creates_left, 33);
}

#[test]
fn of_each_class_of_nodes_the_first_are_worked_out() {
    let rule = r#"[{"nodes":"pool=edge","containers":{"c":{"limits":{"memory":"200Mi"}}}}]"#;
    let ds = daemon_set().with(json!({
        "metadata": {"annotations": {"daemonset-controller.io/resources": rule}},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "c:1"}]}}},
    }));
    let nodes = (0..20).map(|i| {
        let pool = if i < 10 { "core" } else { "edge" };
        node(&format!("n{i:02}")).label("pool", pool)
    });
    let mut cluster = Cluster::new(ds, nodes);
    let now = cluster.now;
    let plan = cluster.snapshot(|s| plan::for_sync(s, now, 2));
    let names: Vec<&str> = plan.creates.iter().map(|c| &*c.node).collect();
    assert_eq!(names, ["n00", "n01", "n10", "n11"]);
    assert_eq!(plan.creates_left, 16);
}

#[test]
fn of_many_nodes_that_wait_for_their_turn_the_next_are_named_and_all_are_counted() {
    let nodes = (0..40).map(|i| node(&format!("n{i:02}")));
    let pods = (0..40).map(|i| {
        let pod = pod(&format!("p{i:02}")).on(&format!("n{i:02}"));
        pod.hash(OLD).ready(500).created(1_000 + i)
    });
    let ds = daemon_set().with(json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2},
    }}}));
    let mut cluster = Cluster::new(ds, nodes.chain(pods));
    let now = cluster.now;
    let plan = cluster.snapshot(|s| plan::for_sync(s, now, 7));
    let deleted: Vec<&str> = plan.deletes.iter().map(|d| &*d.node).collect();
    assert_eq!(deleted, ["n38", "n39"], "the oldest");
    let rollout = plan.rollout.expect("a rolling update");
    let next: Vec<&str> = rollout.next.iter().map(|n| &**n).collect();
    assert_eq!(next, ["n37", "n36", "n35", "n34", "n33"]);
    let waiting = plan.holds.iter().filter_map(|hold| hold.nodes.as_ref());
    assert_eq!(waiting.map(|nodes| nodes.count).sum::<usize>(), 38);
}
