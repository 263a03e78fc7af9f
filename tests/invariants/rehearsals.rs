//! Rehearsals of random clusters: each ends, the same seed gives the same one, and on the way the
//! promises hold that are judged on the simulated cluster.

use std::{collections::BTreeMap, time::Duration};

use daemonset_controller::{
    cli::rehearse::report::Report,
    model::{Key, Pod, Requirement, Selector, Settings, Uid},
    rehearse::{
        self, Cluster, Ending, Loop, NodeState, Nodes, Scenario,
        disruption::{Budget, Budgets},
    },
};
use proptest::prelude::*;
use serde_json::json;

use crate::{
    arbitrary::{World, troubled_world, world},
    config::config,
    support::{DS_UID, key, now},
};

/// The cluster of this world, at the beginning of a rehearsal.
pub fn cluster(world: &World) -> Cluster {
    let cache = world.cluster(None).cache;
    Cluster::new(cache, key(), Settings::default(), now()).expect("a DaemonSet")
}

/// With these keys of rollout control.
fn keyed(world: &World, keys: &[(&str, &str)]) -> World {
    let mut world = world.clone();
    for (key, value) in keys {
        let annotations = json!({ (format!("daemonset-controller.io/{key}")): value });
        let with = json!({"metadata": {"annotations": annotations}});
        world.objects[0] = world.objects[0].clone().with(with);
    }
    world
}

/// Sets of keys, from none to a whole rollout by stages.
fn keys() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    prop::sample::select(vec![
        vec![],
        vec![("budget", "strict")],
        vec![("hold", "rollout")],
        vec![("canary", "1"), ("bake", "1m")],
        vec![
            ("order", "zone"),
            ("bake", "30s"),
            ("on-failure", "rollback"),
        ],
        vec![("on-failure", "rollback")],
        vec![("deadline", "5m"), ("on-failure", "pause")],
        vec![("budget", "bad-nodes=100%")],
        vec![("exclusive", "true")],
        vec![("replace-by", "eviction")],
    ])
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let fail = prop::sample::select(vec![
        vec![],
        vec![Nodes::Percent(50)],
        vec![Nodes::Labelled("zone".into(), "z1".into())],
    ]);
    (any::<u64>(), fail, 0..2_usize, 0..2_usize, any::<bool>()).prop_map(
        |(seed, fail, not_ready, join, heal)| Scenario {
            seed,
            fail,
            not_ready,
            join,
            heal,
            horizon: Duration::from_secs(24 * 60 * 60),
            ..Scenario::default()
        },
    )
}

/// The live pods of the DaemonSet that could run, by node.
fn live(cluster: &mut Cluster) -> BTreeMap<String, usize> {
    cluster.snapshot(|snapshot| {
        let ours = |pod: &&&Pod| pod.controller.is(&Uid::from(DS_UID)) && pod.is_live();
        let mut live: BTreeMap<String, usize> = BTreeMap::new();
        for pod in snapshot
            .pods
            .iter()
            .filter(ours)
            .filter(|pod| pod.may_run())
        {
            if let Some(node) = pod.node {
                *live
                    .entry(snapshot.nodes.name(node).to_string())
                    .or_default() += 1;
            }
        }
        live
    })
}

