//! Nodes whose pods others take away soon after their creation: the next pod waits there after
//! three replacements, and nowhere else.

use crate::support::*;
use daemonset_controller::{
    model::{BackoffKind, Kind, Time},
    plan::{Plan, short_lived},
};
use serde_json::json;

/// The holds of one rule: how many nodes, the first of them, and until when.
fn holds(plan: &Plan, rule: &str) -> Vec<(usize, String, Option<Time>)> {
    let holds = plan.holds.iter().filter(|h| h.rule.as_str() == rule);
    holds
        .map(|h| {
            let nodes = h.nodes.as_ref().expect("nodes");
            (nodes.count, nodes.first[0].to_string(), h.until)
        })
        .collect()
}

#[test]
fn the_fourth_in_a_row_makes_the_next_pod_wait_on_that_node_only() {
    for (kind, rule, reason) in [
        (
            BackoffKind::Deleted,
            "DeletedPodBackoff",
            "DeletedDaemonPod",
        ),
        (
            BackoffKind::Released,
            "ReleasedPodBackoff",
            "ReleasedDaemonPod",
        ),
    ] {
        let mut cluster = Cluster::new(daemon_set(), [node("a"), node("b")]);
        for _ in 0..3 {
            cluster.attempt("a", kind, 0);
            let both = ["manage a NodeWithoutPod", "manage b NodeWithoutPod"];
            assert_eq!(creates(&cluster.plan()), both);
        }
        cluster.attempt("a", kind, 0);
        let plan = cluster.plan();
        assert_eq!(creates(&plan), ["manage b NodeWithoutPod"]);
        let until = Some(later(1));
        assert_eq!(holds(&plan, rule), [(1, "a".to_owned(), until)]);
        assert_eq!(plan.wake_at, until);
        let warnings: Vec<_> = plan.holds.iter().filter_map(short_lived::warning).collect();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].reason, reason);
        assert!(warnings[0].message.contains("on node a "), "{warnings:?}");
        cluster.now = later(1);
        assert_eq!(creates(&cluster.plan()).len(), 2);
    }
}

/// The node may have been held for both reasons, one after the other.
#[test]
fn of_two_waits_on_a_node_the_longer_one_holds() {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    (0..4).for_each(|_| cluster.attempt("a", BackoffKind::Deleted, 0));
    (0..6).for_each(|_| cluster.attempt("a", BackoffKind::Released, 0));
    let plan = cluster.plan();
    assert!(holds(&plan, "DeletedPodBackoff").is_empty());
    let held = holds(&plan, "ReleasedPodBackoff");
    assert_eq!(held, [(1, "a".to_owned(), Some(later(4)))]);
}

#[test]
fn a_failed_pods_successor_waits_and_the_failed_pod_goes() {
    let failed = pod("p").on("a").phase("Failed");
    let mut cluster = Cluster::new(daemon_set(), [node("a"), failed]);
    (0..4).for_each(|_| cluster.attempt("a", BackoffKind::Deleted, 0));
    let plan = cluster.plan();
    assert_eq!(creates(&plan), [""; 0]);
    assert_eq!(deletes(&plan), ["manage p PodFailed"]);
}

#[test]
fn while_surging_a_node_that_waits_takes_no_others_turn() {
    let old = |name: &str, node: &str, age| pod(name).on(node).hash(OLD).created(age).ready(age);
    let mut cluster = Cluster::new(
        daemon_set().surging(),
        [node("a"), node("b"), old("p", "a", 900), old("q", "b", 800)],
    );
    assert_eq!(creates(&cluster.plan()), ["rollout a Outdated"]);
    (0..4).for_each(|_| cluster.attempt("a", BackoffKind::Deleted, 0));
    let plan = cluster.plan();
    assert_eq!(creates(&plan), ["rollout b Outdated"]);
    assert_eq!(holds(&plan, "DeletedPodBackoff").len(), 1);
}

/// A webhook changed its labels before it was stored; the plan that releases it creates no other.
#[test]
fn a_pod_that_never_matched_counts_before_it_is_released() {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    for n in 0..4 {
        let stolen = pod(&format!("p{n}")).on("a").label("app", "other");
        cluster.put(&stolen);
        let plan = cluster.plan();
        assert_eq!(plan.claims.release.len(), 1);
        assert_eq!(plan.creates.is_empty(), n == 3, "{n}");
        cluster.put(&stolen.orphan().version(2));
    }
    assert_eq!(holds(&cluster.plan(), "ReleasedPodBackoff").len(), 1);
}

#[test]
fn pods_that_were_listed_or_that_went_because_we_asked_do_not_count() {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    for n in 0..8 {
        let p = pod(&format!("p{n}")).on("a");
        cluster.put(&p);
        let uid = cluster.cache.pod(&p.key()).expect("the pod").uid.clone();
        cluster.cache.delete_pending(&p.key(), &uid);
        let gone = p.terminating().version(2);
        cluster.put(&gone);
        cluster.cache.deleted(Kind::Pod, &gone.raw());
    }
    for n in 8..16 {
        let p = pod(&format!("p{n}")).on("a");
        cluster.cache.list_began(Kind::Pod);
        cluster.cache.listed(Kind::Pod, &p.raw()).expect("a pod");
        cluster.cache.deleted(Kind::Pod, &p.raw());
    }
    let plan = cluster.plan();
    assert_eq!(creates(&plan), ["manage a NodeWithoutPod"]);
}

#[test]
fn the_observed_generation_is_part_of_the_key() {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    (0..6).for_each(|_| cluster.attempt("a", BackoffKind::Deleted, 0));
    assert!(cluster.plan().creates.is_empty());
    let observed = json!({"status": {"observedGeneration": 2}});
    cluster.put(&daemon_set().with(observed).version(2));
    assert_eq!(cluster.plan().creates.len(), 1);
}
