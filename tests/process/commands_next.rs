//! What `status` says a person can do after a failure, in a hold, and where the API server refuses
//! evictions: each step is right when it is typed in.

use std::fs;

use daemonset_controller::{model::Labels, plan::control::digest};
use serde_json::{Value, json};

use crate::commands_failing::{container, crashes, fail, go_back, record, rolled_out};
use crate::commands_status::valid;
use crate::plan_run::validate_as;
use crate::simulated::{AGENT, Cluster, REVISIONS};

/// The status, its exit code, and its steps: `command: what`, or `what` alone.
fn status(cluster: &Cluster) -> (Value, i32, Vec<String>) {
    let answer = cluster.run(&["status", "logging/agent", "-o", "json"]);
    let status = valid("status", &answer.stdout);
    let next = status["next"].as_array().unwrap().iter();
    let next = next.map(|step| {
        let what = step["what"].as_str().unwrap();
        let command = step["command"].as_str();
        command.map_or(what.to_owned(), |command| format!("{command}: {what}"))
    });
    let next = next.collect();
    (status, answer.code, next)
}

const TEMPLATE: &str = "apply a corrected template: another rollout begins";
const AGAIN: &str =
    "daemonset-controller approve logging/agent bbbb: the revision that failed is tried again";
const GOES_ON: &str = "daemonset-controller approve logging/agent bbbb: the rollout goes on; what failed until now is \
                       forgiven";
const FORGIVES: &str = "daemonset-controller approve logging/agent bbbb: what failed until now is forgiven; the hold \
                        stays until it is resumed";

fn undo(number: i64, to: &str) -> String {
    format!(
        "kubectl rollout undo daemonset/agent -n logging --to-revision={number}: all nodes go back to {to} revision"
    )
}

#[test]
fn after_a_pause_a_corrected_template_comes_first() {
    let cluster = rolled_out("pause");
    container(&cluster, "a", crashes(), 1);
    let (_, code, next) = status(&cluster);
    let stable = undo(1, "the stable");
    assert_eq!(
        (code, next),
        (1, vec![TEMPLATE.into(), GOES_ON.into(), stable])
    );
}

#[test]
fn nobody_is_sent_to_where_pods_fail_too_or_to_where_all_nodes_are() {
    let cluster = rolled_out("rollback");
    fail(&cluster);
    go_back(&cluster, &["a"]);
    container(&cluster, "a", crashes(), 1);
    let (paused, code, next) = status(&cluster);
    assert_eq!((code, &paused["stage"]), (1, &"RollbackPaused".into()));
    let message = "no further pod goes back: a node failed with the stable revision, first node-a: container c is in \
                   CrashLoopBackOff";
    assert_eq!(paused["message"], message);
    let why = "daemonset-controller explain logging/agent --all: pods of the stable revision fail too: look at why";
    assert_eq!(next, [why, TEMPLATE, AGAIN]);
    assert_eq!(cluster.run(&["explain", "logging/agent", "--all"]).code, 0);

    go_back(&cluster, &["b"]);
    let (back, code, next) = status(&cluster);
    assert_eq!((code, &back["stage"]), (1, &"RolledBack".into()));
    assert_eq!(next, [TEMPLATE, AGAIN]);
}

#[test]
fn a_first_install_has_nothing_to_go_back_to() {
    let cluster = Cluster::updating(json!({ "daemonset-controller.io/on-failure": "pause" }));
    let (code, _) = cluster.send("DELETE", &format!("{REVISIONS}/agent-aaaa"), "", &json!({}));
    assert_eq!(code, 200);
    let (_, _, next) = status(&cluster);
    assert_eq!(
        next,
        ["daemonset-controller hold logging/agent: no further pod is replaced"]
    );
    record(&cluster, json!({ "started": "2026-05-01T05:00:00Z" }));
    container(&cluster, "a", crashes(), 1);
    let (failed, _, next) = status(&cluster);
    assert_eq!(failed["stage"], "AutoPaused");
    assert_eq!(next, [TEMPLATE, GOES_ON]);
}

