//! The simulated scheduler beside the real one: the same pods, the same nodes, the same words.

use std::collections::BTreeMap;

use daemonset_controller::sim::{
    actors::{actor, scheduler::Scheduler},
    wall_clock,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, name_of};
use crate::kubernetes::{NEWEST, V1_34};

/// What became of a pod: where it is bound, or why it is not.
fn fate(pod: &Pod) -> Option<String> {
    if let Some(node) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
        return Some(format!("bound to {node}"));
    }
    let mut conditions = pod
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    let why = conditions.find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
    Some(format!(
        "{}: {}",
        why.reason.as_deref().unwrap_or_default(),
        why.message.as_deref().unwrap_or_default()
    ))
}

/// Without what schedulers before 1.34 say otherwise: they name the taint, and tell of preemption
/// other things about nodes that are too small.
fn without_details(fates: &str) -> String {
    let line = |line: &str| {
        let line = line.split(" preemption:").next().unwrap_or_default();
        line.replace("taint {k: v}", "taint(s)")
    };
    fates.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulated_scheduler_decides_and_speaks_as_the_real_one() {
    let mut lab = Lab::alone("scheduler").await;
    let nodes = vec![
        lab.node(1),
        lab.node(2).taint("k", "v", "NoSchedule"),
        lab.node(3),
    ];
    lab.register(nodes).await;
    let cordon = json!({ "spec": { "unschedulable": true } });
    lab.patch_node(&lab.node_name(3), &cordon).await;
    let create = async |name: String, scheduler: &str, spec: &Value| {
        let mut spec = spec.clone();
        spec["schedulerName"] = json!(scheduler);
        if spec["containers"].is_null() {
            spec["containers"] = json!([{}]);
        }
        spec["containers"][0]["name"] = json!("c");
        spec["containers"][0]["image"] = json!("registry.example/agent:1");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "namespace": lab.namespace }, "spec": spec,
        });
        let pod = serde_json::from_value(pod).unwrap();
        let made = lab.pod_api().create(&PostParams::default(), &pod).await;
        made.unwrap_or_else(|error| panic!("{error}"));
    };
    let cpu = |cpu: &str| json!([{ "resources": { "requests": { "cpu": cpu } } }]);
    let pinned = |node: usize| {
        let names = [lab.node_name(node)];
        json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchFields": [{ "key": "metadata.name", "operator": "In", "values": names }] },
        ] } } })
    };
    let port = |address: &str| json!([{ "ports": [{ "containerPort": 1, "hostPort": 9100, "hostIP": address }] }]);
    let mut fill = json!({ "containers": cpu("20") });
    fill["containers"][0]["ports"] = port("")[0]["ports"].clone();
    create("fill".to_owned(), "default-scheduler", &fill).await;
    let bound = async || {
        let pods = lab.pods().await;
        let fates: Vec<_> = pods.iter().filter_map(fate).collect();
        crate::cluster::same(fates, vec![format!("bound to {}", lab.node_name(1))])
    };
    lab.until("the first pod is bound", SOON, bound).await;
    let cases = [
        ("plain", json!({})),
        ("huge", json!({ "containers": cpu("100") })),
        ("large", json!({ "containers": cpu("20") })),
        (
            "unknown-resource",
            json!({
                "containers": [{ "resources": { "limits": { "example.com/gpu": "1" } } }],
            }),
        ),
        ("pinned", json!({ "affinity": pinned(1) })),
        (
            "pinned-huge",
            json!({ "affinity": pinned(1), "containers": cpu("100") }),
        ),
        (
            "pinned-large",
            json!({ "affinity": pinned(1), "containers": cpu("20") }),
        ),
        ("pinned-tainted", json!({ "affinity": pinned(2) })),
        (
            "pinned-tolerant",
            json!({ "affinity": pinned(2), "tolerations": [{ "operator": "Exists" }] }),
        ),
        ("port", json!({ "containers": port("") })),
        (
            "pinned-port",
            json!({ "affinity": pinned(1), "containers": port("127.0.0.1") }),
        ),
        ("pinned-cordoned", json!({ "affinity": pinned(3) })),
        ("pinned-nowhere", json!({ "affinity": pinned(7) })),
        ("selective", json!({ "nodeSelector": { "no": "where" } })),
    ];
    for (case, spec) in &cases {
        create(format!("{case}-real"), "default-scheduler", spec).await;
        create(format!("{case}-sim"), "sim", spec).await;
    }
    let mut scheduler = Scheduler::new("sim");
    let mut steps = 0;
    while actor::step(&lab.api, &mut scheduler, &wall_clock())
        .await
        .unwrap()
        .is_some()
    {
        steps += 1;
        assert!(steps <= cases.len(), "one step is enough for each pod");
    }
    let told = async || {
        let pods = lab.pods().await;
        let fates: BTreeMap<&str, String> = pods
            .iter()
            .filter_map(|pod| Some((name_of(pod), fate(pod)?)))
            .collect();
        match fates.len() == 2 * cases.len() + 1 {
            true => Ok(fates.into_iter().map(|(n, f)| (n.to_owned(), f)).collect()),
            false => Err(format!("{} of {}", fates.len(), 2 * cases.len() + 1)),
        }
    };
    let fates: BTreeMap<String, String> = lab.until("all pods are decided on", SOON, told).await;
    let of = |who: &str| -> Vec<String> {
        let line =
            |(case, _): &(&str, Value)| format!("{case}: {}", fates[&format!("{case}-{who}")]);
        cases.iter().map(line).collect()
    };
    let (sim, real) = (of("sim").join("\n"), of("real").join("\n"));
    match lab.plane.kubernetes() {
        NEWEST => assert_eq!(sim, real),
        // 1.34 to 1.36 have something to say about resource claims, although there is none.
        kubernetes if kubernetes >= V1_34 => {
            assert_eq!(sim, real.replace(" no new claims to deallocate,", ""));
        }
        _ => assert_eq!(without_details(&sim), without_details(&real)),
    }
}
