//! `on-failure`: which nodes fail, what a pause keeps, and what an approval lifts.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::model::Approved;
use daemonset_controller::plan::{Hold, HoldRule, Plan, Progress};
use daemonset_controller::wire::revision::verdict_text;
use serde_json::json;

/// The rollout of the current revision began 5,000 s ago, and this is recorded of it besides.
fn cluster_with(
    recorded: &[(&str, &str)],
    set: Object,
    objects: impl IntoIterator<Item = Object>,
) -> Cluster {
    let revisions = two_revisions(&set, 5_000, recorded).into_iter();
    Cluster::bare(set, revisions.chain(objects))
}

fn plan_of(keys: &[(&str, &str)], objects: impl IntoIterator<Item = Object>) -> Plan {
    cluster_with(&[], set(keys), objects).plan()
}

/// A pod of the current revision, so many seconds old and available all the time.
fn new(node: &str, seconds: i64) -> Object {
    let pod = pod(&format!("new-{node}")).on(node);
    pod.created(seconds).ready(seconds)
}

fn waiting(pod: Object, reason: &str) -> Object {
    unready(pod).with(json!({"status": {"containerStatuses": [
        {"name": "c", "restartCount": 0, "state": {"waiting": {"reason": reason}}},
    ]}}))
}

fn failed(pod: Object, reason: Option<&str>) -> Object {
    unready(pod).with(json!({"status": {"phase": "Failed", "reason": reason}}))
}

fn down(name: &str, since: i64) -> Object {
    node(name).with(json!({"status": {"conditions": [
        {"type": "Ready", "status": "False", "lastTransitionTime": ago(since)},
    ]}}))
}

/// The pause, in words; None where there is none.
fn paused(plan: &Plan) -> Option<String> {
    let mut rules = plan.holds.iter().map(|hold: &Hold| &hold.rule);
    let pause = rules.find(|rule| matches!(rule, HoldRule::AutoPaused(_)))?;
    let message = pause.message();
    let (_, why) = message.split_once("revision: ").expect("what, and why");
    Some(why.to_owned())
}

const PAUSE: &[(&str, &str)] = &[("on-failure", "pause")];

