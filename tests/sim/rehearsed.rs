//! Rehearsals held against the simulated cluster: the same change is rehearsed on what the API
//! server holds, and then made. The stages are the same ones, so is the most that is unavailable at
//! once, and the times are.

use std::collections::BTreeSet;
use std::time::Duration;

use daemonset_controller::{
    cache::Cache,
    model::{FeatureGates, Key, Kind, Settings},
    rehearse::{self, Ending, NodeState, Nodes, Rehearsal, Scenario, disruption::Budgets},
    sim::kubelets::script::PREFIX,
    wire::daemon_set::TEMPLATE_GENERATION,
};
use serde_json::{Value, json, value::to_raw_value};

use super::conditions::set_keys;
use super::on_failure::{change_with, is};
use super::rollout::*;
use super::world::*;

/// How many seconds earlier or later a stage may begin than was rehearsed.
const BOUND: u64 = 5;

const ZONE: &str = "topology.kubernetes.io/zone";

/// Rehearses this template on what the API server holds.
fn rehearsed(server: &World, annotations: Value, scenario: &Scenario) -> Rehearsal {
    let mut set = server.get("daemonsets", "web");
    let template = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
    json_patch::merge(&mut set, &template);
    set["metadata"]["generation"] = json!(99);
    // A server raises it with the template.
    set["metadata"]["annotations"][TEMPLATE_GENERATION] = json!("99");
    rehearsed_with(server, &set, scenario)
}

/// Rehearses this DaemonSet on what else the API server holds.
fn rehearsed_with(server: &World, set: &Value, scenario: &Scenario) -> Rehearsal {
    let mut cache = Cache::new(FeatureGates::default());
    observe(&mut cache, Kind::DaemonSet, set);
    for (kind, plural) in [
        (Kind::Node, "nodes"),
        (Kind::Revision, "controllerrevisions"),
        (Kind::Pod, "pods"),
    ] {
        for object in server.all(plural) {
            observe(&mut cache, kind, &object);
        }
    }
    let (key, settings) = (Key::new("default", "web"), Settings::default());
    let now = server.now().into();
    let cluster = rehearse::Cluster::new(cache, key, settings, now);
    rehearse::rehearse(cluster.expect("a DaemonSet"), &Budgets::default(), scenario)
}

fn observe(cache: &mut Cache, kind: Kind, object: &Value) {
    let raw = to_raw_value(object).expect("JSON");
    cache.observe(kind, &raw).expect("it decodes");
}

/// What the condition Progressing said one after the other since a version, and when, in seconds
/// since then.
fn stages(server: &World, since: u64, begin: Duration) -> Vec<(String, u64)> {
    let mut stages: Vec<(String, u64)> = Vec::new();
    for write in server.read(|store| store.history(resource("daemonsets")).to_vec()) {
        if write.version <= since {
            continue;
        }
        let all = write.object["status"]["conditions"].as_array();
        let mut all = all.into_iter().flatten();
        let Some(condition) = all.find(|c| c["type"] == "Progressing") else {
            continue;
        };
        let reason = condition["reason"].as_str().unwrap_or_default().to_owned();
        let of_now =
            write.object["status"]["observedGeneration"] == write.object["metadata"]["generation"];
        if of_now && stages.last().is_none_or(|(last, _)| *last != reason) {
            stages.push((reason, write.at.saturating_sub(begin).as_secs()));
        }
    }
    stages
}

/// The same of a rehearsal. Groups that follow each other without a bake are one.
fn rehearsed_stages(rehearsal: &Rehearsal) -> Vec<(String, u64)> {
    let mut stages: Vec<(String, u64)> = Vec::new();
    for span in &rehearsal.spans {
        if stages.last().is_none_or(|(last, _)| last != span.progress) {
            let at = span.from.since(rehearsal.began).as_secs();
            stages.push((span.progress.to_owned(), at));
        }
    }
    stages
}

fn assert_same(rehearsal: &Rehearsal, stages: &[(String, u64)], worst: Worst) {
    let rehearsed = rehearsed_stages(rehearsal);
    let names = |stages: &[(String, u64)]| -> Vec<String> {
        stages.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&rehearsed), names(stages), "{rehearsed:?} {stages:?}");
    for ((name, rehearsed), (_, lived)) in rehearsed.iter().zip(stages) {
        let apart = rehearsed.abs_diff(*lived);
        assert!(apart <= BOUND, "{name}: {rehearsed} s, {lived} s");
    }
    assert_eq!(rehearsal.figures.peaks.all.nodes, worst.unavailable);
}

