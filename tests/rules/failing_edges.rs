//! Failing nodes, verdicts and deadlines where keys, nodes and revisions come together badly: what
//! is lost in the middle, what joins, and what another attempt left behind.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::model::{Clock, Kind};
use daemonset_controller::plan::Plan;
use serde_json::{Value, json};

const BACK: &[(&str, &str)] = &[("on-failure", "rollback")];

fn verdict(seconds: i64) -> Value {
    let failed = json!({"failed": true, "when": ago(seconds), "node": "b", "why": "it crashed"});
    state("verdict", failed.to_string())
}

/// The current revision, whose rollout began 5,000 s ago.
fn current(set: &Object) -> Object {
    let begun = state("started", ago(5_000));
    revision(NEW, 2, &set.json["spec"]["template"]).with(begun)
}

/// The older revision, which completed.
fn stable() -> Object {
    revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)))
}

/// One that is neither of the current nor of the stable revision.
fn other(node: &str) -> Object {
    old(node).hash("other")
}

fn plan_of(set: Object, objects: impl IntoIterator<Item = Object>) -> Plan {
    Cluster::bare(set, objects).plan()
}

fn has(plan: &Plan, rule: &str) -> bool {
    plan.holds.iter().any(|hold| hold.rule.as_str() == rule)
}

fn progress(plan: &Plan) -> &'static str {
    let standing = plan.standing.as_ref().expect("a standing");
    standing.progress.as_str()
}

#[test]
fn a_node_that_surges_away_from_the_template_that_comes_again_keeps_its_pod() {
    // The template was NEW, became another one, and is NEW again: a was on its way to the other.
    for keys in [&[("hold", "rollout")][..], &[("on-failure", "pause")]] {
        let set = set_with(keys, json!(0), json!(1));
        let fails = restarted(new("b", 900).created(900), 9);
        let pods = [new("a", 900), old("a").created(60).ready(60), fails];
        let plan = plan_of(
            set.clone(),
            [current(&set), stable()]
                .into_iter()
                .chain(nodes("a b"))
                .chain(pods),
        );
        assert_eq!(deletes(&plan), ["manage old-a Replaced"], "{keys:?}");
    }
}

#[test]
fn a_verdict_stands_when_the_stable_revision_is_lost() {
    // a went back, and then somebody deleted the stable revision. b is well.
    for keys in [BACK, &[("on-failure", "rollback"), ("canary", "1")]] {
        let set = set(keys);
        let current = current(&set).with(verdict(60));
        let plan = plan_of(
            set,
            [current]
                .into_iter()
                .chain(nodes("a b c"))
                .chain([old("a"), new("b", 900)]),
        );
        assert_eq!(
            (gone(&plan), created(&plan)),
            (vec![], vec![]),
            "{keys:?}: {:?}",
            holds(&plan)
        );
    }
}

#[test]
fn going_back_takes_no_pod_whose_revision_is_lost() {
    // The revision before the stable one is still there; it is not where they went.
    let set = set(BACK);
    let before = revision("before", 1, &template(3)).with(state("completed", ago(90_000)));
    let current = current(&set).with(verdict(60));
    let pods = [old("a"), new("b", 900), new("c", 900)];
    let plan = plan_of(
        set,
        [current, before]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(pods),
    );
    assert!(
        !gone(&plan).contains(&"a".to_owned()),
        "{:?}",
        deletes(&plan)
    );
}

#[test]
fn a_revision_that_failed_is_not_complete_because_its_pods_are_up_for_a_moment() {
    let set = set(BACK);
    let current = revision(NEW, 3, &set.json["spec"]["template"]);
    let bad = |state: Value| revision("other", 2, &template(2)).with(state);
    let begun = || state("started", ago(5_000));
    let up = ["a", "b", "c"].map(|n| other(n).created(900));
    let crashing = ["a", "b", "c"].map(|n| restarted(other(n).created(900).ready(5), 9));
    for (what, bad, pods) in [
        ("a verdict", bad(begun()).with(verdict(60)), up),
        ("a pause", bad(begun()), crashing),
    ] {
        let objects = [current.clone(), bad, stable()];
        let plan = plan_of(
            set.clone(),
            objects.into_iter().chain(nodes("a b c")).chain(pods),
        );
        assert_eq!(plan.revision_ops.set_completed, None, "{what}");
        assert_eq!(plan.stable_number, Some(1), "{what}");
    }
}

