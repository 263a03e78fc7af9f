//! The conditions of rollout control on a real API server, as kubectl reads them: through a canary,
//! beside those of others, and gone with the last key.

use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Controller, built_in};

const NODES: usize = 4;

/// Sets or removes keys, as kubectl writes them.
async fn annotate(lab: &Lab, keys: &[&str]) {
    let keys = keys
        .iter()
        .map(|key| format!("daemonset-controller.io/{key}"));
    let keys: Vec<String> = keys.collect();
    let mut args = vec!["annotate", "daemonset", "agent", "--overwrite"];
    args.extend(keys.iter().map(String::as_str));
    lab.kubectl_ok(&args).await;
}

/// The conditions as they are stored.
async fn conditions(lab: &Lab) -> Vec<Value> {
    let text = lab
        .kubectl_ok(&["get", "daemonset", "agent", "-o", "json"])
        .await;
    let object: Value = serde_json::from_str(&text).expect("JSON");
    let list = object["status"]["conditions"].as_array();
    list.cloned().unwrap_or_default()
}

/// Waits until the conditions are these: `type status reason`.
async fn until(lab: &Lab, wanted: &[&str]) {
    lab.until(&format!("{wanted:?}"), 2 * SOON, async || {
        let words = |c: &Value| {
            let words =
                ["type", "status", "reason"].map(|f| c[f].as_str().unwrap_or("-").to_owned());
            words.join(" ")
        };
        let seen: Vec<String> = conditions(lab).await.iter().map(words).collect();
        same(seen, wanted.iter().map(|w| (*w).to_owned()).collect())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_waits_for_the_conditions_of_a_canary_and_others_stay() {
    if built_in() {
        return; // it writes no conditions
    }
    let mut lab = Lab::alone("conditions").await;
    lab.add_nodes(1..=NODES).await;
    let mut ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate" });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    assert_eq!(conditions(&lab).await, [] as [Value; 0]);
    let theirs = json!({"status": {"conditions": [
        {"type": "Theirs", "status": "True", "reason": "First", "message": "é"},
        {"type": "Other", "status": "False"},
    ]}});
    let theirs = theirs.to_string();
    let patch = [
        "patch",
        "daemonset",
        "agent",
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    lab.kubectl_ok(&[&patch[..], &[&theirs]].concat()).await;
    let stored = conditions(&lab).await;

    annotate(&lab, &["canary=1", "bake=approval"]).await;
    let foreign = ["Theirs True First", "Other False -"];
    let available = "Available True PodsAvailable";
    let complete = "Progressing True Complete";
    until(&lab, &[&foreign[..], &[available, complete]].concat()).await;
    lab.kubectl_ok(&["set", "image", "daemonset/agent", "c=agent:2"])
        .await;
    let wait = ["wait", "daemonset/agent", "--timeout=60s"];
    let condition = "--for=condition=Progressing=Unknown";
    lab.kubectl_ok(&[&wait[..], &[condition]].concat()).await;
    let waits = "Progressing Unknown AwaitingApproval";
    until(&lab, &[&foreign[..], &[available, waits]].concat()).await;
    let all = conditions(&lab).await;
    assert_eq!(all[..2], stored[..2], "as they were read");
    let message = all[3]["message"].as_str().expect("a message");
    let (text, keys) = message.rsplit_once(" (keys ").expect("a digest");
    let hash = text.rsplit_once(": ").expect("the hash").1;
    let digest = keys.strip_suffix(')').expect("its end");
    assert!(digest.len() == 10, "{message}");

    annotate(&lab, &[&format!("approve={hash}")]).await;
    let reason = "--for=jsonpath={.status.conditions[?(@.type==\"Progressing\")].reason}=Complete";
    lab.kubectl_ok(&[&wait[..], &[reason]].concat()).await;
    lab.kubectl_ok(&[&wait[..], &["--for=condition=Available"]].concat())
        .await;
    until(&lab, &[&foreign[..], &[available, complete]].concat()).await;
    for event in ["RolloutStarted", "CanaryReady", "RolloutComplete"] {
        let what = format!("one {event}");
        lab.until(&what, SOON, async || same(lab.events(event).await.len(), 1))
            .await;
    }

    annotate(&lab, &["bake=approvall"]).await;
    lab.kubectl_ok(&[&wait[..], &["--for=condition=Stalled"]].concat())
        .await;
    annotate(&lab, &["bake-", "canary-", "approve-"]).await;
    until(&lab, &foreign).await;
    assert_eq!(conditions(&lab).await, stored);
    ours.expect_running();
}

/// The built-in controller writes the whole status, and keeps what it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_stay_under_the_built_in_controller_and_are_corrected_after_it() {
    if built_in() {
        return; // it is both sides here
    }
    let mut lab = Lab::alone("conditions-back").await;
    lab.add_nodes(1..=NODES).await;
    let mut ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate" });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    annotate(&lab, &["hold=rollout"]).await;
    until(
        &lab,
        &["Available True PodsAvailable", "Progressing True Complete"],
    )
    .await;
    lab.kubectl_ok(&["set", "image", "daemonset/agent", "c=agent:2"])
        .await;
    let held = ["Available True PodsAvailable", "Progressing Unknown Paused"];
    until(&lab, &held).await;
    let before = conditions(&lab).await;
    ours.terminate(std::time::Duration::from_secs(10))
        .await
        .expect("it ends");
    let theirs = lab.plane.start_built_in();
    lab.until("it rolls out what was held", 2 * SOON, async || {
        let status = lab.status("agent").await?;
        let seen = (status.updated_number_scheduled, status.number_available);
        same(seen, (Some(NODES as i32), Some(NODES as i32)))
    })
    .await;
    assert_eq!(conditions(&lab).await, before);
    drop(theirs);
    let mut ours = Controller::start(&lab);
    until(
        &lab,
        &["Available True PodsAvailable", "Progressing True Complete"],
    )
    .await;
    ours.expect_running();
}
