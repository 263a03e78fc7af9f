//! A rollout by zone on a real API server that fails in its second zone: it pauses there, is
//! approved, fails again and is taken back while its leader is killed. The same template stays
//! failed, and another one completes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::audit::Entry;
use crate::budget::Judge;
use crate::cluster::{Lab, SOON, name_of, node_of, same};
use crate::commands::{json_of, run};
use crate::controller::{Controller, built_in};
use crate::referee::{Referee, target};
use crate::replicas::{USERS, start, until_holder_is, until_standing_by};

const ZONE: usize = 6;
const NODES: usize = 3 * ZONE;
const BUDGET: usize = 2;

/// The number of the node whose first pod of the second version crashes, and of the one whose pod
/// crashes later: both in the second zone.
const FIRST: usize = ZONE + 1;
const LATER: usize = ZONE + 2;

const HASH: &str = "controller-revision-hash";
const SCRIPT: &str = "sim.daemonset-controller.io/";
const STATE: &str = "state.daemonset-controller.io/";

/// A template whose pods are well on every node, whatever the annotations of the node say.
pub fn well() -> Value {
    json!({ (format!("{SCRIPT}crash-after")): "never", (format!("{SCRIPT}ready-after")): "1s" })
}

/// Changes the template: another image, whose pods do what their nodes say.
pub async fn change_to_second(lab: &Lab) {
    let annotations =
        json!({ (format!("{SCRIPT}crash-after")): null, (format!("{SCRIPT}ready-after")): null });
    let container = json!([{ "name": "c", "image": "agent:2" }]);
    let template =
        json!({ "metadata": { "annotations": annotations }, "spec": { "containers": container } });
    lab.patch("agent", &json!({ "spec": { "template": template } }))
        .await;
}

/// What pods do on a node that do not say it themselves; null removes it.
pub async fn script(lab: &Lab, number: usize, entries: &[(&str, Value)]) {
    let entries = entries.iter();
    let annotations: serde_json::Map<String, Value> = entries
        .map(|(key, value)| (format!("{SCRIPT}{key}"), value.clone()))
        .collect();
    let patch = json!({ "metadata": { "annotations": annotations } });
    lab.patch_node(&lab.node_name(number), &patch).await;
}

/// Sets keys, as kubectl writes them.
pub async fn annotate(lab: &Lab, keys: &[&str]) {
    let keys = keys.iter();
    let keys: Vec<String> = keys
        .map(|key| format!("daemonset-controller.io/{key}"))
        .collect();
    let mut args = vec!["annotate", "daemonset", "agent", "--overwrite"];
    args.extend(keys.iter().map(String::as_str));
    lab.kubectl_ok(&args).await;
}

/// Waits until the condition `Progressing` has this status and reason, for the present generation.
pub async fn until_progressing(lab: &Lab, status: &str, reason: &str) {
    let what = format!("Progressing {status} {reason}");
    lab.until(&what, 2 * SOON, async || {
        let set = lab.get("agent").await;
        let is_read =
            set.status.as_ref().and_then(|s| s.observed_generation) == set.metadata.generation;
        let conditions = set.status.and_then(|s| s.conditions).unwrap_or_default();
        let found = conditions
            .iter()
            .find(|c| c.type_.as_deref() == Some("Progressing"));
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let seen = found.map(|c| format!("{} {}", text(&c.status), text(&c.reason)));
        same((is_read, seen), (true, Some(format!("{status} {reason}"))))
    })
    .await;
}

/// The pods that are not being deleted, with the image and the node of each.
pub async fn staying(lab: &Lab) -> Vec<(Pod, String, String)> {
    let mut pods = lab.pods().await;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    let pods = pods.into_iter().map(|pod| {
        let spec = pod.spec.as_ref().expect("a spec");
        let image = spec.containers[0].image.clone().unwrap_or_default();
        let node = node_of(&pod);
        (pod, image, node)
    });
    pods.collect()
}

/// The nodes that have a pod of this image.
pub async fn nodes_of(lab: &Lab, image: &str) -> BTreeSet<String> {
    let pods = staying(lab).await.into_iter();
    pods.filter(|(_, of, _)| of == image)
        .map(|(_, _, node)| node)
        .collect()
}

