//! `plan` and `explain` on a real cluster, with the words of the real scheduler.

use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{Lab, SOON};
use crate::controller::Controller;

/// The JSON that a command prints about the DaemonSet `agent`, read with the controller's rights.
fn ask(lab: &Lab, command: &str, more: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
        .args([command, "-o", "json", "--kubeconfig"])
        .arg(lab.plane.kubeconfig("controller"))
        .args(["-d", &format!("{}/agent", lab.namespace)])
        .args(more)
        .env_remove("RUST_LOG")
        .output()
        .expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command} {more:?}: {stderr}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A new template asks for more CPU than any node has: the first replaced pod is not scheduled, and
/// the rollout waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_that_waits_names_the_node_the_pod_and_the_schedulers_words() {
    let mut lab = Lab::shared("explain").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    let template = json!({ "spec": { "template": { "spec": { "containers": [{
        "name": "c", "image": "registry.example/agent:1", "resources": { "requests": { "cpu": "64" } },
    }] } } } });
    lab.patch("agent", &template).await;

    let plan = lab
        .until("the scheduler's words are in the plan", SOON, async || {
            let plan = ask(&lab, "plan", &[]);
            let blocked = &plan["rollout"]["blockedBy"];
            match blocked.as_array().map(Vec::as_slice) {
                Some([one]) if one["reason"] == "Unschedulable" => Ok(plan),
                _ => Err(blocked.to_string()),
            }
        })
        .await;
    let blocked = &plan["rollout"]["blockedBy"][0];
    let message = blocked["message"].as_str().expect("a message");
    assert!(message.contains("Insufficient cpu"), "{message}");
    let node = blocked["node"].as_str().expect("a node");
    let holds: Vec<(&str, usize)> = plan["holds"]
        .as_array()
        .expect("holds")
        .iter()
        .map(|h| {
            (
                h["rule"].as_str().unwrap(),
                h["nodes"].as_array().map_or(0, Vec::len),
            )
        })
        .collect();
    assert_eq!(holds, [("MaxUnavailable", 2)]);

    let explained = ask(&lab, "explain", &["--node", node]);
    let explained = &explained["nodes"][0];
    assert_eq!(explained["cause"]["kind"], "NotAvailable");
    assert_eq!(explained["cause"]["reason"], "Unschedulable");
    // The old pod may be there still, on its way out.
    let pods = explained["pods"].as_array().expect("pods");
    let blocking = pods.iter().find(|pod| pod["name"] == blocked["pod"]);
    assert_eq!(blocking.expect("it is told of")["state"], "Unschedulable");
}