/// Nodes in three zones, pods that are ready eight seconds after they run and end four seconds
/// after they are asked to, and these keys.
async fn cluster(nodes: usize, strategy: Value, keys: Value) -> (World, Controller) {
    let server = world(nodes);
    for n in 0..nodes {
        let labels = json!({"metadata": {"labels": {ZONE: format!("z{}", n % 3)}}});
        server.edit("nodes", &format!("n{n}"), labels);
    }
    // Without a probe a pod is ready between two crashes.
    let probed = json!({"name": "c", "image": "i", "readinessProbe": {"tcpSocket": {"port": 80}}});
    let template = json!({
        "metadata": {"annotations": behaviour("1")}, "spec": {"containers": [probed]},
    });
    respec(
        &server,
        json!({"updateStrategy": strategy, "template": template}),
    );
    set_keys(&server, keys);
    server.kubelet();
    let running = start(&server, "a");
    seconds(60).await;
    server.assert_covered(nodes);
    (server, running)
}

fn behaviour(version: &str) -> Value {
    json!({
        "v": version,
        (format!("{PREFIX}ready-after")): "8s",
        (format!("{PREFIX}terminate-after")): "4s",
    })
}

fn scenario() -> Scenario {
    Scenario {
        gone_after: Some(Duration::from_secs(4)),
        ..Scenario::default()
    }
}

/// Rehearses version 2, makes it, and waits until that has stopped.
async fn both(server: &World, scenario: &Scenario) -> (Rehearsal, Vec<(String, u64)>, Worst) {
    let rehearsal = rehearsed(server, behaviour("2"), scenario);
    let (since, begin) = (version(server), server.elapsed());
    change_with(
        server,
        "2",
        &[("ready-after", "8s"), ("terminate-after", "4s")],
    );
    seconds(rehearsal.figures.duration.as_secs() + 120).await;
    let stages = stages(server, since, begin);
    (rehearsal, stages, worst(server, since))
}

