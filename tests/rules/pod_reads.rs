//! Reads of all pods of a DaemonSet, where the watch is behind.

use std::collections::BTreeSet;

use crate::support::*;
use daemonset_controller::model::{Uid, Version};

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
