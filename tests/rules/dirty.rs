//! A change leads to a sync of just the DaemonSets that it concerns; a new DaemonSet has its pods
//! read first.

use daemonset_controller::{
    cache::Cache,
    model::{FeatureGates, Key, Kind, Time, Version},
};
use serde_json::{Value, json, value::to_raw_value};

fn observe(cache: &mut Cache, kind: Kind, object: &Value) -> Vec<String> {
    cache
        .observe(kind, &to_raw_value(object).unwrap())
        .expect("it decodes");
    dirty(cache)
}

fn dirty(cache: &mut Cache) -> Vec<String> {
    cache
        .take_dirty()
        .iter()
        .map(|key| key.name.to_string())
        .collect()
}

fn node(version: u64, zone: &str, heartbeat: u64) -> Value {
    json!({
        "metadata": {"name": "n", "uid": "n", "resourceVersion": version.to_string(), "labels": {"zone": zone}},
        "status": {"heartbeat": heartbeat},
    })
}

fn pod(version: u64, owner: Option<&str>, app: &str, phase: &str) -> Value {
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
    let mut cache = Cache::new(FeatureGates::default());
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
            "metadata": {"name": name, "namespace": "x", "uid": name, "resourceVersion": "2"},
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
        |cache: &Cache, name: &str| cache.needs_priming(&Key::new("x", name), Time::default());
    assert_eq!(
        ["early", "meanwhile", "late"].map(|n| needs(&cache, n)),
        [false, true, true]
    );
    cache.primed(&Key::new("x", "late"), &"another".into(), Time::default());
    assert!(needs(&cache, "late"), "another of its name");
    cache.primed(&Key::new("x", "late"), &"late".into(), Time::default());
    assert!(!needs(&cache, "late"));
}