#[tokio::test(start_paused = true)]
async fn a_roll_takes_as_long_as_it_was_rehearsed_and_makes_as_many_nodes_unavailable() {
    for strategy in [rolling(1, 0), rolling("25%", 0), rolling(0, 3)] {
        let keys = json!({"budget": "strict"});
        let (server, _running) = cluster(9, strategy, keys).await;
        let (rehearsal, stages, worst) = both(&server, &scenario()).await;
        assert_same(&rehearsal, &stages, worst);
        assert_eq!(rehearsal.ending, Ending::Complete);
        assert_rolled(&server, 9, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_bakes_and_zones_follow_as_they_were_rehearsed() {
    let keys = json!({"canary": "2", "bake": "90s", "order": ZONE});
    let (server, _running) = cluster(9, rolling(2, 0), keys).await;
    let (rehearsal, stages, worst) = both(&server, &scenario()).await;
    assert_same(&rehearsal, &stages, worst);
    assert_eq!(rehearsal.ending, Ending::Complete);
    assert_rolled(&server, 9, "2");
    // The events come in the same order, too.
    let told: Vec<&str> = rehearsal.events.iter().map(|e| e.reason).collect();
    for reason in [
        "RolloutStarted",
        "CanaryReady",
        "StageReleased",
        "RolloutComplete",
    ] {
        let lived = server.events(reason).len();
        let rehearsed = told.iter().filter(|r| **r == reason).count();
        assert_eq!(rehearsed > 0, lived > 0, "{reason}: {told:?}");
    }
}

/// From wherever it stands: with pods that terminate, that start, and in the middle of a bake.
#[tokio::test(start_paused = true)]
async fn a_roll_under_way_goes_on_as_it_was_rehearsed() {
    for after in [2, 7, 20, 60, 115, 250] {
        let keys = json!({"canary": "2", "bake": "90s", "order": ZONE});
        let (server, _running) = cluster(9, rolling(2, 0), keys).await;
        change_with(
            &server,
            "2",
            &[("ready-after", "8s"), ("terminate-after", "4s")],
        );
        seconds(after).await;
        let set = server.get("daemonsets", "web");
        let rehearsal = rehearsed_with(&server, &set, &scenario());
        assert_eq!(rehearsal.ending, Ending::Complete);
        let begin = server.elapsed();
        let rehearsed = rehearsal.figures.duration.as_secs();
        seconds(rehearsed + 60).await;
        assert_rolled(&server, 9, "2");
        let (reason, at) = stages(&server, 0, begin).pop().expect("a stage");
        assert_eq!(reason, "Complete");
        assert!(
            at.abs_diff(rehearsed) <= BOUND,
            "{after}: {rehearsed} s, {at} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_awaits_approval_waits_in_both() {
    let keys = json!({"canary": "1", "bake": "approval"});
    let (server, _running) = cluster(6, rolling(2, 0), keys).await;
    let (rehearsal, stages, worst) = both(&server, &scenario()).await;
    assert_same(&rehearsal, &stages, worst);
    assert!(
        matches!(rehearsal.ending, Ending::Waits(_)),
        "{:?}",
        rehearsal.ending
    );
    assert_eq!(nodes_of(&server, "2").len(), rehearsal.figures.updated);
}

#[tokio::test(start_paused = true)]
async fn a_held_rollout_does_nothing_in_both() {
    let (server, _running) = cluster(6, rolling(2, 0), json!({"hold": "rollout"})).await;
    let (rehearsal, stages, worst) = both(&server, &scenario()).await;
    assert_same(&rehearsal, &stages, worst);
    assert_eq!(rehearsal.figures.created, 0);
    assert_eq!(nodes_of(&server, "1").len(), 6);
}

/// A zone in which the new version crashes: where it stops, what has it by then, and who went back.
#[tokio::test(start_paused = true)]
async fn a_zone_that_fails_stops_the_roll_or_sends_it_back_in_both() {
    for on_failure in ["pause", "rollback"] {
        let keys = json!({"order": ZONE, "bake": "30s", "on-failure": on_failure});
        let (server, _running) = cluster(9, rolling(1, 0), keys).await;
        let scenario = Scenario {
            fail: vec![Nodes::Labelled(ZONE.into(), "z1".into())],
            ..scenario()
        };
        let rehearsal = rehearsed(&server, behaviour("2"), &scenario);
        change_with(
            &server,
            "2",
            &[
                ("ready-after", "8s"),
                ("terminate-after", "4s"),
                ("crash-after", "3s"),
                ("only-on", &format!("{ZONE}=z1")),
            ],
        );
        seconds(1_800).await;
        let (reason, word) = match on_failure {
            "pause" => ("AutoPaused", "AutoPaused"),
            _ => ("RolledBack", "RolledBack"),
        };
        let lived = super::on_failure::condition(&server, "Progressing");
        assert_eq!(lived, is("False", reason));
        let Ending::Stalled(rule) = &rehearsal.ending else {
            panic!("{on_failure}: {:?}", rehearsal.ending);
        };
        assert_eq!(rule.as_str(), word);
        let new: BTreeSet<String> = rehearsal
            .nodes
            .iter()
            .filter(|node| node.last == NodeState::New)
            .map(|node| node.name.to_string())
            .collect();
        let lived = nodes_of(&server, "2");
        let failing = rehearsal
            .nodes
            .iter()
            .filter(|n| n.last == NodeState::Failing);
        let failing: BTreeSet<String> = failing.map(|n| n.name.to_string()).collect();
        assert_eq!(&new | &failing, lived, "{on_failure}");
        let conditions: Vec<&str> = rehearsal.conditions.iter().map(|c| &*c.reason).collect();
        assert!(conditions.contains(&reason), "{conditions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_down_are_left_in_both() {
    let keys = json!({"budget": "bad-nodes=50%"});
    let (server, _running) = cluster(6, rolling(1, 0), keys).await;
    let down = json!({"status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "lastTransitionTime": server.now().to_string()},
    ]}});
    server.edit("nodes", "n4", down);
    seconds(5).await;
    let (rehearsal, stages, _) = both(&server, &scenario()).await;
    let names: Vec<&String> = stages.iter().map(|(name, _)| name).collect();
    let rehearsed = rehearsed_stages(&rehearsal);
    let rehearsed: Vec<&String> = rehearsed.iter().map(|(name, _)| name).collect();
    assert_eq!(rehearsed, names);
    assert_eq!(nodes_of(&server, "1"), BTreeSet::from(["n4".to_owned()]));
    let left = &rehearsal.not_updated;
    assert!(
        left.len() == 1 && left[0].nodes.len() == 1 && &*left[0].nodes[0] == "n4",
        "{left:?}"
    );
}
