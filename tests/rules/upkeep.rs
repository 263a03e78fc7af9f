//! Upkeep, rule by rule: each rule of upstream on pods has a test of its own.

use crate::support::*;
use daemonset_controller::model::{BackoffKind, Key};
use serde_json::json;

const NONE: [&str; 0] = [];

fn plan_of(objects: impl IntoIterator<Item = Object>) -> daemonset_controller::plan::Plan {
    Cluster::new(daemon_set(), objects).plan()
}

fn surge_plan_of(objects: impl IntoIterator<Item = Object>) -> daemonset_controller::plan::Plan {
    Cluster::new(daemon_set().surging(), objects).plan()
}

#[test]
fn an_eligible_node_without_a_pod_gets_one_and_then_nothing_happens() {
    let plan = plan_of([node("a")]);
    assert_eq!(creates(&plan), ["manage a NodeWithoutPod"]);
    assert!(plan.creates[0].pod_name.starts_with("web-"));
    let plan = plan_of([node("a"), pod("p").on("a").ready(9)]);
    assert!(plan.is_settled() && plan.wake_at.is_none());
}

#[test]
fn the_node_is_node_name_else_the_one_value_of_metadata_name_in() {
    for (pod, expected) in [
        (
            pod("p").on("a").pinned(&["b"]),
            &["manage b NodeWithoutPod"][..],
        ),
        (pod("p").pinned(&["a"]), &["manage b NodeWithoutPod"]),
        (
            pod("p").pinned(&["a", "b"]),
            &["manage a NodeWithoutPod", "manage b NodeWithoutPod"],
        ),
        (
            pod("p").pinned(&[]),
            &["manage a NodeWithoutPod", "manage b NodeWithoutPod"],
        ),
        (
            pod("p"),
            &["manage a NodeWithoutPod", "manage b NodeWithoutPod"],
        ),
    ] {
        let plan = plan_of([node("a"), node("b"), pod.clone()]);
        assert_eq!(creates(&plan), expected, "{pod:?}");
        assert_eq!(deletes(&plan), NONE, "{pod:?}");
    }
}

#[test]
fn all_but_the_oldest_scheduled_pod_go() {
    for (keeps, goes, first, second) in [
        (
            "scheduled",
            "unscheduled",
            pod("z").on("a").created(1),
            pod("y").pinned(&["a"]).created(9),
        ),
        (
            "older",
            "younger",
            pod("z").on("a").created(9),
            pod("y").on("a").created(1),
        ),
        (
            "first by name",
            "second by name",
            pod("y").on("a"),
            pod("z").on("a"),
        ),
    ] {
        let gone = format!("manage {} Duplicate", second.name());
        for objects in [
            [first.clone(), second.clone()],
            [second.clone(), first.clone()],
        ] {
            let plan = plan_of(std::iter::once(node("a")).chain(objects));
            assert_eq!(
                deletes(&plan),
                [&*gone],
                "the {keeps} one stays, the {goes} one goes"
            );
            assert_eq!(creates(&plan), NONE);
        }
    }
}

#[test]
fn status_looks_at_the_oldest_pod_failed_and_terminating_ones_included() {
    let ready = pod("y").on("a").created(1).ready(1);
    for (oldest, counted) in [
        (pod("z").on("a").created(9).phase("Failed"), 0),
        (pod("z").on("a").created(9).terminating(), 0),
        (pod("z").on("a").created(9).terminating().phase("Failed"), 1),
        (pod("z").pinned(&["a"]).created(9), 1),
    ] {
        let status = plan_of([node("a"), oldest.clone(), ready.clone()])
            .status
            .unwrap();
        assert_eq!(status.number_ready, counted, "{oldest:?}");
        assert_eq!(status.current_number_scheduled, 1);
    }
}

#[test]
fn a_failed_pod_alone_on_its_node_is_succeeded() {
    let mut cluster = Cluster::new(daemon_set(), [node("a"), pod("p").on("a").phase("Failed")]);
    let plan = cluster.plan();
    assert_eq!(creates(&plan), ["successor a PodFailed"]);
    assert_eq!(deletes(&plan), ["successor p PodFailed"]);
    assert_eq!(plan.events[0].reason, "FailedDaemonPod");
    assert_eq!(
        plan.events[0].message,
        "Found failed daemon pod default/p on node a, will try to kill it"
    );
    assert_eq!(plan.backoff.len(), 1);
    assert_eq!(plan.wake_at, None, "what comes next comes with an event");
}

