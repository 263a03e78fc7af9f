//! `budget: strict` on random clusters: it only takes away.

use crate::arbitrary::{World, world};
use crate::config::config;
use daemonset_controller::plan::{ActionPhase, DeleteCause, Plan};
use proptest::prelude::*;
use serde_json::json;

fn with_budget(world: &World, value: &str) -> Plan {
    let mut world = world.clone();
    let key = json!({"metadata": {"annotations": {"daemonset-controller.io/budget": value}}});
    world.objects[0] = world.objects[0].clone().with(key);
    world.cluster(None).plan()
}

/// How many pods go for an update, or because their node is not wanted any more.
fn disruptions(plan: &Plan) -> usize {
    let is_one = |cause: DeleteCause| {
        use DeleteCause::{Misplaced, NodeNotEligible, OldUnavailable, Outdated};
        matches!(
            cause,
            OldUnavailable | Outdated | NodeNotEligible(_) | Misplaced
        )
    };
    plan.deletes.iter().filter(|d| is_one(d.cause)).count()
}

/// How many nodes get a second pod.
fn surges(plan: &Plan) -> usize {
    let is_one = |phase| phase == ActionPhase::Rollout;
    plan.creates.iter().filter(|c| is_one(c.phase)).count()
}

/// The pods that go for another reason, and the nodes that get their only pod.
fn upkeep(plan: &Plan) -> Vec<String> {
    let deletes = plan.deletes.iter().filter(|d| {
        use DeleteCause::{Misplaced, NodeNotEligible, OldUnavailable, Outdated};
        !matches!(
            d.cause,
            OldUnavailable | Outdated | NodeNotEligible(_) | Misplaced
        )
    });
    let creates = plan
        .creates
        .iter()
        .filter(|c| c.phase != ActionPhase::Rollout);
    let deletes = deletes.map(|d| format!("delete {}", d.pod.name));
    deletes
        .chain(creates.map(|c| format!("create on {}", c.node)))
        .collect()
}

proptest! {
    #![proptest_config(config(300, 20_261_131))]

    #[test]
    fn a_strict_budget_disrupts_no_more_than_upstream_and_leaves_upkeep_alone(world in world()) {
        let free = with_budget(&world, "off");
        prop_assert_eq!(&free, &world.cluster(None).plan());
        let strict = with_budget(&world, "strict");
        prop_assert!(disruptions(&strict) <= disruptions(&free), "{:?}\n{:?}", strict.deletes, free.deletes);
        prop_assert!(surges(&strict) <= surges(&free), "{:?}\n{:?}", strict.creates, free.creates);
        prop_assert_eq!(upkeep(&strict), upkeep(&free));
        prop_assert_eq!(&strict.status, &free.status);
    }
}
