//! `resources` on random clusters: it chooses what pods are made with, resizes what runs, and has
//! no other effect.

use std::collections::BTreeSet;

use crate::arbitrary::{World, world};
use crate::config::config;
use crate::support::*;
use daemonset_controller::model::Kind;
use daemonset_controller::plan::{self, Create, HoldRule};
use proptest::prelude::*;
use serde_json::json;

const RULES: &str = r#"[
    {"nodes": "zone=z1", "containers": {"c": {"limits": {"memory": "200Mi"}}}},
    {"nodes": "zone", "containers": {"c": {"requests": {"cpu": "2"}}}},
    {"nodes": "!zone", "containers": {}}
]"#;
const MARKS: [Option<&str>; 4] = [
    None,
    Some(r#"{"c":{"limits":{"memory":"200Mi"}}}"#),
    Some(r#"{"c":{"requests":{"cpu":"2"}}}"#),
    Some("somebody"),
];

/// The same cluster with a container in the template, marks on pods, and these keys.
fn with(world: &World, keys: &[(&str, &str)]) -> World {
    let mut world = world.clone();
    let resources =
        json!({"requests": {"cpu": "1", "memory": "100Mi"}, "limits": {"memory": "400Mi"}});
    let containers = json!([{"name": "c", "resources": resources}]);
    let mut set = world.objects[0].clone();
    set = set.with(json!({"spec": {"template": {"spec": {"containers": containers}}}}));
    for (key, value) in keys {
        let key = format!("daemonset-controller.io/{key}");
        set = set.with(json!({"metadata": {"annotations": {key: value}}}));
    }
    let template = set.json["spec"]["template"].clone();
    world.objects[0] = set;
    for (at, object) in world.objects.iter_mut().enumerate() {
        let hash = ["web-new", "web-dup"].contains(&object.name());
        if object.kind == Kind::Revision && hash {
            let number = object.json["revision"].as_i64().expect("a number");
            *object = revision(&object.name()[4..], number, &template);
        }
        if object.kind == Kind::Pod
            && let Some(mark) = MARKS[at % MARKS.len()]
        {
            let annotations = json!({"daemonset-controller.io/resources": mark});
            *object = object
                .clone()
                .with(json!({"metadata": {"annotations": annotations}}));
        }
    }
    world
}

proptest! {
    #![proptest_config(config(300, 20_261_201))]

    #[test]
    fn off_is_as_if_there_were_no_key(world in world()) {
        let plan = |keys| with(&world, keys).cluster(None).plan();
        let plain = plan(&[]);
        prop_assert_eq!(&plan(&[("resources", "off")]), &plain);
        prop_assert!(plain.resizes.is_empty());
        prop_assert!(plain.creates.iter().all(|create| create.resources.is_none()));
    }

    #[test]
    fn each_create_is_of_its_nodes_first_rule_and_all_else_is_as_without_the_rules(world in world()) {
        // Any key makes the state of rollouts be recorded.
        let other = with(&world, &[("bake", "5m")]).cluster(None).plan();
        let mut cluster = with(&world, &[("bake", "5m"), ("resources", RULES)]).cluster(None);
        let now = cluster.now;
        let zones: Vec<(String, Option<String>)> = cluster.snapshot(|s| {
            let of = |node: &daemonset_controller::model::Node| {
                (node.name.to_string(), node.labels.get("zone").map(str::to_owned))
            };
            s.nodes.iter().map(|(_, node)| of(node)).collect()
        });
        let zone = |name: &str| zones.iter().find(|(n, _)| n == name).and_then(|(_, z)| z.clone());
        let detailed = cluster.snapshot(|s| plan::in_detail(s, now));
        let plan = &detailed.plan;
        prop_assert_eq!(plan, &cluster.plan());
        for create in &plan.creates {
            let wanted = zone(&create.node).map(|zone| if zone == "z1" { 1 } else { 2 });
            let rule = create.resources.as_ref().map(|rule| rule.number);
            prop_assert_eq!(rule, wanted, "{:?}", create);
        }
        let creates: Vec<Create> = plan.creates.to_vec();
        let creates: Vec<Create> = creates.into_iter().map(|c| Create { resources: None, ..c }).collect();
        prop_assert_eq!(&creates, &other.creates);
        prop_assert_eq!(&plan.deletes, &other.deletes);
        prop_assert_eq!(&plan.revision_ops, &other.revision_ops);
        prop_assert_eq!(&plan.status, &other.status);
        let holds: Vec<_> = plan.holds.iter().filter(|h| !h.rule.is_about_resources()).cloned().collect();
        prop_assert_eq!(&holds, &other.holds);
        // A pod that stays has its class, gets it, or has a reason.
        let resized: BTreeSet<&str> = plan.resizes.iter().map(|r| &*r.pod.name).collect();
        let deleted: BTreeSet<&str> = plan.deletes.iter().map(|d| &*d.pod.name).collect();
        let is_kept = |rule: &HoldRule| matches!(rule, HoldRule::ResizeHeld(_));
        let kept = detailed.holds.iter().filter(|h| is_kept(&h.rule));
        let kept: BTreeSet<&str> = kept.filter_map(|h| h.pod.as_deref()).collect();
        prop_assert!(resized.is_disjoint(&deleted) && resized.is_disjoint(&kept));
        if plan.left_alone.is_some() {
            return Ok(());
        }
        let wrong: Vec<String> = cluster.snapshot(|s| {
            let wrong = s.pods.iter().filter(|pod| {
                let Some(node) = pod.node.filter(|node| s.nodes.get(*node).is_some()) else {
                    return false;
                };
                let wanted = match zone(s.nodes.name(node)).as_deref() {
                    Some("z1") => MARKS[1],
                    Some(_) => MARKS[2],
                    None => None,
                };
                let ours = pod.controller.is(&s.daemon_set.uid) && pod.is_live() && pod.readable;
                let (verdict, _) = detailed.placement(s, node);
                let name = &*pod.name;
                let is_said = resized.contains(name) || kept.contains(name) || deleted.contains(name);
                let released = plan.claims.release.iter().any(|p| *p.name == *name);
                ours && !released && verdict.should_continue_running()
                    && pod.resources.as_deref() != wanted && !is_said
            });
            wrong.map(|pod| pod.name.to_string()).collect()
        });
        prop_assert!(wrong.is_empty(), "{wrong:?}\n{plan:#?}");
    }
}
