//! The node lifecycle controller in tables: silence, taints, marks on pods.

use super::*;
use crate::sim::wall_clock;

fn object(value: Value) -> Object {
    serde_json::from_value(value).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn node(conditions: &[(&str, &str)], spec: Value) -> Object {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(kind, status)| json!({ "type": kind, "status": status, "lastTransitionTime": "t" }))
        .collect();
    object(json!({
        "metadata": { "name": "n", "uid": "1" }, "spec": spec, "status": { "conditions": conditions },
    }))
}

fn actor() -> NodeLifecycle {
    NodeLifecycle::new(&NodeLifecycleOptions::new(ActorOptions {
        in_flight: 1,
        clock: wall_clock(),
    }))
}

fn lease(second: i64) -> Object {
    object(json!({
        "metadata": { "namespace": LEASE_NAMESPACE, "name": "n" }, "spec": { "renewTime": at(second).to_string() },
    }))
}

#[test]
fn a_node_is_unknown_when_no_sign_was_seen_for_the_grace_period() {
    let ready = node(&[("Ready", "True")], json!({}));
    let known = |renewed| {
        World::default()
            .with(&NODES, [ready.clone()])
            .with(&LEASES, [lease(renewed)])
    };
    let mut actor = actor();
    for (second, renewed, tasks, again) in [
        // The lease's own time is old; the moment at which it was seen counts.
        (1000, 10, 0, Some(1050)),
        (1010, 1005, 0, Some(1060)),
        (1059, 1005, 0, Some(1060)),
        (1060, 1005, 1, None),
        (1061, 1061, 0, Some(1111)),
    ] {
        let decision = actor.decide(&known(renewed), at(second));
        let got = (decision.tasks.len(), decision.again);
        assert_eq!(got, (tasks, again.map(at)), "at {second}");
    }
}

#[test]
fn a_node_that_never_said_anything_gets_the_longer_grace() {
    let mute = World::default().with(&NODES, [node(&[], json!({}))]);
    let mut actor = actor();
    assert_eq!(actor.decide(&mute, at(0)).again, Some(at(60)));
    let decision = actor.decide(&mute, at(60));
    let Call::Status(patch) = &decision.tasks[0].calls[0] else {
        panic!("{decision:?}");
    };
    let conditions = patch["status"]["conditions"].as_array().unwrap();
    assert_eq!(conditions.len(), 4);
    assert!(
        conditions
            .iter()
            .all(|c| c["reason"] == "NodeStatusNeverUpdated")
    );
}

#[test]
fn taints_by_table() {
    let taint = |key: &str, effect: &str| json!({ "key": key, "effect": effect });
    let new = |key: &str, effect: &str| json!({ "key": key, "effect": effect, "timeAdded": "1970-01-01T00:00:07Z" });
    let own = json!({ "key": "own", "value": "v", "effect": "NoExecute" });
    for (conditions, spec, expected) in [
        (vec![("Ready", "True")], json!({}), None),
        (vec![("Ready", "True")], json!({ "taints": [own] }), None),
        (
            vec![("Ready", "Unknown")],
            json!({ "taints": [own] }),
            Some(json!([
                own,
                new(UNREACHABLE, "NoSchedule"),
                new(UNREACHABLE, "NoExecute")
            ])),
        ),
        (
            vec![("Ready", "False")],
            json!({}),
            Some(json!([
                new(NOT_READY, "NoSchedule"),
                new(NOT_READY, "NoExecute")
            ])),
        ),
        (
            vec![("Ready", "False")],
            json!({ "taints": [taint(UNREACHABLE, "NoExecute"), taint(NOT_READY, "NoSchedule")] }),
            Some(json!([
                taint(NOT_READY, "NoSchedule"),
                new(NOT_READY, "NoExecute")
            ])),
        ),
        (
            vec![("Ready", "True")],
            json!({ "taints": [taint(NOT_READY, "NoSchedule"), taint(NOT_READY, "NoExecute")] }),
            Some(json!([])),
        ),
        (
            vec![("Ready", "True")],
            json!({ "unschedulable": true }),
            Some(json!([new(UNSCHEDULABLE, "NoSchedule")])),
        ),
        (
            vec![("Ready", "True")],
            json!({ "taints": [taint(UNSCHEDULABLE, "NoSchedule")] }),
            Some(json!([])),
        ),
        (
            vec![
                ("Ready", "True"),
                ("MemoryPressure", "True"),
                ("DiskPressure", "Unknown"),
            ],
            json!({}),
            Some(json!([new(
                "node.kubernetes.io/memory-pressure",
                "NoSchedule"
            )])),
        ),
        (
            vec![("Ready", "True")],
            json!({ "taints": [taint(UNSCHEDULABLE, "PreferNoSchedule")] }),
            None,
        ),
    ] {
        let task = super::taint(&node(&conditions, spec.clone()), at(7));
        let got = task.map(|task| match &task.calls[..] {
            [Call::Merge(patch)] => patch["spec"]["taints"].clone(),
            other => panic!("{other:?}"),
        });
        assert_eq!(got, expected, "{conditions:?} {spec}");
    }
}

#[test]
fn a_pod_is_marked_once_in_an_outage() {
    let node = |ready: &str, since: &str| {
        object(json!({
            "metadata": { "name": "n" },
            "status": { "conditions": [{ "type": "Ready", "status": ready, "lastTransitionTime": since }] },
        }))
    };
    let pod = |ready: &str| {
        object(json!({
            "metadata": { "namespace": "x", "name": "p", "uid": "1" }, "spec": { "nodeName": "n" },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }))
    };
    let mut actor = actor();
    for (i, (node_ready, since, pod_ready, marks)) in [
        ("True", "1", "True", 0),
        ("False", "2", "True", 1),
        // The mark failed, and is tried again.
        ("False", "2", "True", 1),
        ("False", "2", "False", 0),
        // The kubelet has reported the pod as ready since.
        ("False", "2", "True", 0),
        ("True", "3", "True", 0),
        ("Unknown", "4", "True", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let known = World::default()
            .with(&NODES, [node(node_ready, since)])
            .with(&PODS, [pod(pod_ready)]);
        assert_eq!(actor.not_ready(&known, at(0)).len(), marks, "row {i}");
    }
}
