//! The conditions of a DaemonSet with rollout control: what each says, when it changes, and what of
//! others stays.

use std::time::Duration;

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::{Plan, control::conditions::digest_in};
use daemonset_controller::wire::body;
use serde_json::{Value, json};

pub fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(50)
}

/// The nodes a and b, the current revision, and an older one that completed.
pub fn cluster(set: &Object, pods: impl IntoIterator<Item = Object>) -> Cluster {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
    let objects = [current, older, node("a"), node("b")];
    Cluster::bare(set.clone(), objects.into_iter().chain(pods))
}

/// The conditions that the plan is to have stored, in order; None where it changes none.
fn written(cluster: &mut Cluster) -> Option<Vec<Value>> {
    let plan = cluster.plan();
    let conditions = plan.conditions.as_ref()?;
    let ds = cluster.cache.daemon_set(&key()).expect("a DaemonSet");
    let status = plan.status.expect("a status");
    let patch = body::status(ds, &status, Some(conditions));
    let patch: Value = serde_json::from_str(&patch).expect("JSON");
    Some(match &patch["status"]["conditions"] {
        Value::Null => Vec::new(),
        list => list.as_array().expect("a list").clone(),
    })
}

/// With these conditions stored.
fn storing(set: &Object, conditions: impl Into<Value>) -> Object {
    let version = set.json["metadata"]["resourceVersion"].as_str();
    let version: u64 = version.expect("a version").parse().expect("a number");
    let mut set = set.clone().version(version + 1);
    set.json["status"]["conditions"] = conditions.into();
    set
}

/// `type status reason` of each.
fn words(conditions: &[Value]) -> Vec<String> {
    let text = |c: &Value, field: &str| c[field].as_str().unwrap_or("-").to_owned();
    let words = |c: &Value| {
        let words = ["type", "status", "reason"].map(|field| text(c, field));
        words.join(" ")
    };
    conditions.iter().map(words).collect()
}

fn of<'c>(conditions: &'c [Value], kind: &str) -> &'c Value {
    let found = conditions.iter().find(|c| c["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}: {conditions:?}"))
}

/// Keys with their values.
type Keys<'k> = &'k [(&'k str, &'k str)];

const CANARY: &[(&str, &str)] = &[("canary", "1"), ("bake", "1m")];
const APPROVAL: &[(&str, &str)] = &[("canary", "1"), ("bake", "approval")];
const STRICT: &[(&str, &str)] = &[("budget", "strict")];

