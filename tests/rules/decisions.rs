//! The recorded decisions of the built-in controller on 2,811 generated clusters: ours have zero
//! differences.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
};

use daemonset_controller::{
    cache::Cache,
    model::{FeatureGates, Key, Kind, Settings, Time},
    plan::{self, ActionPhase, Plan, names},
    wire,
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Record {
    id: u32,
    now: String,
    snapshot: List,
    expected: Expected,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    eligibility: BTreeMap<String, (bool, bool)>,
    adopt: Vec<String>,
    release: Vec<String>,
    manage: Manage,
    rolling: Option<Rolling>,
    current_revision: Current,
    revision_created: bool,
    #[serde(default)]
    revision_number_updated: Option<serde_json::Value>,
    revisions_deleted: Vec<String>,
    #[serde(default)]
    relabel: BTreeMap<String, String>,
    status: BTreeMap<String, i64>,
    events: Vec<String>,
    pod_template: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manage {
    create_on_nodes: Vec<String>,
    delete_pods: Vec<String>,
}

/// What the rolling update does on the same snapshot; upstream gets to it only when the first
/// stage's effects are seen.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rolling {
    create_on_nodes: Choice,
    delete_pods: Choice,
}

/// Upstream chooses among equals by chance.
#[derive(Deserialize)]
struct Choice {
    /// Chosen in every run.
    always: BTreeSet<String>,
    /// Chosen in at least one.
    any: BTreeSet<String>,
    /// The least and the greatest number that may be chosen.
    min: usize,
    max: usize,
}

#[derive(Deserialize)]
struct Current {
    /// Absent where the revision is created: its name is ours to choose.
    #[serde(default)]
    name: String,
    #[serde(default)]
    hash: String,
    revision: i64,
}

#[derive(Deserialize)]
struct KindOf {
    kind: String,
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    namespace: Option<String>,
}

fn records() -> impl Iterator<Item = Record> {
    let file = std::fs::File::open("tests/data/decisions.ndjson.gz")
        .expect("the recorded decisions are in the tree");
    BufReader::new(flate2::read::GzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("gzip")).expect("a record"))
}

/// A cache filled with the record's snapshot, and the DaemonSet's key.
fn load(record: &Record) -> (Cache, Key) {
    let mut cache = Cache::new(FeatureGates::default());
    let mut key = None;
    for item in &record.snapshot.items {
        let of: KindOf = serde_json::from_str(item.get()).unwrap();
        let kind = Kind::ALL
            .into_iter()
            .find(|k| k.as_str() == of.kind)
            .expect("a known kind");
        if kind == Kind::DaemonSet {
            key = Some(Key::new(of.metadata.namespace.unwrap(), of.metadata.name));
        }
        cache.observe(kind, item).expect("it decodes");
    }
    (cache, key.expect("one DaemonSet"))
}

fn check<T: PartialEq + std::fmt::Debug>(
    differences: &mut Vec<String>,
    what: &str,
    ours: T,
    theirs: T,
) {
    if ours != theirs {
        differences.push(format!("{what}: ours {ours:?}, upstream's {theirs:?}"));
    }
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut v: Vec<T> = items.into_iter().collect();
    v.sort();
    v
}

