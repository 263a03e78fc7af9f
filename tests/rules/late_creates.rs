//! Creates that may still be under way: what keeps them from making a second pod.

use super::keyed::NONE;
use crate::support::*;
use daemonset_controller::model::{Kind, Str, Tenure};

/// Seconds for which a create may be under way.
const LATEST: u64 = 125;

fn first_name() -> Str {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    cluster.plan().creates[0].pod_name.clone()
}

/// A node whose pod of the first name failed; that pod is so many seconds old.
fn failed(age: i64) -> Cluster {
    let pod = pod(&first_name()).on("a").created(age).phase("Failed");
    Cluster::new(daemon_set(), [node("a"), pod])
}

/// Makes the pods that a plan creates.
fn make(cluster: &mut Cluster) {
    for create in cluster.plan().creates {
        cluster.put(&pod(&create.pod_name).on("a").created(0).ready(0));
    }
}

/// With election or without, a create of this name for the node is under way.
fn begun(cluster: &mut Cluster, elected: bool, name: &str) {
    let tenure = Tenure {
        elected,
        seized: None,
    };
    cluster.cache.begin_tenure(tenure);
    cluster
        .cache
        .create_unsettled(&key(), &"a".into(), &name.into(), now());
}

fn seized(elected: bool) -> Tenure {
    Tenure {
        elected,
        seized: Some(now()),
    }
}

#[test]
fn an_ended_pod_is_replaced_and_stays_while_a_create_of_its_name_may_be_under_way() {
    let mut cluster = failed(9);
    cluster
        .cache
        .create_unsettled(&key(), &"a".into(), &first_name(), now());
    let plan = cluster.plan();
    assert_eq!(creates(&plan), ["successor a PodFailed"]);
    assert!(plan.deletes.is_empty());
    assert!(plan.events.is_empty(), "it is told when the pod is deleted");
    make(&mut cluster);
    for after in [0, LATEST - 1] {
        cluster.now = later(after);
        let plan = cluster.plan();
        assert!(plan.is_settled(), "{after} s");
        assert_eq!(plan.holds[0].rule.as_str(), "CreateUnsettled");
        assert_eq!(plan.holds[0].until, Some(later(LATEST)));
        assert_eq!(plan.wake_at, Some(later(LATEST)));
    }
    cluster.now = later(LATEST);
    let plan = cluster.plan();
    let expected = format!("manage {} PodFailed", first_name());
    assert_eq!(deletes(&plan), [expected]);
    assert!(plan.creates.is_empty());
}

#[test]
fn a_pod_of_another_name_or_node_goes_at_once() {
    for (on, name) in [("a", "web-other"), ("b", &first_name())] {
        let mut cluster = failed(9);
        cluster
            .cache
            .create_unsettled(&key(), &on.into(), &name.into(), now());
        assert_eq!(deletes(&cluster.plan()).len(), 1, "{on} {name}");
    }
}

/// The former leader sent its creates before it was followed, and before their pod was there.
#[test]
fn after_a_leader_that_did_not_release_its_lease_ended_pods_stay_for_as_long() {
    for (age, until) in [(100, Some(LATEST - 100)), (0, Some(LATEST)), (LATEST, None)] {
        let mut cluster = failed(age.try_into().expect("a small number"));
        cluster.cache.begin_tenure(seized(true));
        make(&mut cluster);
        let plan = cluster.plan();
        assert_eq!(plan.deletes.is_empty(), until.is_some(), "{age} s");
        assert_eq!(plan.wake_at, until.map(later), "{age} s");
    }
    // No controller of ours creates pods of such names.
    let others = pod("web-x7k2p").on("a").created(9).phase("Failed");
    let mut cluster = Cluster::new(daemon_set(), [node("a"), others]);
    cluster.cache.begin_tenure(seized(true));
    assert_eq!(deletes(&cluster.plan()).len(), 1);
}

#[test]
fn a_free_name_of_which_a_create_may_be_under_way_is_used_again_where_only_a_leader_makes_pods() {
    for (elected, name) in [(true, "web-late"), (false, &*first_name())] {
        let mut cluster = Cluster::new(daemon_set(), [node("a")]);
        begun(&mut cluster, elected, "web-late");
        assert_eq!(*cluster.plan().creates[0].pod_name, *name);
        cluster.now = later(LATEST);
        assert_eq!(cluster.plan().creates[0].pod_name, first_name());
    }
}

/// Each of them was replaced, and that was counted: nothing is counted when it goes.
#[test]
fn pods_that_stayed_go_together_when_their_time_is_over_and_without_a_backoff() {
    let names: Vec<Str> = (0..3).map(|n| format!("web-{n}").into()).collect();
    let pods = names
        .iter()
        .zip((1_u64..).map(|n| 10 - n))
        .map(|(name, age)| {
            let age = age.try_into().expect("a small number");
            pod(name).on("a").created(age).phase("Failed")
        });
    let live = pod("web-live").on("a").created(1).ready(1);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), live].into_iter().chain(pods));
    for name in &names {
        cluster
            .cache
            .create_unsettled(&key(), &"a".into(), name, now());
    }
    assert!(cluster.plan().is_settled());
    cluster.now = later(LATEST);
    let plan = cluster.plan();
    assert_eq!(plan.deletes.len(), 3);
    assert_eq!(plan.events.len(), 3);
    assert!(plan.backoff.is_empty());
    assert!(plan.holds.is_empty());
}

