//! DaemonSetStatus, rule by rule.

use crate::support::*;
use daemonset_controller::model::DaemonSetStatus;
use serde_json::json;

fn status_of(objects: impl IntoIterator<Item = Object>) -> DaemonSetStatus {
    Cluster::new(daemon_set(), objects)
        .plan()
        .status
        .expect("a status")
}

#[test]
fn every_count_by_one_cluster() {
    let s = status_of([
        node("empty"),
        node("ready"),
        pod("p1").on("ready").ready(9),
        node("starting"),
        pod("p2").on("starting"),
        node("outdated"),
        pod("p3").on("outdated").hash(OLD).ready(9),
        node("tainted").taint("k:NoSchedule"),
        pod("p4").on("tainted").ready(9),
        node("forbidden").taint("k:NoExecute"),
        pod("p5").on("forbidden").ready(9),
        node("unwanted").taint("k:NoSchedule"),
        pod("p6").on("gone").ready(9),
    ]);
    assert_eq!(
        s,
        DaemonSetStatus {
            desired_number_scheduled: 4,
            current_number_scheduled: 3,
            number_misscheduled: 2,
            number_ready: 2,
            number_available: 2,
            number_unavailable: 2,
            updated_number_scheduled: 2,
            observed_generation: 1,
            collision_count: None,
        }
    );
}

#[test]
fn a_pod_is_available_when_it_has_been_ready_for_min_ready_seconds_and_the_plan_wakes_then() {
    let ds = daemon_set().with(json!({"spec": {"minReadySeconds": 30}}));
    let mut cluster = Cluster::new(
        ds,
        [
            node("a"),
            node("b"),
            node("c"),
            pod("p").on("a").ready(30),
            pod("q").on("b").ready(29),
            pod("r").on("c").ready(5),
        ],
    );
    for (at, available, wake) in [(0, 1, Some(1)), (1, 2, Some(25)), (25, 3, None)] {
        cluster.now = later(at);
        let plan = cluster.plan();
        let s = plan.status.unwrap();
        assert_eq!(
            (s.number_ready, s.number_available),
            (3, available),
            "after {at} s"
        );
        assert_eq!(s.number_unavailable, 3 - available);
        assert_eq!(plan.wake_at, wake.map(later), "after {at} s");
    }
}

#[test]
fn a_zero_last_transition_time_is_never_available_and_sets_no_wake_up() {
    for zero in [json!(null), json!("0001-01-01T00:00:00Z")] {
        let condition = json!([{"type": "Ready", "status": "True", "lastTransitionTime": zero}]);
        let pod = pod("p")
            .on("a")
            .with(json!({"status": {"conditions": condition}}));
        let ds = daemon_set().with(json!({"spec": {"minReadySeconds": 30}}));
        let plan = Cluster::new(ds, [node("a"), pod.clone()]).plan();
        let s = plan.status.unwrap();
        assert_eq!((s.number_ready, s.number_available), (1, 0));
        assert_eq!(plan.wake_at, None);
        assert_eq!(
            status_of([node("a"), pod]).number_available,
            1,
            "without minReadySeconds ready is available"
        );
    }
}

#[test]
fn ready_in_the_future_is_not_available_where_min_ready_seconds_is_set() {
    let ds = daemon_set().with(json!({"spec": {"minReadySeconds": 1}}));
    let plan = Cluster::new(ds, [node("a"), pod("p").on("a").ready(-9)]).plan();
    assert_eq!(plan.status.unwrap().number_available, 0);
    assert_eq!(plan.wake_at, Some(later(10)));
}

#[test]
fn a_failed_pod_with_a_true_ready_condition_still_counts_as_upstream_counts_it() {
    let s = status_of([node("a"), pod("p").on("a").ready(9).phase("Failed")]);
    assert_eq!((s.current_number_scheduled, s.number_ready), (1, 1));
}

#[test]
fn observed_generation_rises_and_never_falls() {
    for (generation, observed, expected) in [(3, 2, 3), (3, 3, 3), (3, 4, 4)] {
        let ds = daemon_set().with(json!({
            "metadata": {"generation": generation}, "status": {"observedGeneration": observed},
        }));
        let s = Cluster::new(ds, []).plan().status.unwrap();
        assert_eq!(s.observed_generation, expected);
    }
}

#[test]
fn a_node_that_does_not_decode_is_in_no_count() {
    let mut cluster = Cluster::new(daemon_set(), [pod("p").on("a").ready(9)]);
    let broken = node("a").with(json!({"spec": {"taints": 5}}));
    assert!(cluster.cache.observe(broken.kind, &broken.raw()).is_err());
    let s = cluster.plan().status.unwrap();
    assert_eq!(
        (s.desired_number_scheduled, s.current_number_scheduled),
        (0, 0)
    );
}

#[test]
fn a_collision_count_of_zero_and_none_differ() {
    for count in [None, Some(0), Some(3)] {
        let ds = daemon_set().with(json!({"status": {"collisionCount": count}}));
        assert_eq!(
            Cluster::new(ds, []).plan().status.unwrap().collision_count,
            count
        );
    }
}
