//! `hold`, `resume` and `approve`: the patches that they send, what they refuse, and the plugin of
//! kubectl.

use std::{os::unix::fs::symlink, time::Duration};

use daemonset_controller::sim::api::{Act, ApiStatus, Entry};
use serde_json::{Value, json};

use crate::simulated::{AGENT, BINARY, Cluster, ended};

fn canary(more: &[(&str, &str)]) -> Value {
    let mut keys = json!({
        "daemonset-controller.io/canary": "1", "daemonset-controller.io/bake": "approval",
    });
    for (key, value) in more {
        keys[format!("daemonset-controller.io/{key}")] = (*value).into();
    }
    keys
}

/// The bodies of the patches that the commands sent.
fn patches(cluster: &Cluster) -> Vec<Value> {
    let sent = |e: &Entry| e.method == "PATCH" && &*e.client == "command";
    let sent = cluster.server.requests(sent).into_iter();
    sent.map(|e| serde_json::from_slice(&e.body).unwrap())
        .collect()
}

#[test]
fn hold_and_resume_change_one_annotation_of_the_object_that_was_seen() {
    let cluster = Cluster::updating(json!({}));
    let before = cluster.agent();
    let answer = cluster.run(&["hold", "logging/agent"]);
    assert_eq!(
        (answer.code, &*answer.stdout),
        (0, "daemonset.apps/agent held\n")
    );
    let seen = &before["metadata"];
    let expected = json!({ "metadata": {
        "uid": seen["uid"], "resourceVersion": seen["resourceVersion"],
        "annotations": { "daemonset-controller.io/hold": "rollout" },
    } });
    assert_eq!(patches(&cluster), [expected]);
    assert_eq!(cluster.key("hold"), "rollout");

    let answer = cluster.run(&["hold", "logging/agent"]);
    assert_eq!(
        (answer.code, &*answer.stdout),
        (0, "daemonset.apps/agent is held already\n")
    );
    let answer = cluster.run(&["hold", "logging/agent", "--all"]);
    assert_eq!(
        answer.stdout,
        "daemonset.apps/agent held with all of its upkeep\n"
    );
    // `hold` never makes a hold weaker.
    let answer = cluster.run(&["hold", "logging/agent"]);
    assert!(
        answer.stdout.contains("is held already, with all"),
        "{}",
        answer.stdout
    );
    assert_eq!(cluster.key("hold"), "all");

    let answer = cluster.run(&["resume", "logging/agent"]);
    assert_eq!(
        (answer.code, &*answer.stdout),
        (0, "daemonset.apps/agent resumed\n")
    );
    assert_eq!(cluster.key("hold"), Value::Null);
    let answer = cluster.run(&["resume", "logging/agent"]);
    assert_eq!(
        (answer.code, &*answer.stdout),
        (0, "daemonset.apps/agent is not held by an annotation\n")
    );
    assert_eq!(patches(&cluster).len(), 3);
    // What is held, and by no annotation, is held by the cluster's defaults.
    let paused = json!([{ "type": "Progressing", "status": "Unknown", "reason": "Paused" }]);
    cluster.observed("agent", paused);
    let answer = cluster.run(&["resume", "logging/agent"]);
    let command = "kubectl annotate daemonset -n logging agent daemonset-controller.io/hold=off\n";
    assert!(answer.stdout.ends_with(command), "{}", answer.stdout);
}

