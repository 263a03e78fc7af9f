//! A change leads to a sync of just the DaemonSets that it concerns; a new DaemonSet has its pods
//! read first.

use daemonset_controller::{
    cache::Cache,
    model::{
        ConditionStatus, FeatureGates, Key, Kind, NodeDetail, PodDetail, Settings, Time, Version,
    },
};
use serde_json::{Value, json, value::to_raw_value};

pub fn observe(cache: &mut Cache, kind: Kind, object: &Value) -> Vec<String> {
    cache
        .observe(kind, &to_raw_value(object).unwrap())
        .expect("it decodes");
    dirty(cache)
}

pub fn dirty(cache: &mut Cache) -> Vec<String> {
    cache
        .take_dirty()
        .iter()
        .map(|key| key.name.to_string())
        .collect()
}

pub fn node(version: u64, zone: &str, heartbeat: u64) -> Value {
    json!({
        "metadata": {"name": "n", "uid": "n", "resourceVersion": version.to_string(), "labels": {"zone": zone}},
        "status": {"heartbeat": heartbeat},
    })
}

pub fn pod(version: u64, owner: Option<&str>, app: &str, phase: &str) -> Value {
    let owners = owner.map(|uid| json!([{"kind": "DaemonSet", "uid": uid, "controller": true}]));
    json!({
        "metadata": {
            "name": "p", "namespace": "x", "uid": "p", "resourceVersion": version.to_string(),
            "labels": {"app": app}, "ownerReferences": owners.unwrap_or(json!([])),
        },
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "containers": version},
    })
}

/// DaemonSets `a` (zone 1), `b` (zone 2) and `everywhere`, all in namespace x, whose UIDs are their
/// names; synced.
fn cluster() -> Cache {
    cluster_where(|_| json!({}))
}

/// The same with annotations, by the name of the DaemonSet.
pub fn cluster_where(annotations: impl Fn(&str) -> Value) -> Cache {
    cluster_with(Settings::default(), annotations)
}

/// The same where the operator chose this.
pub fn cluster_with(settings: Settings, annotations: impl Fn(&str) -> Value) -> Cache {
    let mut cache = Cache::with(settings);
    for kind in Kind::ALL {
        cache.list_began(kind);
        cache.list_completed(kind, Version(1));
    }
    for (name, selector) in [
        ("a", json!({"zone": "1"})),
        ("b", json!({"zone": "2"})),
        ("everywhere", json!({})),
    ] {
        let daemon_set = json!({
            "metadata": {
                "name": name, "namespace": "x", "uid": name, "resourceVersion": "2",
                "annotations": annotations(name),
            },
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"nodeSelector": selector, "containers": []},
                },
            },
        });
        assert_eq!(observe(&mut cache, Kind::DaemonSet, &daemon_set), [name]);
    }
    cache
}

#[test]
fn a_node_concerns_those_whose_verdict_on_it_changes() {
    let mut cache = cluster();
    assert_eq!(
        observe(&mut cache, Kind::Node, &node(3, "1", 0)),
        ["a", "everywhere"]
    );
    assert_eq!(
        observe(&mut cache, Kind::Node, &node(4, "1", 9)),
        [""; 0],
        "a heartbeat"
    );
    assert_eq!(
        observe(&mut cache, Kind::Node, &node(5, "2", 9)),
        ["a", "b"]
    );
    // Taints too: a NoSchedule taint keeps new pods away.
    let mut tainted = node(6, "2", 9);
    tainted["spec"] = json!({"taints": [{"key": "k", "effect": "NoSchedule"}]});
    assert_eq!(
        observe(&mut cache, Kind::Node, &tainted),
        ["b", "everywhere"]
    );
    tainted["spec"]["taints"][0]["effect"] = json!("NoExecute");
    tainted["metadata"]["resourceVersion"] = json!("7");
    assert_eq!(
        observe(&mut cache, Kind::Node, &tainted),
        ["b", "everywhere"]
    );
}

#[test]
fn a_node_that_goes_concerns_those_that_have_pods_there() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(4, Some("b"), "b", "Running")),
        ["b"]
    );
    cache.deleted(Kind::Node, &to_raw_value(&node(5, "1", 0)).unwrap());
    assert_eq!(dirty(&mut cache), ["a", "b", "everywhere"]);
}

#[test]
fn a_pod_concerns_its_controller_and_an_orphan_those_that_select_it() {
    let mut cache = cluster();
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(3, Some("a"), "a", "Pending")),
        ["a"]
    );
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(4, Some("a"), "a", "Running")),
        [""; 0],
        "nothing that decides"
    );
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(5, Some("a"), "a", "Failed")),
        ["a"]
    );
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(6, None, "b", "Failed")),
        ["a", "b"],
        "let go, and b may adopt it"
    );
    assert_eq!(
        observe(&mut cache, Kind::Pod, &pod(7, None, "nobody", "Failed")),
        ["b"],
        "b selects it no more"
    );
    cache.gone(Kind::Pod, &Key::new("x", "p"), &"p".into());
    assert_eq!(dirty(&mut cache), [""; 0]);
}

