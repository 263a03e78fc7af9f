//! `budget: bad-nodes` on random clusters: exempt nodes are left alone, and the bound holds among
//! the others.

use std::collections::BTreeSet;

use crate::arbitrary::{World, troubled_world, world};
use crate::closed_loop::Loop;
use crate::config::config;
use crate::support::*;
use daemonset_controller::{
    model::{NodeId, Pod},
    plan::{
        ActionPhase, DeleteCause, Plan,
        by_node::ByNode,
        claim::{Claim, claim},
        control::exempt::Exempt,
        revisions,
    },
};
use proptest::prelude::*;
use serde_json::json;

fn keyed(world: &World, value: &str) -> World {
    let mut world = world.clone();
    let key = json!({"metadata": {"annotations": {"daemonset-controller.io/budget": value}}});
    world.objects[0] = world.objects[0].clone().with(key);
    world
}

fn with_budget(world: &World, value: &str) -> Plan {
    keyed(world, value).cluster(None).plan()
}

/// Of the nodes that are not exempt: those that are eligible, and those that are eligible and have
/// no available live pod.
struct Others {
    exempt: BTreeSet<String>,
    wanted: BTreeSet<String>,
    without: BTreeSet<String>,
}

fn others(cluster: &mut Cluster) -> Others {
    let now = cluster.now;
    cluster.snapshot(|s| {
        let ds = s.daemon_set;
        let selector = ds.selector.as_ref().expect("a selector");
        let is_ours = |p: &&Pod| {
            let whose = claim(&ds.uid, selector, &p.controller, &p.labels, p.terminating);
            !p.readable || matches!(whose, Claim::Keep | Claim::Adopt)
        };
        let pods: Vec<&Pod> = s.pods.iter().copied().filter(is_ours).collect();
        let (history, _) = revisions::history(ds, selector, &s.revisions, s.revision_exists);
        let by_node = ByNode::new(s.nodes, &pods);
        let exempt = Exempt::find(s, &history, &history.current.hash, &by_node);
        let names = |which: &dyn Fn(NodeId) -> bool| {
            let nodes = s.nodes.iter().filter(|(id, _)| which(*id));
            nodes.map(|(_, node)| node.name.to_string()).collect()
        };
        let wanted = |id| s.verdicts.get(id).should_run() && !exempt.is(id);
        let is_covered = |id| {
            let mut live = by_node.on(id).iter().filter(|p| p.is_live());
            live.any(|p| p.is_available(ds.min_ready_seconds, now))
        };
        Others {
            exempt: names(&|id| exempt.is(id)),
            wanted: names(&wanted),
            without: names(&|id| wanted(id) && !is_covered(id)),
        }
    })
}

/// What upkeep does.
fn upkeep(plan: &Plan) -> Vec<String> {
    let deletes = plan
        .deletes
        .iter()
        .filter(|d| d.phase != ActionPhase::Rollout);
    let creates = plan
        .creates
        .iter()
        .filter(|c| c.phase != ActionPhase::Rollout);
    let deletes = deletes.map(|d| format!("delete {}", d.pod.name));
    deletes
        .chain(creates.map(|c| format!("create on {}", c.node)))
        .collect()
}

/// The nodes on which the rollout does something.
fn touched(plan: &Plan) -> BTreeSet<String> {
    let deletes = plan
        .deletes
        .iter()
        .filter(|d| d.phase == ActionPhase::Rollout);
    let creates = plan
        .creates
        .iter()
        .filter(|c| c.phase == ActionPhase::Rollout);
    let nodes = deletes.map(|d| &d.node).chain(creates.map(|c| &c.node));
    nodes.map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(config(300, 20_261_201))]

    #[test]
    fn exempt_nodes_are_left_alone_and_the_bound_holds_among_the_others(
        world in troubled_world(),
        strict in any::<bool>(),
    ) {
        let value = if strict { "strict,bad-nodes=100%" } else { "bad-nodes=100%" };
        let mut cluster = keyed(&world, value).cluster(None);
        let plan = cluster.plan();
        let others = others(&mut cluster);
        let touched = touched(&plan);
        prop_assert!(touched.is_disjoint(&others.exempt), "{touched:?} {:?}", others.exempt);
        // No budget of the random clusters is more than one node.
        let outdated = |cause| cause == DeleteCause::Outdated;
        let went = plan.deletes.iter().filter(|d| outdated(d.cause)).count();
        prop_assert!(went == 0 || went + others.without.len() <= 1, "{:?} {:?}", plan.deletes, others.without);
        if strict && !world.surging() {
            prop_assert!(touched.len() <= 1, "{touched:?}");
        }
        if !strict {
            prop_assert_eq!(upkeep(&plan), upkeep(&with_budget(&world, "off")));
        }
    }

    #[test]
    fn where_no_node_is_bad_the_key_changes_nothing(world in world()) {
        let (free, keyed) = (with_budget(&world, "off"), with_budget(&world, "bad-nodes"));
        prop_assert_eq!(&keyed.deletes, &free.deletes);
        prop_assert_eq!(&keyed.creates, &free.creates);
        prop_assert_eq!(&keyed.holds, &free.holds);
        prop_assert_eq!(&keyed.rollout, &free.rollout);
        prop_assert_eq!(&keyed.status, &free.status);
    }

    #[test]
    fn above_the_cap_a_rollout_does_nothing(world in troubled_world()) {
        let plan = with_budget(&world, "bad-nodes=1");
        if plan.holds.iter().any(|h| h.rule.as_str() == "TooManyBadNodes") {
            // While surging an old pod beside one that is available goes as ever.
            let replaced = |cause| cause == DeleteCause::Replaced;
            let deletes = plan.deletes.iter().filter(|d| d.phase == ActionPhase::Rollout);
            prop_assert!(deletes.clone().all(|d| replaced(d.cause)), "{:?}", plan.deletes);
            let mut creates = plan.creates.iter();
            prop_assert!(creates.all(|c| c.phase != ActionPhase::Rollout), "{:?}", plan.creates);
        }
        prop_assert_eq!(upkeep(&plan), upkeep(&with_budget(&world, "off")));
    }

    #[test]
    fn a_rollout_ends_without_the_exempt_nodes(world in troubled_world(), graceful in any::<bool>()) {
        let mut all = Loop::new(&keyed(&world, "bad-nodes=100%"), graceful);
        let mut rounds = 0;
        while let Some(plan) = all.round() {
            rounds += 1;
            prop_assert!(rounds < 80, "it never settles: {plan:#?}");
        }
        let plan = all.cluster.plan();
        let Some(rollout) = &plan.rollout else {
            return Ok(());
        };
        prop_assert!(rollout.old == 0 && rollout.next.is_empty(), "{rollout:?}");
        let others = others(&mut all.cluster);
        prop_assert!(others.without.is_empty(), "{:?} of {:?}", others.without, others.wanted);
        if !others.wanted.is_empty() {
            let completed = plan.revision_ops.set_completed.is_some();
            prop_assert!(completed, "{:?}", plan.revision_ops);
        }
    }
}
