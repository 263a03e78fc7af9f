//! The normaliser by itself.

use serde_json::json;

use super::*;
use crate::differential::step::{PODS, get, list, watch};

fn normal(steps: &[Step], bodies: &[Value]) -> Vec<Value> {
    let names = [("<ns>", "run7-one".to_owned())];
    let answers: Vec<Answer> = bodies
        .iter()
        .map(|body| Answer {
            code: 200,
            body: body.clone(),
        })
        .collect();
    let answers = Normal::new(steps, &names).run(steps, &answers);
    answers.into_iter().map(|answer| answer.body).collect()
}

fn one(body: Value) -> Value {
    normal(&[get(PODS, "a")], &[body]).remove(0)
}

#[test]
fn the_same_uid_has_the_same_symbol_wherever_it_stands() {
    let (a, b) = (
        "6c7b1c0e-7a4f-4c0f-9c55-0d1f3c1b7a10",
        "aaaaaaaa-7a4f-4c0f-9c55-0d1f3c1b7a10",
    );
    let got = one(json!({"metadata": {"uid": a}, "other": b, "text": format!("{b} is not {a}!")}));
    assert_eq!(
        got,
        json!({"metadata": {"uid": "uid-1"}, "other": "uid-2", "text": "uid-2 is not uid-1!"})
    );
}

#[test]
fn versions_keep_their_order() {
    let body = |versions: &[&str]| -> Value {
        versions
            .iter()
            .map(|v| json!({"resourceVersion": v}))
            .collect::<Vec<_>>()
            .into()
    };
    let said = |versions: &[&str]| one(body(versions));
    assert_eq!(said(&["10", "12", "10"]), body(&["v1", "v2", "v1"]));
    assert_eq!(said(&["7", "900", "7"]), said(&["10", "12", "10"]));
    assert_ne!(said(&["10", "12", "13"]), said(&["10", "13", "12"]));
    assert_eq!(said(&["10", "13", "12"]), body(&["v1", "v2", "v3<v2"]));
    assert_eq!(said(&["0", ""]), body(&["0", ""]));
}

#[test]
fn versions_and_tokens_of_lists_are_their_own() {
    let body = |version: &str, token: &str| {
        json!({"kind": "PodList", "metadata": {"resourceVersion": version, "continue": token},
               "items": [{"metadata": {"resourceVersion": "5"}}]})
    };
    let got = normal(
        &[list(PODS), list(PODS)],
        &[body("9", "abc"), body("11", "")],
    );
    assert_eq!(
        got[0]["metadata"],
        json!({"resourceVersion": "list version", "continue": "more"})
    );
    assert_eq!(
        got[1]["metadata"],
        json!({"resourceVersion": "list version", "continue": ""})
    );
    assert_eq!(got[0]["items"], got[1]["items"]);
    let meta =
        json!({"resourceVersion": "99", "annotations": {"k8s.io/initial-events-end": "true"}});
    let bookmark = json!([{"type": "BOOKMARK", "object": {"metadata": meta}}]);
    let got = normal(&[watch(PODS)], &[bookmark]);
    assert_eq!(
        got[0][0]["object"]["metadata"]["resourceVersion"],
        "list version"
    );
}

#[test]
fn times_that_a_request_named_stay() {
    let step = create_with("2001-02-03T04:05:06Z");
    let body = json!({"a": "2001-02-03T04:05:06Z", "b": "2026-02-03T04:05:06Z", "c": "2026-02-03T04:05:06.123456Z"});
    let got = normal(&[step], &[body]);
    assert_eq!(
        got[0],
        json!({"a": "2001-02-03T04:05:06Z", "b": "time", "c": "time"})
    );
}

fn create_with(text: &str) -> Step {
    crate::differential::step::create(PODS, json!({"text": text}))
}

#[test]
fn an_end_lies_its_grace_period_after_the_request() {
    let meta = |end: &str| {
        one(json!({"creationTimestamp": "2026-02-03T04:05:06Z", "deletionGracePeriodSeconds": 30, "deletionTimestamp": end}))
            ["deletionTimestamp"]
            .clone()
    };
    assert_eq!(meta("2026-02-03T04:05:40Z"), "time+30s");
    assert_ne!(meta("2026-02-03T04:05:30Z"), "time+30s");
}

#[test]
fn generated_names_are_known_in_texts_too() {
    let made = json!({"metadata": {"generateName": "a-", "name": "a-x7k2q"}});
    let lost = json!({"message": "pods \"a-x7k2q\" not found in run7-one"});
    let got = normal(&[get(PODS, "a"), get(PODS, "b")], &[made, lost]);
    assert_eq!(got[0]["metadata"]["name"], "a-<generated-1>");
    assert_eq!(
        got[1]["message"],
        "pods \"a-<generated-1>\" not found in <ns>"
    );
}

#[test]
fn what_is_empty_says_nothing() {
    let got = one(
        json!({"status": {}, "a": null, "list": [], "items": [{}, {"x": ""}], "managedFields": [1], "n": 0}),
    );
    assert_eq!(got, json!({"items": [null, {"x": ""}], "n": 0}));
}

#[test]
fn versions_in_errors_are_known_ones() {
    let message = "the ResourceVersion in the precondition (6) does not match the ResourceVersion in record (5)";
    let got = normal(
        &[get(PODS, "a"), get(PODS, "a")],
        &[json!({"resourceVersion": "5"}), json!({"message": message})],
    );
    assert_eq!(
        got[1]["message"],
        "the ResourceVersion in the precondition (version) does not match the ResourceVersion in record (v1)"
    );
}
