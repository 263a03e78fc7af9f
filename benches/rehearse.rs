//! Time to rehearse a whole rollout of a large cluster, from its first plan to its end.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use daemonset_controller::{
    model::Kind,
    rehearse::{self, Cluster, Ending, Scenario, disruption::Budgets},
};
use serde_json::json;
use support::fleet::{fleet, fleet_daemon_set};

fn rollouts(c: &mut Criterion) {
    let mut group = c.benchmark_group("rehearsal");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(10));
    for (nodes, budget) in [
        (1_000, json!("10%")),
        (5_000, json!("10%")),
        (5_000, json!(50)),
        (5_000, json!(1)),
    ] {
        let mut live = fleet(nodes, true, true);
        let template = json!({"metadata": {"annotations": {"version": "2"}}});
        let strategy =
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": budget}});
        let next = fleet_daemon_set(true).with(json!({
            "metadata": {"resourceVersion": "2", "generation": 2},
            "spec": {"template": template, "updateStrategy": strategy},
        }));
        let raw = next.raw();
        live.cache
            .observe(Kind::DaemonSet, &raw)
            .expect("it decodes");
        let cluster = || {
            let cluster = Cluster::new(live.cache.clone(), support::key(), live.settings, live.now);
            cluster.expect("a DaemonSet")
        };
        let once = |cluster| rehearse::rehearse(cluster, &Budgets::default(), &Scenario::default());
        assert_eq!(once(cluster()).ending, Ending::Complete);
        let parameter = format!("{nodes} nodes, maxUnavailable {budget}");
        group.bench_function(BenchmarkId::from_parameter(parameter), |b| {
            b.iter(|| black_box(once(cluster())));
        });
    }
    group.finish();
}

criterion_group!(benches, rollouts);
criterion_main!(benches);
