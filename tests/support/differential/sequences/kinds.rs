//! Rules of single kinds: nodes, namespaces, events, DaemonSets, revisions and leases.

use serde_json::{Value, json};

use crate::differential::objects::{
    at, daemon_set, event, lease, namespace, new_event, node, pod, revision, with, without,
};
use crate::differential::step::*;

pub fn all() -> Vec<Sequence> {
    let set =
        |pointer: &str, value: Value| create(DAEMON_SETS, with(daemon_set("a"), pointer, value));
    let finalize = |name: &str, finalizers: Value| {
        request("PUT", &format!("{NAMESPACES}/{name}/finalize")).json(with(
            namespace(name),
            "/spec/finalizers",
            finalizers,
        ))
    };
    vec![
        sequence(
            "a namespace ends",
            [
                create(NAMESPACES, namespace("<ns2>")).save("n"),
                create(
                    &PODS.replace("<ns>", "<ns2>"),
                    with(pod("a"), "/metadata/finalizers", json!(["x.y/hold"])),
                ),
                delete(NAMESPACES, "<ns2>"),
                get(NAMESPACES, "<ns2>"),
                create(&PODS.replace("<ns>", "<ns2>"), pod("b")),
                create(&DAEMON_SETS.replace("<ns>", "<ns2>"), daemon_set("b")),
                create(&EVENTS.replace("<ns>", "<ns2>"), event("b")),
                merge(
                    &PODS.replace("<ns>", "<ns2>"),
                    "a",
                    json!({"metadata": {"labels": {"l": "1"}}}),
                ),
                delete(NAMESPACES, "<ns2>"),
                merge(
                    &PODS.replace("<ns>", "<ns2>"),
                    "a",
                    json!({"metadata": {"finalizers": null}}),
                ),
                delete(&PODS.replace("<ns>", "<ns2>"), "a"),
                merge(
                    NAMESPACES,
                    "<ns2>",
                    json!({"metadata": {"labels": {"l": "1"}}}),
                ),
                finalize("<ns2>", json!([])),
                get(NAMESPACES, "<ns2>"),
                delete(NAMESPACES, "<ns2>"),
            ],
        ),
        sequence(
            "namespaces",
            [
                create(
                    NAMESPACES,
                    with(namespace("<ns2>"), "/metadata/labels", json!({"l": "1"})),
                )
                .save("n"),
                merge(
                    NAMESPACES,
                    "<ns2>",
                    json!({"metadata": {"labels": {"kubernetes.io/metadata.name": "other"}}}),
                ),
                merge(NAMESPACES, "<ns2>", json!({"metadata": {"labels": null}})),
                merge(
                    NAMESPACES,
                    "<ns2>",
                    json!({"status": {"phase": "Terminating"}}),
                )
                .sub("status"),
                finalize("<ns2>", json!(["kubernetes", "x.y/z"])),
                delete(NAMESPACES, "<ns2>").json(
                    json!({"preconditions": {"uid": "11111111-2222-3333-4444-555555555555"}}),
                ),
                delete_all(NAMESPACES),
                finalize("<ns2>", json!([])),
                get(NAMESPACES, "<ns2>"),
                delete(NAMESPACES, "<ns2>"),
                get(NAMESPACES, "<ns2>"),
                delete(NAMESPACES, "default"),
                finalize("nowhere-at-all", json!([])),
            ],
        ),
        sequence(
            "creates in a namespace that is missing",
            [
                create(&PODS.replace("<ns>", "<ns2>"), pod("a")),
                create(&DAEMON_SETS.replace("<ns>", "<ns2>"), daemon_set("a")),
                create(&REVISIONS.replace("<ns>", "<ns2>"), revision("a", 1)),
                create(&EVENTS.replace("<ns>", "<ns2>"), event("a")),
                create(&LEASES.replace("<ns>", "<ns2>"), lease("a")),
                create(&PODS.replace("<ns>", "<ns2>"), without(pod("a"), "/spec")),
                get(&PODS.replace("<ns>", "<ns2>"), "a"),
                delete(&PODS.replace("<ns>", "<ns2>"), "a"),
            ],
        ),
        sequence(
            "what is filled into a DaemonSet",
            [
                create(DAEMON_SETS, daemon_set("a")),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("b"),
                        "/spec/updateStrategy",
                        json!({"type": "OnDelete"}),
                    ),
                ),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("c"),
                        "/spec/updateStrategy",
                        json!({"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}),
                    ),
                ),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("d"),
                        "/metadata/annotations",
                        json!({"deprecated.daemonset.template.generation": "5"}),
                    ),
                ),
                merge(
                    DAEMON_SETS,
                    "d",
                    json!({"metadata": {"annotations": {"deprecated.daemonset.template.generation": "9"}}}),
                ),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("e"),
                        "/spec/template/spec/hostNetwork",
                        json!(true),
                    ),
                ),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("f"),
                        "/spec/template/metadata/creationTimestamp",
                        Value::Null,
                    ),
                ),
                create(
                    DAEMON_SETS,
                    with(
                        daemon_set("g"),
                        "/spec/template/spec/priorityClassName",
                        json!("none-such"),
                    ),
                ),
                create(
                    DAEMON_SETS,
                    with(daemon_set("h"), "/spec/template/spec/nonsense", json!(1)),
                ),
            ],
        ),
        sequence(
            "DaemonSets that are refused",
            [
                create(DAEMON_SETS, without(daemon_set("a"), "/spec")),
                create(DAEMON_SETS, without(daemon_set("a"), "/spec/selector")),
                create(DAEMON_SETS, without(daemon_set("a"), "/spec/template")),
                set("/spec/selector/matchLabels", json!({"app": "other"})),
                set("/spec/selector", json!({})),
                set(
                    "/spec/selector/matchExpressions",
                    json!([{"key": "a", "operator": "Odd"}]),
                ),
                create(
                    DAEMON_SETS,
                    without(daemon_set("a"), "/spec/template/metadata/labels"),
                ),
                set("/spec/template/spec/restartPolicy", json!("Never")),
                set("/spec/template/spec/containers", json!([])),
                set("/spec/template/spec/activeDeadlineSeconds", json!(5)),
                set("/spec/minReadySeconds", json!(-1)),
                set("/spec/revisionHistoryLimit", json!(-1)),
                set("/spec/updateStrategy", json!({"type": "Odd"})),
                set(
                    "/spec/updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}),
                ),
                set(
                    "/spec/updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}),
                ),
                set(
                    "/spec/updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "x%"}}),
                ),
                set(
                    "/spec/updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "101%"}}),
                ),
                create(DAEMON_SETS, daemon_set("Bad_Name")),
                get(DAEMON_SETS, "a"),
            ],
        ),
        sequence(
            "revisions",
            [
                create(REVISIONS, revision("a", 1)),
                create(REVISIONS, revision("b", -1)),
                create(REVISIONS, without(revision("c", 1), "/data")),
                create(
                    REVISIONS,
                    with(
                        revision("d", 1),
                        "/data",
                        json!({"b": 1, "a": [1.0, 1e3, 0.1, 12345678901234567890u64, null, "<&>"]}),
                    ),
                ),
                create(REVISIONS, with(revision("e", 1), "/data", json!("text"))),
                merge(REVISIONS, "a", json!({"revision": 3})),
                merge(REVISIONS, "a", json!({"revision": -3})),
                merge(REVISIONS, "a", json!({"data": {"other": 1}})),
                update(
                    REVISIONS,
                    "a",
                    with(revision("a", 4), "/data", json!({"x": 1})),
                ),
                strategic(
                    REVISIONS,
                    "a",
                    json!({"metadata": {"labels": {"controller-revision-hash": "abc"}}}),
                ),
                get(REVISIONS, "a"),
                get(REVISIONS, "a").sub("status"),
                list(REVISIONS),
            ],
        ),
        sequence(
            "leases",
            [
                create(LEASES, lease("a")).save("a"),
                update(
                    LEASES,
                    "a",
                    with(
                        at(lease("a"), "a"),
                        "/spec/renewTime",
                        json!("2002-02-03T04:05:06.123456Z"),
                    ),
                )
                .save("b"),
                update(LEASES, "a", at(lease("a"), "a")),
                merge(
                    LEASES,
                    "a",
                    json!({"spec": {"leaseTransitions": 3, "holderIdentity": "you"}}),
                ),
                merge(LEASES, "a", json!({"spec": {"leaseDurationSeconds": 0}})),
                merge(LEASES, "a", json!({"spec": {"leaseTransitions": -1}})),
                merge(LEASES, "a", json!({"spec": {"renewTime": "yesterday"}})),
                create(LEASES, without(lease("c"), "/spec")),
                get(LEASES, "a").sub("status"),
            ],
        ),
        sequence(
            "nodes",
            [
                create(
                    NODES,
                    with(
                        node("<ns>-n"),
                        "/spec",
                        json!({"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}),
                    ),
                ),
                create(
                    NODES,
                    with(
                        node("<ns>-n"),
                        "/spec",
                        json!({"taints": [{"key": "a", "effect": "Odd"}]}),
                    ),
                ),
                create(
                    NODES,
                    with(
                        node("<ns>-n"),
                        "/spec",
                        json!({"taints": [{"key": "a", "effect": "NoExecute", "timeAdded": "2001-02-03T04:05:06Z"}]}),
                    ),
                ),
                create(
                    NODES,
                    with(
                        node("<ns>-m"),
                        "/status",
                        json!({"capacity": {"pods": "much"}}),
                    ),
                ),
                create(
                    NODES,
                    with(
                        node("<ns>-m"),
                        "/status",
                        json!({"capacity": {"cpu": "0.5", "memory": "1048576Ki"}, "allocatable": {"cpu": "500m"}, "conditions": [{"type": "Ready", "status": "True"}]}),
                    ),
                ),
                list(NODES).query("labelSelector", "run=<ns>"),
                update(NODES, "<ns>-m", node("<ns>-m")),
                get(NODES, "<ns>-m"),
            ],
        ),
        sequence(
            "events",
            [
                create(EVENTS, event("a")).save("a"),
                create(EVENTS, event("a")),
                get(EVENTS, "a"),
                get(NEW_EVENTS, "a"),
                merge(
                    EVENTS,
                    "a",
                    json!({"count": 2, "lastTimestamp": "2002-02-03T04:05:06Z"}),
                ),
                update(EVENTS, "a", with(event("a"), "/message", json!("other"))),
                create(
                    EVENTS,
                    with(event("b"), "/involvedObject/namespace", json!("elsewhere")),
                ),
                create(EVENTS, without(event("c"), "/involvedObject")),
                create(EVENTS, with(event("d"), "/type", json!("Odd"))),
                create(
                    EVENTS,
                    with(
                        without(event("e"), "/metadata/name"),
                        "/metadata/generateName",
                        json!("e-"),
                    ),
                ),
                list(EVENTS).query("fieldSelector", "involvedObject.name=a,reason=Tested"),
                list(EVENTS).query("fieldSelector", "involvedObject.kind=Node"),
                list(EVENTS).query("fieldSelector", "source=test"),
                list(NEW_EVENTS),
                delete(EVENTS, "a"),
                delete_all(EVENTS),
            ],
        ),
        sequence(
            "events of events.k8s.io",
            [
                create(NEW_EVENTS, new_event("a")),
                get(EVENTS, "a"),
                get(NEW_EVENTS, "a"),
                merge(
                    NEW_EVENTS,
                    "a",
                    json!({"series": {"count": 2, "lastObservedTime": "2002-02-03T04:05:06.000000Z"}}),
                ),
                merge(NEW_EVENTS, "a", json!({"note": "other"})),
                merge(NEW_EVENTS, "a", json!({"metadata": {"labels": {"l": "1"}}})),
                create(NEW_EVENTS, without(new_event("b"), "/eventTime")),
                create(NEW_EVENTS, without(new_event("b"), "/reportingController")),
                create(NEW_EVENTS, without(new_event("b"), "/reportingInstance")),
                create(NEW_EVENTS, without(new_event("b"), "/action")),
                create(NEW_EVENTS, without(new_event("b"), "/reason")),
                create(NEW_EVENTS, with(new_event("b"), "/type", json!("Odd"))),
                create(
                    NEW_EVENTS,
                    with(new_event("b"), "/note", json!("x".repeat(1025))),
                ),
                create(
                    NEW_EVENTS,
                    with(new_event("b"), "/regarding/namespace", json!("elsewhere")),
                ),
                create(
                    NEW_EVENTS,
                    with(new_event("c"), "/reportingController", json!("a b/c")),
                ),
                create(
                    NEW_EVENTS,
                    with(
                        without(new_event("d"), "/metadata/name"),
                        "/metadata/generateName",
                        json!("d."),
                    ),
                ),
                list(NEW_EVENTS).query("fieldSelector", "regarding.name=a"),
                list(NEW_EVENTS).query("fieldSelector", "reason=Tested"),
                delete(NEW_EVENTS, "a"),
            ],
        ),
    ]
}
