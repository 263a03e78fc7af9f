//! The simulated API server fills in and refuses as the real one (1.37.1) does.
//!
//! `tests/data/validation.jsonl` holds a request a line and the answer to it, recorded by
//! `tests/live/validation.rs`. Compared are code, reason, message, details and stored object, but
//! for what the server alone sets.
//!
//! Left out is, of what the lines show, the difference that the server prints when a pod's spec is
//! changed, as Go prints its own types.

use std::collections::BTreeSet;

use daemonset_controller::sim::api::{ApiStatus, Resource, defaults, validate};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Case {
    case: String,
    group: String,
    resource: String,
    verb: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    old: Value,
    sent: Value,
    code: u16,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    details: Value,
    #[serde(default)]
    stored: Value,
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../data/validation.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn resource(case: &Case) -> &'static Resource {
    Resource::find(&case.group, "v1", &case.resource).unwrap()
}

/// The object that the server would store, or its refusal.
fn answer(case: &Case) -> Result<Value, ApiStatus> {
    let resource = resource(case);
    let mut object = case.sent.clone();
    validate::decode(resource, &object)?;
    validate::fill_nulls(resource, &mut object);
    let errors = if case.verb == "create" {
        defaults::admit(resource, &object)?;
        defaults::create(resource, &mut object);
        validate::create(resource, &object)
    } else {
        // The server carries these over before it looks.
        for (key, value) in case.old["metadata"].as_object().into_iter().flatten() {
            if key.starts_with("deletion") && object["metadata"][key].is_null() {
                object["metadata"][key] = value.clone();
            }
        }
        defaults::update(resource, &mut object, &case.old, &case.subresource);
        validate::update(resource, &object, &case.old, &case.subresource)
    };
    if errors.is_empty() {
        return Ok(object);
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(ApiStatus::invalid(resource, name, &errors))
}

/// A text up to the difference that the server prints.
fn cut(text: &str) -> &str {
    text.find("\n@@").map_or(text, |at| &text[..=at])
}

fn cut_causes(mut details: Value) -> Value {
    let causes = details.get_mut("causes").and_then(Value::as_array_mut);
    for cause in causes.into_iter().flatten() {
        if let Some(message) = cause["message"].as_str() {
            cause["message"] = json!(cut(message));
        }
    }
    details
}

/// Collects the paths at which two values differ.
fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = format!("{path}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&path, a, b, found),
                    (Some(a), None) => found.push(format!("{path}: theirs {a}, ours not there")),
                    (_, b) => found.push(format!("{path}: theirs not there, ours {b:?}")),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{i}]"), a, b, found);
            }
        }
        _ if theirs != ours => found.push(format!("{path}: theirs {theirs}, ours {ours}")),
        _ => {}
    }
}

/// Deletion is not the business of what is tested here.
fn without_deletion(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !key.starts_with("deletion"));
    }
    object
}

fn differs(case: &Case) -> Option<String> {
    match answer(case) {
        Ok(object) if case.code >= 300 => Some(format!(
            "theirs {} {}\n   ours stored {object}",
            case.reason, case.message
        )),
        Ok(object) => {
            let mut differences = Vec::new();
            let stored = without_deletion(case.stored.clone());
            compare("", &stored, &without_deletion(object), &mut differences);
            (!differences.is_empty()).then(|| differences.join("\n   "))
        }
        Err(status) if case.code < 300 => Some(format!("theirs stored\n   ours {status}")),
        Err(status) => {
            let theirs = (case.code, case.reason.as_str(), cut(&case.message));
            let ours = (status.code, status.reason, status.message.as_str());
            if theirs != ours {
                return Some(format!("theirs {theirs:?}\n   ours   {ours:?}"));
            }
            let (theirs, mut ours) = (cut_causes(case.details.clone()), status.details);
            if theirs.is_null() && ours == json!({}) {
                ours = Value::Null;
            }
            (theirs != ours).then(|| format!("theirs {theirs}\n   ours   {ours}"))
        }
    }
}

#[test]
fn answers_are_those_of_the_real_server() {
    let cases = cases();
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let name = format!(
            "{} {} {}: {}",
            case.resource, case.verb, case.subresource, case.case
        );
        if let Some(why) = differs(case) {
            wrong.push(format!("{name}\n   {why}"));
        }
    }
    let (bad, all) = (wrong.len(), cases.len());
    assert!(wrong.is_empty(), "{bad} of {all}:\n{}", wrong.join("\n"));
}

#[test]
fn what_the_server_stored_is_complete_and_right() {
    for case in cases().iter().filter(|case| case.code < 300) {
        let resource = resource(case);
        let mut again = case.stored.clone();
        defaults::complete(resource, &mut again);
        assert_eq!(again, case.stored, "{}", case.case);
        if let Err(status) = validate::decode(resource, &again) {
            panic!("{}: {status}", case.case);
        }
    }
}

#[test]
fn fields_of_a_later_release_are_kept() {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "later": {"a": [0]}},
        "spec": {"containers": [{"name": "c", "image": "i", "later": ""}], "later": false},
    });
    let pods = Resource::find("", "v1", "pods").unwrap();
    assert_eq!(validate::decode(pods, &pod), Ok(()));
    defaults::create(pods, &mut pod);
    assert_eq!(validate::create(pods, &pod), []);
    assert_eq!(pod["metadata"]["later"], json!({"a": [0]}));
    assert_eq!(pod["spec"]["later"], false);
    assert_eq!(pod["spec"]["containers"][0]["later"], "");
}

#[test]
fn annotations_may_be_large_but_not_larger() {
    let sets = Resource::find("", "v1", "nodes").unwrap();
    for (size, good) in [(256 * 1024 - 1, true), (256 * 1024, false)] {
        let mut node = json!({"metadata": {"name": "n", "annotations": {"a": "x".repeat(size)}}});
        defaults::create(sets, &mut node);
        let errors = validate::create(sets, &node);
        let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
        let wanted = "metadata.annotations: Too long: may not be more than 262144 bytes";
        assert_eq!(said, if good { vec![] } else { vec![wanted] });
    }
}

fn case(name: &str) -> Case {
    let found = cases().into_iter().find(|case| case.case == name);
    found.unwrap_or_else(|| panic!("no case {name:?}"))
}

/// An empty value after a key is null in YAML.
#[test]
fn null_in_lists_and_maps_of_texts_is_an_empty_text() {
    let case = case("null in a node selector and in arguments");
    let pod = &case.stored["spec"]["template"]["spec"];
    let (selector, arguments) = (&pod["nodeSelector"], &pod["containers"][0]["args"]);
    assert_eq!(
        *selector,
        json!({"node-role.kubernetes.io/control-plane": ""})
    );
    assert_eq!(*arguments, json!(["--verbose", ""]));
    assert_eq!(differs(&case), None);
}

/// Each of these faults was let through by `demo`, and refused by the real server.
#[test]
fn what_the_demo_once_took_is_refused_for_all_its_faults() {
    let case = case("what the demo took");
    assert_eq!(case.details["causes"].as_array().map(Vec::len), Some(10));
    let Err(status) = answer(&case) else {
        panic!("it is taken");
    };
    assert_eq!(status.message, case.message);
}
