//! Reads of all pods of a DaemonSet, where the watch is behind.

use std::collections::BTreeSet;

use super::keyed::set;
use crate::support::*;
use daemonset_controller::model::{Tenure, Uid, Version};

/// The watch has not told that the old one is gone; the list shows the new one alone.
#[test]
fn the_successor_of_a_pod_that_a_list_no_longer_holds_is_no_duplicate_of_it() {
    let old = pod("old").on("a").ready(100);
    let new = pod("new").on("a").created(1).ready(1);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), old, new]);
    assert_eq!(deletes(&cluster.plan()), ["manage new Duplicate"]);
    let of_new = |pod: &daemonset_controller::model::Pod| &*pod.name == "new";
    let new = cluster.snapshot(|s| s.pods.iter().find(|p| of_new(p)).map(|p| p.uid.clone()));
    let (ds, listed) = (Uid::from(DS_UID), BTreeSet::from_iter(new));
    // A list that is older than the pod says nothing of it.
    for (version, deleted) in [(0, 1), (5, 0)] {
        let version = Version(version);
        let missing = cluster.cache.missing_pods(&key(), &ds, version, &listed);
        for pod in &missing {
            cluster.cache.missing_pod_gone(pod);
        }
        assert_eq!(cluster.plan().deletes.len(), deleted, "{version}");
    }
}

/// A node whose pod is to be made, in a controller whose watch of pods has just ended.
fn unwatched() -> Cluster {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    cluster.cache.tick(now());
    cluster.cache.pods_watched(false);
    cluster
}

/// What the plan makes or holds so many seconds later.
fn at(cluster: &mut Cluster, seconds: u64) -> Vec<String> {
    cluster.now = later(seconds);
    let plan = cluster.plan();
    let holds = plan.holds.iter().map(|h| h.rule.as_str().to_owned());
    creates(&plan).into_iter().chain(holds).collect()
}

const MADE: [&str; 1] = ["manage a NodeWithoutPod"];
const HELD: [&str; 1] = ["PodsNotWatched"];

#[test]
fn no_pod_is_made_from_pods_of_which_no_watch_has_told_for_long() {
    let mut cluster = unwatched();
    assert_eq!(at(&mut cluster, 0), MADE, "watches end all the time");
    assert_eq!(at(&mut cluster, 9), HELD);
    let plan = cluster.plan();
    assert_eq!(plan.holds[0].since, Some(now()));
    assert_eq!(plan.wake_at, Some(later(10)), "it is tried again");
    cluster.cache.pods_watched(true);
    assert_eq!(at(&mut cluster, 9), MADE);
}

#[test]
fn a_read_of_the_pods_does_for_a_moment_in_the_place_of_a_watch() {
    let mut cluster = unwatched();
    cluster.cache.pods_read(&key(), &DS_UID.into(), later(9));
    assert_eq!(at(&mut cluster, 9), MADE);
    assert_eq!(at(&mut cluster, 10), HELD);
}

#[test]
fn where_only_a_leader_makes_pods_or_a_second_one_does_not_run_none_waits_for_a_watch() {
    let mut cluster = unwatched();
    cluster.cache.begin_tenure(Tenure {
        elected: true,
        seized: None,
    });
    assert_eq!(at(&mut cluster, 9), MADE);
    let mut cluster = unwatched();
    cluster.put(&set(&[("exclusive", "true")]).version(9));
    assert_eq!(at(&mut cluster, 9), MADE);
}
