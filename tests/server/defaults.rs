//! DaemonSets from files are completed as the API server completes them.
//!
//! `tests/data/defaults/daemonsets.json` holds pairs written by Kubernetes 1.37.1: decoded,
//! defaulted, converted to the internal types and back, encoded.

use daemonset_controller::stored::defaults::daemon_set;
use daemonset_controller::wire::raw::RawObject;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::same::same;

#[derive(Deserialize)]
struct Pair {
    r#in: Box<RawValue>,
    out: Box<RawValue>,
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn spec(object: &RawValue) -> Box<RawValue> {
    RawObject::parse(object)
        .unwrap()
        .get("spec")
        .unwrap()
        .to_owned()
}

#[test]
fn every_pair_of_the_table() {
    let pairs: Vec<Pair> =
        serde_json::from_str(include_str!("../data/defaults/daemonsets.json")).unwrap();
    assert!(pairs.len() > 70);
    let mut wrong = Vec::new();
    for Pair { r#in, out } in &pairs {
        let ours = daemon_set(r#in).unwrap();
        if !same(&spec(&ours.json), &spec(out)) {
            wrong.push(format!(
                "{}\n   ours   {}\n   theirs {}",
                spec(r#in),
                spec(&ours.json),
                spec(out)
            ));
        }
        let again = daemon_set(&ours.json).unwrap();
        assert_eq!(again.json.get(), ours.json.get());
        assert!(again.added.is_empty(), "{:?}", again.added);
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        pairs.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_the_server_stored_stays_as_it_is() {
    let pairs: Vec<Pair> =
        serde_json::from_str(include_str!("../data/defaults/daemonsets.json")).unwrap();
    for Pair { out, .. } in &pairs {
        let ours = daemon_set(out).unwrap();
        assert!(ours.added.is_empty(), "{:?}", ours.added);
        assert_eq!(spec(&ours.json).get(), spec(out).get());
    }
}

#[test]
fn an_object_of_a_real_cluster_stays_as_it_is() {
    let stored = include_str!("../data/defaults/stored.json").trim();
    let ours = daemon_set(&raw(stored)).unwrap();
    assert!(ours.added.is_empty(), "{:?}", ours.added);
    let whole = |object: &RawValue| RawObject::parse(object).unwrap().to_raw().get().to_owned();
    assert_eq!(ours.json.get(), whole(&raw(stored)));
}

#[test]
fn what_is_added_is_said() {
    let manifest = r#"{"kind":"DaemonSet","spec":{"template":{"spec":{"containers":[
        {"name":"a","image":"x:1","resources":{"limits":{"cpu":0.5}}}],"volumes":[{"name":"v","hostPath":{"path":"/"}}]}}}}"#;
    assert_eq!(
        daemon_set(&raw(manifest)).unwrap().added,
        [
            "spec.template.metadata={}",
            "spec.template.spec.containers[0].resources.limits.cpu=500m",
            "spec.updateStrategy={}",
            "spec.revisionHistoryLimit=10",
            "spec.updateStrategy.type=RollingUpdate",
            "spec.updateStrategy.rollingUpdate.maxUnavailable=1",
            "spec.updateStrategy.rollingUpdate.maxSurge=0",
            "spec.template.spec.dnsPolicy=ClusterFirst",
            "spec.template.spec.restartPolicy=Always",
            "spec.template.spec.securityContext={}",
            "spec.template.spec.terminationGracePeriodSeconds=30",
            "spec.template.spec.schedulerName=default-scheduler",
            "spec.template.spec.volumes[0].hostPath.type=\"\"",
            "spec.template.spec.containers[0].imagePullPolicy=IfNotPresent",
            "spec.template.spec.containers[0].terminationMessagePath=/dev/termination-log",
            "spec.template.spec.containers[0].terminationMessagePolicy=File",
        ]
    );
}

#[test]
fn unknown_fields_and_number_texts_survive() {
    let manifest = r#"{"x":1e3,"spec":{"new":{"a":[],"b":1.0},"minReadySeconds":5,"template":{"spec":{"newer":[1.50],"containers":[{"name":"a","newest":false}],"volumes":[{"name":"v","newSource":{}}]}}}}"#;
    let json = daemon_set(&raw(manifest)).unwrap().json;
    for kept in [
        r#""x":1e3"#,
        r#""new":{"a":[],"b":1.0}"#,
        r#""newer":[1.50]"#,
        r#""newest":false"#,
    ] {
        assert!(json.get().contains(kept), "{kept} in {json}");
    }
    assert!(json.get().contains(r#"[{"name":"v","newSource":{}}]"#));
}

#[test]
fn a_value_of_the_wrong_type_is_an_error() {
    for (manifest, message) in [
        (
            r#"{"spec":{"template":{"spec":{"containers":{}}}}}"#,
            "spec.template.spec.containers: a sequence is needed here",
        ),
        (
            r#"{"spec":{"template":{"spec":{"containers":[5]}}}}"#,
            "spec.template.spec.containers[0]: a mapping is needed here",
        ),
        (
            r#"{"spec":{"updateStrategy":"x"}}"#,
            "spec.updateStrategy: a mapping is needed here",
        ),
        (r#"[]"#, ": a mapping is needed here"),
    ] {
        assert_eq!(daemon_set(&raw(manifest)).unwrap_err().to_string(), message);
    }
}
