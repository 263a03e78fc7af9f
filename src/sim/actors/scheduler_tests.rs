//! The scheduler in tables: pods and the nodes that they fit on, and messages for pods that fit on
//! none.

use super::*;
use serde_json::{Value, json};

fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

fn node(name: &str, spec: Value) -> Object {
    object(json!({
        "metadata": { "name": name, "labels": { "zone": name } }, "spec": spec,
        "status": { "allocatable": { "cpu": "1", "memory": "1Gi", "pods": "3" } },
    }))
}

fn pod(name: &str, spec: Value) -> Object {
    let mut spec = spec;
    spec["schedulerName"] = json!(DEFAULT);
    object(json!({
        "metadata": { "namespace": "x", "name": name, "uid": name, "resourceVersion": "1" }, "spec": spec,
    }))
}

fn cpu(amount: &str) -> Value {
    json!([{ "resources": { "requests": { "cpu": amount } } }])
}

fn pinned(names: &[&str]) -> Value {
    json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
        { "matchFields": [{ "key": "metadata.name", "operator": "In", "values": names }] },
    ] } } })
}

fn decide(nodes: Vec<Object>, pods: Vec<Object>) -> Vec<Task> {
    let known = World::default().with(&NODES, nodes).with(&PODS, pods);
    Scheduler::default()
        .decide(&known, Timestamp::UNIX_EPOCH)
        .tasks
}

