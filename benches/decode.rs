//! Time to read a page of the list of pods: 1,000 pods of 7 KB, in JSON and in protobuf. From the
//! body to rows, into a cache, and into k8s-openapi's `Pod` for comparison.

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use daemonset_controller::{
    cache::Cache,
    model::{Interner, Kind, Version},
    sim::api::protobuf,
    wire::{self, Encoded, pod},
};
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use support::fleet::{stored_pod, stored_pod_text};

const PODS: usize = 1_000;

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

fn pods() -> Vec<String> {
    let stored = stored_pod();
    (0..PODS).map(|i| stored_pod_text(&stored, i)).collect()
}

fn json_body() -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"PodList","metadata":{{"resourceVersion":"9"}},"items":[{}]}}"#,
        pods().join(",")
    )
}

fn protobuf_body() -> Vec<u8> {
    let message =
        |pod: &String| protobuf::message("Pod", &serde_json::from_str(pod).expect("JSON"));
    let messages: Vec<Vec<u8>> = pods().iter().map(message).collect();
    let metadata = json!({"resourceVersion": "9"});
    protobuf::list("Pod", &metadata, messages.iter().map(Vec::as_slice))
}

/// Hands the items of a body to `take`.
fn each(body: &[u8], mut take: impl FnMut(Encoded<'_>)) {
    if wire::protobuf::is_protobuf(body) {
        let list = wire::protobuf::list(body).expect("a list");
        list.items
            .into_iter()
            .for_each(|pod| take(Encoded::Protobuf(pod)));
    } else {
        let list: List<&RawValue> = serde_json::from_slice(body).expect("a list");
        list.items.into_iter().for_each(|pod| take(pod.into()));
    }
}

fn rows(body: &[u8], interner: &mut Interner) -> Vec<pod::DecodedPod> {
    let mut rows = Vec::with_capacity(PODS);
    each(body, |pod| {
        rows.push(pod::decode(pod, interner).expect("it decodes"))
    });
    rows
}

fn list_into(cache: &mut Cache, body: &[u8]) {
    cache.list_began(Kind::Pod);
    each(body, |pod| {
        cache.listed(Kind::Pod, pod).expect("it decodes")
    });
    cache.list_completed(Kind::Pod, Version(9_000_000));
}

fn decode(c: &mut Criterion) {
    let json = json_body();
    let protobuf = protobuf_body();
    let mut group = c.benchmark_group("decode 1000 pods");
    for (form, body) in [("JSON", json.as_bytes()), ("protobuf", &protobuf)] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(format!("{form} to rows"), |b| {
            let mut interner = Interner::default();
            b.iter_with_large_drop(|| rows(body, &mut interner));
        });
        group.bench_function(format!("{form} into an empty cache"), |b| {
            b.iter_batched_ref(
                Cache::default,
                |cache| list_into(cache, body),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(format!("{form} again into the same cache"), |b| {
            let mut cache = Cache::default();
            list_into(&mut cache, body);
            assert_eq!(cache.pods(), PODS);
            b.iter(|| list_into(&mut cache, body));
        });
    }
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("k8s-openapi Pod", |b| {
        b.iter_with_large_drop(|| {
            black_box(serde_json::from_str::<List<Pod>>(&json).expect("a list"))
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