proptest! {
    #![proptest_config(config(200, 20_261_130))]

    #[test]
    fn a_rehearsal_ends_and_the_same_seed_gives_the_same_one_byte_for_byte(
        world in troubled_world(),
        keys in keys(),
        scenario in scenario(),
    ) {
        let world = keyed(&world, &keys);
        let once = || {
            let rehearsal = rehearse::rehearse(cluster(&world), &Budgets::default(), &scenario);
            let key = Key::new("default", "web");
            let report = Report::new(&key, &scenario, &rehearsal, &[], Vec::new());
            serde_json::to_string(&report).expect("JSON")
        };
        prop_assert_eq!(once(), once());
    }

    /// S1, and that the figures are those of the status.
    #[test]
    fn on_the_way_a_node_never_has_more_pods_than_it_may(
        world in world(),
        keys in keys(),
        scenario in scenario(),
    ) {
        let most = if world.surging() { 2 } else { 1 };
        let world = keyed(&world, &keys);
        let budgets = Budgets::default();
        let mut rehearsing = Loop::new(cluster(&world), &budgets, &scenario);
        let crowded = live(rehearsing.cluster()).values().any(|pods| *pods > most);
        while rehearsing.step().is_some() {
            let live = live(rehearsing.cluster());
            prop_assert!(crowded || live.values().all(|pods| *pods <= most), "{live:?} (S1)");
        }
        let last = rehearsing.cluster().plan();
        let rehearsal = rehearsing.finish();
        if let (Some(status), true) = (last.status, rehearsal.ending == Ending::Complete) {
            let figures = &rehearsal.figures;
            prop_assert_eq!(status.desired_number_scheduled as usize, figures.nodes);
            prop_assert!(status.updated_number_scheduled as usize >= figures.updated);
        }
    }

    /// S8: nothing of a rollout that is held, but for nodes that have it already.
    #[test]
    fn what_is_held_is_not_rolled_out(world in world(), scenario in scenario()) {
        let world = keyed(&world, &[("hold", "rollout")]);
        let before = rehearse::rehearse(
            cluster(&world),
            &Budgets::default(),
            &Scenario { horizon: Duration::ZERO, ..scenario.clone() },
        );
        let Some(_) = before.target.filter(|target| !target.is_new) else {
            return Ok(());
        };
        let rehearsal = rehearse::rehearse(cluster(&world), &Budgets::default(), &scenario);
        let replaced = rehearsal.nodes.iter().filter(|node| {
            node.first == NodeState::Old && node.last == NodeState::New
        });
        let replaced: Vec<_> = replaced.collect();
        prop_assert!(replaced.is_empty(), "{replaced:?}");
    }

    /// S2 without surge: nodes that were well and have no available pod because of the rollout are
    /// never more than the budget.
    #[test]
    fn a_roll_of_a_cluster_that_is_well_stays_within_its_budget(
        nodes in 1..30_usize,
        most in 1..6_usize,
        keys in keys(),
        seed in any::<u64>(),
    ) {
        let world = keyed(&well(nodes, most), &keys);
        let scenario = Scenario { seed, ..Scenario::default() };
        let rehearsal = rehearse::rehearse(cluster(&world), &Budgets::default(), &scenario);
        let figures = &rehearsal.figures;
        prop_assert_eq!(figures.peaks.before, 0);
        prop_assert!(figures.peaks.all.nodes <= most, "{figures:?}");
        let held = keys.contains(&("hold", "rollout"));
        prop_assert_eq!(rehearsal.ending == Ending::Complete, !held, "{:?}", rehearsal.ending);
        prop_assert_eq!(figures.updated, if held { 0 } else { nodes });
    }
}

/// So many nodes with old, available pods, and so many that may be unavailable.
fn well(nodes: usize, most: usize) -> World {
    use crate::support::*;
    let strategy =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": most, "maxSurge": 0}});
    let ds = daemon_set().with(json!({"spec": {"updateStrategy": strategy}}));
    let template = ds.json["spec"]["template"].clone();
    let mut objects = vec![
        ds,
        revision(NEW, 2, &template),
        revision(OLD, 1, &crate::support::template(1)),
    ];
    for n in 0..nodes {
        let name = format!("n{n}");
        objects.push(node(&name).label("zone", ["z1", "z2", "z3"][n % 3]));
        objects.push(pod(&format!("p{n}")).on(&name).hash(OLD).ready(100));
    }
    World {
        objects,
        attempts: Vec::new(),
    }
}

/// What a rehearsal costs is counted in plans: at most one for each second in which something
/// happens, and at most three for each pod. So large clusters are rehearsed in seconds.
#[test]
fn a_rehearsal_takes_few_plans_for_each_second_and_for_each_pod() {
    for (nodes, most) in [(300, 30), (60, 1)] {
        let world = well(nodes, most);
        let rehearsal =
            rehearse::rehearse(cluster(&world), &Budgets::default(), &Scenario::default());
        assert_eq!(rehearsal.ending, Ending::Complete);
        let seconds = rehearsal.figures.duration.as_secs() as usize;
        let bound = seconds.min(3 * nodes) + 10;
        assert!(rehearsal.plans <= bound, "{} of {bound}", rehearsal.plans);
    }
}

/// A disruption budget holds evictions back, and only those of its pods; one that cannot work stops
/// the rollout.
#[test]
fn disruption_budgets_hold_evictions_back() {
    let world = keyed(&well(6, 3), &[("replace-by", "eviction")]);
    let selects = |label: &str, min_available| {
        let requirement = Requirement::new("app", "In", &[label]).expect("a requirement");
        Budgets(vec![Budget {
            name: "agents".into(),
            selector: Selector::All(vec![requirement]),
            min_available,
        }])
    };
    for (budgets, most, ends) in [
        (Budgets::default(), 3, "Complete"),
        (selects("web", Some(5)), 1, "Complete"),
        (selects("other", Some(6)), 3, "Complete"),
        (selects("web", Some(6)), 0, "TimeIsUp"),
        (selects("web", None), 0, "Stalled"),
    ] {
        let scenario = Scenario {
            horizon: Duration::from_secs(60 * 60),
            ..Scenario::default()
        };
        let rehearsal = rehearse::rehearse(cluster(&world), &budgets, &scenario);
        assert_eq!(rehearsal.ending.as_str(), ends, "{budgets:?}");
        assert_eq!(rehearsal.figures.peaks.all.nodes, most, "{budgets:?}");
    }
}
