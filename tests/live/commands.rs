//! The commands for rollouts on a real API server: a held rollout and its way on, a canary that is
//! waited for and approved, the history, and handing back.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use daemonset_controller::{model::Labels, plan::control::digest};
use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Launch, built_in};

const NODES: usize = 4;

fn command(lab: &Lab, words: &[&str]) -> Command {
    command_of("admin", lab, words)
}

fn command_of(user: &str, lab: &Lab, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"));
    command
        .args(words)
        .args(["-n", &lab.namespace, "--kubeconfig"])
        .arg(lab.plane.kubeconfig(user))
        .env_remove("RUST_LOG");
    command
}

/// Exit code, standard output and standard error.
fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().expect("a code");
    (code, text(output.stdout), text(output.stderr))
}

/// Runs a command as admin: exit code, standard output and standard error.
pub fn run(lab: &Lab, words: &[&str]) -> (i32, String, String) {
    ended(command(lab, words).output().expect("it starts"))
}

/// The same as another user.
pub fn run_as(user: &str, lab: &Lab, words: &[&str]) -> (i32, String, String) {
    ended(command_of(user, lab, words).output().expect("it starts"))
}

/// As [`run`] with the output as JSON.
pub fn json_of(lab: &Lab, words: &[&str]) -> (i32, Value) {
    let (code, out, error) = run(lab, &[words, &["-o", "json"]].concat());
    let json = serde_json::from_str(&out);
    (
        code,
        json.unwrap_or_else(|why| panic!("{words:?}: {why}: {out}{error}")),
    )
}

async fn until_stage(lab: &Lab, code: i32, stage: &str) -> Value {
    lab.until(&format!("stage {stage}"), 2 * SOON, async || {
        let (is, status) = json_of(lab, &["status", "agent"]);
        same((is, status["stage"].as_str()), (code, Some(stage))).map(|_| status.clone())
    })
    .await
}

async fn set_image(lab: &Lab, image: &str) {
    lab.kubectl_ok(&["set", "image", "daemonset/agent", &format!("c={image}")])
        .await;
}

