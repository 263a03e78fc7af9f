//! The JSON of a plan, for every one of the recorded decisions: it is valid by the schema, reads
//! back as what was written, and says what the built-in controller decided.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
};

use daemonset_controller::{
    cache::Cache,
    cli::plan::{
        notes::Notes,
        report::{Extras, Report, to_json},
    },
    model::{FeatureGates, Key, Kind, Settings, Time},
    plan,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

#[derive(Deserialize)]
struct Record {
    id: u32,
    now: String,
    snapshot: List,
    expected: Value,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Head {
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

fn report(record: &Record) -> Report {
    let mut cache = Cache::new(FeatureGates::default());
    let mut key = None;
    for item in &record.snapshot.items {
        let head: Head = serde_json::from_str(item.get()).unwrap();
        let kind = Kind::ALL
            .into_iter()
            .find(|k| k.as_str() == head.kind)
            .expect("one of the four kinds");
        cache.observe(kind, item).expect("it decodes");
        if kind == Kind::DaemonSet {
            key = Some(Key::new(
                head.metadata.namespace.unwrap(),
                head.metadata.name,
            ));
        }
    }
    let now: Time = record.now.parse().unwrap();
    cache
        .snapshot(&key.expect("a DaemonSet"), Settings::default(), |s| {
            let extras = Extras {
                manifests: true,
                values: true,
            };
            Report::new(s, &plan::in_detail(s, now), now, Notes::default(), extras)
                .expect("a report")
        })
        .expect("the DaemonSet is there")
}

fn texts(value: &Value) -> BTreeSet<String> {
    let list = value.as_array().expect("a list").iter();
    list.map(|v| v.as_str().expect("a text").to_owned())
        .collect()
}

/// Differences between the JSON and the record.
fn differences(json: &Value, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |what: &str, ours: BTreeSet<String>, theirs: BTreeSet<String>| {
        if ours != theirs {
            wrong.push(format!("{what}: ours {ours:?}, upstream's {theirs:?}"));
        }
    };
    let of = |list: &str, field: &str, only: &str| -> BTreeSet<String> {
        let list = json[list].as_array().unwrap().iter();
        list.filter(|x| only.is_empty() || x["phase"] == only)
            .map(|x| x[field].as_str().unwrap().to_owned())
            .collect()
    };
    let manage = &expected["manage"];
    // A successor is created earlier than upstream creates it.
    check(
        "create",
        of("create", "node", "manage"),
        texts(&manage["createOnNodes"]),
    );
    check(
        "delete",
        &of("delete", "pod", "manage") | &of("delete", "pod", "successor"),
        texts(&manage["deletePods"]),
    );
    check(
        "adopt",
        texts(&json["claims"]["adopt"]),
        texts(&expected["adopt"]),
    );
    check(
        "release",
        texts(&json["claims"]["release"]),
        texts(&expected["release"]),
    );
    let ops = &json["revisionOps"];
    check(
        "revisions",
        texts(&ops["delete"]),
        texts(&expected["revisionsDeleted"]),
    );
    let status = |v: &Value| -> BTreeSet<String> {
        let fields: BTreeMap<&String, i64> = v
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (k, v.as_i64().expect("a number")))
            .filter(|(_, v)| *v != 0)
            .collect();
        fields.iter().map(|(k, v)| format!("{k}={v}")).collect()
    };
    check(
        "status",
        status(&json["status"]),
        status(&expected["status"]),
    );
    let nodes = json["nodes"].as_array().unwrap().iter();
    let eligible = nodes.map(|n| {
        let runs = (&n["shouldRun"], &n["shouldContinueRunning"]);
        format!("{} [{},{}]", n["name"].as_str().unwrap(), runs.0, runs.1)
    });
    let theirs = expected["eligibility"].as_object().unwrap().iter();
    check(
        "nodes",
        eligible.collect(),
        theirs
            .map(|(name, runs)| format!("{name} {runs}"))
            .collect(),
    );
    wrong
}

/// Sorted and without equals, as promised.
fn is_sorted(json: &Value, list: &str, fields: &[&str]) -> bool {
    let list = json[list].as_array().unwrap();
    let keys = |v: &Value| -> Vec<String> {
        fields
            .iter()
            .map(|f| v[f].as_str().unwrap().to_owned())
            .collect()
    };
    list.windows(2).all(|pair| keys(&pair[0]) < keys(&pair[1]))
}

#[test]
fn the_contract_holds_for_all_recorded_decisions() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string("docs/plan.schema.json").unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let file = fs::File::open("tests/data/decisions.ndjson.gz").expect("the recorded decisions");
    let mut count = 0;
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let record: Record = serde_json::from_str(&line.expect("gzip")).expect("a record");
        count += 1;
        let written = to_json(&report(&record));
        let json: Value = serde_json::from_str(&written).expect("JSON");
        if let Err(why) = schema.validate(&json) {
            panic!("record {}: {}: {why}", record.id, why.instance_path());
        }
        let read: Report = serde_json::from_str(&written).expect("a report");
        assert_eq!(to_json(&read), written, "record {}", record.id);
        let wrong = differences(&json, &record.expected);
        assert!(
            wrong.is_empty(),
            "record {}:\n{}",
            record.id,
            wrong.join("\n")
        );
        assert!(is_sorted(&json, "nodes", &["name"]), "record {}", record.id);
        assert!(
            is_sorted(&json, "create", &["node"]),
            "record {}",
            record.id
        );
        assert!(
            is_sorted(&json, "delete", &["node", "pod"]),
            "record {}",
            record.id
        );
        let after = json
            .get("requeueAfterSeconds")
            .map_or(0.0, |s| s.as_f64().unwrap());
        assert!(after >= 0.0, "record {}", record.id);
    }
    assert_eq!(count, 2811);
}