/// The node that the pod is bound to, or the message that says why there is none.
fn fate(task: &Task) -> String {
    match &task.calls[..] {
        [Call::Bind(node)] => format!("-> {node}"),
        [Call::Status(patch)] => patch["status"]["conditions"][0]["message"]
            .as_str()
            .unwrap()
            .to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_pod_by_table() {
    let taint = json!({ "taints": [{ "key": "k", "effect": "NoSchedule" }] });
    let cordoned = json!({
        "unschedulable": true,
        "taints": [{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }],
    });
    let not_helpful = |n: u32| {
        format!(
            "preemption: 0/{n} nodes are available: {n} Preemption is not helpful for scheduling."
        )
    };
    for (nodes, spec, expected) in [
        (
            vec![],
            json!({}),
            "no nodes available to schedule pods".to_owned(),
        ),
        (vec![json!({})], json!({}), "-> n0".to_owned()),
        (
            vec![taint.clone(), json!({})],
            json!({}),
            "-> n1".to_owned(),
        ),
        (
            vec![taint.clone()],
            json!({}),
            format!(
                "0/1 nodes are available: 1 node(s) had untolerated taint(s). {}",
                not_helpful(1)
            ),
        ),
        (
            vec![taint.clone()],
            json!({ "tolerations": [{ "key": "k", "operator": "Exists" }] }),
            "-> n0".to_owned(),
        ),
        (
            vec![json!({ "taints": [{ "key": "k", "effect": "PreferNoSchedule" }] })],
            json!({}),
            "-> n0".to_owned(),
        ),
        (
            vec![cordoned.clone()],
            json!({}),
            format!(
                "0/1 nodes are available: 1 node(s) were unschedulable. {}",
                not_helpful(1)
            ),
        ),
        (
            vec![cordoned],
            json!({ "tolerations": [
                { "key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule" },
            ] }),
            "-> n0".to_owned(),
        ),
        (
            vec![json!({}), json!({})],
            json!({ "nodeSelector": { "zone": "n1" } }),
            "-> n1".to_owned(),
        ),
        (
            vec![json!({}), taint],
            json!({ "nodeSelector": { "zone": "n7" } }),
            format!(
                "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, \
                 1 node(s) had untolerated taint(s). {}",
                not_helpful(2)
            ),
        ),
        (
            vec![json!({}), json!({}), json!({})],
            json!({ "affinity": pinned(&["n2"]) }),
            "-> n2".to_owned(),
        ),
        (
            vec![json!({}), json!({}), json!({})],
            json!({ "affinity": pinned(&["n2"]), "containers": cpu("1001m") }),
            format!(
                "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. {}",
                not_helpful(3)
            ),
        ),
        (
            vec![json!({}), json!({})],
            json!({ "affinity": pinned(&["gone"]) }),
            format!(
                "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. {}",
                not_helpful(2)
            ),
        ),
        (
            vec![json!({})],
            json!({ "containers": [{ "resources": { "requests": { "example.com/gpu": "1" } } }] }),
            format!(
                "0/1 nodes are available: 1 Insufficient example.com/gpu. {}",
                not_helpful(1)
            ),
        ),
    ] {
        let all = nodes.iter().enumerate();
        let nodes = all.map(|(i, spec)| node(&format!("n{i}"), spec.clone()));
        let tasks = decide(nodes.collect(), vec![pod("p", spec.clone())]);
        assert_eq!(
            tasks.iter().map(fate).collect::<Vec<_>>(),
            [expected],
            "{spec}"
        );
    }
}

#[test]
fn pods_that_are_there_take_room_and_so_do_those_just_placed() {
    let there = |name: &str, amount: &str| {
        let mut pod = pod(name, json!({ "containers": cpu(amount) }));
        pod.spec.node_name = "n0".to_owned();
        pod
    };
    let mut ended = there("ended", "1");
    ended.status.phase = "Succeeded".to_owned();
    let waiting = |name: &str, amount: &str| pod(name, json!({ "containers": cpu(amount) }));
    let no_victims =
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    let full = format!("0/1 nodes are available: 1 Insufficient cpu. {no_victims}");
    let many = format!("0/1 nodes are available: 1 Too many pods. {no_victims}");
    for (pods, expected) in [
        (
            vec![ended.clone(), waiting("a", "1")],
            vec!["-> n0".to_owned()],
        ),
        (
            vec![there("t", "500m"), waiting("a", "500m")],
            vec!["-> n0".to_owned()],
        ),
        (
            vec![there("t", "501m"), waiting("a", "500m")],
            vec![full.clone()],
        ),
        (
            vec![
                waiting("a", "600m"),
                waiting("b", "600m"),
                waiting("c", "400m"),
            ],
            vec!["-> n0".to_owned(), full, "-> n0".to_owned()],
        ),
        (
            vec![
                there("t", "0"),
                there("u", "0"),
                there("v", "0"),
                waiting("a", "0"),
            ],
            vec![many],
        ),
    ] {
        let tasks = decide(vec![node("n0", json!({}))], pods);
        assert_eq!(tasks.iter().map(fate).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_port_of_a_node_is_had_by_one_pod_at_a_time() {
    let ports = |port: Value| json!([{ "ports": [port] }]);
    let there = |name: &str, on: &str, spec: Value| {
        let mut pod = pod(name, spec);
        pod.spec.node_name = on.to_owned();
        pod
    };
    let web = || json!({ "containers": ports(json!({ "hostPort": 80 })) });
    let holder = || there("t", "n0", web());
    let mut ended = holder();
    ended.status.phase = "Failed".to_owned();
    let mut leaving = holder();
    leaving.metadata.deletion_timestamp = Some(Timestamp::UNIX_EPOCH);
    let taken = "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, \
                 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/2 nodes are available: \
                 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.";
    let pinned_web = || {
        let mut spec = web();
        spec["affinity"] = pinned(&["n0"]);
        pod("p", spec)
    };
    let sidecar =
        json!({ "initContainers": [{ "restartPolicy": "Always", "ports": [{ "hostPort": 80 }] }] });
    let starter = json!({ "initContainers": [{ "ports": [{ "hostPort": 80 }] }] });
    let full = json!({ "containers": [
        { "ports": [{ "hostPort": 80 }], "resources": { "requests": { "cpu": "2" } } },
    ] });
    for (pods, expected) in [
        (vec![holder(), pinned_web()], vec![taken]),
        (vec![leaving, pinned_web()], vec![taken]),
        (vec![ended, pinned_web()], vec!["-> n0"]),
        (vec![holder(), pod("p", web())], vec!["-> n1"]),
        (vec![there("t", "n0", sidecar), pinned_web()], vec![taken]),
        (vec![there("t", "n0", starter), pinned_web()], vec!["-> n0"]),
        // Two that are decided on together.
        (vec![pinned_web(), pod("q", web())], vec!["-> n0", "-> n1"]),
        // Only the first plugin that rejects a node is named.
        (
            vec![holder(), there("u", "n1", web()), pod("p", full)],
            vec![
                "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports. \
                 preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
            ],
        ),
    ] {
        let nodes = ["n0", "n1"].map(|name| node(name, json!({})));
        let tasks = decide(nodes.to_vec(), pods);
        assert_eq!(tasks.iter().map(fate).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn the_emptiest_node_is_taken() {
    let nodes = ["a", "b"].map(|name| node(name, json!({}))).to_vec();
    let pods = ["p", "q", "r"].map(|name| pod(name, json!({}))).to_vec();
    let fates: Vec<String> = decide(nodes, pods).iter().map(fate).collect();
    assert_eq!(fates, ["-> a", "-> b", "-> a"]);
}

#[test]
fn whoever_is_not_this_schedulers_or_not_to_be_scheduled_is_left_alone() {
    let mut foreign = pod("foreign", json!({}));
    foreign.spec.scheduler_name = "other".to_owned();
    let mut deleting = pod("deleting", json!({}));
    deleting.metadata.deletion_timestamp = Some(Timestamp::UNIX_EPOCH);
    let gated = pod("gated", json!({ "schedulingGates": [{ "name": "wait" }] }));
    let tasks = decide(vec![node("n", json!({}))], vec![foreign, deleting, gated]);
    assert_eq!(tasks, []);
}

#[test]
fn the_order_is_by_priority_then_age_then_name_and_nothing_is_said_twice() {
    let mut old = pod("old", json!({}));
    old.metadata.creation_timestamp = Some(Timestamp::UNIX_EPOCH);
    let young = |name: &str, priority: i64| {
        let mut pod = pod(name, json!({ "priority": priority }));
        pod.metadata.creation_timestamp = Timestamp::from_second(9).ok();
        pod
    };
    let tasks = decide(
        vec![],
        vec![young("b", 0), young("a", 0), young("high", 5), old],
    );
    let names: Vec<&str> = tasks.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["high", "old", "a", "b"]);
    let Call::Status(patch) = &tasks[0].calls[0] else {
        panic!("{tasks:?}");
    };
    let mut said = pod("high", json!({}));
    said.status = serde_json::from_value(patch["status"].clone()).unwrap();
    assert_eq!(decide(vec![], vec![said]), []);
}

#[test]
fn requests_are_the_most_that_is_needed_at_once() {
    for (spec, expected) in [
        (json!({}), 0),
        (json!({ "containers": cpu("1") }), 1000),
        (
            json!({ "containers": cpu("1"), "initContainers": cpu("3") }),
            3000,
        ),
        (
            json!({ "containers": cpu("1"), "overhead": { "cpu": "100m" } }),
            1100,
        ),
        (
            json!({ "containers": cpu("1"), "initContainers": [
                { "restartPolicy": "Always", "resources": { "requests": { "cpu": "2" } } },
                { "resources": { "requests": { "cpu": "3" } } },
            ] }),
            5000,
        ),
    ] {
        let got = requests(&pod("p", spec.clone()));
        assert_eq!(
            got.get("cpu").copied().unwrap_or(0) / 1_000_000,
            expected,
            "{spec}"
        );
    }
}
