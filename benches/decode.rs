//! Time to read a page of the list of pods: 1,000 pods of 7 KB, with our partial types into an
//! empty cache, and into k8s-openapi's `Pod` for comparison.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use daemonset_controller::{
    cache::Cache,
    model::{Kind, Version},
};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::value::RawValue;
use support::fleet::{stored_pod, stored_pod_text};

const PODS: usize = 1_000;

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

fn body() -> String {
    let stored = stored_pod();
    let pods: Vec<String> = (0..PODS).map(|i| stored_pod_text(&stored, i)).collect();
    format!(
        r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#,
        pods.join(",")
    )
}

fn list_into(cache: &mut Cache, body: &str) {
    let list: List<Box<RawValue>> = serde_json::from_str(body).expect("a list");
    cache.list_began(Kind::Pod);
    for pod in &list.items {
        cache.listed(Kind::Pod, pod).expect("it decodes");
    }
    cache.list_completed(Kind::Pod, Version(9_000_000));
}

fn decode(c: &mut Criterion) {
    let body = body();
    let mut group = c.benchmark_group("decode 1000 pods");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("into an empty cache", |b| {
        b.iter_batched_ref(
            Cache::default,
            |cache| list_into(cache, &body),
            BatchSize::LargeInput,
        );
    });
    group.bench_function("again into the same cache", |b| {
        let mut cache = Cache::default();
        list_into(&mut cache, &body);
        assert_eq!(cache.pods(), PODS);
        b.iter(|| list_into(&mut cache, &body));
    });
    group.bench_function("k8s-openapi Pod", |b| {
        b.iter_with_large_drop(|| {
            black_box(serde_json::from_str::<List<Pod>>(&body).expect("a list"))
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
