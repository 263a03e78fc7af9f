//! An object that cannot be decoded is not gone (docs/design.md, decision 6): the readable part of
//! it counts, and a DaemonSet with an unreadable part is left alone.

use daemonset_controller::{
    cache::Cache,
    model::{FeatureGates, Key, Kind, Settings, Time, Version},
    plan::{LeftAlone, Plan, plan},
};
use serde_json::{Value, json, value::to_raw_value};

const OURS: &str =
    r#"[{"apiVersion":"apps/v1","kind":"DaemonSet","name":"agent","uid":"ds","controller":true}]"#;

fn observe(cache: &mut Cache, kind: Kind, object: &Value) -> bool {
    cache.observe(kind, &to_raw_value(object).unwrap()).is_ok()
}

/// Two nodes and a DaemonSet.
fn cluster() -> Cache {
    let mut cache = Cache::new(FeatureGates::default());
    for name in ["a", "b"] {
        assert!(observe(
            &mut cache,
            Kind::Node,
            &json!({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}})
        ));
    }
    let labels = json!({"app": "agent"});
    let daemon_set = json!({
        "metadata": {"name": "agent", "namespace": "x", "uid": "ds", "resourceVersion": "2", "generation": 1},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            "updateStrategy": {"type": "OnDelete"},
        },
    });
    assert!(observe(&mut cache, Kind::DaemonSet, &daemon_set));
    cache
}

fn planned(cache: &mut Cache) -> Plan {
    let now = Time::from_secs(1_800_000_000);
    cache
        .snapshot(&Key::new("x", "agent"), Settings::default(), |s| {
            plan(s, now)
        })
        .expect("the DaemonSet")
}

fn creates(cache: &mut Cache) -> Vec<String> {
    planned(cache)
        .creates
        .iter()
        .map(|c| c.node.to_string())
        .collect()
}

/// A pod of ours on a node whose labels are of a type that no pod has.
fn strange_pod(name: &str, node: Option<&str>) -> Value {
    let owners: Value = serde_json::from_str(OURS).unwrap();
    json!({
        "metadata": {"name": name, "namespace": "x", "uid": name, "resourceVersion": "7", "labels": 3, "ownerReferences": owners},
        "spec": node.map_or(json!({}), |n| json!({"nodeName": n})),
    })
}

#[test]
fn the_node_of_a_pod_that_cannot_be_decoded_is_taken_and_the_others_go_on() {
    let mut cache = cluster();
    assert_eq!(creates(&mut cache), ["a", "b"]);
    assert!(
        !observe(&mut cache, Kind::Pod, &strange_pod("p", Some("a"))),
        "the error is told"
    );
    assert_eq!(creates(&mut cache), ["b"]);
    assert_eq!(planned(&mut cache).deletes, []);
}

#[test]
fn a_pod_that_cannot_be_decoded_and_may_be_anywhere_leaves_its_daemonset_alone() {
    let mut cache = cluster();
    observe(&mut cache, Kind::Pod, &strange_pod("p", None));
    assert_eq!(
        planned(&mut cache).left_alone,
        Some(LeftAlone::UnreadablePod("p".into()))
    );
    // It is decoded in its next state.
    let mut pod = strange_pod("p", Some("a"));
    pod["metadata"]["labels"] = json!({"app": "agent"});
    pod["metadata"]["resourceVersion"] = json!("8");
    assert!(observe(&mut cache, Kind::Pod, &pod));
    assert_eq!(creates(&mut cache), ["b"]);
}

#[test]
fn an_object_without_a_readable_name_leaves_those_alone_that_it_may_concern_until_a_list() {
    for kind in [Kind::Pod, Kind::Revision, Kind::Node] {
        let mut cache = cluster();
        observe(
            &mut cache,
            kind,
            &json!({"metadata": {"name": 5, "namespace": "x"}}),
        );
        assert_eq!(
            planned(&mut cache).left_alone,
            Some(LeftAlone::Unnamed(kind))
        );
        cache.list_began(kind);
        assert_eq!(planned(&mut cache).left_alone, None);
    }
    let mut cache = cluster();
    observe(
        &mut cache,
        Kind::Pod,
        &json!({"metadata": {"name": 5, "namespace": "elsewhere"}}),
    );
    assert_eq!(
        planned(&mut cache).left_alone,
        None,
        "another namespace's pods are not its own"
    );
}

#[test]
fn a_revision_that_cannot_be_decoded_leaves_its_daemonset_alone() {
    let mut cache = cluster();
    let owners: Value = serde_json::from_str(OURS).unwrap();
    let revision = json!({
        "metadata": {"name": "r", "namespace": "x", "uid": "r", "resourceVersion": "7", "ownerReferences": owners},
        "revision": "one",
    });
    observe(&mut cache, Kind::Revision, &revision);
    assert_eq!(
        planned(&mut cache).left_alone,
        Some(LeftAlone::UnreadableRevision("r".into()))
    );
}

#[test]
fn on_a_node_that_cannot_be_decoded_all_stays_as_it_is() {
    let mut cache = cluster();
    let mut pod = strange_pod("p", Some("a"));
    pod["metadata"]["labels"] = json!({"app": "agent"});
    assert!(observe(&mut cache, Kind::Pod, &pod));
    for node in ["a", "b"] {
        let strange = json!({"metadata": {"name": node, "uid": node, "resourceVersion": "9"}, "spec": {"taints": 1}});
        assert!(!observe(&mut cache, Kind::Node, &strange));
    }
    let plan = planned(&mut cache);
    assert_eq!((plan.creates.len(), plan.deletes.len()), (0, 0));
}

#[test]
fn an_undecodable_object_in_a_list_is_not_gone() {
    let mut cache = cluster();
    let mut pod = strange_pod("p", Some("a"));
    pod["metadata"]["labels"] = json!({"app": "agent"});
    assert!(observe(&mut cache, Kind::Pod, &pod));
    cache.list_began(Kind::Pod);
    let mut strange = strange_pod("p", Some("a"));
    strange["metadata"]["resourceVersion"] = json!("11");
    assert!(
        cache
            .listed(Kind::Pod, &to_raw_value(&strange).unwrap())
            .is_err()
    );
    cache.list_completed(Kind::Pod, Version(12));
    assert_eq!(creates(&mut cache), ["b"]);
}
