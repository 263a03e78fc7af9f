//! Time to make a plan: settled (as the live controller makes it, verdicts remembered), settled
//! with a fresh template (every node is judged anew), and the first one, which creates a pod on
//! every node.

#[path = "../tests/support/mod.rs"]
mod support;

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use daemonset_controller::{
    model::{FeatureGates, Snapshot, Verdicts},
    plan::{self, eligibility::Eligibility},
};
use support::{Cluster, fleet::fleet};

const AFFINITIES: [(&str, bool); 2] = [("plain", false), ("six expressions", true)];

fn settled(c: &mut Criterion) {
    let mut group = c.benchmark_group("settled plan");
    group.measurement_time(Duration::from_secs(5));
    for nodes in [1_000, 10_000, 100_000] {
        if nodes == 100_000 {
            group.sample_size(20);
        }
        for (name, affinity) in AFFINITIES {
            let mut cluster = fleet(nodes, affinity, true);
            assert!(cluster.plan().is_settled());
            group.bench_function(
                BenchmarkId::new(format!("{name}, remembered"), nodes),
                |b| {
                    b.iter(|| black_box(cluster.plan()));
                },
            );
            group.bench_function(BenchmarkId::new(format!("{name}, fresh"), nodes), |b| {
                b.iter(|| black_box(fresh_plan(&mut cluster)));
            });
        }
    }
    group.finish();
}

/// A plan for which no verdict is remembered.
fn fresh_plan(cluster: &mut Cluster) -> plan::Plan {
    let now = cluster.now;
    cluster.snapshot(|s| {
        let template = s.daemon_set.template.clone();
        let mut verdicts = Verdicts::default();
        Eligibility::new(template, FeatureGates::default()).refresh(&mut verdicts, s.nodes);
        let fresh = Snapshot {
            blind: None,
            daemon_set: s.daemon_set,
            nodes: s.nodes,
            pods: s.pods.clone(),
            revisions: s.revisions.clone(),
            gone_pods: s.gone_pods,
            find_pod: &|name| (s.find_pod)(name),
            revision_exists: s.revision_exists,
            verdicts: &verdicts,
            placed: Vec::new(),
            backoff: s.backoff,
            creates_denied: s.creates_denied,
            evictions_refused: s.evictions_refused,
            unsettled: s.unsettled,
            tenure: s.tenure,
            pods_as_of: s.pods_as_of,
            settings: s.settings,
        };
        plan::plan(&fresh, now)
    })
}

fn first(c: &mut Criterion) {
    let mut group = c.benchmark_group("first plan");
    for nodes in [1_000, 10_000] {
        let mut cluster = fleet(nodes, false, false);
        assert_eq!(cluster.plan().creates.len(), nodes);
        group.bench_function(BenchmarkId::from_parameter(nodes), |b| {
            b.iter(|| black_box(cluster.plan()));
        });
    }
    group.finish();
}

criterion_group!(benches, settled, first);
criterion_main!(benches);