#[test]
fn a_conflict_is_looked_at_again_and_a_dry_run_stores_nothing() {
    let cluster = Cluster::updating(json!({}));
    let is_patch = |e: &Entry| e.is("PATCH", "/daemonsets/agent");
    let conflict = ApiStatus::new(409, "Conflict", "the object has been modified");
    cluster.server.rule(2, is_patch, Act::Refuse(conflict));
    let answer = cluster.run(&["hold", "logging/agent"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(patches(&cluster).len(), 3);
    assert_eq!(cluster.key("hold"), "rollout");

    let answer = cluster.run(&["resume", "logging/agent", "--dry-run=server"]);
    assert_eq!(
        answer.stdout,
        "daemonset.apps/agent resumed (server dry run)\n"
    );
    let asked = cluster.server.requests(is_patch);
    assert!(asked.last().unwrap().query.contains("dryRun=All"));
    assert_eq!(cluster.key("hold"), "rollout");
}

#[test]
fn the_right_that_is_missing_is_named() {
    let cluster = Cluster::updating(json!({}));
    let denied = || {
        Act::Refuse(ApiStatus::new(
            403,
            "Forbidden",
            "User \"jane\" cannot do it",
        ))
    };
    cluster
        .server
        .rule(1, |e| e.is("PATCH", "/daemonsets/agent"), denied());
    let answer = cluster.run(&["hold", "logging/agent"]);
    assert_eq!(answer.code, 4);
    assert_eq!(
        answer.stderr,
        "error: cannot patch daemonsets logging/agent: denied (403: User \"jane\" cannot do it); grant patch on \
         daemonsets (API group \"apps\") to this identity with a Role or ClusterRole and its binding\n"
    );
    cluster
        .server
        .rule(1, |e| e.is("GET", "/daemonsets/agent"), denied());
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!(answer.code, 4);
    assert!(
        answer
            .stderr
            .contains("grant get on daemonsets (API group \"apps\")"),
        "{}",
        answer.stderr
    );
    cluster.server.rule(1, |e| e.is("GET", "/nodes"), denied());
    let answer = cluster.run(&["status", "logging/agent"]);
    assert_eq!(answer.code, 4);
    let said = "cannot list nodes at cluster scope: denied (403: User \"jane\" cannot do it); grant get, list and watch";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    cluster
        .server
        .rule(1, |e| e.is_watch() && e.path.ends_with("/pods"), denied());
    let answer = cluster.run(&["status", "logging/agent", "--wait"]);
    assert_eq!(answer.code, 4, "{}", answer.stdout);
    assert!(
        answer.stderr.contains("cannot watch objects of kind Pod"),
        "{}",
        answer.stderr
    );
}

#[test]
fn approve_takes_the_hash_that_waits_and_no_other() {
    let cluster = Cluster::updating(canary(&[]));
    let answer = cluster.run(&["approve", "logging/agent", "aaaa"]);
    assert_eq!((answer.code, &*answer.stdout), (1, ""));
    assert_eq!(
        answer.stderr,
        "error: aaaa is not the hash of the present template of DaemonSet logging/agent, which is bbbb (revision \
         agent-bbbb): nothing was approved; --force approves it all the same\n"
    );
    assert_eq!(patches(&cluster), [] as [Value; 0]);
    let answer = cluster.run(&["approve", "logging/agent"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(
        answer.stdout,
        "revision agent-bbbb, hash bbbb, images registry.example/agent:2\ndaemonset.apps/agent approved\n"
    );
    assert_eq!(cluster.key("approve"), "bbbb");
    let answer = cluster.run(&["approve", "ds", "agent", "bbbb", "-n", "logging"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer
            .stdout
            .ends_with("has revision bbbb approved already\n"),
        "{}",
        answer.stdout
    );
    let answer = cluster.run(&["approve", "logging/agent", "aaaa", "--force"]);
    assert!(
        answer
            .stdout
            .starts_with("hash aaaa: not that of the present template, which is bbbb\n"),
        "{}",
        answer.stdout
    );
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(cluster.key("approve"), "aaaa");
}

#[test]
fn approve_says_when_nothing_waits() {
    for annotations in [json!({}), canary(&[("hold", "rollout")])] {
        let cluster = Cluster::updating(annotations.clone());
        let answer = cluster.run(&["approve", "logging/agent"]);
        assert_eq!(answer.code, 1, "{annotations}: {}", answer.stderr);
        assert!(
            answer
                .stderr
                .contains("nothing of DaemonSet logging/agent waits for an approval"),
            "{}",
            answer.stderr
        );
        assert!(
            answer
                .stderr
                .contains("daemonset-controller approve logging/agent bbbb")
        );
        assert_eq!(patches(&cluster), [] as [Value; 0]);
    }
}

/// What comes between looking and writing decides: another status is no matter, another template
/// is not what was looked at.
#[test]
fn no_template_is_approved_that_came_after_the_one_that_was_looked_at() {
    let template =
        json!({ "spec": { "containers": [{ "name": "c", "image": "registry.example/agent:3" }] } });
    for (path, change, code) in [
        (
            format!("{AGENT}/status"),
            json!({ "status": { "numberReady": 1 } }),
            0,
        ),
        (
            AGENT.to_owned(),
            json!({ "spec": { "template": template } }),
            1,
        ),
    ] {
        let cluster = Cluster::updating(canary(&[]));
        let is_patch = |e: &Entry| e.method == "PATCH" && &*e.client == "command";
        let late = Act::Delay(Duration::from_secs(1));
        cluster.server.rule(1, is_patch, late);
        let mut approve = cluster.command(BINARY, &["approve", "logging/agent"]);
        let running = std::thread::spawn(move || ended(&mut approve));
        cluster.wait_for(is_patch);
        cluster.patch(&path, change);
        let answer = running.join().unwrap();
        assert_eq!(answer.code, code, "{path}: {}", answer.stderr);
        let approved = if code == 0 {
            json!("bbbb")
        } else {
            Value::Null
        };
        assert_eq!(cluster.key("approve"), approved, "{path}");
        let said = answer
            .stderr
            .contains("the spec of DaemonSet logging/agent was changed meanwhile");
        assert_eq!(said, code == 1, "{}", answer.stderr);
    }
}

#[test]
fn a_tool_that_may_take_it_back_is_named() {
    for (labels, annotations, tool) in [
        (
            json!({ "app.kubernetes.io/managed-by": "Helm" }),
            json!({}),
            Some("Helm"),
        ),
        (
            json!({ "app.kubernetes.io/managed-by": "jane" }),
            json!({}),
            None,
        ),
        (
            json!({}),
            json!({ "argocd.argoproj.io/tracking-id": "x" }),
            Some("Argo CD"),
        ),
        (
            json!({ "kustomize.toolkit.fluxcd.io/name": "x" }),
            json!({}),
            Some("Flux"),
        ),
    ] {
        let cluster = Cluster::updating(annotations);
        cluster.patch(AGENT, json!({ "metadata": { "labels": labels } }));
        let answer = cluster.run(&["hold", "logging/agent"]);
        assert_eq!(answer.code, 0);
        match tool {
            Some(tool) => {
                let start = format!("note: {tool} manages this DaemonSet (");
                assert!(answer.stderr.starts_with(&start), "{}", answer.stderr);
                assert!(answer.stderr.contains("daemonset-controller.io/hold"));
            }
            None => assert_eq!(answer.stderr, ""),
        }
    }
}

#[test]
fn the_binary_is_a_plugin_of_kubectl_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = directory.path().join("kubectl-daemonset");
    symlink(BINARY, &plugin).unwrap();
    let plugin = plugin.to_str().unwrap();
    let cluster = Cluster::updating(canary(&[]));
    let run = |args: &[&str]| ended(&mut cluster.command(plugin, args));
    let status = run(&["status", "logging/agent"]);
    assert_eq!(status.code, 2, "{}", status.stderr);
    let approve = "  kubectl daemonset approve logging/agent bbbb: all other nodes follow\n";
    assert!(status.stdout.contains(approve), "{}", status.stdout);
    assert!(!status.stdout.contains("daemonset-controller approve"));
    let plan = run(&["plan", "logging/agent"]);
    assert_eq!(plan.code, 0, "{}", plan.stderr);

    let help = run(&["--help"]).stdout;
    assert!(
        help.contains("Usage: kubectl daemonset <COMMAND>"),
        "{help}"
    );
    for command in [
        "status", "hold", "resume", "approve", "history", "handback", "explain", "plan",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command}: {help}"
        );
    }
    assert!(
        !help.contains("\n  run ") && !help.contains("\n  demo "),
        "{help}"
    );
    let help = run(&["status", "--help"]).stdout;
    assert!(help.contains("Usage: kubectl daemonset status "), "{help}");
    let wrong = run(&["run"]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert_eq!(run(&["status"]).code, 3);
}
