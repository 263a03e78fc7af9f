//! Every plan keeps the promises, on random small clusters.
//!
//! The seed is fixed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose others.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use crate::arbitrary::{World, world};
use crate::closed_loop::Loop;
use crate::config::config;
use crate::support::*;
use daemonset_controller::{
    model::{Controller, NodeId, Pod, Uid, Verdict},
    plan::{ActionPhase, DeleteCause, Plan, revisions::HASH_LABEL},
};
use proptest::prelude::*;

/// The plan without the slots of nodes, which depend on the order in which nodes came.
fn comparable(mut plan: Plan) -> Plan {
    for c in &mut plan.creates {
        c.node_id = NodeId(0);
    }
    plan
}

/// A pod of the snapshot, with the verdict on its node if that exists.
struct Seen {
    pod: Pod,
    node: Option<String>,
    verdict: Option<Verdict>,
    /// Ours and matching, or to be adopted.
    claimed: bool,
}

fn seen(cluster: &mut Cluster, plan: &Plan) -> Vec<Seen> {
    let adopted: HashSet<Uid> = plan.claims.adopt.iter().map(|p| p.uid.clone()).collect();
    let released: HashSet<Uid> = plan.claims.release.iter().map(|p| p.uid.clone()).collect();
    cluster.snapshot(|s| {
        s.pods
            .iter()
            .map(|p| Seen {
                node: p.node.map(|id| s.nodes.name(id).to_string()),
                verdict: p
                    .node
                    .filter(|id| s.nodes.get(*id).is_some())
                    .map(|id| s.verdicts.get(id)),
                claimed: adopted.contains(&p.uid)
                    || p.controller.is(&Uid::from(DS_UID)) && !released.contains(&p.uid),
                pod: (*p).clone(),
            })
            .collect()
    })
}

fn check_creates(world: &World, plan: &Plan, pods: &[Seen]) -> Result<(), TestCaseError> {
    let mut nodes = HashSet::new();
    let mut names: HashSet<&str> = world.pods().map(Object::name).collect();
    let hash = plan.revision.as_ref().map(|r| &*r.hash);
    for c in &plan.creates {
        prop_assert!(nodes.insert(&c.node), "two creates on {}", c.node);
        prop_assert!(
            names.insert(&c.pod_name),
            "the name {} is taken",
            c.pod_name
        );
        let there = pods
            .iter()
            .filter(|p| p.claimed && p.pod.is_live() && p.node.as_deref() == Some(&*c.node));
        for p in there {
            let of_another_revision = p.pod.labels.get(HASH_LABEL) != hash;
            prop_assert!(
                world.surging() && c.phase == ActionPhase::Rollout && of_another_revision,
                "{c:?} although {:?} is there",
                p.pod.name
            );
        }
    }
    Ok(())
}

fn check_deletes(plan: &Plan, pods: &[Seen]) -> Result<(), TestCaseError> {
    let mut deleted = HashSet::new();
    let hash = plan.revision.as_ref().map(|r| &*r.hash);
    for d in &plan.deletes {
        prop_assert!(deleted.insert(&d.pod.uid), "{:?} twice", d.pod);
        let Some(p) = pods.iter().find(|p| p.pod.uid == d.pod.uid) else {
            return Err(TestCaseError::fail(format!("{d:?} is not ours (S5)")));
        };
        prop_assert!(p.claimed, "{d:?} is not ours (S5)");
        prop_assert!(!p.pod.terminating, "{d:?} goes already");
        prop_assert_eq!(p.pod.version, d.pod.version);
        prop_assert_eq!(p.node.as_deref(), Some(&*d.node));
        if d.phase == ActionPhase::Successor {
            let creates = plan.creates.iter().filter(|c| c.node == d.node);
            let phases: Vec<ActionPhase> = creates.map(|c| c.phase).collect();
            prop_assert_eq!(&phases[..], [ActionPhase::Successor], "{:?}", d);
        }
    }
    // S3: what is healthy and up to date on an eligible node goes only as a duplicate of what
    // stays.
    for d in &plan.deletes {
        let p = pods.iter().find(|p| p.pod.uid == d.pod.uid).expect("seen");
        let healthy = p.pod.is_live()
            && p.pod.is_ready()
            && p.pod.labels.get(HASH_LABEL) == hash
            && p.verdict == Some(Verdict::Eligible);
        if healthy {
            let stays = pods.iter().any(|o| {
                o.claimed && o.node == p.node && o.pod.is_live() && !deleted.contains(&o.pod.uid)
            });
            prop_assert!(d.cause == DeleteCause::Duplicate && stays, "{:?} (S3)", d);
        }
    }
    Ok(())
}

