//! The same seed gives the same requests, byte for byte. `tests/source/determinism.rs` keeps out of
//! the sources what would break this.

use std::time::Duration;

use daemonset_controller::sim::api::resource::{DAEMON_SETS, NODES, PODS};
use daemonset_controller::sim::api::{Act, ApiStatus, Gate};
use daemonset_controller::sim::cluster::{Cluster, Part};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::time::sleep;

fn daemon_set(name: &str, version: u32) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": {"v": version.to_string()}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
            "updateStrategy": {"type": "OnDelete"},
        },
    })
}

/// A few busy minutes: two controllers, all parts of a cluster, faults, lag, a crash, people. All
/// requests, as text.
fn busy(seed: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut cluster = Cluster::new(seed).with(&Part::ALL);
        cluster.add_nodes(6);
        for name in ["one", "two", "three"] {
            cluster.apply(&daemon_set(name, 0)).expect("a DaemonSet");
        }
        let mut controllers = vec![cluster.controller("a"), cluster.controller("b")];
        let server = cluster.server.clone();
        let refuse = |code, reason| Act::Refuse(ApiStatus::new(code, reason, "no"));
        for turn in 0..40 {
            let nth = dice.random_range(0..6);
            let node = format!("{}/n{nth}", NODES.path(""));
            let pods = server.pods();
            let pod = pods
                .get(nth * 3)
                .map_or("", |p| p["metadata"]["name"].as_str().unwrap_or(""));
            let pod = format!("{}/{pod}", PODS.path("default"));
            // Of what is refused here nothing is expected.
            drop(match turn % 8 {
                0 => server.perform("DELETE", &pod, &Value::Null),
                1 => server.perform(
                    "PATCH",
                    &format!("{pod}/status"),
                    &json!({"status": {"phase": "Failed"}}),
                ),
                2 => server.perform(
                    "PATCH",
                    &node,
                    &json!({"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}),
                ),
                3 => server.perform("PATCH", &node, &json!({"spec": {"taints": null}})),
                4 => cluster.apply(&daemon_set("two", turn)),
                5 => {
                    server.gate(
                        "b",
                        &PODS,
                        Some(Gate::Lag(Duration::from_millis(dice.random_range(0..90)))),
                    );
                    server.expire(&DAEMON_SETS);
                    Ok(Value::Null)
                }
                6 => {
                    let method = ["POST", "PATCH", "DELETE", "GET"][dice.random_range(0..4)];
                    let act = [
                        Act::Lose,
                        Act::Fail,
                        refuse(500, "InternalError"),
                        refuse(429, "TooManyRequests"),
                    ];
                    let act = act[dice.random_range(0..4)].clone();
                    server.rule(
                        2,
                        move |e| e.method == method && &*e.client != "kubelets",
                        act,
                    );
                    Ok(Value::Null)
                }
                _ => {
                    controllers.truncate(1);
                    controllers.push(cluster.controller("b"));
                    Ok(Value::Null)
                }
            });
            sleep(Duration::from_millis(dice.random_range(1..3_000))).await;
        }
        server.log_text()
    })
}

#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte_and_another_seed_another() {
    let (first, again) = (busy(1), busy(1));
    for (n, (first, again)) in first.lines().zip(again.lines()).enumerate() {
        assert_eq!(first, again, "line {n}");
    }
    assert_eq!(first.len(), again.len());
    let posts = first
        .lines()
        .filter(|l| l.contains("POST /api/v1/namespaces/default/pods "));
    assert!(posts.count() > 30, "{} lines", first.lines().count());
    assert_ne!(first, busy(2));
}

#[test]
#[ignore = "as many seeds as one likes: SIM_SEEDS=10-40"]
fn more_seeds() {
    let range = std::env::var("SIM_SEEDS").unwrap_or("10-20".into());
    let (from, to) = range.split_once('-').expect("FROM-TO");
    for n in from.parse().expect("a number")..to.parse().expect("a number") {
        assert!(busy(n) == busy(n), "seed {n}");
    }
}