#[test]
fn a_node_that_joins_does_not_fail_before_it_was_ever_ready() {
    let joins = |created: i64, unready: i64| {
        let unready =
            json!({"type": "Ready", "status": "False", "lastTransitionTime": ago(unready)});
        let created = json!({"creationTimestamp": ago(created)});
        node("d").with(json!({"metadata": created, "status": {"conditions": [unready]}}))
    };
    let plan = |node: Object, pod: i64| {
        let set = set(BACK);
        let pods = [
            old("a"),
            new("b", 900),
            old("c"),
            unready(new("d", 0).created(pod)),
        ];
        let objects = [current(&set), stable(), node];
        plan_of(set, objects.into_iter().chain(nodes("a b c")).chain(pods))
    };
    // All in one second, and with a clock of the node that is a little ahead.
    for (created, unready) in [(20, 20), (20, 19)] {
        let plan = plan(joins(created, unready), 20);
        assert_eq!(plan.revision_ops.set_failed, None, "{created} {unready}");
    }
    // One that was ready in between.
    assert!(plan(joins(300, 100), 299).revision_ops.set_failed.is_some());
}

#[test]
fn the_deadline_does_not_run_with_on_delete() {
    let recorded = |strategy: &str, clock: Option<&str>| {
        let set = set_with(&[("deadline", "10m")], json!(1), json!(0));
        let set = set.with(json!({"spec": {"updateStrategy": {"type": strategy}}}));
        let current = current(&set);
        let current = match clock {
            Some(clock) => current.with(state("clock", clock)),
            None => current,
        };
        let pods = [old("a"), old("b")];
        plan_of(
            set,
            [current, stable()]
                .into_iter()
                .chain(nodes("a b"))
                .chain(pods),
        )
    };
    let plan = recorded("OnDelete", None);
    let clock = plan.revision_ops.set_clock.map(|(_, clock)| clock);
    assert_eq!(clock, Some(Clock::Stopped));
    let plan = recorded("OnDelete", Some("stopped"));
    assert_eq!(plan.revision_ops.set_clock, None);
    let plan = recorded("RollingUpdate", Some("stopped"));
    assert!(!has(&plan, "ProgressDeadlineExceeded"));
}

#[test]
fn after_a_verdict_no_pod_of_the_revision_is_made_while_something_holds_the_way_back() {
    let held = [("on-failure", "rollback"), ("hold", "rollout")];
    let fails = restarted(old("a").created(30).ready(30), 9);
    // b was on its way back.
    for (keys, a, rule) in [
        (&held[..], old("a"), "HeldByAnnotation"),
        (BACK, fails, "RollbackPaused"),
    ] {
        let set = set(keys);
        let current = current(&set).with(verdict(60));
        let pods = [a, new("c", 900)];
        let objects = [current, stable()]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(pods);
        let mut cluster = Cluster::bare(set, objects);
        cluster.put(&new("b", 900));
        cluster
            .cache
            .deleted(Kind::Pod, &new("b", 900).version(2).raw());
        let plan = cluster.plan();
        assert!(has(&plan, rule), "{:?}", holds(&plan));
        assert_eq!(
            (gone(&plan), created(&plan)),
            (vec![], vec!["b old".to_owned()]),
            "{rule}"
        );
    }
}

#[test]
fn the_stable_revision_is_judged_on_its_own_nodes_and_only_on_the_way_back() {
    let keys = BACK;
    let narrow = json!({"spec": {"template": {"spec": {"nodeSelector": {"gpu": "yes"}}}}});
    let set = set(keys).with(narrow);
    let fails = || restarted(old("a").created(30).ready(30), 9);
    let plan = |pods: [Object; 2]| {
        let current = current(&set).with(verdict(60));
        let b = node("b").label("gpu", "yes");
        plan_of(
            set.clone(),
            [current, stable(), node("a"), b].into_iter().chain(pods),
        )
    };
    assert_eq!(progress(&plan([fails(), new("b", 900)])), "RollbackPaused");
    // All have gone back. What fails now is upkeep.
    assert_eq!(progress(&plan([fails(), old("b")])), "RolledBack");
}

