//! `approve` once more, after a revision failed that was approved before: one annotation is one
//! approval, so it goes, the controller records that, and it is set again.

use daemonset_controller::sim::api::Entry;
use serde_json::{Value, json};

use crate::commands_failing::{container, crashes, fail, go_back, record, rolled_out};
use crate::plan_run::Answer;
use crate::simulated::{AGENT, BINARY, Cluster, ended};

const APPROVE: [&str; 3] = ["approve", "logging/agent", "bbbb"];

/// A rollout that was approved, as this text records, and failed later.
fn failed_again(on_failure: &str, recorded: &str) -> Cluster {
    let cluster = rolled_out(on_failure);
    container(&cluster, "a", crashes(), 1);
    let annotations = json!({ "daemonset-controller.io/approve": "bbbb" });
    cluster.patch(AGENT, json!({ "metadata": { "annotations": annotations } }));
    record(&cluster, json!({ "approved": recorded }));
    fail(&cluster);
    cluster
}

fn approved(withdrawn: &str) -> String {
    format!(r#"{{"at":"2026-05-01T06:10:00Z","restarts":{{"node-a":1}}{withdrawn}}}"#)
}

const WITHDRAWN: &str = r#","withdrawn":true"#;

fn is_patch(e: &Entry) -> bool {
    e.method == "PATCH" && &*e.client == "command"
}

/// What the commands made of the annotation, one value a patch.
fn values(cluster: &Cluster) -> Vec<Value> {
    let sent = cluster.server.requests(is_patch).into_iter();
    sent.map(|e| {
        let body: Value = serde_json::from_slice(&e.body).unwrap();
        body["metadata"]["annotations"]["daemonset-controller.io/approve"].clone()
    })
    .collect()
}

/// Approves, with a controller that records that the approval is over when the command looks.
fn approve(cluster: &Cluster) -> Answer {
    let mut command = cluster.command(BINARY, &APPROVE);
    let running = std::thread::spawn(move || ended(&mut command));
    // The first list of revisions is for the plan. One by name looks for the record.
    let looks = |e: &Entry| {
        e.method == "GET"
            && e.path.ends_with("/controllerrevisions")
            && e.query.contains("agent-bbbb")
    };
    cluster.wait_for(looks);
    record(cluster, json!({ "approved": approved(WITHDRAWN) }));
    running.join().unwrap()
}

#[test]
fn a_second_approval_is_the_annotation_removed_and_set_again() {
    for (on_failure, stage) in [("pause", "AutoPaused"), ("rollback", "RollingBack")] {
        let cluster = failed_again(on_failure, &approved(""));
        let status = cluster.run(&["status", "logging/agent"]).stdout;
        assert!(status.contains(stage), "{status}");
        let advised = "daemonset-controller approve logging/agent bbbb: ";
        assert!(status.contains(advised), "{status}");
        let answer = approve(&cluster);
        assert_eq!((answer.code, &*answer.stderr), (0, ""));
        let done = "\
revision agent-bbbb, hash bbbb, images registry.example/agent:2
daemonset.apps/agent no longer approved, so that it can be approved anew
daemonset.apps/agent approved
";
        assert_eq!(answer.stdout, done);
        assert_eq!(values(&cluster), [Value::Null, "bbbb".into()]);
        assert_eq!(cluster.key("approve"), "bbbb");
    }
}

#[test]
fn it_is_the_same_when_all_have_gone_back_or_the_rollout_is_held_too() {
    let back = failed_again("rollback", &approved(""));
    go_back(&back, &["a", "b"]);
    let held = failed_again("pause", &approved(""));
    assert_eq!(held.run(&["hold", "logging/agent"]).code, 0);
    for (cluster, stage) in [(back, "RolledBack"), (held, "Paused")] {
        let status = cluster.run(&["status", "logging/agent"]).stdout;
        assert!(
            status.contains(&format!("Stage       {stage}: ")),
            "{status}"
        );
        let answer = approve(&cluster);
        assert_eq!((answer.code, &*answer.stderr), (0, ""));
        assert_eq!(cluster.key("approve"), "bbbb");
        assert!(values(&cluster).ends_with(&[Value::Null, "bbbb".into()]));
    }
}

/// As after a command that was ended while it waited.
#[test]
fn a_removed_annotation_is_set_only_when_the_controller_has_seen_that_it_went() {
    let cluster = failed_again("pause", &approved(""));
    let none = json!({ "daemonset-controller.io/approve": null });
    cluster.patch(AGENT, json!({ "metadata": { "annotations": none } }));
    let answer = approve(&cluster);
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    assert_eq!(values(&cluster), ["bbbb"]);
}

#[test]
fn an_approval_that_is_not_used_up_stays_as_it_is() {
    for recorded in [&*approved(WITHDRAWN), "{}"] {
        let cluster = failed_again("pause", recorded);
        let answer = cluster.run(&APPROVE);
        assert_eq!((answer.code, &*answer.stderr), (0, ""));
        let said =
            "has revision bbbb approved already, which the controller has not acted on yet\n";
        assert!(answer.stdout.ends_with(said), "{}", answer.stdout);
        assert_eq!(values(&cluster), [] as [Value; 0]);
    }
}

#[test]
fn a_dry_run_waits_for_nobody() {
    let cluster = failed_again("pause", &approved(""));
    let answer = cluster.run(&[&APPROVE[..], &["--dry-run=server"]].concat());
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    let said = "approved anew, once the controller has recorded that the approval before is over (server dry run)\n";
    assert!(answer.stdout.ends_with(said), "{}", answer.stdout);
    assert_eq!(values(&cluster), [Value::Null]);
    assert_eq!(cluster.key("approve"), "bbbb");
}
