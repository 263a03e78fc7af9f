//! `handback`: what it says that the built-in controller would do, what it removes, and when it
//! refuses.

use daemonset_controller::sim::api::{Act, ApiStatus, Entry};
use serde_json::{Value, json};

use crate::{
    commands_status::valid,
    rollout_defaults::File,
    simulated::{Cluster, REVISIONS},
};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";

fn held() -> Value {
    json!({ "daemonset-controller.io/hold": "rollout" })
}

fn conditions() -> Value {
    json!([
        { "type": "Foreign", "status": "True", "reason": "Somebody", "message": "x" },
        { "type": "Available", "status": "True", "reason": "PodsAvailable", "message": "x" },
        { "type": "Progressing", "status": "Unknown", "reason": "Paused", "message": "x" },
    ])
}

/// The requests of commands that may change something.
fn writes(cluster: &Cluster) -> usize {
    let is_write = |e: &Entry| e.method != "GET" && &*e.client == "command";
    cluster.server.requests(is_write).len()
}

#[test]
fn a_check_names_what_the_built_in_controller_would_roll_out() {
    let cluster = Cluster::updating(held());
    let answer = cluster.run(&["handback", "--check", "-o", "json"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let handback = valid("handback", &answer.stdout);
    assert_eq!(handback["rollsOut"], true);
    let agent = &handback["daemonSets"][0];
    assert_eq!(agent["stage"], "Paused");
    assert_eq!((&agent["held"], &agent["old"]), (&json!(3), &json!(3)));
    // maxUnavailable is 1.
    assert_eq!(agent["atOnce"], json!({ "create": 0, "delete": 1 }));
    assert_eq!(agent["keys"], json!({ "hold": "rollout" }));

    let answer = cluster.run(&["handback", "--check", "-n", "logging"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let table = "\
NAMESPACE  NAME   STAGE   HELD  CREATE  DELETE  OLD  KEYS
logging    agent  Paused  3     0       1       3    hold=rollout
";
    assert!(answer.stdout.contains(table), "{}", answer.stdout);
    assert_eq!(writes(&cluster), 0);
    let answer = cluster.run(&["handback", "-A", "-n", "logging"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
}

#[test]
fn a_check_passes_where_nothing_is_held() {
    for annotations in [json!({}), held()] {
        let cluster = Cluster::updating(annotations.clone());
        if annotations == held() {
            cluster.complete();
        }
        let answer = cluster.run(&["handback", "--check"]);
        assert_eq!(
            answer.code, 0,
            "{annotations}: {}{}",
            answer.stdout, answer.stderr
        );
        let said = "The built-in controller would roll out nothing that is held here.\n";
        assert!(answer.stdout.starts_with(said), "{}", answer.stdout);
    }
    let answer = Cluster::start().run(&["handback", "--check", "-o", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(valid("handback", &answer.stdout)["daemonSets"], json!([]));
}

#[test]
fn a_check_names_daemon_sets_whose_revision_an_older_api_server_wrote() {
    let cluster = Cluster::updating(json!({}));
    cluster.complete();
    let set = cluster.agent();
    let mut template = set["spec"]["template"].clone();
    template["metadata"]["creationTimestamp"] = Value::Null;
    let path = format!("{REVISIONS}/agent-bbbb");
    let (code, _) = cluster.send("DELETE", &path, "application/json", &json!({}));
    assert_eq!(code, 200);
    cluster.revision(&set, "bbbb", 2, template, true);
    let answer = cluster.run(&["handback", "--check", "-o", "json"]);
    assert_eq!(answer.code, 1, "{}{}", answer.stdout, answer.stderr);
    let handback = valid("handback", &answer.stdout);
    let agent = &handback["daemonSets"][0];
    assert_eq!(
        (&agent["rollsOut"], &agent["held"], &agent["old"]),
        (&json!(true), &json!(0), &json!(4))
    );
    let note = "the current revision is one of Kubernetes 1.33 or older, which the built-in controller of later \
                versions does not know again: it would replace all pods of logging/agent; after the next change of \
                the template it would not";
    assert_eq!(handback["notes"], json!([note]));

    let on_delete =
        json!({ "spec": { "updateStrategy": { "type": "OnDelete", "rollingUpdate": null } } });
    cluster.patch(
        "/apis/apps/v1/namespaces/logging/daemonsets/agent",
        on_delete,
    );
    let answer = cluster.run(&["handback", "--check"]);
    assert_eq!(answer.code, 0, "{}", answer.stdout);
}

#[test]
fn a_check_says_what_becomes_of_pods_made_by_rules_of_resources() {
    let rules = r#"[{"nodes": "pool=edge", "containers": {"agent": {"limits": {"cpu": "1"}}}}]"#;
    let mut keys = held();
    for (rules, has_note) in [("off", false), (rules, true)] {
        keys["daemonset-controller.io/resources"] = json!(rules);
        let cluster = Cluster::updating(keys.clone());
        let answer = cluster.run(&["handback", "--check"]);
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        let note = "note: pods that were made by rules of the key resources stay as they are; those that the \
                    built-in controller makes have the resources of the template\n";
        assert_eq!(answer.stdout.contains(note), has_note, "{}", answer.stdout);
    }
}

#[test]
fn what_is_ours_is_removed_when_that_was_confirmed_and_no_controller_runs() {
    let cluster = Cluster::updating(held());
    cluster.observed("agent", conditions());
    let revision = format!("{REVISIONS}/agent-aaaa");
    let before = cluster.get(&revision);

    let answer = cluster.run(&["handback"]);
    assert_eq!(answer.code, 1);
    assert_eq!(
        answer.stderr,
        "error: nothing was removed: --yes removes it\n"
    );
    let to_be = "To be removed: 2 conditions of 1 DaemonSet, and the state of rollouts from 1 ControllerRevision.\n";
    assert!(answer.stdout.contains(to_be), "{}", answer.stdout);

    let now = jiff::Timestamp::now();
    let lease = json!({
        "metadata": { "name": "daemonset-controller", "namespace": "kube-system" },
        "spec": { "holderIdentity": "pod-1", "leaseDurationSeconds": 3600, "renewTime": format!("{now:.6}") },
    });
    cluster.post(LEASES, lease);
    let answer = cluster.run(&["handback", "--yes"]);
    assert_eq!(answer.code, 1);
    assert_eq!(
        answer.stderr,
        "error: nothing was removed: a controller of ours is running, and would write it again (the Lease \
         kube-system/daemonset-controller is held by pod-1); stop it first\n"
    );
    assert_eq!(writes(&cluster), 0);

    let released = json!({ "spec": { "holderIdentity": "" } });
    cluster.patch(&format!("{LEASES}/daemonset-controller"), released);
    let conflict = ApiStatus::new(409, "Conflict", "the object has been modified");
    let is_patch = |e: &Entry| e.is("PATCH", "/agent/status");
    cluster.server.rule(1, is_patch, Act::Refuse(conflict));
    let answer = cluster.run(&["handback", "--yes"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let removed = "\
DaemonSet logging/agent: removed conditions Available, Progressing
ControllerRevision logging/agent-aaaa: removed state.daemonset-controller.io/completed
";
    assert!(answer.stdout.ends_with(removed), "{}", answer.stdout);
    let agent = cluster.agent();
    let kinds: Vec<&Value> = agent["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["type"])
        .collect();
    assert_eq!(kinds, ["Foreign"]);
    assert_eq!(cluster.key("hold"), "rollout", "the keys are the user's");
    let after = cluster.get(&revision);
    assert_eq!(
        after["metadata"]["annotations"],
        json!({ "other": "stays" })
    );
    assert_eq!(after["data"], before["data"]);

    let count = writes(&cluster);
    let answer = cluster.run(&["handback", "--yes", "-o", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert_eq!(valid("handback", &answer.stdout)["recordedRevisions"], 0);
    assert_eq!(writes(&cluster), count);
}

#[test]
fn a_check_follows_the_cluster_defaults_and_counts_the_nodes_that_they_exclude() {
    let cluster = Cluster::updating(json!({}));
    let held = File::new("handback-held", "- set: {hold: rollout}\n");
    let args = ["handback", "--check", "-o", "json", "--rollout-defaults"];
    let check = |file: &File| {
        let answer = cluster.run(&[&args[..], &[file.path()]].concat());
        assert_eq!(answer.code, 1, "{}", answer.stderr);
        valid("handback", &answer.stdout)["daemonSets"][0].clone()
    };
    let agent = check(&held);
    assert_eq!(agent["keys"], json!({ "hold": "rollout" }));
    assert_eq!(
        (&agent["held"], &agent["stage"]),
        (&json!(3), &json!("Paused"))
    );

    // A node without a pod, because it is excluded.
    let labels = json!({ "fargate": "yes" });
    cluster.post(
        "/api/v1/nodes",
        json!({ "metadata": { "name": "virtual", "labels": labels } }),
    );
    let excluded = File::new(
        "handback-excluded",
        "- excludeNodes: fargate\n  set: {hold: rollout}\n",
    );
    let agent = check(&excluded);
    assert_eq!(
        agent["atOnce"]["create"], 1,
        "the built-in controller excludes no node"
    );
}

#[test]
fn what_only_unknown_cluster_defaults_explain_is_no_all_clear() {
    let cluster = Cluster::updating(json!({}));
    let paused = json!([{
        "type": "Progressing", "status": "Unknown", "reason": "Paused",
        "message": "Revision agent-bbbb is held: the key daemonset-controller.io/hold says so",
        "lastTransitionTime": "2026-06-01T00:00:00Z",
    }]);
    cluster.observed("agent", paused);
    let answer = cluster.run(&["handback", "--check", "-o", "json"]);
    assert_eq!(answer.code, 1, "{}", answer.stderr);
    let agent = &valid("handback", &answer.stdout)["daemonSets"][0];
    let message = agent["message"].as_str().expect("a message");
    assert!(message.contains("--rollout-defaults FILE"), "{message}");
    let answer = cluster.run(&["status", "logging/agent"]);
    assert!(
        answer.stderr.contains("--rollout-defaults FILE")
            || answer.stdout.contains("--rollout-defaults FILE"),
        "{}{}",
        answer.stdout,
        answer.stderr
    );
}

#[test]
fn a_namespace_without_daemon_sets_is_said_to_have_none() {
    let answer = Cluster::updating(held()).run(&["handback", "--check", "-n", "elsewhere"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let said = format!("{}{}", answer.stdout, answer.stderr);
    assert!(
        said.contains("there is no DaemonSet in namespace elsewhere"),
        "{said}"
    );
}
