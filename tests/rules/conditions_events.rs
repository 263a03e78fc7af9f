//! What is told when a rollout under control begins, and when it is complete: once.

use crate::conditions::{cluster, new};
use crate::keyed::{old, set, state};
use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::json;

/// The messages of the plan's events with this reason.
fn told(plan: &Plan, reason: &str) -> Vec<String> {
    let events = plan.events.iter().filter(|e| e.reason == reason);
    events.map(|e| e.message.clone()).collect()
}

const CANARY: &[(&str, &str)] = &[("canary", "1"), ("bake", "1m")];

#[test]
fn a_rollout_begins_with_the_plan_that_creates_its_revision() {
    for (keys, pods, stage) in [
        (
            CANARY,
            vec![old("a"), old("b")],
            "the nodes of the canary come first. Keys: bake, canary",
        ),
        (
            &[("hold", "rollout")],
            vec![old("a"), old("b")],
            "it is held, and no pod is replaced. Keys: hold",
        ),
        (
            &[("budget", "strict")],
            vec![old("a")],
            "all nodes follow, as the update strategy has it. Keys: budget",
        ),
    ] {
        let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
        let objects = [older, node("a"), node("b")];
        let mut cluster = Cluster::bare(set(keys), objects.into_iter().chain(pods));
        let plan = cluster.plan();
        let name = &plan.revision.as_ref().expect("a revision").name;
        let expected = format!("The rollout to revision {name} begins: {stage}");
        assert_eq!(told(&plan, "RolloutStarted"), [expected]);
    }
    let older = revision(OLD, 1, &template(1));
    let mut plain = Cluster::bare(set(&[]), [older, node("a"), old("a")]);
    assert_eq!(
        told(&plain.plan(), "RolloutStarted"),
        [""; 0],
        "without a key"
    );
    let mut later = cluster(&set(CANARY), [old("a"), old("b")]);
    assert_eq!(told(&later.plan(), "RolloutStarted"), [""; 0], "it exists");
}

#[test]
fn the_way_back_to_an_older_revision_begins_a_rollout_as_well() {
    let set = set(CANARY);
    let current = revision(NEW, 1, &set.json["spec"]["template"]);
    let newer = revision(OLD, 2, &template(1));
    let objects = [current, newer, node("a"), node("b"), new("a"), old("b")];
    let mut back = Cluster::bare(set, objects);
    assert_eq!(told(&back.plan(), "RolloutStarted").len(), 1);
}

#[test]
fn a_revision_that_was_deleted_by_hand_begins_no_rollout_when_it_is_made_anew() {
    let set = set(&[("budget", "strict")]);
    let mut first = Cluster::bare(set.clone(), [node("a"), node("b")]);
    let hash = first.plan().revision.expect("a revision").hash;
    assert_eq!(told(&first.plan(), "RolloutStarted").len(), 1);
    let mut anew = Cluster::bare(set, [node("a"), node("b"), new("a").hash(&hash)]);
    let plan = anew.plan();
    assert!(
        plan.revision
            .as_ref()
            .is_some_and(|r| r.create && r.hash == hash)
    );
    assert_eq!(told(&plan, "RolloutStarted"), [""; 0]);
}

#[test]
fn a_rollout_is_complete_with_the_plan_that_records_it() {
    let progressing = |reason: &str| {
        json!({"status": {"conditions": [
            {"type": "Progressing", "status": "True", "reason": reason},
        ]}})
    };
    let keys = &[("budget", "strict")];
    let complete = |stored: Option<&str>, pods: Vec<Object>| {
        let mut set = set(keys);
        if let Some(reason) = stored {
            set = set.with(progressing(reason));
        }
        told(&cluster(&set, pods).plan(), "RolloutComplete")
    };
    let done = || vec![new("a"), new("b")];
    assert_eq!(
        complete(Some("Rolling"), done()),
        [
            "Revision web-new is complete: every eligible node has had an available pod of it. It is \
          the stable revision now"
        ]
    );
    assert_eq!(complete(Some("Rolling"), vec![new("a"), old("b")]), [""; 0]);
    // The first key came to what had completed before.
    assert_eq!(complete(None, done()), [""; 0]);
    assert_eq!(complete(Some("Complete"), done()), [""; 0]);
    assert_eq!(complete(Some("Theirs"), done()), [""; 0]);
    // It is recorded: whoever comes later does not tell of it again.
    let set = set(keys).with(progressing("Rolling"));
    let mut recorded = cluster(&set, done());
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    recorded.put(&current.with(state("completed", ago(1))).version(2));
    assert_eq!(told(&recorded.plan(), "RolloutComplete"), [""; 0]);
}

