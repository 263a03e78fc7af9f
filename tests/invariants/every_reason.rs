//! Every inaction has a reason: over all recorded decisions, whatever their strategy, and on random
//! clusters.

use std::io::{BufRead, BufReader};

use crate::arbitrary::{troubled_world, world};
use crate::config::config;
use crate::reasons::missing_reasons;
use crate::sweep;
use daemonset_controller::{
    cache::Cache,
    cli::rollout_defaults::parse,
    model::{FeatureGates, Key, Kind, LeavingSigns, Settings, Time},
    plan,
};
use proptest::prelude::*;
use serde_json::{Value, json, value::to_raw_value};

/// Nothing, and three strategies to be laid over a recorded DaemonSet's own.
fn strategies() -> [Option<Value>; 4] {
    let rolling = |unavailable: Value, surge: Value| {
        Some(
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}),
        )
    };
    [
        None,
        Some(json!({"type": "OnDelete"})),
        rolling(json!(1), json!(0)),
        rolling(json!(0), json!("30%")),
    ]
}

#[test]
fn every_inaction_has_a_reason_over_all_recorded_decisions() {
    let file = std::fs::File::open("tests/data/decisions.ndjson.gz")
        .expect("the recorded decisions are in the tree");
    let stride = sweep::stride(4);
    let mut seen = 0;
    let mut rules = std::collections::BTreeSet::new();
    for (at, line) in BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .enumerate()
        .step_by(stride)
    {
        let record: Value = serde_json::from_str(&line.expect("gzip")).expect("a record");
        // Each cluster as recorded, and under one of the strategies.
        let all = strategies();
        for strategy in [&all[0], &all[1 + at / stride % 3]] {
            let (mut cache, key) = load(&record, strategy.as_ref());
            let now: Time = record["now"].as_str().unwrap().parse().unwrap();
            cache.snapshot(&key, Settings::default(), |s| {
                let detailed = plan::in_detail(s, now);
                assert_eq!(detailed.plan, plan::plan(s, now), "the two plans are one");
                let missing = missing_reasons(s, &detailed);
                assert!(
                    missing.is_empty(),
                    "record {}, {strategy:?}: {missing:#?}",
                    record["id"]
                );
                seen += 1;
                rules.extend(detailed.plan.holds.iter().map(|h| h.rule.as_str()));
            });
        }
    }
    assert_eq!(seen, 2 * 2811_usize.div_ceil(stride));
    for rule in [
        "OnDelete",
        "MaxUnavailable",
        "MaxSurge",
        "SuccessorNotAvailable",
        "PodTerminating",
        "NodeGone",
    ] {
        assert!(
            rules.contains(rule),
            "{rule} holds nothing in any record: {rules:?}"
        );
    }
}

fn load(record: &Value, strategy: Option<&Value>) -> (Cache, Key) {
    let mut cache = Cache::new(FeatureGates::default());
    let mut key = None;
    for item in record["snapshot"]["items"].as_array().expect("items") {
        let kind = Kind::ALL
            .into_iter()
            .find(|k| item["kind"] == k.as_str())
            .expect("a known kind");
        let mut item = item.clone();
        if kind == Kind::DaemonSet {
            let name = |field: &str| item["metadata"][field].as_str().expect("a name").to_owned();
            key = Some(Key::new(name("namespace"), name("name")));
            if let Some(strategy) = strategy {
                item["spec"]["updateStrategy"] = strategy.clone();
            }
        }
        cache
            .observe(kind, &to_raw_value(&item).unwrap())
            .expect("it decodes");
    }
    (cache, key.expect("one DaemonSet"))
}

/// Keys of rollout control with values that hold something.
const KEYS: [(&str, &str); 13] = [
    (
        "resources",
        r#"[{"nodes":"zone=z1","containers":{"c":{"limits":{"cpu":"1"}}}}]"#,
    ),
    ("hold", "rollout"),
    ("hold", "all"),
    ("hold", "typo"),
    ("canary", "1"),
    ("canary", "50%"),
    ("canary", "zone=z1"),
    ("canary", "zone=nowhere"),
    ("budget", "strict"),
    ("budget", "bad-nodes"),
    ("budget", "bad-nodes=1"),
    ("budget", "bad-nodes=100%"),
    ("budget", "strict,bad-nodes=2"),
];

