//! Changes of valid DaemonSets: each field is removed, emptied, and given values of wrong type,
//! form and range. Always the same for the same DaemonSets.

use serde_json::{Map, Value, json};

use crate::corpus::{Bases, Mutation};

/// The fields that hold a map, whose keys are free.
const MAPS: [&str; 9] = [
    "labels",
    "annotations",
    "matchLabels",
    "nodeSelector",
    "limits",
    "requests",
    "overhead",
    "options",
    "volumeAttributes",
];

/// Every change, and those of [`together`].
pub fn all(bases: &Bases) -> Vec<Mutation> {
    let mut found = Vec::new();
    for (name, object) in bases {
        let whole: [(&str, &Value); 2] = [
            ("/metadata", &object["metadata"]),
            ("/spec", &object["spec"]),
        ];
        for (path, part) in whole {
            // What all bases have alike is changed in one of them.
            walk(name, path, part, name == "spread", &mut found);
        }
        found.extend(together(name));
    }
    found
}

/// Whether a path is one of those that all bases have.
fn common(path: &str) -> bool {
    const COMMON: [&str; 13] = [
        "/metadata",
        "/metadata/name",
        "/spec",
        "/spec/selector",
        "/spec/selector/matchLabels",
        "/spec/selector/matchLabels/app",
        "/spec/template",
        "/spec/template/metadata",
        "/spec/template/metadata/labels",
        "/spec/template/metadata/labels/app",
        "/spec/template/spec/containers",
        "/spec/template/spec/containers/0/name",
        "/spec/template/spec/containers/0/image",
    ];
    COMMON.contains(&path)
}

fn walk(base: &str, path: &str, value: &Value, commons: bool, found: &mut Vec<Mutation>) {
    if path == "/metadata/namespace" {
        return; // the path of the request decides on it
    }
    let change = |path: &str, value: Option<Value>| Mutation {
        base: base.to_owned(),
        path: path.to_owned(),
        value,
    };
    if commons || !common(path) {
        found.push(change(path, None));
        let key = path.rsplit('/').next().unwrap_or_default();
        let new = instead_of(value, key);
        found.extend(new.into_iter().map(|new| change(path, Some(new))));
        if let Value::Array(items) = value {
            let more = items.first().into_iter().chain([&Value::Null]);
            found.extend(more.map(|item| change(&format!("{path}/-"), Some(item.clone()))));
        }
        if value.is_object() && MAPS.contains(&key) {
            for (key, value) in [
                ("Bad Key!", json!("x")),
                ("example.com/a/b", json!("1")),
                ("good", json!("bad value!")),
                ("good", json!("1")),
                ("good", json!(1)),
                ("good", Value::Null),
                ("requests.example.com/x", json!("1500m")),
                ("kubernetes.io/x", json!("1")),
            ] {
                let key = key.replace('/', "~1");
                found.push(change(&format!("{path}/{key}"), Some(value)));
            }
        }
    }
    match value {
        Value::Object(fields) => {
            for (key, inside) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                walk(base, &format!("{path}/{key}"), inside, commons, found);
            }
        }
        Value::Array(items) => {
            for (i, inside) in items.iter().enumerate() {
                walk(base, &format!("{path}/{i}"), inside, commons, found);
            }
        }
        _ => {}
    }
}

/// The values that are tried in place of this one.
fn instead_of(value: &Value, key: &str) -> Vec<Value> {
    let mut new = vec![Value::Null];
    match value {
        Value::String(text) => {
            new.extend([json!(7), json!({})]);
            let long = "a".repeat(300);
            for text in [
                "",
                "a",
                "Bad_Value",
                "a b",
                "/abs",
                "../up",
                "..x",
                "-1",
                "example.com/x",
                long.as_str(),
            ] {
                new.push(json!(text));
            }
            if text.starts_with(|c: char| c.is_ascii_digit()) {
                for quantity in ["1.5", "-5m", "1e3", "10Xi", "5%", "101%", "1 Gi"] {
                    new.push(json!(quantity));
                }
            }
        }
        Value::Number(_) => {
            new.extend([json!("x"), json!({}), json!(true), json!(1.5), json!("5")]);
            for number in [
                -1_i64,
                0,
                1,
                3,
                101,
                256,
                512,
                65536,
                2_147_483_648,
                5_000_000_000,
            ] {
                new.push(json!(number));
            }
        }
        Value::Bool(yes) => new.extend([json!(!yes), json!("x"), json!(0), json!({})]),
        Value::Array(items) => {
            new.extend([json!("x"), json!({}), json!(1), json!([]), json!([null])]);
            match items.first() {
                Some(Value::Object(_)) => new.extend([json!([{}]), json!(["x"])]),
                _ => new.extend([json!([""]), json!([1]), json!(["Bad Value", "b", "b"])]),
            }
        }
        Value::Object(_) => {
            new.extend([json!("x"), json!([]), json!(1)]);
            if key.parse::<usize>().is_ok() || !MAPS.contains(&key) {
                new.push(json!({"unknown": 1}));
            }
            new.push(Value::Object(Map::new()));
        }
        Value::Null => {}
    }
    new
}

/// Changes that break a rule about several fields, in the base that has the others.
fn together(base: &str) -> Vec<Mutation> {
    let lines = include_str!("mutations.txt").lines();
    let parts = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    let parts = parts.map(|line| line.splitn(3, ' ').collect::<Vec<_>>());
    parts
        .filter(|parts| parts[0] == base)
        .map(|parts| Mutation {
            base: base.to_owned(),
            path: parts[1]
                .replace("POD", "/spec/template/spec")
                .replace("CONTAINER", "/spec/template/spec/containers/0"),
            value: Some(serde_json::from_str(parts[2]).expect("a value is JSON")),
        })
        .collect()
}