#[test]
fn each_standing_has_its_conditions() {
    let half = || vec![new("a"), old("b")];
    let done = || vec![new("a"), new("b")];
    let available = "Available True PodsAvailable";
    let unavailable = "Available False PodsUnavailable";
    let all: &[(Keys<'_>, Vec<Object>, &[&str])] = &[
        (STRICT, half(), &[available, "Progressing True Rolling"]),
        (
            STRICT,
            vec![new("a")],
            &[unavailable, "Progressing True Rolling"],
        ),
        (STRICT, done(), &[available, "Progressing True Complete"]),
        (
            CANARY,
            vec![old("a"), old("b")],
            &[available, "Progressing True Canary"],
        ),
        // A node that has not got it shows in the counts.
        (CANARY, half(), &[available, "Progressing True Baking"]),
        // None does while the last bake runs, and with a canary of all nodes.
        (
            CANARY,
            done(),
            &[
                available,
                "Progressing True Baking",
                "Reconciling True Baking",
            ],
        ),
        (
            APPROVAL,
            half(),
            &[available, "Progressing Unknown AwaitingApproval"],
        ),
        (
            APPROVAL,
            done(),
            &[
                available,
                "Progressing Unknown AwaitingApproval",
                "Reconciling True AwaitingApproval",
            ],
        ),
        (
            &[("hold", "rollout")],
            half(),
            &[available, "Progressing Unknown Paused"],
        ),
        (
            &[("hold", "rollot")],
            half(),
            &[
                available,
                "Progressing Unknown Paused",
                "Stalled True InvalidAnnotation",
            ],
        ),
        (
            &[("canary", "no=where")],
            half(),
            &[
                available,
                "Progressing Unknown Paused",
                "Stalled True NoCanaryNode",
            ],
        ),
        // All is there, and an annotation may have asked for anything.
        (
            &[("hold", "rollot"), ("canary", "1"), ("bake", "1m")],
            done(),
            &[
                available,
                "Progressing Unknown Paused",
                "Stalled True InvalidAnnotation",
            ],
        ),
    ];
    for (keys, pods, expected) in all {
        let mut cluster = cluster(&set(keys), pods.clone());
        let written = written(&mut cluster).expect("conditions");
        assert_eq!(words(&written), *expected, "{keys:?}");
        // What is written is known as our own when the keys are gone.
        let mut plain = self::cluster(&storing(&set(&[]), written), pods.clone());
        assert_eq!(self::written(&mut plain), Some(vec![]), "{keys:?}");
    }
    let mut on_delete = set(STRICT);
    on_delete.json["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    let on_delete = written(&mut cluster(&on_delete, half())).expect("conditions");
    assert_eq!(words(&on_delete), [available, "Progressing Unknown Paused"]);
    let mut invalid = set(STRICT);
    invalid.json["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = json!("x");
    let invalid = written(&mut cluster(&invalid, half())).expect("conditions");
    let stalled = "Stalled True InvalidBudget";
    assert_eq!(
        words(&invalid),
        [available, "Progressing Unknown Paused", stalled]
    );
    // What a node is to keep is gone.
    let held = set(&[("hold", "rollout")]);
    let mut gone = cluster(&held, [old("a").hash("gone").terminating(), old("b")]);
    let lost = revision(OLD, 1, &json!({"spec": 3})).with(state("completed", ago(9_000)));
    gone.put(&lost.version(2));
    let gone = written(&mut gone).expect("conditions");
    assert_eq!(words(&gone)[2], "Stalled True PinnedRevisionMissing");
}

#[test]
fn what_is_stored_is_not_written_again() {
    let set = set(CANARY);
    let mut cluster = cluster(&set, [new("a"), old("b")]);
    let first = written(&mut cluster).expect("conditions");
    cluster.put(&storing(&set, first.clone()));
    assert_eq!(written(&mut cluster), None);
    // Nor later, as long as nothing changes.
    cluster.now = later(5);
    assert_eq!(written(&mut cluster), None);
    // Fields in another order and of a later version of the API are no difference.
    let mut more = first.clone();
    more[1]["observedGeneration"] = json!(3);
    cluster.put(&storing(&storing(&set, first), more));
    assert_eq!(written(&mut cluster), None);
}

#[test]
fn a_time_changes_with_the_status_and_with_nothing_else() {
    let set = set(CANARY);
    let mut cluster = cluster(&set, [new("a"), old("b")]);
    let first = written(&mut cluster).expect("conditions");
    let times = |all: &[Value]| -> Vec<String> {
        let time = |c: &Value| c["lastTransitionTime"].as_str().expect("a time").to_owned();
        all.iter().map(time).collect()
    };
    assert_eq!(times(&first), ["2026-06-01T12:00:00Z"; 2]);
    cluster.put(&storing(&set, first));
    // The canary is over: another reason and another message, and still True. Half seconds are cut.
    cluster.now = later(20) + Duration::from_millis(500);
    let baked =
        revision(NEW, 2, &set.json["spec"]["template"]).with(state("released", "[\"canary\"]"));
    cluster.put(&baked.version(2));
    let rolling = written(&mut cluster).expect("conditions");
    assert_eq!(words(&rolling)[1], "Progressing True Rolling");
    assert_eq!(times(&rolling), ["2026-06-01T12:00:00Z"; 2]);
    // A pod goes.
    let rolling = storing(&storing(&set, json!([])), rolling);
    cluster.put(&rolling);
    cluster.put(&new("a").phase("Pending").version(2).with(json!({
        "status": {"conditions": [{"type": "Ready", "status": "False"}]},
    })));
    let down = written(&mut cluster).expect("conditions");
    assert_eq!(words(&down)[0], "Available False PodsUnavailable");
    assert_eq!(
        times(&down),
        ["2026-06-01T12:00:20Z", "2026-06-01T12:00:00Z"]
    );
    // A time that is absent, or a status that does not exist, is no begin.
    let mut broken = down.clone();
    broken[0]["lastTransitionTime"] = Value::Null;
    broken[1]["status"] = json!("Truthy");
    cluster.put(&storing(&rolling, broken));
    let mended = written(&mut cluster).expect("conditions");
    assert_eq!(words(&mended), words(&down));
    assert_eq!(times(&mended), ["2026-06-01T12:00:20Z"; 2]);
}

#[test]
fn without_a_key_none_is_written_whatever_is_stored() {
    let plain = set(&[]);
    for pods in [vec![new("a"), old("b")], vec![new("a"), new("b")], vec![]] {
        assert_eq!(cluster(&plain, pods).plan().conditions, None);
    }
    let off = set(&[("hold", "off")]);
    assert_eq!(cluster(&off, [new("a")]).plan().conditions, None);
    let foreign = json!([
        {"type": "Theirs", "status": "True"},
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "False", "reason": "ReplicaSetUpdated"},
        {"type": "Stalled", "status": "True"},
        {"type": 5}, "text", {"status": "True"},
    ]);
    let mut cluster = cluster(&storing(&plain, foreign), [new("a"), old("b")]);
    assert_eq!(cluster.plan().conditions, None);
}

#[test]
fn the_patch_of_a_daemon_set_without_conditions_of_ours_is_that_of_the_counts_alone() {
    let foreign = storing(&set(&[]), json!([{"type": "Theirs", "status": "True"}]));
    for set in [set(&[]), foreign] {
        let mut cluster = cluster(&set, [new("a"), old("b")]);
        let plan = cluster.plan();
        let ds = cluster.cache.daemon_set(&key()).expect("a DaemonSet");
        let status = plan.status.expect("a status");
        let version = set.json["metadata"]["resourceVersion"].as_str();
        let expected = format!(
            r#"{{"metadata":{{"uid":"ds-uid","resourceVersion":"{}"}},"status":{{"currentNumberScheduled":2,"numberMisscheduled":0,"desiredNumberScheduled":2,"numberReady":2,"updatedNumberScheduled":1,"numberAvailable":2,"numberUnavailable":0,"observedGeneration":1}}}}"#,
            version.expect("a version")
        );
        assert_eq!(
            body::status(ds, &status, plan.conditions.as_ref()),
            expected
        );
    }
}

#[test]
fn ours_go_with_the_last_key_and_others_stay_as_they_were_read() {
    let keys = set(&[("hold", "rollot")]);
    let foreign = json!({"type": "Theirs", "status": "True", "zz": {"b": [1.50, 2e3], "a": null}});
    let duplicate = json!({"type": "Theirs", "status": "False"});
    let untyped = json!({"status": "True"});
    let stored = storing(&keys, json!([foreign, duplicate, untyped]));
    let mut held = cluster(&stored, [new("a"), old("b")]);
    let all = written(&mut held).expect("conditions");
    assert_eq!(
        all[..3],
        [foreign.clone(), duplicate.clone(), untyped.clone()]
    );
    assert_eq!(all.len(), 6, "{all:?}");
    // In between, somebody wrote another one of a type of ours.
    let theirs = json!({"type": "Reconciling", "status": "True", "reason": "Theirs"});
    let mut list = all;
    list.insert(4, theirs.clone());
    let plain = storing(&storing(&set(&[]), json!([])), list.clone());
    let mut free = cluster(&plain, [new("a"), old("b")]);
    let left = written(&mut free).expect("a change");
    assert_eq!(left, [foreign, duplicate, untyped, theirs]);
    free.put(&storing(&plain, left));
    assert_eq!(written(&mut free), None);
    // Where nothing is left, the field goes.
    list.retain(|c| c["reason"] == "Paused");
    let mut bare = cluster(&storing(&set(&[]), list), [new("a"), old("b")]);
    assert_eq!(written(&mut bare), Some(vec![]));
}

/// The bytes of what is kept do not change.
#[test]
fn an_unknown_entry_passes_through_as_text() {
    let set = storing(&set(STRICT), json!(["ENTRY"]));
    let entry = r#"{ "type" : "Theirs",  "n":1.500, "n":2, "u":"\u00e9" }"#;
    let raw = set.raw().get().replace(r#""ENTRY""#, entry);
    let raw = serde_json::value::RawValue::from_string(raw).expect("JSON");
    let mut cluster = cluster(&self::set(STRICT), [new("a"), old("b")]);
    cluster.cache.observe(set.kind, &raw).expect("it decodes");
    let plan = cluster.plan();
    let ds = cluster.cache.daemon_set(&key()).expect("a DaemonSet");
    let patch = body::status(
        ds,
        &plan.status.expect("a status"),
        plan.conditions.as_ref(),
    );
    assert!(
        patch.contains(&format!("\"conditions\":[{entry},{{")),
        "{patch}"
    );
}

#[test]
fn with_a_key_the_four_types_are_ours_whoever_wrote_them() {
    let theirs = json!([
        {"type": "Stalled", "status": "True", "reason": "Theirs", "lastTransitionTime": ago(50)},
        {"type": "Progressing", "status": "True", "reason": "Theirs", "lastTransitionTime": ago(50)},
        {"type": "Other", "status": "True"},
        {"type": "Progressing", "status": "False", "reason": "Paused"},
        {"type": "Available", "status": "False", "reason": "Theirs", "lastTransitionTime": ago(50)},
    ]);
    let set = storing(&set(CANARY), theirs.clone());
    let all = written(&mut cluster(&set, [new("a"), new("b")])).expect("conditions");
    let expected = [
        "Progressing True Baking",
        "Other True -",
        "Available True PodsAvailable",
        "Reconciling True Baking",
    ];
    assert_eq!(words(&all), expected, "never Stalled and Reconciling");
    // Its status did not change.
    assert_eq!(all[0]["lastTransitionTime"], ago(50));
    assert_eq!(all[1], theirs[2]);
    assert_eq!(all[2]["lastTransitionTime"], ago(0));
}

#[test]
fn the_message_of_progressing_names_the_revision_what_it_waits_for_and_the_keys() {
    let message = |keys: &[(&str, &str)], pods: Vec<Object>| {
        let all = written(&mut cluster(&set(keys), pods)).expect("conditions");
        let message = of(&all, "Progressing")["message"].as_str();
        message.expect("a message").to_owned()
    };
    let half = || vec![new("a"), old("b")];
    let canary = message(CANARY, half());
    assert!(
        canary.starts_with("Revision web-new bakes until 2026-06-01T12:00:10Z: "),
        "{canary}"
    );
    let digest = digest_in(&canary).expect("a digest");
    assert!(canary.ends_with(&format!(" (keys {digest})")), "{canary}");
    // Another key, another digest; other pods, the same.
    assert_eq!(
        digest_in(&message(CANARY, vec![old("a"), old("b")])),
        Some(digest)
    );
    let other = message(APPROVAL, half());
    assert_ne!(digest_in(&other), Some(digest));
    assert!(
        other.contains(" waits for the annotation daemonset-controller.io/approve: new (keys "),
        "{other}"
    );
    let held = message(&[("hold", "rollout")], half());
    assert!(
        held.starts_with(
            "Revision web-new is held: no pod is replaced by one of another revision: the \
             key daemonset-controller.io/hold says so, until the key is removed or off"
        ),
        "{held}"
    );
    for (text, digest) in [
        ("x (keys abc) (keys d)", Some("d")),
        ("x (keys abc) y", None),
        ("x (keys )", None),
        ("(keys a b)", None),
        ("x (keys a b)", None),
        ("", None),
    ] {
        assert_eq!(digest_in(text), digest, "{text}");
    }
}

#[test]
fn a_message_is_bounded_and_keeps_its_digest() {
    let long = "é".repeat(100_000);
    let keys: Vec<String> = (0..1_000).map(|n| format!("k{n}")).collect();
    let keys = keys.iter().map(|key| (&**key, "x"));
    let keys: Vec<(&str, &str)> = keys.chain([("hold", &*long)]).collect();
    let all = written(&mut cluster(&set(&keys), [new("a"), old("b")])).expect("conditions");
    for condition in &all {
        let message = condition["message"].as_str().expect("a message");
        assert!(message.chars().count() <= 1_030, "{}", message.len());
    }
    let message = of(&all, "Progressing")["message"].as_str();
    assert!(digest_in(message.expect("a message")).is_some());
}

#[test]
fn available_counts_the_nodes_by_cause() {
    let set = set(STRICT);
    let mut cluster = cluster(&set, [new("a"), old("b")]);
    for name in ["c", "d", "e", "f", "g"] {
        cluster.put(&node(name));
    }
    let crashing = json!({"status": {"phase": "Running", "containerStatuses": [
        {"name": "c", "restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
    ]}});
    cluster.put(&pod("new-c").on("c").with(crashing.clone()));
    cluster.put(&pod("new-d").on("d").with(crashing));
    cluster.put(&pod("new-e").on("e").terminating());
    cluster.put(&pod("new-f").on("f"));
    let all = written(&mut cluster).expect("conditions");
    let message = of(&all, "Available")["message"]
        .as_str()
        .expect("a message");
    assert_eq!(
        message,
        "5 of 7 nodes are without an available pod: 2 CrashLoopBackOff, 1 NoPod, 1 NotReady, \
         1 Terminating"
    );
    // Another cause is another message, and nothing more.
    let mut stored = all.clone();
    stored[0]["message"] = json!("5 of 7 nodes are without an available pod: 5 NotReady");
    cluster.put(&storing(&set, stored));
    let plan = cluster.plan();
    assert!(plan.conditions.expect("a change").is_only_message);
    let mut stored = all;
    stored[1]["message"] = json!("Revision web-old");
    cluster.put(&storing(&storing(&set, json!([])), stored));
    let plan: Plan = cluster.plan();
    assert!(!plan.conditions.expect("a change").is_only_message);
}

#[test]
fn no_eligible_node_is_nothing_to_wait_for() {
    let mut set = set(CANARY);
    set.json["spec"]["template"]["spec"] = json!({"nodeSelector": {"no": "where"}});
    let current =
        revision(NEW, 2, &set.json["spec"]["template"]).with(state("released", "[\"canary\"]"));
    let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
    let mut cluster = Cluster::bare(set, [current, older, node("a")]);
    let all = written(&mut cluster).expect("conditions");
    assert_eq!(
        words(&all),
        ["Available True PodsAvailable", "Progressing True Complete"]
    );
    // A bake that begins anew with each plan would never end.
    assert_eq!(cluster.plan().wake_at, None);
}