/// Cluster defaults that exclude some nodes.
const RULES: [&str; 4] = [
    "- excludeNodes: zone=z1",
    "- excludeNodes: zone=z1\n  existing: remove",
    "- excludeNodes: zone=z1\n  existing: remove\n  set: {budget: strict, canary: '1'}",
    "- excludeNodes: zone\n- excludeNodes: zone=z1\n  existing: remove\n  set: {hold: rollout}",
];

proptest! {
    #![proptest_config(config(250, 20_261_129))]

    #[test]
    fn every_inaction_has_a_reason_with_rollout_control(
        world in troubled_world(),
        key in proptest::sample::select(&KEYS[..]),
    ) {
        let mut world = world;
        let (key, value) = key;
        let key = format!("daemonset-controller.io/{key}");
        let annotations = json!({"metadata": {"annotations": {key: value}}});
        world.objects[0] = world.objects[0].clone().with(annotations);
        let mut cluster = world.cluster(None);
        let now = cluster.now;
        let missing = cluster.snapshot(|s| missing_reasons(s, &plan::in_detail(s, now)));
        prop_assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_inaction_has_a_reason_where_nodes_are_excluded(
        world in world(),
        rule in proptest::sample::select(&RULES[..]),
    ) {
        let mut cluster = world.cluster(None);
        let defaults = parse(rule.as_bytes()).expect("rules");
        cluster.cache.set_rollout_defaults(defaults);
        let now = cluster.now;
        let missing = cluster.snapshot(|s| missing_reasons(s, &plan::in_detail(s, now)));
        prop_assert!(missing.is_empty(), "{missing:#?}");
    }

    #[test]
    fn every_inaction_has_a_reason_where_nodes_are_leaving(
        world in troubled_world(),
        gate in any::<bool>(),
        budget in proptest::sample::select(&["off", "strict", "bad-nodes=50%"][..]),
    ) {
        let mut world = world;
        let annotations = json!({"metadata": {"annotations": {"daemonset-controller.io/budget": budget}}});
        world.objects[0] = world.objects[0].clone().with(annotations);
        let mut cluster = world.cluster(None);
        let now = cluster.now;
        let by_default = cluster.snapshot(|s| plan::plan(s, now));
        cluster.settings.gates.daemon_set_graceful_node_shutdown = gate;
        cluster.settings.suppress_on_leaving_nodes = !gate;
        let settings = cluster.settings;
        cluster.snapshot(|s| {
            let detailed = plan::in_detail(s, now);
            let missing = missing_reasons(s, &detailed);
            prop_assert!(missing.is_empty(), "{missing:#?}");
            let leaves = |node: &str| {
                let (_, node) = s.nodes.by_name(node).expect("a node");
                let LeavingSigns { shutting_down, terminating, tainted, .. } = node.leaving_signs(settings);
                shutting_down || terminating || tainted
            };
            prop_assert!(detailed.plan.creates.iter().all(|create| !leaves(&create.node)));
            // Both only take away: what goes goes by default too, or in the turn of a node that is
            // passed by.
            let disrupted = |plan: &plan::Plan| plan.creates.len() + plan.deletes.len();
            prop_assert!(disrupted(&detailed.plan) <= disrupted(&by_default));
            for delete in &detailed.plan.deletes {
                let by_default = by_default.deletes.iter().any(|d| d.pod == delete.pod);
                let in_turn = ["Outdated", "Misplaced"].contains(&delete.cause.as_str());
                prop_assert!(by_default || in_turn, "{delete:?}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn every_inaction_has_a_reason_on_random_clusters(world in world()) {
        let mut cluster = world.cluster(None);
        let now = cluster.now;
        let missing = cluster.snapshot(|s| missing_reasons(s, &plan::in_detail(s, now)));
        prop_assert!(missing.is_empty(), "{missing:#?}");
    }
}
