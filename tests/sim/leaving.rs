//! Nodes that are about to go: with the feature gate or the option their agents are not made again
//! and again.

use std::collections::BTreeSet;

use daemonset_controller::{
    model::{FeatureGates, Settings},
    runtime::run::ControllerOptions,
    sim::cluster::Cluster,
};
use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

/// The node that goes.
const NODE: &str = "n1";

fn gate() -> Settings {
    let gates = FeatureGates {
        daemon_set_graceful_node_shutdown: true,
        ..FeatureGates::default()
    };
    Settings {
        gates,
        ..Settings::default()
    }
}

fn option() -> Settings {
    Settings {
        suppress_on_leaving_nodes: true,
        ..Settings::default()
    }
}

/// Five nodes that are covered, and a controller with these settings.
async fn covered_with(settings: Settings, strategy: Value) -> (World, Controller) {
    let server = world(5);
    respec(&server, json!({"updateStrategy": strategy}));
    become_ready(&server, "0s");
    server.kubelet();
    let options = ControllerOptions {
        settings,
        ..Cluster::options()
    };
    let running = start_with(&server, "a", options);
    seconds(10).await;
    server.assert_covered(5);
    (server, running)
}

/// What the node's kubelet and its control plane say of it.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// It is ready.
    Ready,
    /// It is shutting down, by a condition of its own.
    Condition,
    /// It is shutting down, by the words of `Ready` alone.
    Words,
    /// It is shut down, and nobody hears of it.
    Nothing,
    /// It is up again, and has no network yet.
    Booting,
}

fn say(server: &World, says: Says) {
    let now = format!("{:.0}", server.now());
    let condition = |kind: &str, status: &str, message: &str| json!({"type": kind, "status": status, "message": message, "lastTransitionTime": now});
    let shutdown = "GracefulNodeShutdownInProgress";
    let conditions = match says {
        Says::Ready => json!([
            condition("Ready", "True", ""),
            condition(shutdown, "False", "")
        ]),
        Says::Condition => json!([
            condition("Ready", "False", "node is shutting down"),
            condition(shutdown, "True", ""),
        ]),
        Says::Words => json!([condition("Ready", "False", "node is shutting down")]),
        Says::Nothing => {
            json!([condition(
                "Ready",
                "Unknown",
                "Kubelet stopped posting node status."
            )])
        }
        Says::Booting => json!([condition("Ready", "False", "cni plugin not initialized")]),
    };
    server.edit("nodes", NODE, json!({"status": {"conditions": conditions}}));
}

/// For so many seconds a kubelet that shuts down: it ends what runs, and rejects what is new.
async fn shuts_down(server: &World, for_seconds: u64) {
    script(server, NODE, "start-after", json!("never"));
    for _ in 0..for_seconds * 10 {
        for pod in server.all("pods") {
            if target(&pod) != NODE || !is_live(&pod) {
                continue;
            }
            let (reason, message) = match pod["status"]["phase"].as_str() {
                Some("Running") => (
                    "Terminated",
                    "Pod was terminated in response to imminent node shutdown.",
                ),
                _ => (
                    "NodeShutdown",
                    "Pod was rejected as the node is shutting down.",
                ),
            };
            let status = json!({"phase": "Failed", "reason": reason, "message": message, "conditions": [
                {"type": "Ready", "status": "False"},
            ]});
            let name = pod["metadata"]["name"].as_str().expect("a name");
            server.edit("pods", name, json!({ "status": status }));
        }
        millis(100).await;
    }
}

/// The node is up again: what is created there starts.
async fn comes_back(server: &World) {
    script(server, NODE, "start-after", Value::Null);
    say(server, Says::Ready);
}

/// Pods created so far.
fn created(server: &World) -> usize {
    server.posts().len()
}