/// What the cache knows of the node beyond what placement looks at.
fn node_detail(cache: &Cache) -> NodeDetail {
    let (_, node) = cache.nodes().by_name("n").expect("the node");
    node.detail.as_deref().cloned().unwrap_or_default()
}

/// What the cache knows of the pod beyond what decides.
fn pod_detail(cache: &Cache) -> PodDetail {
    let pod = cache.pod(&Key::new("x", "p")).expect("the pod");
    pod.detail.as_deref().cloned().unwrap_or_default()
}

#[test]
fn what_only_explains_of_a_node_is_known_and_concerns_nobody() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    observe(&mut cache, Kind::Pod, &pod(4, Some("a"), "a", "Running"));
    let stamp = cache.nodes().stamp();
    let mut version = 4;
    let mut state = |cache: &mut Cache, conditions: Value, deletion: Value| {
        version += 1;
        let mut state = node(version, "1", version);
        state["metadata"]["deletionTimestamp"] = deletion;
        state["status"]["conditions"] = conditions;
        assert_eq!(
            observe(cache, Kind::Node, &state),
            [""; 0],
            "{}",
            state["status"]
        );
        let (_, node) = cache.nodes().by_name("n").expect("the node");
        assert_eq!(node.version, Version(version), "the state is known");
        node_detail(cache)
    };
    let condition = |kind: &str, status: &str, second: u64, beat: u64| {
        json!({
            "type": kind, "status": status, "lastTransitionTime": format!("2026-01-01T00:00:0{second}Z"),
            "lastHeartbeatTime": format!("2026-01-01T00:01:0{beat}Z"),
        })
    };
    // Heartbeats.
    for beat in 0..3 {
        let ready = json!([condition("Ready", "True", 0, beat)]);
        assert_eq!(state(&mut cache, ready, Value::Null), NodeDetail::default());
    }
    for (status, second) in [("False", 1), ("Unknown", 2)] {
        for beat in 0..3 {
            let ready = json!([condition("Ready", status, second, beat)]);
            let unready = state(&mut cache, ready, Value::Null).unready;
            let unready = unready.expect("it is not ready");
            assert_eq!(unready.status, ConditionStatus::parse(status));
            let since = format!("2026-01-01T00:00:0{second}Z");
            assert_eq!(unready.since, since.parse().ok());
        }
    }
    let maintenance = json!([condition("MaintenanceInProgress", "True", 3, 0)]);
    let detail = state(&mut cache, maintenance, Value::Null);
    assert!(detail.maintenance.is_some() && detail.unready.is_none());
    let shutdown = json!([condition("GracefulNodeShutdownInProgress", "True", 3, 0)]);
    let detail = state(&mut cache, shutdown, Value::Null);
    assert!(detail.graceful_shutdown.is_some() && detail.maintenance.is_none());
    let detail = state(&mut cache, json!([]), json!("2026-01-01T00:00:09Z"));
    assert!(detail.terminating && detail.graceful_shutdown.is_none());
    assert_eq!(
        cache.nodes().stamp(),
        stamp,
        "no verdict is to be looked at again"
    );
}

#[test]
fn what_only_explains_of_a_pod_is_known_and_concerns_nobody() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    observe(&mut cache, Kind::Pod, &pod(4, Some("a"), "a", "Running"));
    let mut version = 4;
    let mut status = |cache: &mut Cache, status: Value| {
        version += 1;
        let mut state = pod(version, Some("a"), "a", "Running");
        state["status"] = status.clone();
        assert_eq!(observe(cache, Kind::Pod, &state), [""; 0], "{status}");
        let known = cache.pod(&Key::new("x", "p")).expect("the pod");
        assert_eq!(known.version, Version(version), "the state is known");
        pod_detail(cache)
    };
    for count in 1..4 {
        let detail = status(
            &mut cache,
            json!({"containerStatuses": [{"name": "c", "restartCount": count}]}),
        );
        assert_eq!(detail.restarts.expect("restarts").count, count);
    }
    for reason in ["ContainerCreating", "ErrImagePull", "ImagePullBackOff"] {
        let waiting = json!({"waiting": {"reason": reason}});
        let detail = status(
            &mut cache,
            json!({"containerStatuses": [{"name": "c", "restartCount": 0, "state": waiting}]}),
        );
        assert_eq!(&*detail.waiting[0].reason, reason);
        assert_eq!(detail.restarts, None, "the newest value, and nothing else");
    }
    for code in [1, 137] {
        let ended = json!({"terminated": {"exitCode": code, "reason": "Error"}});
        let detail = status(
            &mut cache,
            json!({"containerStatuses": [{"name": "c", "lastState": ended}]}),
        );
        let termination = detail.last_termination.expect("a termination");
        assert_eq!(termination.exit_code, code);
    }
    for message in ["0/1 nodes are available", "0/2 nodes are available"] {
        let detail = status(
            &mut cache,
            json!({"conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message},
            ]}),
        );
        assert_eq!(&*detail.unscheduled.expect("its word").message, message);
    }
    for ready in ["False", "Unknown"] {
        let detail = status(
            &mut cache,
            json!({"conditions": [{"type": "Ready", "status": ready}]}),
        );
        let unready = detail.unready.expect("it is not ready");
        assert_eq!(unready.status.as_str(), ready);
    }
    let detail = status(
        &mut cache,
        json!({"reason": "NodeShutdown", "message": "m"}),
    );
    assert_eq!(detail.reason.as_deref(), Some("NodeShutdown"));
    assert_eq!(status(&mut cache, json!({})), PodDetail::default());
}