#[test]
fn a_running_backoff_keeps_the_failed_pod_and_wakes_the_plan() {
    let mut cluster = Cluster::new(daemon_set(), [node("a"), pod("p").on("a").phase("Failed")]);
    cluster.attempt("a", BackoffKind::Failed, 0);
    let plan = cluster.plan();
    assert!(plan.is_settled() && plan.events.is_empty() && plan.backoff.is_empty());
    assert_eq!(plan.wake_at, Some(later(1)));
    cluster.now = later(1);
    assert_eq!(deletes(&cluster.plan()), ["successor p PodFailed"]);
}

#[test]
fn of_several_failed_pods_one_goes_at_a_time() {
    let plan = plan_of([
        node("a"),
        pod("p").on("a").created(5).phase("Failed"),
        pod("q").on("a").created(9).phase("Failed"),
    ]);
    assert_eq!(deletes(&plan), ["successor q PodFailed"]);
    assert_eq!(creates(&plan).len(), 1);
    assert_eq!(plan.wake_at, Some(later(1)), "the other one's turn");
}

#[test]
fn owned_failed_pods_go_before_orphans() {
    let plan = plan_of([
        node("a"),
        pod("old-orphan")
            .on("a")
            .created(9)
            .orphan()
            .phase("Failed"),
        pod("young-own").on("a").created(1).phase("Failed"),
    ]);
    assert_eq!(deletes(&plan), ["successor young-own PodFailed"]);
    assert_eq!(plan.claims.adopt.len(), 1);
}

#[test]
fn finished_pods_of_one_plan_are_one_attempt() {
    let mut cluster = Cluster::new(
        daemon_set(),
        [
            node("a"),
            pod("p").on("a").phase("Succeeded"),
            pod("q").on("a").phase("Succeeded"),
        ],
    );
    let plan = cluster.plan();
    assert_eq!(
        deletes(&plan),
        ["successor p PodSucceeded", "successor q PodSucceeded"]
    );
    assert_eq!(creates(&plan), ["successor a PodSucceeded"]);
    assert_eq!(plan.backoff.len(), 1);
    assert_eq!(plan.backoff[0].kind, BackoffKind::Succeeded);
    assert_eq!(plan.events[1].reason, "SucceededDaemonPod");
    cluster.attempt("a", BackoffKind::Succeeded, 0);
    let plan = cluster.plan();
    assert!(plan.is_settled(), "upstream spins here");
    assert_eq!(plan.wake_at, Some(later(1)));
}

#[test]
fn a_failed_pod_does_not_wait_for_the_backoff_of_finished_ones_but_its_node_does() {
    let mut cluster = Cluster::new(
        daemon_set(),
        [
            node("a"),
            pod("f").on("a").phase("Failed"),
            pod("s").on("a").phase("Succeeded"),
        ],
    );
    cluster.attempt("a", BackoffKind::Succeeded, 0);
    let plan = cluster.plan();
    assert_eq!(deletes(&plan), ["manage f PodFailed"]);
    assert_eq!(
        creates(&plan),
        NONE,
        "nothing is created while a terminal pod waits"
    );
}

#[test]
fn a_successor_comes_only_where_the_terminal_pod_is_alone() {
    for (other, why) in [
        (pod("q").on("a"), "a pending pod is there"),
        (
            pod("q").on("a").terminating(),
            "a terminating pod still runs",
        ),
    ] {
        let plan = plan_of([node("a"), pod("p").on("a").phase("Failed"), other]);
        assert_eq!(deletes(&plan), ["manage p PodFailed"], "{why}");
        assert_eq!(creates(&plan), NONE, "{why}");
    }
    let gone = pod("q").on("a").terminating().phase("Failed");
    let plan = plan_of([node("a"), pod("p").on("a").phase("Failed"), gone]);
    assert_eq!(
        creates(&plan),
        ["successor a PodFailed"],
        "a terminal pod that terminates is nobody"
    );
}

#[test]
fn where_no_new_pod_may_go_a_failed_pod_has_no_successor() {
    let plan = plan_of([
        node("a").taint("k:NoSchedule"),
        pod("p").on("a").phase("Failed"),
    ]);
    assert_eq!(deletes(&plan), ["manage p PodFailed"]);
    assert_eq!(creates(&plan), NONE);
}

#[test]
fn a_terminal_and_terminating_pod_is_invisible() {
    let plan = plan_of([node("a"), pod("p").on("a").terminating().phase("Failed")]);
    assert_eq!(creates(&plan), ["manage a NodeWithoutPod"]);
    assert_eq!(deletes(&plan), NONE);
    assert_eq!(plan.status.unwrap().current_number_scheduled, 0);
}