/// Waits until the pods of these nodes are the ones that are on their way out.
pub async fn until_leaving(lab: &Lab, nodes: &BTreeSet<String>) {
    let what = "it goes back, and waits for these nodes";
    lab.until(what, 2 * SOON, async || {
        let leaving = lab.pods().await.into_iter();
        let leaving = leaving.filter(|pod| pod.metadata.deletion_timestamp.is_some());
        let leaving: BTreeSet<String> = leaving.map(|pod| node_of(&pod)).collect();
        same(&leaving, nodes)
    })
    .await;
}

/// The UIDs of the pods that stay, by node.
pub async fn uids(lab: &Lab) -> BTreeMap<String, String> {
    let pods = staying(lab).await.into_iter();
    pods.map(|(pod, _, node)| (node, pod.metadata.uid.expect("a UID")))
        .collect()
}

/// What is recorded under this key on the revisions, by their hash.
pub async fn recorded(lab: &Lab, key: &str) -> BTreeMap<String, String> {
    let revisions = lab.revisions().await.into_iter();
    let of = revisions.filter_map(|revision| {
        let hash = revision.metadata.labels?.remove(HASH)?;
        let annotations = revision.metadata.annotations?;
        Some((hash, annotations.get(&format!("{STATE}{key}"))?.clone()))
    });
    of.collect()
}

/// The image of the first version.
pub const OLD: &str = "registry.example/agent:1";

fn zone(lab: &Lab, number: usize) -> BTreeSet<String> {
    let from = number * ZONE + 1;
    (from..from + ZONE).map(|n| lab.node_name(n)).collect()
}

/// Three zones of six nodes with the first version, two replicas of which the first leads, and a
/// rollout that goes on by zone.
async fn scene() -> (Lab, [Controller; 2]) {
    let mut lab = Lab::alone("failing").await;
    let node = |lab: &Lab, number: usize| {
        let zone = ["a", "b", "c"][(number - 1) / ZONE];
        lab.node(number)
            .label("topology.kubernetes.io/zone", zone)
            .annotation(&format!("{SCRIPT}ready-after"), "1s")
    };
    // The oldest pod of its zone is the first one that goes.
    let first = node(&lab, FIRST);
    lab.register(vec![first]).await;
    let leader = start(&lab, 0);
    until_holder_is(&lab, |holder| !holder.is_empty()).await;
    let mut standby = start(&lab, 1);
    let mut set = lab.daemon_set("agent");
    set["metadata"]["annotations"] = json!({
        "daemonset-controller.io/order": "topology.kubernetes.io/zone",
        "daemonset-controller.io/bake": "1s",
        "daemonset-controller.io/on-failure": "pause",
    });
    let budget = json!({ "maxUnavailable": BUDGET });
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": budget });
    set["spec"]["template"]["metadata"]["annotations"] = well();
    lab.create(&set).await;
    lab.until_covered("agent", 1, SOON).await;
    let numbers = (1..=NODES).filter(|number| *number != FIRST);
    let others = numbers.map(|number| node(&lab, number)).collect();
    lab.register(others).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    until_progressing(&lab, "True", "Complete").await;
    until_standing_by(&lab, &mut standby, "standing by").await;
    (lab, [leader, standby])
}

/// How many events there are with this reason, told in all.
async fn told(lab: &Lab, reason: &str) -> usize {
    let events = lab.events(reason).await.into_iter();
    events.map(|e| e.count.unwrap_or(1).max(1) as usize).sum()
}

async fn until_told(lab: &Lab, reason: &str, times: usize) {
    let what = format!("{times} {reason}");
    lab.until(&what, SOON, async || same(told(lab, reason).await, times))
        .await;
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("the audit log has times")
}

/// The writes of both replicas that were carried out, in the order in which they came.
fn writes(lab: &Lab) -> Vec<Entry> {
    let all = USERS.iter().flat_map(|user| lab.plane.audit(user));
    let mut all: Vec<Entry> = all
        .filter(|e| e.writes() && (200..300).contains(&e.response_status.code))
        .collect();
    all.sort_by_key(|entry| time(&entry.request_received_timestamp));
    all
}

/// The hash in the body of a create of a pod.
fn hash_in(entry: &Entry) -> &str {
    let labels = &entry.request_object["metadata"]["labels"];
    labels[HASH].as_str().unwrap_or("")
}

/// The nodes of the creates of pods with this hash that came since.
fn created(writes: &[Entry], hash: &str, since: Timestamp) -> Vec<String> {
    let creates = writes.iter().filter(|e| {
        let came = time(&e.request_received_timestamp);
        e.kind() == "create pods" && hash_in(e) == hash && came >= since
    });
    let mut nodes: Vec<String> = creates
        .filter_map(|e| target(&e.request_object["spec"]))
        .collect();
    nodes.sort();
    nodes
}