#[test]
fn a_pause_by_the_deadline_does_not_end_because_nodes_go_bad() {
    let down = |name: &str| {
        let unready = json!({"type": "Ready", "status": "False", "lastTransitionTime": ago(100)});
        node(name).with(json!({"status": {"conditions": [unready]}}))
    };
    let keys = [("deadline", "10m"), ("budget", "bad-nodes=1")];
    let set = set_with(&keys, json!(2), json!(0));
    let pods = [unready(new("a", 0)), old("b"), old("c"), old("d")];
    let objects = [
        current(&set),
        stable(),
        node("a"),
        node("b"),
        down("c"),
        down("d"),
    ];
    let plan = plan_of(set, objects.into_iter().chain(pods));
    assert_eq!(plan.revision_ops.set_clock, None);
    assert!(has(&plan, "ProgressDeadlineExceeded"), "{:?}", holds(&plan));
}

#[test]
fn an_image_has_its_minute_from_when_the_kubelet_began() {
    // The pod was there for long, and the scheduler had no place for it until now.
    let set = set(BACK);
    let waits =
        json!({"name": "c", "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}});
    let at = |seconds: i64| {
        let scheduled =
            json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(seconds)});
        let ready = json!({"type": "Ready", "status": "False", "lastTransitionTime": ago(seconds)});
        let status = json!({"startTime": ago(seconds), "conditions": [scheduled, ready], "containerStatuses": [waits]});
        let b = pod("new-b")
            .on("b")
            .created(900)
            .with(json!({"status": status}));
        plan_of(
            set.clone(),
            [current(&set), stable()]
                .into_iter()
                .chain(nodes("a b"))
                .chain([old("a"), b]),
        )
    };
    assert_eq!(at(10).revision_ops.set_failed, None);
    assert!(at(60).revision_ops.set_failed.is_some());
}

#[test]
fn a_deadline_may_be_longer_than_time_itself() {
    let huge = [
        ("deadline", "999999999h999999999m999999999s"),
        ("on-failure", "rollback"),
    ];
    let set = set(&huge);
    let pods = [unready(new("a", 0)), old("b")];
    let plan = plan_of(
        set.clone(),
        [current(&set), stable()]
            .into_iter()
            .chain(nodes("a b"))
            .chain(pods),
    );
    assert!(!has(&plan, "ProgressDeadlineExceeded"));
    assert!(plan.wake_at.is_none_or(|at| at > later(1_000_000)));
}

#[test]
fn all_have_gone_back_also_where_a_pod_fails_later() {
    let set = set(BACK);
    let plan = |b: Vec<Object>| {
        let current = current(&set).with(verdict(900));
        let objects = [current, stable()].into_iter().chain(nodes("a b"));
        plan_of(set.clone(), objects.chain([old("a")]).chain(b))
    };
    for b in [
        vec![unready(old("b"))],
        vec![old("b").terminating()],
        vec![],
    ] {
        assert_eq!(progress(&plan(b)), "RolledBack");
    }
    for b in [new("b", 60), new("b", 60).terminating()] {
        assert_eq!(progress(&plan(vec![b])), "RollingBack");
    }
}

#[test]
fn a_newer_pod_that_went_long_ago_does_not_name_the_next_one() {
    // A surge was taken back: the newer pod went, and the older one stayed. Whoever starts in
    // between never saw the newer one, and has to come to the same name.
    let later = now() + std::time::Duration::from_secs(60);
    let name = |saw_both: bool| {
        let mut cluster = Cluster::bare(set(&[]), nodes("a"));
        cluster.put(&old("a"));
        if saw_both {
            cluster.put(&new("a", 5).created(30));
            let gone = new("a", 5).created(30).version(2);
            cluster.cache.deleted(Kind::Pod, &gone.raw());
        }
        cluster.cache.tick(later);
        cluster.cache.deleted(Kind::Pod, &old("a").version(3).raw());
        cluster.now = later;
        let plan = cluster.plan();
        plan.creates[0].pod_name.clone()
    };
    assert_eq!(name(true), name(false));
}

#[test]
fn an_approval_that_comes_with_the_failure_forgives_it() {
    for action in ["pause", "rollback"] {
        let set = set(&[("on-failure", action), ("approve", NEW)]);
        let fails = restarted(new("b", 900).created(900), 9);
        let objects = [current(&set), stable()];
        let objects = objects
            .into_iter()
            .chain(nodes("a b"))
            .chain([old("a"), fails]);
        let plan = plan_of(set, objects);
        assert!(plan.revision_ops.set_approved.is_some());
        // One of the same time would not be lifted by it.
        assert_eq!(plan.revision_ops.set_failed, None, "{action}");
        assert_eq!(gone(&plan), NONE, "not before it is recorded");
        let told = |reason| plan.events.iter().any(|e| e.reason == reason);
        assert!(!told("RollbackStarted"), "{action}");
    }
}
