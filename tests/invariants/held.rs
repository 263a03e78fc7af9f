//! A held or staged rollout on random clusters: gates only take away.

use std::collections::{BTreeMap, BTreeSet};

use crate::arbitrary::{World, world};
use crate::config::config;
use crate::support::*;
use daemonset_controller::plan::{ActionPhase, DeleteCause, Plan};
use proptest::prelude::*;
use serde_json::json;

fn with_hold(world: &World, value: &str) -> Plan {
    with_key(world, "hold", value)
}

fn with_key(world: &World, key: &str, value: &str) -> Plan {
    let mut world = world.clone();
    let key = format!("daemonset-controller.io/{key}");
    let annotations = json!({"metadata": {"annotations": {key: value}}});
    world.objects[0] = world.objects[0].clone().with(annotations);
    world.cluster(None).plan()
}

fn deleted(plan: &Plan) -> BTreeSet<&str> {
    plan.deletes.iter().map(|d| &*d.pod.name).collect()
}

/// Node to the hashes of the pods there that are the DaemonSet's or may become so.
fn hashes(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut cluster = world.cluster(None);
    cluster.snapshot(|s| {
        for pod in &s.pods {
            let (Some(node), Some("web")) = (pod.node, pod.labels.get("app")) else {
                continue;
            };
            // An orphan on its way out is left to itself.
            if pod.terminating && !pod.controller.is(&s.daemon_set.uid) {
                continue;
            }
            let hash = pod.labels.get("controller-revision-hash").unwrap_or("");
            let here = found.entry(s.nodes.name(node).to_string()).or_default();
            here.insert(hash.to_owned());
        }
    });
    found
}

proptest! {
    #![proptest_config(config(300, 20_261_130))]

    #[test]
    fn off_is_as_if_there_were_no_key(world in world()) {
        prop_assert_eq!(with_hold(&world, "off"), world.cluster(None).plan());
    }

    #[test]
    fn a_held_rollout_deletes_nothing_that_upstream_would_not_and_releases_no_node(world in world()) {
        let free = world.cluster(None).plan();
        let held = with_hold(&world, "rollout");
        prop_assert!(held.deletes.iter().all(|d| d.phase != ActionPhase::Rollout), "{:?}", held.deletes);
        prop_assert!(held.creates.iter().all(|c| c.phase != ActionPhase::Rollout));
        // A pod that does not belong on its node by its own template leaves it. Of the rest no node
        // loses more pods than without the key; of two that may not both stay another one may go.
        let own = |cause: DeleteCause| matches!(cause, DeleteCause::NodeNotEligible(_));
        let on = |plan: &Plan, node: &str| plan.deletes.iter().filter(|d| &*d.node == node).count();
        for delete in held.deletes.iter().filter(|d| !own(d.cause)) {
            let (with, without) = (on(&held, &delete.node), on(&free, &delete.node));
            prop_assert!(with <= without, "{:?}\nwithout the key {:?}", held.deletes, free.deletes);
        }
        // Never a pod of the target on a node that has an older one, unless there is nothing else.
        let hashes = hashes(&world);
        let current = &held.revision.as_ref().expect("a revision").hash;
        let others = world.objects.iter().any(|o| o.name() == "web-old");
        for create in held.creates.iter().filter(|c| c.revision == *current) {
            let here = hashes.get(&*create.node);
            let is_older = here.is_some_and(|all| all.iter().all(|h| [OLD, "older"].contains(&&**h)));
            prop_assert!(!(others && is_older), "{create:?} {here:?}");
        }
    }

    #[test]
    fn a_canary_disrupts_no_more_than_upstream_and_no_node_beyond_it(
        world in world(),
        count in 1_usize..4,
    ) {
        let free = world.cluster(None).plan();
        let staged = with_key(&world, "canary", &count.to_string());
        let own = |cause: DeleteCause| matches!(cause, DeleteCause::NodeNotEligible(_));
        let on = |plan: &Plan, node: &str| plan.deletes.iter().filter(|d| &*d.node == node).count();
        for delete in staged.deletes.iter().filter(|d| !own(d.cause)) {
            let (with, without) = (on(&staged, &delete.node), on(&free, &delete.node));
            prop_assert!(with <= without, "{:?}\nwithout the key {:?}", staged.deletes, free.deletes);
        }
        if staged.holds.iter().any(|h| h.rule.as_str() == "Canary") {
            let phase = |phase| phase == ActionPhase::Rollout;
            let deleted = staged.deletes.iter().filter(|d| phase(d.phase)).map(|d| &d.node);
            let created = staged.creates.iter().filter(|c| phase(c.phase)).map(|c| &c.node);
            let nodes: BTreeSet<_> = deleted.chain(created).collect();
            prop_assert!(nodes.len() <= count, "{nodes:?}");
        }
    }

    #[test]
    fn hold_all_only_lets_pods_leave(world in world()) {
        let held = with_hold(&world, "all");
        prop_assert!(held.creates.is_empty());
        let leaves = |c: DeleteCause| matches!(c, DeleteCause::NodeNotEligible(_) | DeleteCause::NodeGone);
        prop_assert!(held.deletes.iter().all(|d| leaves(d.cause)), "{:?}", held.deletes);
        let rollout = with_hold(&world, "rollout");
        prop_assert!(deleted(&held).is_subset(&deleted(&rollout)));
    }
}