/// What a controller that writes conditions says once it has read the keys.
async fn keys_are_read(lab: &Lab) {
    let annotations = lab.get("agent").await.metadata.annotations;
    let annotations = annotations.unwrap_or_default();
    let labels: Labels = annotations.iter().map(|(k, v)| (&**k, &**v)).collect();
    let digest = digest::of_keys(&labels).expect("keys");
    let condition = json!({
        "type": "Progressing", "status": "True", "reason": "Rolling",
        "message": format!("pods are replaced (keys {digest})"),
    });
    let patch = json!({ "status": { "conditions": [condition] } }).to_string();
    let words = [
        "patch",
        "daemonset",
        "agent",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    lab.kubectl_ok(&words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollout_is_held_resumed_approved_and_handed_back() {
    if built_in() {
        return; // it knows no key
    }
    let mut lab = Lab::alone("commands").await;
    lab.add_nodes(1..=NODES).await;
    let mut ours = Launch::new(&lab).replica().start();
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "100%" } });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    until_stage(&lab, 0, "Complete").await;

    let held = run(&lab, &["hold", "agent"]);
    assert_eq!(
        (held.0, &*held.1),
        (0, "daemonset.apps/agent held\n"),
        "{}",
        held.2
    );
    let again = run(&lab, &["hold", "ds", "agent"]);
    assert_eq!(again.1, "daemonset.apps/agent is held already\n");
    set_image(&lab, "agent:2").await;
    lab.until("all nodes are held", SOON, async || {
        let (code, status) = json_of(&lab, &["status", "agent"]);
        same((code, &status["counts"]["held"]), (2, &json!(NODES)))
    })
    .await;
    let (code, handback) = json_of(&lab, &["handback", "--check"]);
    assert_eq!(code, 1);
    let of_agent = &handback["daemonSets"][0];
    assert_eq!(of_agent["held"], json!(NODES), "{handback}");
    assert_eq!(of_agent["atOnce"], json!({ "create": 0, "delete": NODES }));
    let resumed = run(&lab, &["resume", "agent"]);
    assert_eq!(resumed.1, "daemonset.apps/agent resumed\n");
    until_stage(&lab, 0, "Complete").await;

    for key in ["canary=1", "bake=approval"] {
        let annotation = format!("daemonset-controller.io/{key}");
        lab.kubectl_ok(&["annotate", "daemonset", "agent", &annotation])
            .await;
    }
    set_image(&lab, "agent:3").await;
    let status = until_stage(&lab, 2, "AwaitingApproval").await;
    let hash = status["revision"]["hash"].as_str().expect("a hash");
    let waits = command(&lab, &["status", "agent", "--wait"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let wrong = run(&lab, &["approve", "agent", "0000"]);
    assert_eq!(wrong.0, 1, "{}", wrong.2);
    let approved = run(&lab, &["approve", "agent"]);
    let said = format!("hash {hash}, images agent:3\ndaemonset.apps/agent approved\n");
    assert!(approved.1.ends_with(&said), "{}{}", approved.1, approved.2);
    keys_are_read(&lab).await;
    let waited = tokio::task::spawn_blocking(|| waits.wait_with_output());
    let waited = tokio::time::timeout(2 * SOON, waited)
        .await
        .expect("it ends");
    let (code, out, error) = ended(waited.expect("no panic").expect("its output"));
    assert_eq!(code, 0, "{out}{error}");
    assert!(out.contains(&format!("hash {hash}\n")), "{out}");

    lab.until("the revision completed", SOON, async || {
        let (code, history) = json_of(&lab, &["history", "agent"]);
        assert_eq!(code, 0);
        let all = history["revisions"].as_array().expect("revisions").clone();
        let last = all.last().expect("one");
        let seen = (
            &last["hash"],
            &last["pods"],
            last["completed"].is_string(),
            all.len(),
        );
        same(seen, (&json!(hash), &json!(NODES), true, 3)).map(|_| ())
    })
    .await;
    let (code, handback) = json_of(&lab, &["handback", "--check"]);
    assert_eq!(code, 0, "{handback}");

    let (code, _, error) = run(&lab, &["handback", "--yes"]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("a controller of ours is running"), "{error}");
    let stopped = ours.terminate(Duration::from_secs(10)).await;
    stopped.expect("it ends");
    let (code, out, error) = run(&lab, &["handback", "--yes"]);
    assert_eq!(code, 0, "{out}{error}");
    let agent = lab.get("agent").await;
    let conditions = agent.status.expect("a status").conditions;
    assert_eq!(conditions.unwrap_or_default(), []);
    for revision in lab.revisions().await {
        let annotations = revision.metadata.annotations.unwrap_or_default();
        let mut keys = annotations.keys();
        assert!(
            !keys.any(|key| key.starts_with("state.")),
            "{annotations:?}"
        );
    }
}

/// Lets the user do this, in all namespaces.
async fn grant(lab: &Lab, user: &str, verbs: &str, resource: &str) {
    let name = format!("{user}-{verbs}-{resource}").replace([',', '.'], "-");
    let (verbs, resource) = (format!("--verb={verbs}"), format!("--resource={resource}"));
    lab.kubectl_ok(&["create", "clusterrole", &name, &verbs, &resource])
        .await;
    let (role, user) = (format!("--clusterrole={name}"), format!("--user={user}"));
    lab.kubectl_ok(&["create", "clusterrolebinding", &name, &role, &user])
        .await;
}

/// Waits until a command of the user ends with this code, and says this.
async fn until_says(lab: &Lab, user: &str, words: &[&str], code: i32, said: &str) {
    lab.until(&format!("{words:?} ends with {code}"), SOON, async || {
        let output = command_of(user, lab, words).output().expect("it starts");
        let (is, out, error) = ended(output);
        let says = out.contains(said) || error.contains(said);
        same((is, says), (code, true)).map_err(|why| format!("{why}: {out}{error}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rights_that_the_documents_name_are_enough_and_each_that_is_missing_is_named() {
    let lab = Lab::alone("rights").await;
    lab.create(&lab.daemon_set("agent")).await;
    let status = ["status", "agent"];
    let lists = [
        ("get", "daemonsets.apps", "grant get on daemonsets"),
        ("list", "daemonsets.apps", "on daemonsets (API group"),
        ("list", "nodes", "on nodes (API group"),
        (
            "list",
            "controllerrevisions.apps",
            "on controllerrevisions (API group",
        ),
        ("list", "pods", "on pods (API group"),
    ];
    for (verb, resource, missing) in lists {
        until_says(&lab, "nobody", &status, 4, missing).await;
        grant(&lab, "nobody", verb, resource).await;
    }
    until_says(&lab, "nobody", &status, 0, "Complete").await;
    until_says(&lab, "nobody", &["history", "agent"], 0, "NUMBER").await;
    until_says(&lab, "nobody", &["handback", "--check"], 0, "nothing").await;
    let waits = ["status", "agent", "--wait"];
    until_says(&lab, "nobody", &waits, 4, "grant get, list and watch").await;
    let denied = "grant patch on daemonsets (API group \"apps\")";
    until_says(&lab, "nobody", &["hold", "agent"], 4, denied).await;

    grant(&lab, "partial", "get,patch", "daemonsets.apps").await;
    let held = "daemonset.apps/agent held";
    until_says(&lab, "partial", &["hold", "agent"], 0, held).await;
    let resumed = "daemonset.apps/agent resumed";
    until_says(&lab, "partial", &["resume", "agent"], 0, resumed).await;
}