/// Differences between our plan and the recorded decision.
fn differences(record: &Record) -> Vec<String> {
    let (mut cache, key) = load(record);
    let now: Time = record.now.parse().unwrap();
    let expected = &record.expected;
    let mut d = Vec::new();
    let (ours, eligibility, node_pods) = cache
        .snapshot(&key, Settings::default(), |s| {
            let eligibility: BTreeMap<String, (bool, bool)> = s
                .nodes
                .iter()
                .map(|(id, n)| {
                    let v = s.verdicts.get(id);
                    (
                        n.name.to_string(),
                        (v.should_run(), v.should_continue_running()),
                    )
                })
                .collect();
            let mut pods: BTreeMap<String, usize> = BTreeMap::new();
            for p in &s.pods {
                if let Some(id) = p.node {
                    *pods.entry(s.nodes.name(id).to_string()).or_default() += 1;
                }
            }
            (plan::plan(s, now), eligibility, pods)
        })
        .unwrap();
    check(&mut d, "eligibility", &eligibility, &expected.eligibility);
    let names = |pods: &[plan::PodRef]| pods.iter().map(|p| p.name.to_string()).collect::<Vec<_>>();
    check(
        &mut d,
        "adopt",
        names(&ours.claims.adopt),
        sorted(expected.adopt.clone()),
    );
    check(
        &mut d,
        "release",
        names(&ours.claims.release),
        sorted(expected.release.clone()),
    );
    // A successor is created earlier than upstream does; that it comes only where upstream creates
    // nothing in this pass is checked below.
    let creates = ours
        .creates
        .iter()
        .filter(|c| c.phase == ActionPhase::Manage)
        .map(|c| c.node.to_string());
    check(
        &mut d,
        "create",
        sorted(creates),
        sorted(expected.manage.create_on_nodes.clone()),
    );
    let deletes = ours
        .deletes
        .iter()
        .filter(|p| p.phase != ActionPhase::Rollout)
        .map(|p| p.pod.name.to_string());
    check(
        &mut d,
        "delete",
        sorted(deletes),
        sorted(expected.manage.delete_pods.clone()),
    );
    check_successors(&ours, expected, &node_pods, &mut d);
    check_rolling(&ours, expected, &node_pods, &mut d);
    check_revisions(&ours, expected, &mut d);
    let relabel: BTreeMap<String, String> = ours
        .relabels
        .iter()
        .map(|r| (r.pod.name.to_string(), r.hash.to_string()))
        .collect();
    check(&mut d, "relabel", &relabel, &expected.relabel);
    check_status(&ours, expected, &mut d);
    let events = ours
        .events
        .iter()
        .map(|e| format!("{} {} {}", e.kind.as_str(), e.reason, e.message));
    check(
        &mut d,
        "events",
        sorted(events),
        sorted(expected.events.clone()),
    );
    if let Some(template) = &expected.pod_template {
        check_template(&mut cache, &key, &ours, template, &mut d);
    }
    d
}

fn check_successors(
    ours: &Plan,
    expected: &Expected,
    pods: &BTreeMap<String, usize>,
    d: &mut Vec<String>,
) {
    let mut nodes = BTreeSet::new();
    for c in &ours.creates {
        if !nodes.insert(&c.node) {
            d.push(format!("two creates on {}", c.node));
        }
        if c.phase == ActionPhase::Successor {
            let upstream_too = expected
                .manage
                .create_on_nodes
                .iter()
                .any(|n| **n == *c.node);
            let goes = ours
                .deletes
                .iter()
                .any(|x| x.node == c.node && x.phase == ActionPhase::Successor);
            if upstream_too || !goes || !pods.contains_key(&*c.node) {
                d.push(format!(
                    "a successor on {} where there is no terminal pod to succeed",
                    c.node
                ));
            }
        }
    }
}

/// Where the first stage does nothing, ours is one of upstream's choices; where it acts, it chooses
/// no other and no more, and both together leave every node a pod that it had.
fn check_rolling(
    ours: &Plan,
    expected: &Expected,
    pods: &BTreeMap<String, usize>,
    d: &mut Vec<String>,
) {
    let creates = ours
        .creates
        .iter()
        .filter(|c| c.phase == ActionPhase::Rollout);
    let creates: Vec<String> = creates.map(|c| c.node.to_string()).collect();
    let deletes = ours
        .deletes
        .iter()
        .filter(|c| c.phase == ActionPhase::Rollout);
    let deletes: Vec<String> = deletes.map(|p| p.pod.name.to_string()).collect();
    let Some(rolling) = &expected.rolling else {
        check(d, "rollout", (creates, deletes), (vec![], vec![]));
        return;
    };
    let manage = &expected.manage;
    let acts = !manage.create_on_nodes.is_empty() || !manage.delete_pods.is_empty();
    for (what, ours, theirs) in [
        ("rollout create", &creates, &rolling.create_on_nodes),
        ("rollout delete", &deletes, &rolling.delete_pods),
    ] {
        let set: BTreeSet<String> = ours.iter().cloned().collect();
        let chosen_by_upstream = set.is_subset(&theirs.any);
        let enough = acts || ours.len() >= theirs.min && theirs.always.is_subset(&set);
        if set.len() < ours.len() || !chosen_by_upstream || !enough || ours.len() > theirs.max {
            d.push(format!(
                "{what}: ours {ours:?}, upstream's {} to {} of {:?}, always {:?}, first stage acts: {acts}",
                theirs.min, theirs.max, theirs.any, theirs.always
            ));
        }
    }
    let mut gone: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    for delete in &ours.deletes {
        let entry = gone.entry(&*delete.node).or_default();
        entry.0 += 1;
        entry.1 |= delete.phase == ActionPhase::Rollout;
    }
    for (node, (count, by_rollout)) in gone {
        if by_rollout && count > 1 && count >= pods[node] {
            d.push(format!("both stages together empty {node}"));
        }
    }
}