#[test]
fn each_reason_pauses_the_rollout() {
    let x = || new("x", 1_000);
    let finished = |seconds: i64| {
        json!({"status": {"containerStatuses": [{
            "name": "c", "restartCount": 1, "state": {"waiting": {"reason": "ErrImagePull"}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": ago(seconds)}},
        }]}})
    };
    let twice = "container c has been restarted more than 2 times";
    let image = "container c cannot be started: ImagePullBackOff";
    let taken_down = "the node is not ready, and has not been since it got the new revision";
    for (what, pod, on, why) in [
        ("two restarts", restarted(x(), 2), node("x"), None),
        ("three", restarted(x(), 3), node("x"), Some(twice)),
        (
            "a crash",
            waiting(x(), "CrashLoopBackOff"),
            node("x"),
            Some("container c is in CrashLoopBackOff"),
        ),
        (
            "an image",
            waiting(x(), "ErrImagePull"),
            node("x"),
            Some(image),
        ),
        (
            "backoff",
            waiting(x(), "ImagePullBackOff"),
            node("x"),
            Some(image),
        ),
        (
            "a name",
            waiting(x(), "InvalidImageName"),
            node("x"),
            Some("container c cannot be started: InvalidImageName"),
        ),
        (
            "an error",
            waiting(x(), "CreateContainerError"),
            node("x"),
            Some("container c cannot be started: CreateContainerError"),
        ),
        (
            "a config",
            waiting(x(), "CreateContainerConfigError"),
            node("x"),
            Some("container c cannot be started: CreateContainerConfigError"),
        ),
        (
            "being created",
            waiting(x(), "ContainerCreating"),
            node("x"),
            None,
        ),
        (
            "an image for 59 s",
            waiting(new("x", 59), "ErrImagePull"),
            node("x"),
            None,
        ),
        (
            "an image for 60 s",
            waiting(new("x", 60), "ErrImagePull"),
            node("x"),
            Some(image),
        ),
        (
            "an image since the last run",
            unready(x()).with(finished(59)),
            node("x"),
            None,
        ),
        (
            "it failed",
            failed(x(), None),
            node("x"),
            Some("its pod failed"),
        ),
        (
            "it failed by itself",
            failed(x(), Some("DeadlineExceeded")),
            node("x"),
            Some("its pod failed"),
        ),
        (
            "by a shutdown",
            failed(x(), Some("NodeShutdown")),
            node("x"),
            None,
        ),
        ("by pressure", failed(x(), Some("Evicted")), node("x"), None),
        (
            "for another",
            failed(x(), Some("Preempting")),
            node("x"),
            None,
        ),
        ("no room", failed(x(), Some("OutOfcpu")), node("x"), None),
        ("down since", unready(x()), down("x", 999), Some(taken_down)),
        ("down before", unready(x()), down("x", 1_001), None),
    ] {
        // The first node, of those that fail, is named.
        let plan = plan_of(PAUSE, [on, pod, node("a"), old("a")]);
        let said = why.map(|why| format!("a node failed, first x: {why}"));
        assert_eq!(paused(&plan), said, "{what}");
        let rest = gone(&plan).contains(&"a".to_owned());
        assert_eq!(rest, why.is_none(), "{what}: {:?}", plan.deletes);
    }
}

#[test]
fn an_image_error_wakes_when_its_minute_is_over() {
    let pods = [waiting(new("x", 20), "ErrImagePull"), new("y", 2_000)];
    let plan = plan_of(PAUSE, [node("x"), node("y")].into_iter().chain(pods));
    assert_eq!((paused(&plan), plan.wake_at), (None, Some(later(40))));
}

#[test]
fn only_the_target_is_judged_and_only_until_it_completed() {
    let x = || {
        [
            node("x"),
            restarted(new("x", 1_000), 9),
            node("a"),
            old("a"),
        ]
    };
    assert!(paused(&plan_of(PAUSE, x())).is_some());
    // An old pod that crashes is the past.
    let plan = plan_of(PAUSE, [node("x"), restarted(old("x"), 9)]);
    assert_eq!((paused(&plan), gone(&plan)), (None, vec!["x".to_owned()]));
    let recorded = |state: &[(&str, &str)]| cluster_with(state, set(PAUSE), x()).plan();
    assert_eq!(paused(&recorded(&[("completed", &ago(10))])), None);
    // Before its begin is recorded nothing is known of it.
    let fresh = recorded(&[("started", "soon")]);
    assert_eq!(paused(&fresh), None);
    assert!(fresh.revision_ops.set_started.is_some());
    // Keys that do not ask.
    assert_eq!(paused(&plan_of(&[("budget", "strict")], x())), None);
    assert_eq!(paused(&plan_of(&[("on-failure", "continue")], x())), None);
}

#[test]
fn nodes_that_are_exempt_do_not_fail() {
    let leaving = || node("x").taint("ToBeDeletedByClusterAutoscaler=1:NoSchedule");
    let plan = |keys| {
        let x = [leaving(), restarted(new("x", 1_000), 9)];
        plan_of(keys, x.into_iter().chain([node("a"), old("a")]))
    };
    assert!(paused(&plan(PAUSE)).is_some());
    let exempt = plan(&[("on-failure", "pause"), ("budget", "bad-nodes=9")]);
    assert_eq!(
        (paused(&exempt), gone(&exempt)),
        (None, vec!["a".to_owned()])
    );
}

#[test]
fn as_many_as_are_tolerated_may_fail() {
    let failing = |n: usize| (0..n).map(|i| restarted(new(&format!("n-{i}"), 1_000), 3));
    let nodes = || (0..10).map(|i| node(&format!("n-{i}")));
    for (value, most) in [
        ("pause", 0),
        ("pause,tolerate=2", 2),
        ("pause,tolerate=11%", 2),
        ("pause,tolerate=0%", 0),
        ("continue", 9),
    ] {
        for (count, pauses) in [(most, false), (most + 1, true)] {
            let rest = (count..10).map(|i| old(&format!("n-{i}")));
            let objects = nodes().chain(failing(count)).chain(rest);
            let plan = plan_of(&[("on-failure", value)], objects);
            let pauses = pauses && !value.starts_with("continue");
            assert_eq!(paused(&plan).is_some(), pauses, "{value}: {count}");
            let left = if pauses { 0 } else { 10 - count };
            assert_eq!(gone(&plan).len(), left, "{value}: {count}");
        }
    }
}

#[test]
fn a_pause_keeps_what_is_there_and_upkeep_goes_on() {
    let stuck = waiting(new("b", 1_000), "CrashLoopBackOff");
    let pods = [stuck, old("a"), failed(old("c"), None)];
    let objects = || {
        ["a", "b", "c", "d"]
            .map(node)
            .into_iter()
            .chain(pods.clone())
    };
    let plan = plan_of(PAUSE, objects());
    assert_eq!(gone(&plan), ["c"], "it failed");
    let created = plan.creates.iter().map(|c| (&*c.node, &*c.revision));
    let created: Vec<_> = created.collect();
    assert_eq!(created, [("c", OLD), ("d", OLD)], "what is stable");
    let standing = plan.standing.expect("a standing");
    assert!(matches!(standing.progress, Progress::AutoPaused(_)));
    assert_eq!(
        standing.stalled.map(|rule| rule.as_str()),
        Some("AutoPaused")
    );
    // Nothing completes, although all pods are available.
    let done = plan_of(PAUSE, [node("a"), restarted(new("a", 1_000), 3)]);
    assert_eq!(done.revision_ops.set_completed, None);
    // Without a stable revision all nodes get the only one that there is.
    let set = set(PAUSE);
    let current = revision(NEW, 1, &set.json["spec"]["template"]);
    let current = current.with(state("started", ago(5_000)));
    let crash = waiting(new("a", 1_000), "CrashLoopBackOff");
    let first = Cluster::bare(set, [current, node("a"), node("b"), crash]).plan();
    assert!(paused(&first).is_some());
    assert_eq!(creates(&first).len(), 1);
}

#[test]
fn stages_pause_by_themselves_and_wait_for_no_node_that_may_fail() {
    let keys =
        |on_failure: &'static str| [("canary", "2"), ("bake", "1m"), ("on-failure", on_failure)];
    let objects = || {
        let crash = waiting(new("a", 1_000), "CrashLoopBackOff");
        let nodes = ["a", "b", "c"].map(node).into_iter();
        nodes.chain([crash, new("b", 90), old("c")])
    };
    let plan = plan_of(&keys("off"), objects());
    let said = "a node failed in stage canary, first a: container c is in CrashLoopBackOff";
    assert_eq!(paused(&plan).as_deref(), Some(said));
    for may in ["pause,tolerate=1", "continue"] {
        let plan = plan_of(&keys(may), objects());
        assert_eq!(paused(&plan), None, "{may}");
        assert!(plan.revision_ops.release_stages.is_some(), "{may}");
    }
}

/// A pod that crashes is well between two crashes, and one that failed is deleted by upkeep:
/// neither may end a pause.
#[test]
fn a_pause_is_recorded_and_stays_whatever_becomes_of_the_node() {
    let nodes = || ["a", "b", "c"].map(node).into_iter();
    let crash = waiting(new("a", 1_000), "CrashLoopBackOff");
    let began = plan_of(PAUSE, nodes().chain([crash, old("b"), old("c")]));
    let said = "a node failed, first a: container c is in CrashLoopBackOff";
    assert_eq!(paused(&began).as_deref(), Some(said));
    let (_, failed) = began.revision_ops.set_failed.as_ref().expect("a verdict");
    assert_eq!((failed.at, failed.cause.failing), (now(), Some(1)));
    let told = |plan: &Plan| plan.events.iter().map(|e| e.reason).collect::<Vec<_>>();
    assert_eq!(told(&began), ["RolloutFailed"]);

    let text = verdict_text(failed);
    let later = |keys: &[(&str, &str)], recorded: &[(&str, &str)], pods: Vec<Object>| {
        let recorded = [&[("verdict", &*text)], recorded].concat();
        cluster_with(&recorded, set(keys), nodes().chain(pods)).plan()
    };
    let well = || vec![new("a", 1_000), old("b"), old("c")];
    for pods in [well(), vec![old("b"), old("c")]] {
        let plan = later(PAUSE, &[], pods);
        assert_eq!(paused(&plan).as_deref(), Some(said));
        assert_eq!((gone(&plan), plan.revision_ops.set_failed), (vec![], None));
    }
    for on_failure in ["continue", "pause,tolerate=1", "rollback"] {
        let plan = later(&[("on-failure", on_failure)], &[], well());
        assert_eq!(paused(&plan), None, "{on_failure}");
        assert!(!gone(&plan).is_empty(), "{on_failure}");
    }
    let approved = format!(r#"{{"at":"{}","restarts":{{}}}}"#, now());
    let after = later(PAUSE, &[("approved", &approved)], well());
    assert_eq!(paused(&after).as_deref(), Some(said), "of the same second");
    let text = text.replace(&now().to_string(), &ago(60));
    let after = cluster_with(
        &[("verdict", &text), ("approved", &approved)],
        set(PAUSE),
        nodes().chain(well()),
    );
    assert_eq!(paused(&{ after }.plan()), None);
}

/// What is recorded as the approval.
fn approval(plan: &Plan) -> Option<&Approved> {
    let (_, approved) = plan.revision_ops.set_approved.as_ref()?;
    Some(approved)
}

#[test]
fn an_approval_is_recorded_with_the_restarts_before_it_lifts_anything() {
    let keys = [("on-failure", "pause"), ("approve", NEW)];
    let objects = || {
        let pods = [
            restarted(new("a", 1_000), 5),
            waiting(new("b", 1_000), "ErrImagePull"),
            restarted(new("c", 1_000), 1),
            old("d"),
        ];
        let nodes = ["a", "b", "c", "d"].map(node).into_iter();
        nodes.chain(pods)
    };
    let first = cluster_with(&[], set(&keys), objects()).plan();
    assert!(paused(&first).is_some());
    assert_eq!(gone(&first), NONE);
    let recorded = approval(&first).expect("an approval");
    let restarts: Vec<String> = recorded
        .restarts
        .iter()
        .map(|(n, c)| format!("{n} {c}"))
        .collect();
    assert_eq!(restarts, ["a 5", "b 0", "c 1"]);
    assert_eq!((recorded.at, recorded.withdrawn), (now(), false));
    let text = format!(r#"{{"at":"{}","restarts":{{"a":5,"b":0,"c":1}}}}"#, ago(10));
    let approved = [("approved", &*text)];
    let then = |pods: Vec<Object>| {
        let nodes = ["a", "b", "c", "d"].map(node).into_iter();
        cluster_with(&approved, set(&keys), nodes.chain(pods)).plan()
    };
    let lifted = cluster_with(&approved, set(&keys), objects()).plan();
    assert_eq!((paused(&lifted), approval(&lifted)), (None, None));
    assert_eq!(gone(&lifted), ["d"]);
    // Two restarts more, and a third one; the same crash loop as before.
    for (pod, fails) in [
        (restarted(new("a", 1_000), 7), false),
        (restarted(new("a", 1_000), 8), true),
        (waiting(new("a", 1_000), "CrashLoopBackOff"), false),
        (waiting(new("d", 1_000), "CrashLoopBackOff"), true),
        // Another pod, of which nothing was known.
        (restarted(new("a", 9), 3), true),
        (failed(new("b", 1_000), None), false),
        (failed(new("d", 1_000), None), true),
    ] {
        let plan = then(vec![pod.clone(), old("x")]);
        assert_eq!(paused(&plan).is_some(), fails, "{:?}", pod.json["status"]);
    }
    for (since, fails) in [(11, false), (9, true)] {
        let objects = [down("a", since), unready(new("a", 1_000))];
        let plan = cluster_with(&approved, set(&keys), objects).plan();
        assert_eq!(paused(&plan).is_some(), fails, "down since {since}");
    }
}

#[test]
fn one_annotation_is_one_approval() {
    let crash = || [node("a"), restarted(new("a", 1_000), 9)];
    let recorded = |more: &str| format!(r#"{{"at":"{}","restarts":{{"a":2}}{more}}}"#, ago(10));
    let of = |approve: &str, text: &str| {
        let keys = [("on-failure", "pause"), ("approve", approve)];
        cluster_with(&[("approved", text)], set(&keys), crash()).plan()
    };
    // It is there, and has been used.
    let used = of(NEW, &recorded(""));
    assert_eq!((paused(&used).is_some(), approval(&used)), (true, None));
    // It has gone, or is for another revision.
    for other in ["off", "another"] {
        let gone = of(other, &recorded(""));
        let approved = approval(&gone).expect("that it was withdrawn");
        assert!(approved.withdrawn && approved.restarts["a"] == 2);
        assert_eq!(
            approval(&of(other, &recorded(r#","withdrawn":true"#))),
            None
        );
    }
    // It is there again; or what is recorded cannot be read, or has not come.
    let future = recorded("").replace(&ago(10), &ago(-10));
    for text in [&*recorded(r#","withdrawn":true"#), "{}", "yes", &future] {
        let plan = of(NEW, text);
        let approved = approval(&plan).expect("another approval");
        assert_eq!((approved.at, approved.restarts["a"]), (now(), 9), "{text}");
    }
}

#[test]
fn what_is_recorded_is_bounded() {
    let name = |i: usize| format!("{}-{i:04}", "n".repeat(245));
    let nodes = (0..400).map(|i| node(&name(i)));
    let pod = |i: usize| {
        let of = pod(&format!("p{i}"))
            .on(&name(i))
            .created(1_000)
            .ready(1_000);
        restarted(of, 1 + u32::from(i >= 300))
    };
    let keys = [("on-failure", "pause"), ("approve", NEW)];
    let objects = nodes.chain((0..400).map(pod));
    let plan = cluster_with(&[], set(&keys), objects).plan();
    let approved = approval(&plan).expect("an approval");
    assert_eq!(approved.restarts.len(), 64 * 1024 / 250);
    assert!(
        approved.restarts.contains_key(&*name(399)),
        "the highest first"
    );
}

#[test]
fn a_failure_is_told_once() {
    let told = |reason: Option<&str>| {
        let conditions = reason.map(|reason| {
            json!([{"type": "Progressing", "status": "False", "reason": reason, "message": "x",
                "lastTransitionTime": ago(60)}])
        });
        let set = set(PAUSE).with(json!({"status": {"conditions": conditions}}));
        let objects = [node("x"), restarted(new("x", 1_000), 3)];
        let plan = cluster_with(&[], set, objects).plan();
        let events = plan.events.iter().filter(|e| e.reason == "RolloutFailed");
        events.map(|e| e.message.clone()).collect::<Vec<String>>()
    };
    assert_eq!(
        told(Some("Rolling")),
        [
            "The rollout of revision web-new is paused: no pod is replaced by one of another revision: \
          a node failed, first x: container c has been restarted more than 2 times"
        ]
    );
    assert_eq!(told(None).len(), 1);
    assert_eq!(told(Some("AutoPaused")), NONE);
}