/// The one before, which kubectl takes without a number, is the one that failed.
#[test]
fn after_an_undo_the_newest_revision_that_has_not_failed_is_named() {
    let cluster = Cluster::updating(json!({ "daemonset-controller.io/on-failure": "pause" }));
    let set = cluster.agent();
    let mut template = set["spec"]["template"].clone();
    template["spec"]["containers"][0]["image"] = "registry.example/agent:bad".into();
    cluster.revision(&set, "cccc", 3, template, false);
    let failed = json!({ "failed": true, "when": "2026-05-01T06:30:00Z", "why": "x" }).to_string();
    let verdict = json!({ "state.daemonset-controller.io/verdict": failed });
    let verdict = json!({ "metadata": { "annotations": verdict } });
    cluster.patch(&format!("{REVISIONS}/agent-cccc"), verdict);
    let newest = json!({ "revision": 4 });
    cluster.patch(&format!("{REVISIONS}/agent-bbbb"), newest);
    record(&cluster, json!({ "completed": "2026-05-01T06:20:00Z" }));
    let (rolling, code, next) = status(&cluster);
    assert_eq!((code, &rolling["stage"]), (2, &"Rolling".into()));
    assert_eq!(next[1..], [undo(1, "an older")]);
}

#[test]
fn where_the_stable_revision_is_gone_the_ways_out_are_named() {
    let cluster = rolled_out("rollback");
    fail(&cluster);
    let (code, _) = cluster.send("DELETE", &format!("{REVISIONS}/agent-aaaa"), "", &json!({}));
    assert_eq!(code, 200);
    let (missing, code, next) = status(&cluster);
    assert_eq!(
        (code, &missing["stalled"]["rule"]),
        (1, &"PinnedRevisionMissing".into())
    );
    let pause = "kubectl annotate --overwrite daemonset -n logging agent daemonset-controller.io/on-failure=pause: no \
                 node goes back, and it is paused";
    assert_eq!(next, [TEMPLATE, AGAIN, pause]);
    let annotations = json!({ "daemonset-controller.io/on-failure": "pause" });
    cluster.patch(AGENT, json!({ "metadata": { "annotations": annotations } }));
    assert_eq!(status(&cluster).0["stage"], "AutoPaused");
}

#[test]
fn a_hold_on_a_rollout_that_failed_says_what_comes_after_it() {
    for (on_failure, why, then) in [
        (
            "pause",
            "AutoPaused",
            "the hold ends, and the rollout is paused again, because it has failed (AutoPaused)",
        ),
        (
            "rollback",
            "RolledBack",
            "the hold ends, and all nodes go back: the revision has failed",
        ),
    ] {
        let cluster = rolled_out(on_failure);
        container(&cluster, "a", crashes(), 1);
        fail(&cluster);
        assert_eq!(cluster.run(&["hold", "logging/agent"]).code, 0);
        let (held, code, next) = status(&cluster);
        assert_eq!((code, &held["stage"]), (2, &"Paused".into()));
        let resume = format!("daemonset-controller resume logging/agent: {then}");
        assert_eq!(next, [&*resume, FORGIVES]);
        let notes = held["notes"].to_string();
        let said = format!("the rollout has failed as well ({why}): ");
        assert!(notes.contains(&said), "{notes}");
    }
    let cluster = rolled_out("pause");
    assert_eq!(cluster.run(&["hold", "logging/agent"]).code, 0);
    let (held, _, next) = status(&cluster);
    assert_eq!(held["notes"], json!([]));
    assert_eq!(
        next,
        ["daemonset-controller resume logging/agent: the rollout goes on"]
    );
}

/// The conditions of a controller that has read these keys and cannot evict.
fn refused(keys: &Value) -> Value {
    let pairs = keys.as_object().unwrap().iter();
    let labels: Labels = pairs.map(|(k, v)| (&**k, v.as_str().unwrap())).collect();
    let digest = digest::of_keys(&labels).expect("keys");
    let until = "until the disruption budget is corrected or deleted, or the key \
                 daemonset-controller.io/replace-by is removed or off";
    let words = "two disruption budgets select it";
    json!([
        {
            "type": "Progressing", "status": "Unknown", "reason": "Paused",
            "message": format!("Revision agent-bbbb is held: {words} (keys {digest})"),
        },
        {
            "type": "Stalled", "status": "True", "reason": "DisruptionBudgetUnusable",
            "message": format!("The pod stays, because it can never be evicted: {words}, {until}"),
        },
    ])
}