#[test]
fn what_a_pod_waits_for_concerns_a_controller_that_tells_it_in_a_condition() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    let controlled = json!({
        "metadata": {
            "name": "c", "namespace": "x", "uid": "c", "resourceVersion": "2",
            "annotations": {"daemonset-controller.io/budget": "strict"},
        },
        "spec": {"selector": {"matchLabels": {"app": "c"}}, "template": {"spec": {"containers": []}}},
    });
    observe(&mut cache, Kind::DaemonSet, &controlled);
    observe(&mut cache, Kind::Pod, &pod(4, Some("c"), "c", "Running"));
    let mut version = 4;
    let mut waits = |reason: &str, count: u32| {
        version += 1;
        let mut state = pod(version, Some("c"), "c", "Running");
        let waiting = json!({"waiting": {"reason": reason}});
        state["status"]["containerStatuses"] =
            json!([{"name": "c", "restartCount": count, "state": waiting}]);
        observe(&mut cache, Kind::Pod, &state)
    };
    assert_eq!(waits("CrashLoopBackOff", 1), ["c"]);
    assert_eq!(waits("CrashLoopBackOff", 2), [""; 0], "the same");
    assert_eq!(waits("ImagePullBackOff", 2), ["c"]);
}

#[test]
fn what_keeps_a_terminating_pod_is_known_and_concerns_nobody() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Node, &node(3, "1", 0));
    let mut state = pod(4, Some("a"), "a", "Running");
    state["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
    state["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    state["metadata"]["finalizers"] = json!(["example.com/one", "example.com/two"]);
    assert_eq!(observe(&mut cache, Kind::Pod, &state), ["a"]);
    assert_eq!(pod_detail(&cache).finalizers.len(), 2);
    state["metadata"]["finalizers"] = json!(["example.com/two"]);
    state["metadata"]["resourceVersion"] = json!("5");
    assert_eq!(observe(&mut cache, Kind::Pod, &state), [""; 0]);
    assert_eq!(&*pod_detail(&cache).finalizers[0], "example.com/two");
    let pod = cache.pod(&Key::new("x", "p")).expect("the pod");
    assert_eq!(
        pod.deletion_requested(),
        "2026-01-01T00:00:00Z".parse().ok()
    );
}

#[test]
fn a_revision_concerns_its_controller() {
    let mut cache = cluster();
    let revision = json!({
        "metadata": {
            "name": "r", "namespace": "x", "uid": "r", "resourceVersion": "3",
            "ownerReferences": [{"kind": "DaemonSet", "uid": "everywhere", "controller": true}],
        },
        "revision": 1,
        "data": {},
    });
    assert_eq!(
        observe(&mut cache, Kind::Revision, &revision),
        ["everywhere"]
    );
    cache.deleted(Kind::Revision, &to_raw_value(&revision).unwrap());
    assert_eq!(dirty(&mut cache), ["everywhere"]);
}

#[test]
fn a_daemonset_that_was_not_there_when_the_first_list_of_pods_began_has_its_pods_read() {
    let mut cache = Cache::new(FeatureGates::default());
    let daemon_set = |name: &str| {
        json!({
            "metadata": {"name": name, "namespace": "x", "uid": name, "resourceVersion": "2"},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"spec": {"containers": []}}},
        })
    };
    observe(&mut cache, Kind::DaemonSet, &daemon_set("early"));
    cache.list_began(Kind::Pod);
    observe(&mut cache, Kind::DaemonSet, &daemon_set("meanwhile"));
    cache.list_completed(Kind::Pod, Version(9));
    observe(&mut cache, Kind::DaemonSet, &daemon_set("late"));
    let needs =
        |cache: &Cache, name: &str| cache.needs_pod_read(&Key::new("x", name), Time::default());
    assert_eq!(
        ["early", "meanwhile", "late"].map(|n| needs(&cache, n)),
        [false, true, true]
    );
    cache.pods_read(&Key::new("x", "late"), &"another".into(), Time::default());
    assert!(needs(&cache, "late"), "another of its name");
    cache.pods_read(&Key::new("x", "late"), &"late".into(), Time::default());
    assert!(!needs(&cache, "late"));
}