/// Every node but that one has one live pod.
fn assert_all_but_one(server: &World) {
    let covered = server.covered();
    assert!(
        covered.len() == 4 && !covered.contains_key(NODE),
        "{covered:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_gets_no_pod_and_has_one_as_soon_as_it_is_back() {
    for strategy in [rolling(1, 0), rolling(0, 1)] {
        for (settings, says, expected) in [
            (Settings::default(), Says::Condition, false),
            (gate(), Says::Condition, true),
            (gate(), Says::Words, false),
            (option(), Says::Condition, true),
            (option(), Says::Words, true),
        ] {
            let (server, _running) = covered_with(settings, strategy.clone()).await;
            say(&server, says);
            shuts_down(&server, 120).await;
            if !expected {
                let more = created(&server) - 5;
                assert!(more >= 5, "made again and again: {more}");
                continue;
            }
            assert_eq!(created(&server), 5, "{strategy}");
            assert_all_but_one(&server);
            let status = server.get("daemonsets", "web")["status"].clone();
            assert_eq!(status["desiredNumberScheduled"], 5);
            assert_eq!(status["numberUnavailable"], 1);
            // By the option it is left alone while it is off, too.
            if says == Says::Words {
                say(&server, Says::Nothing);
                seconds(300).await;
                assert_eq!(created(&server), 5);
            }
            comes_back(&server).await;
            seconds(2).await;
            server.assert_covered(5);
            assert_eq!(created(&server), 6, "{strategy}");
            server.at_rest().await;
        }
    }
}

/// As real kubelets do it: what runs ends as Succeeded, with nothing but a condition that tells
/// why. So one more pod is created, and its rejection tells of the shutdown.
#[tokio::test(start_paused = true)]
async fn a_graceful_shutdown_with_what_real_kubelets_write_costs_one_pod_that_is_rejected() {
    let (server, _running) = covered_with(option(), rolling(1, 0)).await;
    script(&server, NODE, "shutdown", json!("true"));
    seconds(60).await;
    assert_eq!(created(&server), 6);
    assert_all_but_one(&server);
    script(&server, NODE, "silent", json!("true"));
    say(&server, Says::Nothing);
    seconds(300).await;
    assert_eq!(created(&server), 6);
    script(&server, NODE, "shutdown", Value::Null);
    script(&server, NODE, "boot", json!("second"));
    script(&server, NODE, "silent", Value::Null);
    say(&server, Says::Ready);
    seconds(3).await;
    server.assert_covered(5);
    assert_eq!(created(&server), 7);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_boots_gets_its_pod_before_it_is_ready() {
    let (server, _running) = covered_with(option(), rolling(1, 0)).await;
    say(&server, Says::Words);
    shuts_down(&server, 30).await;
    say(&server, Says::Nothing);
    seconds(60).await;
    assert_eq!(created(&server), 5);
    // What it waits for may be this pod.
    script(&server, NODE, "start-after", Value::Null);
    say(&server, Says::Booting);
    seconds(2).await;
    server.assert_covered(5);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_starts_while_the_node_is_leaving_creates_nothing_there_either() {
    let (server, running) = covered_with(option(), rolling(1, 0)).await;
    say(&server, Says::Words);
    shuts_down(&server, 10).await;
    running.stop().await;
    let options = ControllerOptions {
        settings: option(),
        ..Cluster::options()
    };
    let _running = start_with(&server, "b", options);
    shuts_down(&server, 60).await;
    assert_eq!(created(&server), 5);
    server.at_rest().await;
    assert_all_but_one(&server);
}

#[tokio::test(start_paused = true)]
async fn a_rollout_passes_a_leaving_node_by_and_it_follows_when_it_stays_after_all() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, _running) = covered_with(option(), strategy.clone()).await;
        let taint = json!([{"key": "karpenter.sh/disrupted", "effect": "PreferNoSchedule"}]);
        server.edit("nodes", NODE, json!({"spec": {"taints": taint}}));
        change_to(&server, "2", "1s");
        seconds(60).await;
        let old: BTreeSet<String> = [NODE.to_owned()].into();
        assert_eq!(
            nodes_of(&server, "1"),
            old,
            "{strategy}: running, and left alone"
        );
        assert_eq!(nodes_of(&server, "2").len(), 4, "{strategy}");
        assert!(!gone_from(&server).contains(&NODE.to_owned()));
        server.edit("nodes", NODE, json!({"spec": {"taints": null}}));
        seconds(30).await;
        assert_rolled(&server, 5, "2");
        server.at_rest().await;
    }
}