#[test]
fn what_only_the_controller_knows_of_evictions_is_read_from_its_condition() {
    let keys = json!({ "daemonset-controller.io/replace-by": "eviction" });
    let cluster = Cluster::updating(keys.clone());
    assert_eq!(status(&cluster).1, 2);
    cluster.observed("agent", refused(&keys));
    let (stalled, code, next) = status(&cluster);
    assert_eq!((code, &stalled["stage"]), (1, &"Paused".into()));
    let message =
        "the pod stays, because it can never be evicted: two disruption budgets select it";
    assert_eq!(stalled["message"], message);
    assert_eq!(stalled["stalled"]["rule"], "DisruptionBudgetUnusable");
    let correct = "correct or delete the disruption budget, or remove the key daemonset-controller.io/replace-by";
    assert_eq!(next, [correct]);
    let note = "only the controller knows what the API server answered to evictions";
    assert!(stalled["notes"].to_string().contains(note), "{stalled}");
    let waits = cluster.run(&["status", "logging/agent", "--wait"]);
    assert_eq!(waits.code, 1, "{}", waits.stdout);

    // Neither of other keys, nor of an older generation, nor where all is done.
    let other = json!({ "daemonset-controller.io/replace-by": "eviction", "daemonset-controller.io/bake": "1s" });
    cluster.observed("agent", refused(&other));
    assert_eq!(status(&cluster).1, 2);
    cluster.observed("agent", refused(&keys));
    cluster.patch(AGENT, json!({ "spec": { "minReadySeconds": 1 } }));
    assert_eq!(status(&cluster).1, 2);
    cluster.observed("agent", refused(&keys));
    cluster.complete();
    assert_eq!(status(&cluster).1, 0);
}

#[test]
fn explain_says_of_a_node_that_it_fails_and_the_overview_that_the_rollout_is_stalled() {
    let cluster = rolled_out("pause");
    container(&cluster, "a", crashes(), 1);
    let of = |node: &str| {
        cluster
            .run(&["explain", "logging/agent", "--node", node])
            .stdout
    };
    let said = "Fails       container c is in CrashLoopBackOff\n";
    assert!(of("node-a").contains(said), "{}", of("node-a"));
    assert!(!of("node-b").contains("Fails"), "{}", of("node-b"));
    let args = ["explain", "logging/agent", "--all", "-o", "json"];
    let all: Value = serde_json::from_str(&cluster.run(&args).stdout).unwrap();
    let schema = fs::read_to_string("docs/explain.schema.json").unwrap();
    let schema = jsonschema::draft202012::new(&serde_json::from_str(&schema).unwrap()).unwrap();
    schema.validate(&all).expect("as the schema says");
    assert_eq!(
        all["nodes"][0]["fails"],
        "container c is in CrashLoopBackOff"
    );
    let overview = cluster.run(&["plan", "-A", "-o", "json"]).stdout;
    let overview = validate_as("/$defs/overview", &overview);
    assert_eq!(overview[0]["stalled"], "AutoPaused");
    let all = cluster.run(&["plan", "-A"]).stdout;
    assert!(
        all.contains("stalled: AutoPaused; rollout: 2 nodes with"),
        "{all}"
    );
}

#[test]
fn a_value_of_several_lines_is_shown_on_one() {
    let rules = "[\n  {\"nodes\": \"pool=edge\",\n   \"containers\": {}}\n]";
    let cluster = Cluster::updating(json!({ "daemonset-controller.io/resources": rules }));
    let line = r#"[ {"nodes": "pool=edge", "containers": {}} ]"#;
    for (command, start) in [
        ("status", "Keys        resources="),
        ("plan", "  resources: "),
        ("explain", "  resources: "),
    ] {
        let all: &[&str] = if command == "explain" {
            &["--all"]
        } else {
            &[]
        };
        let text = cluster
            .run(&[&[command, "logging/agent"], all].concat())
            .stdout;
        assert!(text.contains(&format!("{start}{line}")), "{text}");
    }
}