/// A controller that sees such a pod gone posts the name without it: with another name, two
/// controllers would make two pods.
#[test]
fn a_terminating_pod_that_runs_blocks_creation_and_counts_as_scheduled() {
    let objects = [node("a"), pod("p").on("a").ready(9).terminating()];
    let plan = plan_of(objects.clone());
    assert!(plan.is_settled());
    assert_eq!(plan.status.unwrap().current_number_scheduled, 1);
    assert_eq!(
        creates(&surge_plan_of(objects)),
        ["manage a OnlyTerminatingPods"],
        "not when surging"
    );
}

#[test]
fn a_pod_on_a_node_that_is_not_eligible_goes() {
    let plan = plan_of([node("a").taint("k:NoExecute"), pod("p").on("a").ready(9)]);
    assert_eq!(deletes(&plan), ["manage p NodeNotEligible"]);
    let plan = plan_of([node("a").taint("k:NoSchedule"), pod("p").on("a").ready(9)]);
    assert!(plan.is_settled(), "NoSchedule keeps what runs");
    assert_eq!(plan.status.unwrap().number_misscheduled, 1);
    let plan = plan_of([
        node("a").taint("k:NoExecute"),
        pod("p").on("a").terminating(),
    ]);
    assert!(plan.is_settled(), "it goes already");
}

#[test]
fn a_scheduled_pod_on_a_gone_node_is_left_to_the_garbage_collector() {
    for surging in [false, true] {
        let ds = if surging {
            daemon_set().surging()
        } else {
            daemon_set()
        };
        let objects = [node("a"), pod("p").on("gone").ready(9)];
        let plan = Cluster::new(ds, objects).plan();
        assert_eq!(deletes(&plan), NONE);
        assert_eq!(
            creates(&plan),
            ["manage a NodeWithoutPod"],
            "surging or not, the others go on"
        );
        let status = plan.status.unwrap();
        assert_eq!(
            (status.current_number_scheduled, status.number_misscheduled),
            (0, 0)
        );
    }
}

#[test]
fn an_unscheduled_pod_whose_node_is_gone_is_deleted_once() {
    let plan = plan_of([pod("p").pinned(&["gone"])]);
    assert_eq!(deletes(&plan), ["manage p NodeGone"]);
    assert!(plan_of([pod("p").pinned(&["gone"]).terminating()]).is_settled());
}

#[test]
fn a_terminating_orphan_is_not_adopted_a_terminal_one_is() {
    let plan = plan_of([node("a"), pod("p").on("a").orphan().terminating()]);
    assert!(plan.claims.adopt.is_empty());
    assert_eq!(
        creates(&plan),
        ["manage a NodeWithoutPod"],
        "it is not ours"
    );
    let plan = plan_of([node("a"), pod("p").on("a").orphan().phase("Failed")]);
    assert_eq!(plan.claims.adopt.len(), 1);
    assert_eq!(deletes(&plan), ["successor p PodFailed"]);
}

#[test]
fn what_stopped_matching_is_released_and_its_node_gets_a_pod() {
    let plan = plan_of([node("a"), pod("p").on("a").ready(9).label("app", "stolen")]);
    assert_eq!(plan.claims.release.len(), 1);
    assert_eq!(creates(&plan), ["manage a NodeWithoutPod"]);
    let plan = plan_of([node("a"), pod("p").on("a").ready(9).owned_by("other")]);
    assert!(
        plan.claims == Default::default(),
        "another's pod is not our business"
    );
    assert_eq!(deletes(&plan), NONE);
}

#[test]
fn surging_creates_only_where_a_pod_should_run() {
    let plan = surge_plan_of([
        node("a").taint("k:NoSchedule"),
        pod("p").on("a").terminating(),
    ]);
    assert!(plan.is_settled());
}

#[test]
fn surging_a_node_whose_pods_all_failed_gets_its_pod_in_the_ordinary_way() {
    let plan = surge_plan_of([node("a"), pod("p").on("a").phase("Failed")]);
    assert_eq!(deletes(&plan), ["manage p PodFailed"]);
    assert_eq!(creates(&plan), ["manage a OnlyTerminatingPods"]);
}