/// The process that kept them was asked to end meanwhile, and the next one knows of no late create.
#[test]
fn pods_that_a_former_process_kept_go_together_because_their_successors_are_there() {
    let mut cluster = failed(9);
    let mut kept: Vec<Str> = vec![first_name()];
    for age in [8, 7] {
        let next = cluster.plan().creates[0].pod_name.clone();
        cluster.put(&pod(&next).on("a").created(age).phase("Failed"));
        kept.push(next);
    }
    make(&mut cluster);
    let plan = cluster.plan();
    assert_eq!(plan.deletes.len(), kept.len());
    assert_eq!(plan.events.len(), kept.len());
    assert!(plan.creates.is_empty());
    assert!(plan.backoff.is_empty(), "each of them was counted");
    // Pods of other names say nothing of each other: they go one at a time, as upstream's do.
    let others = ["web-a", "web-b"].map(|name| pod(name).on("a").created(9).phase("Failed"));
    let mut cluster = Cluster::new(daemon_set(), [node("a")].into_iter().chain(others));
    assert_eq!(cluster.plan().deletes.len(), 1);
}

/// The next pod would have another name, and the late create would find this one free.
#[test]
fn a_pod_on_its_way_out_is_waited_for_where_a_create_of_its_name_may_be_under_way() {
    let leaving = pod(&first_name()).on("a").ready(9).terminating();
    let leaving = leaving.phase("Succeeded");
    for elected in [true, false] {
        let mut cluster = Cluster::new(daemon_set(), [node("a"), leaving.clone()]);
        begun(&mut cluster, elected, &first_name());
        let plan = cluster.plan();
        // Where others make pods, they know nothing of it.
        assert_eq!(plan.creates.is_empty(), elected);
        if elected {
            assert_eq!(plan.holds[0].rule.as_str(), "NameInUse");
            assert_eq!(plan.holds[0].until, Some(later(LATEST)));
            assert_eq!(plan.wake_at, Some(later(LATEST)));
            cluster.cache.deleted(Kind::Pod, &leaving.raw());
            assert_eq!(cluster.plan().creates[0].pod_name, first_name());
        }
    }
}

#[test]
fn a_name_that_a_former_leader_may_still_post_is_used_again_once_it_is_free() {
    let live = pod(&first_name()).on("a").created(1).ready(1);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), live.clone()]);
    cluster.cache.begin_tenure(seized(true));
    cluster.put(&live.clone().terminating().phase("Succeeded").version(2));
    assert_eq!(cluster.plan().holds[0].rule.as_str(), "NameInUse");
    cluster.cache.deleted(Kind::Pod, &live.raw());
    assert_eq!(cluster.plan().creates[0].pod_name, first_name());
    // A pod that came when nothing of the former leader could be under way any more.
    let mut cluster = Cluster::new(daemon_set(), [node("a"), live.clone()]);
    cluster.now = later(LATEST);
    cluster.cache.begin_tenure(seized(true));
    cluster.put(&live.terminating().phase("Succeeded").version(2));
    assert_ne!(cluster.plan().creates[0].pod_name, first_name());
}

/// The answers to its creates were lost for longer than gone pods are remembered: it must not go on
/// with a name that others give up, and not begin with another one either.
#[test]
fn where_a_create_was_begun_with_a_name_that_others_give_up_no_pod_is_made_while_it_is_under_way() {
    let before = pod(&first_name()).on("a").created(9).ready(9);
    let ended = before.terminating().phase("Succeeded").version(2);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), ended.clone()]);
    let begun = cluster.plan().creates[0].pod_name.clone();
    assert_ne!(begun, first_name());
    cluster.cache.deleted(Kind::Pod, &ended.raw());
    cluster.now = later(1);
    cluster
        .cache
        .create_unsettled(&key(), &"a".into(), &begun, later(1));
    assert_eq!(cluster.plan().creates[0].pod_name, begun, "all have it");
    for after in [2, 9, LATEST] {
        cluster.now = later(after);
        let plan = cluster.plan();
        assert_eq!(creates(&plan), NONE, "{after} s");
        assert_eq!(plan.holds[0].rule.as_str(), "NameNotSettled");
        assert_eq!(plan.holds[0].until, Some(later(LATEST + 1)));
        assert_eq!(plan.wake_at, Some(later(LATEST + 1)));
    }
    cluster.now = later(LATEST + 1);
    assert_eq!(cluster.plan().creates[0].pod_name, first_name());
}

#[test]
fn a_create_that_was_begun_with_the_name_that_all_would_use_holds_nothing() {
    let mut cluster = Cluster::new(daemon_set(), [node("a")]);
    begun(&mut cluster, false, &first_name());
    assert_eq!(cluster.plan().creates[0].pod_name, first_name());
}

/// Ended pods that stay are no reason to make the next ones faster: each successor is an attempt.
#[test]
fn pods_that_fail_while_others_stay_are_replaced_with_growing_pauses() {
    for surge in [false, true] {
        let mut cluster = failed(0);
        if surge {
            cluster = Cluster::new(daemon_set().surging(), [node("a")]);
            cluster.put(&pod(&first_name()).on("a").created(0).phase("Failed"));
        }
        cluster.cache.begin_tenure(seized(true));
        let mut created = Vec::new();
        for second in 0..60 {
            cluster.now = later(second);
            let plan = cluster.plan();
            let now = cluster.now;
            cluster.cache.attempt(&plan.backoff, now);
            for create in &plan.creates {
                created.push(second);
                // It fails at once.
                let age = -i64::try_from(second).expect("a small number");
                cluster.put(&pod(&create.pod_name).on("a").created(age).phase("Failed"));
            }
        }
        assert_eq!(created, [0, 1, 3, 7, 15, 31], "surge: {surge}");
    }
}