/// Nothing that another UID controls is touched.
fn check_owners(cluster: &mut Cluster, plan: &Plan, pods: &[Seen]) -> Result<(), TestCaseError> {
    let ours = Uid::from(DS_UID);
    let find = |uid: &Uid| pods.iter().find(|p| p.pod.uid == *uid).map(|p| &p.pod);
    for p in &plan.claims.adopt {
        let pod = find(&p.uid).expect("in the snapshot");
        prop_assert!(
            pod.controller == Controller::None && !pod.terminating,
            "{:?}",
            p
        );
    }
    for p in &plan.claims.release {
        prop_assert!(
            find(&p.uid).is_some_and(|p| p.controller.is(&ours)),
            "{:?}",
            p
        );
    }
    for r in &plan.relabels {
        prop_assert!(find(&r.pod.uid).is_some(), "{:?}", r);
    }
    let ops = &plan.revision_ops;
    let touched = ops
        .adopt
        .iter()
        .chain(&ops.release)
        .chain(&ops.delete_duplicates)
        .chain(&ops.delete_old)
        .chain(ops.set_label.iter().map(|(r, _)| r))
        .chain(ops.set_number.iter().map(|(r, _)| r));
    let touched: Vec<Uid> = touched.map(|r| r.uid.clone()).collect();
    let foreign = cluster.snapshot(|s| {
        s.revisions.iter().any(|r| {
            touched.contains(&r.uid)
                && !(r.controller.is(&ours) || r.controller == Controller::None)
        })
    });
    prop_assert!(!foreign, "another's revision is touched");
    let current = plan.revision.as_ref().expect("a revision");
    let gone = ops.delete_old.iter().chain(&ops.delete_duplicates);
    for r in gone {
        prop_assert_ne!(&r.name, &current.name, "the current revision goes");
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(300, 20_260_601))]

    #[test]
    fn a_plan_depends_on_the_snapshot_only(
        world in world(),
        order in prop::collection::vec(any::<u32>(), 32),
    ) {
        let mut cluster = world.cluster(None);
        let plan = comparable(cluster.plan());
        prop_assert_eq!(&plan, &comparable(cluster.plan()), "twice from the same cache");
        prop_assert_eq!(&plan, &comparable(world.cluster(Some(&order)).plan()), "in another order");
    }

    #[test]
    fn creates_and_deletes_keep_their_promises(world in world()) {
        let mut cluster = world.cluster(None);
        let plan = cluster.plan();
        let pods = seen(&mut cluster, &plan);
        check_creates(&world, &plan, &pods)?;
        check_deletes(&plan, &pods)?;
        check_owners(&mut cluster, &plan, &pods)?;
    }

    #[test]
    fn a_plan_is_sorted_and_wakes_in_the_future(world in world()) {
        let mut cluster = world.cluster(None);
        let plan = cluster.plan();
        prop_assert!(plan.creates.is_sorted_by_key(|c| c.node.clone()));
        prop_assert!(plan.deletes.is_sorted_by_key(|d| (d.node.clone(), d.pod.name.clone())));
        prop_assert!(plan.claims.adopt.is_sorted_by_key(|p| p.name.clone()));
        prop_assert!(plan.wake_at.is_none_or(|t| t > cluster.now));
        let s = plan.status.expect("a status");
        prop_assert!(s.number_available <= s.number_ready);
        prop_assert!(s.number_ready <= s.current_number_scheduled);
        prop_assert!(s.current_number_scheduled <= s.desired_number_scheduled);
        prop_assert_eq!(s.number_unavailable, s.desired_number_scheduled - s.number_available);
    }
}

/// So many rounds are enough for nine pods, the longest backoffs among them.
const ROUNDS: usize = 60;

proptest! {
    #![proptest_config(config(150, 20_260_601))]

    /// L1, and S1 on the way.
    #[test]
    fn carried_out_again_and_again_a_plan_settles_and_stays_settled(
        world in world(),
        graceful in any::<bool>(),
    ) {
        let mut all = Loop::new(&world, graceful);
        let most = if world.surging() { 2 } else { 1 };
        let crowded = |live: &BTreeMap<String, BTreeSet<String>>| live.values().any(|p| p.len() > most);
        let crowded_at_first = crowded(&all.live());
        let mut rounds = 0;
        while let Some(plan) = all.round() {
            rounds += 1;
            prop_assert!(rounds < ROUNDS, "it never settles: {plan:#?}");
            let live = all.live();
            prop_assert!(crowded_at_first || !crowded(&live), "{live:?} (S1)");
            if let Some(rollout) = &plan.rollout {
                let outdated = plan.deletes.iter().filter(|d| d.cause == DeleteCause::Outdated).count();
                let in_budget = rollout.unavailable <= rollout.max_unavailable || outdated == 0;
                prop_assert!(in_budget, "{rollout:?} (S2)");
            }
        }
        let settled = all.cluster.plan();
        prop_assert!(settled.is_settled() && settled.events.is_empty(), "{settled:#?}");

        prop_assert!(all.terminal().is_empty(), "{:?} wait for nothing", all.terminal());
        let live = all.live();
        let verdicts: Vec<(String, Verdict)> = all.cluster.snapshot(|s| {
            let nodes = s.nodes.iter();
            nodes.map(|(id, n)| (n.name.to_string(), s.verdicts.get(id))).collect()
        });
        for (node, verdict) in verdicts {
            let pods = live.get(&node).map_or(0, BTreeSet::len);
            let expected = match verdict {
                Verdict::Eligible => 1..=most,
                v if v.should_continue_running() => 0..=most,
                _ => 0..=0,
            };
            prop_assert!(expected.contains(&pods), "{pods} pods on {node}, {verdict:?}");
        }

        if let Some(rollout) = &settled.rollout {
            prop_assert!(rollout.old == 0 && rollout.next.is_empty(), "it ends: {rollout:?}");
        }

        all.cluster.now = all.cluster.now + Duration::from_secs(3_600);
        prop_assert_eq!(&all.cluster.plan(), &settled, "an hour later");
    }
}