/// The last write of this annotation on a revision, of so many.
fn record_of<'w>(writes: &'w [Entry], key: &str, times: usize) -> &'w Entry {
    let annotation = format!("{STATE}{key}");
    let found = writes.iter().filter(|e| {
        let annotations = &e.request_object["metadata"]["annotations"];
        e.object_ref.resource == "controllerrevisions" && annotations[&annotation].is_string()
    });
    let found: Vec<&Entry> = found.collect();
    assert_eq!(found.len(), times, "{key}");
    found.last().expect("it was recorded")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_by_zone_pauses_is_approved_fails_and_goes_back_while_its_leader_is_killed() {
    if built_in() {
        return; // it knows no key
    }
    let (lab, mut replicas) = scene().await;
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let judge = Judge::start(&lab, NODES).await;
    let (a, b, c) = (zone(&lab, 0), zone(&lab, 1), zone(&lab, 2));
    let before = uids(&lab).await;
    let untouched = async || {
        let now = uids(&lab).await;
        for node in &c {
            assert_eq!(now.get(node), before.get(node), "{node}");
        }
    };

    // The second zone fails, and the rollout pauses in it.
    script(&lab, FIRST, &[("crash-after", json!("1ms"))]).await;
    change_to_second(&lab).await;
    until_progressing(&lab, "False", "AutoPaused").await;
    untouched().await;
    let new = nodes_of(&lab, "agent:2").await;
    assert!(new.is_superset(&a), "{new:?}");
    let (code, status) = json_of(&lab, &["status", "agent"]);
    assert_eq!((code, &status["stage"]), (1, &json!("AutoPaused")));
    assert_eq!(
        status["failing"][0]["nodes"],
        json!([lab.node_name(FIRST)]),
        "{status}"
    );
    assert_eq!(
        status["failing"][0]["cause"]["reason"],
        json!("CrashLoopBackOff")
    );
    let hash = status["revision"]["hash"]
        .as_str()
        .expect("a hash")
        .to_owned();
    until_told(&lab, "RolloutFailed", 1).await;
    until_told(&lab, "StageReleased", 1).await;
    let text = lab.kubectl_ok(&["get", "events"]).await;
    let says = format!(
        "a node failed in stage topology.kubernetes.io/zone=b, first {}: ",
        lab.node_name(FIRST)
    );
    assert!(text.contains(&says), "{text}");

    // Approved: what failed is forgiven, and the zone gets the rest.
    let approved = run(&lab, &["approve", "agent"]);
    assert_eq!(approved.0, 0, "{}{}", approved.1, approved.2);
    lab.until("the approval is recorded", SOON, async || {
        let recorded = recorded(&lab, "approved").await;
        let text = recorded.get(&hash).ok_or("nothing")?;
        let value: Value = serde_json::from_str(text).expect("JSON");
        same(value["restarts"][lab.node_name(FIRST)].is_u64(), true)
    })
    .await;
    // From now on it runs, and is never ready: the zone waits for it.
    let stuck = [
        ("crash-after", Value::Null),
        ("ready-after", json!("never")),
    ];
    script(&lab, FIRST, &stuck).await;
    lab.until("the second zone has it", 2 * SOON, async || {
        let status = lab.get("agent").await.status.unwrap_or_default();
        let seen = (
            nodes_of(&lab, "agent:2").await,
            status.number_available,
            status.updated_number_scheduled,
        );
        let others = (Some(NODES as i32 - 1), Some(2 * ZONE as i32));
        same(seen, (&a | &b, others.0, others.1))
    })
    .await;
    until_progressing(&lab, "True", "Rolling").await;
    untouched().await;

    // Another node of the zone crashes, and now it is taken back. Two nodes keep their pods for as
    // long as the leader lives.
    for number in [1, 2] {
        script(&lab, number, &[("terminate-after", json!("never"))]).await;
    }
    annotate(&lab, &["on-failure=rollback"]).await;
    script(&lab, LATER, &[("crash-after", json!("1ms"))]).await;
    let kept = [lab.node_name(1), lab.node_name(2)];
    until_leaving(&lab, &kept.into()).await;
    until_told(&lab, "RollbackStarted", 1).await;
    let leader = until_holder_is(&lab, |holder| !holder.is_empty()).await;
    replicas[0].kill();
    until_holder_is(&lab, |holder| !holder.is_empty() && holder != leader).await;
    for number in [1, 2] {
        script(&lab, number, &[("terminate-after", Value::Null)]).await;
    }
    until_progressing(&lab, "False", "RolledBack").await;
    replicas[1].expect_running();
    untouched().await;
    lab.until("all nodes are back", SOON, async || {
        same(nodes_of(&lab, OLD).await.len(), NODES)
    })
    .await;
    let verdicts = recorded(&lab, "verdict").await;
    assert_eq!(verdicts.keys().collect::<Vec<_>>(), [&hash]);
    let verdict: Value = serde_json::from_str(&verdicts[&hash]).expect("JSON");
    assert_eq!(verdict["node"], json!(lab.node_name(LATER)), "{verdict}");
    assert_eq!(verdict["failed"], json!(true));
    let why = "container c is in CrashLoopBackOff";
    assert_eq!(verdict["why"], json!(why));
    let (code, status) = json_of(&lab, &["status", "agent"]);
    assert_eq!((code, &status["stage"]), (1, &json!("RolledBack")));
    assert_eq!(status["counts"]["updated"], json!(0));
    let (_, history) = json_of(&lab, &["history", "agent"]);
    let revisions = history["revisions"].as_array().expect("revisions");
    assert_eq!(revisions[0]["stable"], json!(true), "{history}");
    assert_eq!(
        (&revisions[1]["current"], &revisions[1]["failed"]),
        (&json!(true), &json!(why))
    );
    let stable = revisions[0]["hash"].as_str().expect("a hash").to_owned();

    // What an action depends on was there before the action.
    let all = writes(&lab);
    let verdict = record_of(&all, "verdict", 2);
    assert_eq!(verdict.user.username, USERS[0]);
    let written = time(&verdict.stage_timestamp);
    let back: Vec<&Entry> = all
        .iter()
        .filter(|e| e.kind() == "delete pods")
        .filter(|e| {
            time(&e.request_received_timestamp) >= time(&verdict.request_received_timestamp)
        })
        .collect();
    assert_eq!(back.len(), 2 * ZONE, "each goes once");
    assert!(written <= time(&back[0].request_received_timestamp));
    assert_eq!(created(&all, &stable, written), Vec::from_iter(&a | &b));
    for user in USERS {
        let deletes = back.iter().filter(|e| e.user.username == user);
        assert_ne!(deletes.count(), 0, "{user} did its part");
    }
    let approval = record_of(&all, "approved", 1);
    let since = time(&approval.request_received_timestamp);
    let first = created(&all, &hash, Timestamp::MIN).len() - created(&all, &hash, since).len();
    let later = created(&all, &hash, time(&approval.stage_timestamp)).len();
    assert_eq!(first + later, 2 * ZONE, "none while it was recorded");
    println!("{first} nodes had it when it paused, {later} got it when it was approved");

    // The same template again, and its end: another one.
    replicas[0] = start(&lab, 0);
    let settled = uids(&lab).await;
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    until_progressing(&lab, "True", "Complete").await;
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    until_progressing(&lab, "False", "RolledBack").await;
    assert_eq!(recorded(&lab, "verdict").await, verdicts);
    same(uids(&lab).await, settled).expect("no pod is touched");
    for number in [FIRST, LATER] {
        let mended = [("crash-after", Value::Null), ("ready-after", json!("1s"))];
        script(&lab, number, &mended).await;
    }
    lab.kubectl_ok(&["rollout", "restart", "daemonset/agent"])
        .await;
    until_progressing(&lab, "True", "Complete").await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    assert_eq!(nodes_of(&lab, "agent:2").await.len(), NODES);
    assert_eq!(recorded(&lab, "verdict").await, verdicts);
    let (code, status) = json_of(&lab, &["status", "agent"]);
    assert_eq!((code, &status["failing"]), (0, &json!([])), "{status}");
    until_told(&lab, "RolloutComplete", 3).await;
    for (reason, times) in [("RolloutFailed", 2), ("RollbackStarted", 1)] {
        until_told(&lab, reason, times).await;
    }

    let versions = 5 * (4 * ZONE + NODES);
    referee.finish().await.expect_clean(versions);
    let worst = judge.finish(versions).await;
    assert!(
        worst.unavailable <= BUDGET && worst.doubled == 0,
        "{worst:?}"
    );
    for pod in lab.pods().await {
        assert!(
            pod.metadata.deletion_timestamp.is_none(),
            "{}",
            name_of(&pod)
        );
    }
}
