//! `on-failure: rollback`: the verdict, where all nodes go, and what lifts it.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::{Plan, Progress};
use daemonset_controller::wire::revision::verdict_text;
use serde_json::json;

/// Nodes a to d; this is recorded of the current revision.
fn plan_of(recorded: &[(&str, &str)], keys: &[(&str, &str)], pods: Vec<Object>) -> Plan {
    plan_on(nodes("a b c d"), recorded, keys, pods)
}

fn plan_on(
    nodes: Vec<Object>,
    recorded: &[(&str, &str)],
    keys: &[(&str, &str)],
    pods: Vec<Object>,
) -> Plan {
    let set = set_with(keys, json!(1), json!(0));
    let revisions = two_revisions(&set, 5_000, recorded).into_iter();
    Cluster::bare(set, revisions.chain(nodes).chain(pods)).plan()
}

fn new(node: &str) -> Object {
    super::keyed::new(node, 1_000)
}

fn standing(plan: &Plan) -> (&'static str, Option<&'static str>) {
    let standing = plan.standing.as_ref().expect("a standing");
    let stalled = standing.stalled.as_ref().map(|rule| rule.as_str());
    (standing.progress.as_str(), stalled)
}

fn verdict(seconds: i64) -> String {
    let at = ago(seconds);
    format!(r#"{{"failed":true,"when":"{at}","node":"b","why":"it crashed"}}"#)
}

const BACK: &[(&str, &str)] = &[("on-failure", "rollback")];

#[test]
fn the_verdict_is_recorded_before_a_pod_goes_back() {
    let plan = plan_of(
        &[],
        BACK,
        vec![old("a"), restarted(new("b"), 3), old("c"), old("d")],
    );
    let (_, failed) = plan.revision_ops.set_failed.as_ref().expect("a verdict");
    assert_eq!(
        (failed.at, failed.cause.node.as_deref()),
        (now(), Some("b"))
    );
    assert_eq!(
        &*failed.cause.why,
        "container c has been restarted more than 2 times"
    );
    assert_eq!(gone(&plan), NONE);
    assert_eq!(standing(&plan), ("RollingBack", None));
    let told: Vec<&str> = plan.events.iter().map(|e| e.reason).collect();
    assert_eq!(told, ["RolloutFailed", "RollbackStarted"]);
    assert!(
        plan.events[1]
            .message
            .contains("from revision web-new to web-old")
    );
    // A hold comes first.
    let held = [("on-failure", "rollback"), ("hold", "rollout")];
    let plan = plan_of(&[], &held, vec![restarted(new("b"), 3)]);
    assert_eq!(plan.revision_ops.set_failed, None);
    // The deadline is a failure as well.
    let late = [("on-failure", "rollback"), ("deadline", "10m")];
    let plan = plan_of(
        &[],
        &late,
        vec![old("a"), unready(new("b")), old("c"), old("d")],
    );
    assert!(plan.revision_ops.set_failed.is_some());
}

#[test]
fn all_nodes_go_back_those_that_fail_first_and_within_the_budget() {
    let text = verdict(60);
    let back = |pods| plan_of(&[("verdict", &text)], BACK, pods);
    // Of available ones the one that fails goes before an older one.
    let pods = vec![
        new("a").created(9_000),
        restarted(new("b"), 3),
        new("c"),
        old("d"),
    ];
    let plan = back(pods);
    assert_eq!(gone(&plan), ["b"]);
    assert_eq!(standing(&plan), ("RollingBack", None));
    assert!(
        plan.holds
            .iter()
            .any(|hold| hold.rule.as_str() == "RolledBack")
    );
    // Strict: the built-in rule takes all that are not available at once.
    let pods = vec![
        unready(new("a")),
        unready(new("b")),
        unready(new("c")),
        old("d"),
    ];
    assert_eq!(gone(&back(pods)).len(), 1);
    // A node without a pod gets the stable revision; one with it keeps it.
    let plan = back(vec![old("a"), old("b"), old("c")]);
    let created: Vec<(&str, &str)> = plan
        .creates
        .iter()
        .map(|c| (&*c.node, &*c.revision))
        .collect();
    assert_eq!((created, gone(&plan).len()), (vec![("d", OLD)], 0));
    let plan = back(["a", "b", "c", "d"].map(old).into());
    assert_eq!(standing(&plan), ("RolledBack", Some("RolledBack")));
    assert!(plan.deletes.is_empty() && plan.creates.is_empty());
    assert_eq!(plan.status.expect("a status").updated_number_scheduled, 0);
    // It never completes, although all of its pods are available again.
    let plan = back(["a", "b", "c", "d"].map(new).into());
    assert_eq!(plan.revision_ops.set_completed, None);
    assert_eq!(plan.revision_ops.set_failed, None, "never a second one");
}

#[test]
fn what_lifts_a_verdict_and_what_does_not() {
    let pods = || vec![old("a"), new("b"), old("c"), old("d")];
    let approved = |seconds: i64| format!(r#"{{"at":"{}","restarts":{{}}}}"#, ago(seconds));
    for (what, recorded, keys, stands) in [
        ("alone", vec![("verdict", verdict(60))], BACK, true),
        (
            "an approval before",
            vec![("verdict", verdict(60)), ("approved", approved(61))],
            BACK,
            true,
        ),
        (
            "one after",
            vec![("verdict", verdict(60)), ("approved", approved(59))],
            BACK,
            false,
        ),
        ("of tomorrow", vec![("verdict", verdict(-60))], BACK, false),
        ("unreadable", vec![("verdict", "yes".into())], BACK, false),
        (
            "no key",
            vec![("verdict", verdict(60))],
            &[("on-failure", "continue")],
            false,
        ),
        (
            "completed",
            vec![("verdict", verdict(60)), ("completed", ago(10))],
            BACK,
            false,
        ),
    ] {
        let recorded: Vec<(&str, &str)> = recorded.iter().map(|(k, v)| (*k, &**v)).collect();
        let plan = plan_of(&recorded, keys, pods());
        let back = plan
            .holds
            .iter()
            .any(|hold| hold.rule.as_str() == "RolledBack");
        assert_eq!(back, stands, "{what}");
        let goes = if stands { "b" } else { "a" };
        assert_eq!(gone(&plan), [goes], "{what}");
    }
    // The approval is recorded first, whatever failed.
    let keys = [("on-failure", "rollback"), ("approve", NEW)];
    let text = verdict(60);
    let plan = plan_of(&[("verdict", &text)], &keys, pods());
    assert!(plan.revision_ops.set_approved.is_some());
}

#[test]
fn a_failure_on_the_way_back_pauses() {
    let text = verdict(60);
    let back = |pod: Object| {
        let pods = vec![pod, new("b"), new("c"), old("d")];
        plan_of(&[("verdict", &text)], BACK, pods)
    };
    // A pod that was there before says nothing.
    assert_eq!(
        standing(&back(restarted(old("a"), 9))),
        ("RollingBack", None)
    );
    let plan = back(restarted(old("a").created(30).ready(30), 3));
    assert_eq!(standing(&plan), ("RollbackPaused", Some("RollbackPaused")));
    assert_eq!(gone(&plan), NONE);
    // It is about the stable revision.
    let said =
        "no further pod goes back: a node failed with the stable revision, first a: container ";
    let stalled = plan.standing.as_ref().and_then(|s| s.stalled.as_ref());
    let message = stalled.expect("a rule").message();
    assert!(message.starts_with(said), "{message}");
    let told = plan.events.iter().find(|e| e.reason == "RolloutFailed");
    let told = &told.expect("an event").message;
    let event = format!("The way back from revision web-new is paused: {message}");
    assert_eq!(*told, event);
    // It is recorded as well, and stays whatever the pod does then.
    let (_, failed) = plan.revision_ops.set_failed.expect("a verdict");
    let cause = failed.back.clone().expect("a cause");
    assert_eq!((cause.node.as_deref(), cause.failing), (Some("a"), Some(1)));
    let text = verdict_text(&failed);
    let pods = vec![old("a").created(30).ready(30), new("b"), new("c"), old("d")];
    let later = plan_of(&[("verdict", &text)], BACK, pods.clone());
    assert_eq!(standing(&later), ("RollbackPaused", Some("RollbackPaused")));
    assert_eq!(
        (gone(&later), later.revision_ops.set_failed),
        (vec![], None)
    );
    let more = [("on-failure", "rollback,tolerate=1")];
    let allowed = plan_of(&[("verdict", &text)], &more, pods);
    assert_eq!(standing(&allowed), ("RollingBack", None));
}

/// A pod that crashes goes with the verdict, and the next one is created in that second, of which
/// the API server keeps no fraction.
#[test]
fn a_pod_of_the_second_of_the_verdict_is_of_the_way_back() {
    let at = ago(60).replace('Z', ".9Z");
    let text = format!(r#"{{"failed":true,"when":"{at}","node":"b","why":"it crashed"}}"#);
    for (seconds, stage) in [(60, "RollbackPaused"), (61, "RollingBack")] {
        let pod = restarted(old("a").created(seconds).ready(30), 3);
        let plan = plan_of(&[("verdict", &text)], BACK, vec![pod, new("b")]);
        assert_eq!(standing(&plan).0, stage, "{seconds} s old");
    }
}

/// In a large cluster some node is always down, and some pod not ready.
#[test]
fn what_is_upkeep_and_what_is_down_keep_nobody_from_learning_that_all_went_back() {
    let text = verdict(60);
    let over = |pods: Vec<Object>| standing(&plan_of(&[("verdict", &text)], BACK, pods));
    let back = |node: &str| old(node).created(30).ready(20);
    let rolled_back = ("RolledBack", Some("RolledBack"));
    let all = |d: Vec<Object>| {
        let pods = vec![old("a"), back("b"), old("c")];
        pods.into_iter().chain(d).collect::<Vec<_>>()
    };
    assert_eq!(over(all(vec![old("d")])), rolled_back);
    assert_eq!(over(all(vec![unready(old("d"))])), rolled_back);
    let going = ("RollingBack", None);
    assert_eq!(over(all(vec![unready(back("d"))])), rolled_back);
    assert_eq!(over(all(vec![])), rolled_back);
    assert_eq!(over(all(vec![new("d")])), going);
    assert_eq!(over(all(vec![new("d").terminating()])), going);
    // Its pod of the revision that failed cannot end while the node is down.
    let down = json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}});
    for there in [new("d").terminating(), old("d")] {
        let nodes = vec![
            node("a"),
            node("b"),
            node("c"),
            node("d").with(down.clone()),
        ];
        let plan = plan_on(nodes, &[("verdict", &text)], BACK, all(vec![there]));
        assert_eq!(standing(&plan), rolled_back);
    }
}

#[test]
fn without_a_stable_revision_it_pauses_and_says_so() {
    let set = set_with(BACK, json!(1), json!(0));
    let current = revision(NEW, 1, &set.json["spec"]["template"]);
    let current = current.with(state("started", ago(5_000)));
    let plan = Cluster::bare(set, [current, node("a"), restarted(new("a"), 3)]).plan();
    assert!(plan.revision_ops.set_failed.is_some());
    let standing = plan.standing.expect("a standing");
    let Progress::AutoPaused(rule) = standing.progress else {
        panic!("{:?}", standing.progress);
    };
    let said = rule.message();
    assert!(
        said.ends_with("there is no stable revision to go back to"),
        "{said}"
    );
}
