//! Unknown fields are found where the real server (1.37.1) finds them, and named as it names them.
//!
//! `tests/data/strict.jsonl` holds a DaemonSet a line, and what the server says to it under strict
//! validation (nothing, where it takes it), recorded by `tests/live/strict.rs`. Keys are sorted, as
//! kubectl sends them.

use daemonset_controller::sim::api::{
    ApiStatus, defaults,
    resource::DAEMON_SETS,
    validate::{self, unknown},
};
use serde_json::Value;

/// What the simulated server's code says to unknown fields.
fn strictly(sent: &Value) -> String {
    let fields = unknown::find(&DAEMON_SETS, sent);
    unknown::refusal(&DAEMON_SETS, &fields).message
}

/// What it says to all else; empty where it takes the object.
fn otherwise(sent: &Value) -> String {
    if let Err(status) = validate::decode(&DAEMON_SETS, sent) {
        return status.message;
    }
    assert_eq!(unknown::find(&DAEMON_SETS, sent), []);
    let mut object = sent.clone();
    defaults::create(&DAEMON_SETS, &mut object);
    match &validate::create(&DAEMON_SETS, &object)[..] {
        [] => String::new(),
        errors => ApiStatus::invalid(&DAEMON_SETS, "a", errors).message,
    }
}

fn rows() -> impl Iterator<Item = Value> {
    let lines = include_str!("../data/strict.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).expect("a line is JSON"))
}

#[test]
fn unknown_fields_are_named_as_by_the_real_server() {
    let mut wrong = Vec::new();
    for row in rows() {
        let theirs = row["message"].as_str().unwrap_or_default();
        let ours = if theirs.contains(": strict decoding error: ") {
            strictly(&row["sent"])
        } else {
            otherwise(&row["sent"])
        };
        if theirs != ours {
            let case = &row["case"];
            wrong.push(format!("{case}\n   theirs {theirs}\n   ours   {ours}"));
        }
    }
    assert!(rows().count() >= 35, "rows are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_left_without_unknown_fields_is_taken() {
    for row in rows() {
        let theirs = row["message"].as_str().unwrap_or_default();
        if !theirs.contains("strict decoding error") {
            continue;
        }
        let left = validate::without_unknown(&DAEMON_SETS, row["sent"].clone());
        let fields = unknown::find(&DAEMON_SETS, &left);
        assert_eq!(fields, [], "{}", row["case"]);
    }
}
