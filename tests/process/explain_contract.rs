//! The JSON of an explanation, for every one of the recorded decisions: it is valid by the schema,
//! reads back as what was written, and its verdicts and actions are those of the plan.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
};

use daemonset_controller::{
    cache::Cache,
    cli::{
        args::Subject,
        explain::{explain, report::Explanation},
        plan::report::to_json,
    },
    model::{FeatureGates, Key, Kind, Settings, Time},
    plan::{self, Plan},
};
use serde_json::{Value, value::to_raw_value};

/// The plan and the explanation of all nodes of a recorded cluster.
fn explained(record: &Value) -> (Plan, Explanation) {
    let mut cache = Cache::new(FeatureGates::default());
    let mut key = None;
    for item in record["snapshot"]["items"].as_array().expect("items") {
        let kind = Kind::ALL.into_iter().find(|k| item["kind"] == k.as_str());
        let kind = kind.expect("a known kind");
        let raw = to_raw_value(item).expect("JSON");
        cache.observe(kind, &raw).expect("it decodes");
        if kind == Kind::DaemonSet {
            let name = |field: &str| item["metadata"][field].as_str().expect("a name").to_owned();
            key = Some(Key::new(name("namespace"), name("name")));
        }
    }
    let now: Time = record["now"].as_str().unwrap().parse().expect("a time");
    let snapshot = cache.snapshot(&key.expect("a DaemonSet"), Settings::default(), |s| {
        let detailed = plan::in_detail(s, now);
        let explanation = explain(s, &detailed, Subject::All, now).expect("an explanation");
        (detailed.plan, explanation)
    });
    snapshot.expect("the DaemonSet is there")
}

/// `create POD` and `delete POD` by node.
fn actions_of_plan(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut actions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let creates = plan
        .creates
        .iter()
        .map(|c| (&c.node, format!("create {}", c.pod_name)));
    let deletes = plan
        .deletes
        .iter()
        .map(|d| (&d.node, format!("delete {}", d.pod.name)));
    for (node, action) in creates.chain(deletes) {
        actions.entry(node.to_string()).or_default().push(action);
    }
    actions
}

/// What in the explanation is not as in the plan or in the record.
fn differences(record: &Value, plan: &Plan, explanation: &Explanation) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut actions = actions_of_plan(plan);
    let mut eligibility = record["expected"]["eligibility"]
        .as_object()
        .unwrap()
        .clone();
    for node in &explanation.nodes {
        let verdict = serde_json::json!([node.should_run, node.should_continue_running]);
        let recorded = eligibility.remove(&node.name);
        if node.exists && recorded.as_ref() != Some(&verdict) {
            wrong.push(format!("{}: {verdict}, recorded {recorded:?}", node.name));
        }
        if node.should_run != node.obstacles.is_empty() && node.exists {
            wrong.push(format!("{}: {:?}", node.name, node.obstacles));
        }
        let ours: Vec<String> = node
            .actions
            .iter()
            .map(|a| format!("{} {}", a.action, a.pod))
            .collect();
        let planned = actions.remove(&node.name).unwrap_or_default();
        if ours != planned {
            wrong.push(format!("{}: {ours:?}, planned {planned:?}", node.name));
        }
        let kind = &*node.cause.kind;
        let fits = match kind {
            "Create" | "Delete" => !node.actions.is_empty(),
            "Held" => node.actions.is_empty() && !node.holds.is_empty(),
            "NotEligible" => !node.should_run && node.actions.is_empty(),
            "UpToDate" => node.should_run && node.pods.iter().any(|p| p.state == "Available"),
            "NotAvailable" | "Nothing" => node.actions.is_empty() && node.holds.is_empty(),
            _ => false,
        };
        if !fits || node.next.is_empty() {
            wrong.push(format!("{node:#?}"));
        }
    }
    wrong.extend(
        eligibility
            .keys()
            .map(|name| format!("{name} is not explained")),
    );
    wrong.extend(
        actions
            .keys()
            .map(|name| format!("{name} has actions and no explanation")),
    );
    let grouped: usize = explanation.groups.iter().map(|g| g.nodes.len()).sum();
    if grouped != explanation.nodes.len() {
        wrong.push(format!(
            "{grouped} of {} nodes are in groups",
            explanation.nodes.len()
        ));
    }
    wrong
}

#[test]
fn the_verdicts_of_an_explanation_are_those_of_the_plan_for_all_recorded_decisions() {
    let schema = fs::read_to_string("docs/explain.schema.json").expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let file = fs::File::open("tests/data/decisions.ndjson.gz").expect("the recorded decisions");
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
        let record: Value = serde_json::from_str(&line.expect("gzip")).expect("a record");
        count += 1;
        let (plan, explanation) = explained(&record);
        let wrong = differences(&record, &plan, &explanation);
        assert!(
            wrong.is_empty(),
            "record {}:\n{}",
            record["id"],
            wrong.join("\n")
        );
        for node in &explanation.nodes {
            *kinds.entry(node.cause.kind.clone()).or_default() += 1;
        }
        // One in ten is held against the schema: they have one form.
        if count % 10 == 0 {
            let written = to_json(&explanation);
            let json: Value = serde_json::from_str(&written).expect("JSON");
            if let Err(why) = schema.validate(&json) {
                panic!("record {}: {}: {why}", record["id"], why.instance_path());
            }
            let read: Explanation = serde_json::from_str(&written).expect("an explanation");
            assert_eq!(to_json(&read), written, "record {}", record["id"]);
        }
    }
    assert_eq!(count, 2811);
    let all = [
        "Create",
        "Delete",
        "Held",
        "NotAvailable",
        "NotEligible",
        "UpToDate",
    ];
    assert!(
        all.iter().all(|kind| kinds.contains_key(*kind)),
        "{kinds:?}"
    );
}