/// The template was changed and changed back, and nothing else completed meanwhile.
#[test]
fn a_revision_that_completed_and_is_rolled_out_again_completes_when_its_pods_are_available() {
    let stored = |reason: &str| {
        let progressing = json!({"type": "Progressing", "status": "True", "reason": reason});
        json!({"status": {"conditions": [progressing]}})
    };
    let set = set(&[("budget", "strict")]).with(stored("Rolling"));
    let plan_of = |started: i64, b: Object| {
        let current = revision(NEW, 3, &set.json["spec"]["template"]);
        let current = current.with(state("completed", ago(500)));
        let current = current.with(state("started", ago(started)));
        let newer = revision(OLD, 2, &template(1));
        let nodes = [node("a"), node("b")];
        let objects = [current, newer, new("a"), b].into_iter().chain(nodes);
        Cluster::bare(set.clone(), objects).plan()
    };
    let unready = || crate::keyed::unready(new("b"));
    let progress = |plan: &Plan| {
        plan.standing
            .as_ref()
            .expect("a standing")
            .progress
            .as_str()
    };
    let complete = |plan: &Plan| told(plan, "RolloutComplete").len();

    let under_way = plan_of(20, unready());
    assert_eq!((progress(&under_way), complete(&under_way)), ("Rolling", 0));
    assert_eq!(under_way.revision_ops.set_completed, None);
    let done = plan_of(20, new("b"));
    assert_eq!((progress(&done), complete(&done)), ("Complete", 1));
    assert!(done.revision_ops.set_completed.is_some());
    // That a pod is unready later is upkeep.
    let later = plan_of(600, unready());
    assert_eq!((progress(&later), complete(&later)), ("Complete", 0));
    assert_eq!(later.revision_ops.set_completed, None);
}

/// What is recorded as the begin of the rollout: on which revision, and whether that is there.
fn begun(plan: &Plan) -> Option<(bool, daemonset_controller::model::Time)> {
    let (revision, at) = plan.revision_ops.set_started.as_ref()?;
    Some((revision.is_some(), *at))
}

#[test]
fn the_begin_of_a_rollout_is_recorded_with_its_revision_or_when_control_comes_to_it() {
    let older = || revision(OLD, 1, &template(1));
    for keys in [CANARY, &[("hold", "all")]] {
        let mut first = Cluster::bare(set(keys), [older(), node("a"), old("a")]);
        assert_eq!(
            begun(&first.plan()),
            Some((false, now())),
            "with the create"
        );
        let mut middle = cluster(&set(keys), [new("a"), old("b")]);
        assert_eq!(begun(&middle.plan()), Some((true, now())));
    }
    let set = set(CANARY);
    let current = |number| revision(NEW, number, &set.json["spec"]["template"]);
    let mut known = cluster(&set, [new("a"), old("b")]);
    known.put(&current(2).with(state("started", ago(9))).version(2));
    assert_eq!(begun(&known.plan()), None);
    let recorded = current(1).with(state("started", ago(90)));
    let newer = revision(OLD, 2, &template(1));
    let objects = [recorded, newer, node("a"), node("b"), new("a"), old("b")];
    let mut back = Cluster::bare(set.clone(), objects);
    assert_eq!(begun(&back.plan()), Some((true, now())), "it begins again");
    // Nothing to roll out, and nothing that asks for control.
    let strict = self::set(&[("budget", "strict")]);
    assert_eq!(begun(&cluster(&strict, [new("a"), new("b")]).plan()), None);
    let plain = self::set(&[]);
    let mut plain = Cluster::bare(plain, [older(), node("a"), old("a")]);
    assert_eq!(begun(&plain.plan()), None);
}