fn check_revisions(ours: &Plan, expected: &Expected, d: &mut Vec<String>) {
    let current = ours.revision.as_ref().expect("a revision");
    check(
        d,
        "revisionCreated",
        current.create,
        expected.revision_created,
    );
    if current.create {
        check(
            d,
            "revision number",
            current.number,
            expected.current_revision.revision,
        );
    } else {
        let theirs = &expected.current_revision;
        check(
            d,
            "currentRevision",
            (&*current.name, &*current.hash, current.number),
            (&*theirs.name, &*theirs.hash, theirs.revision),
        );
    }
    let ops = &ours.revision_ops;
    check(
        d,
        "revisionNumberUpdated",
        ops.set_number.is_some(),
        expected.revision_number_updated.is_some(),
    );
    let deleted = ops
        .delete_duplicates
        .iter()
        .chain(&ops.delete_old)
        .map(|r| r.name.to_string());
    check(
        d,
        "revisionsDeleted",
        sorted(deleted),
        sorted(expected.revisions_deleted.clone()),
    );
}

fn check_status(ours: &Plan, expected: &Expected, d: &mut Vec<String>) {
    let s = ours.status.expect("a status");
    let ours: BTreeMap<&str, i64> = [
        (
            "currentNumberScheduled",
            i64::from(s.current_number_scheduled),
        ),
        ("numberMisscheduled", i64::from(s.number_misscheduled)),
        (
            "desiredNumberScheduled",
            i64::from(s.desired_number_scheduled),
        ),
        ("numberReady", i64::from(s.number_ready)),
        (
            "updatedNumberScheduled",
            i64::from(s.updated_number_scheduled),
        ),
        ("numberAvailable", i64::from(s.number_available)),
        ("numberUnavailable", i64::from(s.number_unavailable)),
        ("observedGeneration", s.observed_generation),
        ("collisionCount", i64::from(s.collision_count.unwrap_or(0))),
    ]
    .into();
    for (field, ours) in &ours {
        check(
            d,
            field,
            *ours,
            expected.status.get(*field).copied().unwrap_or(0),
        );
    }
    for field in expected
        .status
        .keys()
        .filter(|f| !ours.contains_key(f.as_str()))
    {
        d.push(format!("status field {field} is not known to this test"));
    }
}

/// The manifest of the pod on the node that the recorded template names equals it.
fn check_template(
    cache: &mut Cache,
    key: &Key,
    ours: &Plan,
    template: &serde_json::Value,
    d: &mut Vec<String>,
) {
    let terms = &template["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let node = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
        .as_str()
        .expect("a pinned pod");
    let ds = cache.daemon_set(key).unwrap().clone();
    let hash = &ours.revision.as_ref().unwrap().hash;
    let manifest = wire::manifest::PodManifest::new(
        &ds,
        hash,
        &plan::tolerations::merged(&ds.template),
        Default::default(),
    )
    .expect("a manifest");
    let name = names::of_pod(&ds, node, None);
    let mut pod: serde_json::Value =
        serde_json::from_str(&manifest.body(&name, node)).expect("JSON");
    assert_eq!(pod["metadata"]["generateName"], format!("{}-", ds.name));
    let metadata = pod["metadata"].as_object_mut().unwrap();
    for added in ["name", "generateName", "ownerReferences"] {
        metadata
            .remove(added)
            .unwrap_or_else(|| panic!("{added} is set"));
    }
    let pod = pod.as_object_mut().unwrap();
    pod.remove("apiVersion");
    pod.remove("kind");
    if let Some(hash) = template["metadata"]["labels"].get("controller-revision-hash")
        && ours.revision.as_ref().unwrap().create
    {
        pod["metadata"]["labels"]["controller-revision-hash"] = hash.clone();
    }
    check(d, "pod", &serde_json::Value::Object(pod.clone()), template);
}

#[test]
fn all_recorded_decisions_are_ours_too() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for record in records() {
        count += 1;
        let d = differences(&record);
        if !d.is_empty() {
            wrong.push(format!("record {}:\n  {}", record.id, d.join("\n  ")));
        }
    }
    assert_eq!(count, 2811);
    assert!(
        wrong.is_empty(),
        "{} of {count} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}