#[test]
fn surging_a_failed_pod_goes_where_running_pods_may_stay() {
    let failed = pod("p").on("a").phase("Failed");
    let plan = surge_plan_of([node("a").taint("k:NoSchedule"), failed.clone()]);
    assert_eq!(deletes(&plan), ["manage p PodFailed"]);
    assert_eq!(creates(&plan), NONE);
    let plan = surge_plan_of([node("a").taint("k:NoExecute"), failed]);
    assert_eq!(deletes(&plan), ["manage p NodeNotEligible"]);
}

#[test]
fn surging_nothing_is_created_while_a_failed_pod_waits() {
    let mut cluster = Cluster::new(
        daemon_set().surging(),
        [node("a"), pod("p").on("a").phase("Failed")],
    );
    cluster.attempt("a", BackoffKind::Failed, 0);
    let plan = cluster.plan();
    assert!(
        plan.is_settled(),
        "upstream makes 70 failed pods in 5 s here"
    );
    assert_eq!(plan.wake_at, Some(later(1)));
}

#[test]
fn surging_the_oldest_with_the_current_hash_and_the_oldest_without_stay() {
    let plan = surge_plan_of([
        node("a"),
        pod("new-1").on("a").created(9),
        pod("new-2").on("a").created(8),
        pod("old-1").on("a").created(7).hash(OLD).ready(7),
        pod("old-2").on("a").created(6).hash("older").ready(6),
    ]);
    assert_eq!(
        deletes(&plan),
        ["manage new-2 Duplicate", "manage old-2 Duplicate"]
    );
}

#[test]
fn surging_the_old_pod_goes_when_the_new_one_is_available_or_it_is_not_ready_itself() {
    let ds = daemon_set()
        .surging()
        .with(json!({"spec": {"minReadySeconds": 30}}));
    let new = pod("new").on("a").created(9);
    let old = pod("old").on("a").created(99).hash(OLD);
    for (new, old, expected, wake) in [
        (
            new.clone().ready(30),
            old.clone().ready(90),
            &["manage old Replaced"][..],
            None,
        ),
        (
            new.clone().ready(10),
            old.clone().ready(90),
            &[],
            Some(later(20)),
        ),
        (new.clone(), old.clone().ready(90), &[], None),
        (new.clone(), old.clone(), &["manage old OldNotReady"], None),
    ] {
        let plan = Cluster::new(ds.clone(), [node("a"), new, old]).plan();
        assert_eq!(deletes(&plan), expected);
        assert_eq!(plan.wake_at, wake);
    }
}

#[test]
fn a_node_with_a_pod_that_does_not_decode_is_left_as_it_is() {
    let mut cluster = Cluster::new(daemon_set(), [node("a"), node("b")]);
    let broken = pod("p")
        .on("a")
        .with(json!({"metadata": {"creationTimestamp": "yesterday"}}));
    assert!(cluster.cache.observe(broken.kind, &broken.raw()).is_err());
    assert_eq!(creates(&cluster.plan()), ["manage b NodeWithoutPod"]);
}

#[test]
fn a_daemon_set_being_deleted_or_selecting_all_is_left_alone() {
    let ds = daemon_set().with(json!({"metadata": {"deletionTimestamp": ago(1)}}));
    let plan = Cluster::new(ds, [node("a")]).plan();
    assert!(plan.is_settled() && plan.status.is_none() && plan.events.is_empty());
    let ds = daemon_set().with(json!({"spec": {"selector": {"matchLabels": null}}}));
    let plan = Cluster::new(ds, [node("a")]).plan();
    assert!(plan.is_settled() && plan.status.is_none());
    assert_eq!(plan.events[0].reason, "SelectingAll");
}

/// The DaemonSet was deleted and its pods were left, and one of its name adopts them.
#[test]
fn a_delete_of_unknown_outcome_is_read_back_also_when_the_pod_became_nobodys() {
    let failed = pod("p").on("a").phase("Failed");
    let pending = |after: Object| {
        let mut cluster = Cluster::new(daemon_set(), [node("a"), failed.clone()]);
        let key = Key::new("default", "p");
        assert!(cluster.cache.delete_pending(&key, &"pod-p".into()));
        cluster.put(&after.version(2));
        let pending = cluster.cache.pending_deletes(&crate::support::key());
        for (key, uid) in &pending {
            cluster.cache.delete_settled(key, uid);
        }
        (pending.len(), cluster.plan().deletes.len())
    };
    assert_eq!(pending(failed.clone()), (1, 1));
    assert_eq!(pending(failed.clone().orphan()), (1, 1));
    let stranger = failed.clone().orphan().label("app", "other");
    assert_eq!(pending(stranger), (0, 0));
    assert_eq!(pending(failed.clone().owned_by("other")), (0, 0));
}
