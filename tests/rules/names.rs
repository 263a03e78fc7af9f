//! Names of pods: the state that they are derived from.

use crate::support::*;
use daemonset_controller::{
    model::{Key, Kind, Settings, Snapshot, Str},
    plan,
};
use serde_json::json;

const NONE: [&str; 0] = [];

fn plan_of(objects: impl IntoIterator<Item = Object>) -> daemonset_controller::plan::Plan {
    Cluster::new(daemon_set(), objects).plan()
}

fn next_name(cluster: &mut Cluster) -> Str {
    cluster.plan().creates[0].pod_name.clone()
}

#[test]
fn a_pod_of_ours_without_a_target_counts_for_the_node_whose_name_it_bears() {
    let name = plan_of([node("a")]).creates[0].pod_name.clone();
    assert_eq!(creates(&plan_of([node("a"), pod(&name)])), NONE);
    let foreign = plan_of([node("a"), pod(&name).owned_by("other")]);
    assert_eq!(
        creates(&foreign).len(),
        1,
        "a foreign holder is no pod of ours"
    );
    assert_ne!(foreign.creates[0].pod_name, name, "the series goes on");
}

/// A kubelet writes the terminal phase up to seconds before the last delete, and a finalizer keeps
/// a pod for as long as it likes.
#[test]
fn the_next_pod_is_made_as_soon_as_the_one_before_has_ended_on_its_way_out() {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    let leaving = pod(&first).on("a").ready(9).terminating();
    let mut cluster = Cluster::new(daemon_set(), [node("a"), leaving.clone()]);
    assert_eq!(creates(&cluster.plan()), NONE, "it runs still");
    let ended = leaving.phase("Succeeded").version(2);
    cluster.put(&ended);
    let second = next_name(&mut cluster);
    assert_ne!(second, first);
    cluster.now = later(900);
    assert_eq!(next_name(&mut cluster), second, "a finalizer keeps it");
    // The other controller hears of both at once.
    cluster.now = now();
    cluster.cache.deleted(Kind::Pod, &ended.raw());
    assert_eq!(next_name(&mut cluster), second);
}

/// The two names of a node take turns, so that a controller that is behind posts one that is taken.
#[test]
fn after_the_second_name_of_a_node_comes_the_first_and_a_third_while_both_are_taken() {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    let leaving = |name: &str, age| pod(name).on("a").created(age).terminating().phase("Failed");
    let mut cluster = Cluster::new(daemon_set(), [node("a"), leaving(&first, 9)]);
    let second = next_name(&mut cluster);
    cluster.put(&leaving(&second, 5));
    let third = next_name(&mut cluster);
    assert!(third != first && third != second, "a finalizer keeps both");
    cluster.cache.deleted(Kind::Pod, &leaving(&first, 9).raw());
    assert_eq!(next_name(&mut cluster), first);
    cluster.put(&leaving(&third, 1));
    assert_eq!(next_name(&mut cluster), first);
}

#[test]
fn the_successor_of_a_pod_that_ended_is_named_after_it_when_it_was_taken_away_too() {
    let ended = pod("p").on("a").phase("Failed");
    let empty = plan_of([node("a")]).creates[0].pod_name.clone();
    let mut cluster = Cluster::new(daemon_set(), [node("a"), ended.clone()]);
    let successor = next_name(&mut cluster);
    assert_ne!(successor, empty);

    // A finalizer may keep it for a while.
    cluster.put(&ended.clone().terminating().version(2));
    assert_eq!(next_name(&mut cluster), successor);
    cluster.cache.deleted(Kind::Pod, &ended.raw());
    assert_eq!(next_name(&mut cluster), successor);
}

#[test]
fn a_pod_that_went_without_an_end_leaves_its_name_to_the_next() {
    let ended = pod("p").on("a").phase("Failed");
    let mut cluster = Cluster::new(daemon_set(), [node("a"), ended.clone()]);
    let name = next_name(&mut cluster);
    let new = pod(&name).on("a").created(1).ready(1);
    cluster.put(&new);
    cluster.cache.deleted(Kind::Pod, &ended.raw());
    // At once, or in steps.
    for steps in [vec![], vec![new.clone().terminating().version(2)]] {
        cluster.put(&new);
        for step in &steps {
            cluster.put(step);
        }
        cluster.cache.deleted(Kind::Pod, &new.raw());
        assert_eq!(next_name(&mut cluster), name, "{steps:?}");
    }
    // A controller that has just started has seen none of it.
    let fresh = plan_of([node("a")]).creates[0].pod_name.clone();
    assert_ne!(fresh, name);
    // Nor does a node of that name that came later.
    cluster.cache.deleted(Kind::Node, &node("a").raw());
    cluster.put(
        &node("a")
            .with(json!({"metadata": {"uid": "again"}}))
            .version(9),
    );
    assert_eq!(next_name(&mut cluster), fresh);
}

#[test]
fn of_pods_of_one_second_names_tell_which_was_the_last() {
    // UIDs are in no order of time: each of two pods must be able to be the later one.
    let first = pod("p")
        .on("a")
        .phase("Failed")
        .with(json!({"metadata": {"uid": "z"}}));
    let mut cluster = Cluster::new(daemon_set(), [node("a"), first.clone()]);
    let name = next_name(&mut cluster);
    let second = pod(&name)
        .on("a")
        .phase("Failed")
        .with(json!({"metadata": {"uid": "b"}}));
    cluster.put(&second);
    let after_both = next_name(&mut cluster);
    cluster.cache.deleted(Kind::Pod, &first.raw());
    assert_eq!(next_name(&mut cluster), after_both);
    cluster.cache.deleted(Kind::Pod, &second.raw());
    assert_eq!(next_name(&mut cluster), after_both);
    let mut saw_the_second_only = Cluster::new(daemon_set(), [node("a"), second]);
    assert_eq!(next_name(&mut saw_the_second_only), after_both);
}

#[test]
fn a_pod_that_stopped_being_ours_is_not_named_after() {
    let empty = plan_of([node("a")]).creates[0].pod_name.clone();
    let ended = pod("p").on("a").phase("Failed");
    for left in [ended.clone().orphan(), ended.clone().label("app", "other")] {
        let mut cluster = Cluster::new(daemon_set(), [node("a"), ended.clone()]);
        cluster.put(&left.clone().label("app", "other").version(2));
        cluster.cache.deleted(Kind::Pod, &left.raw());
        assert_eq!(cluster.plan().creates[0].pod_name, empty, "{left:?}");
    }
}

#[test]
fn a_pod_that_another_made_leaves_no_trace_in_names() {
    let empty = plan_of([node("a")]).creates[0].pod_name.clone();
    let live = pod("p").on("a").ready(9);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), live.clone()]);
    cluster.put(&live.clone().terminating().version(2));
    let ended = live.clone().terminating().phase("Succeeded").version(3);
    cluster.put(&ended);
    assert_eq!(next_name(&mut cluster), empty, "its own name is not ours");
    cluster.cache.deleted(Kind::Pod, &ended.raw());
    assert_eq!(next_name(&mut cluster), empty);
    let mut cluster = Cluster::new(daemon_set(), [node("a"), live.clone()]);
    cluster.cache.deleted(Kind::Pod, &live.raw());
    assert_eq!(cluster.plan().creates[0].pod_name, empty);
}

/// A DaemonSet whose name is so long that it is cut in the names of its pods.
fn long_named() -> Object {
    daemon_set().with(json!({"metadata": {"name": "x".repeat(60)}}))
}

fn long_plan(cluster: &mut Cluster) -> daemonset_controller::plan::Plan {
    let key = Key::new("default", "x".repeat(60));
    let now = cluster.now;
    let plan = |s: &Snapshot<'_>| plan::plan(s, now);
    let plan = cluster.cache.snapshot(&key, Settings::default(), plan);
    plan.expect("the DaemonSet is there")
}

/// Names were cut at 58 characters before the ten, so that they had up to 68.
#[test]
fn a_pod_with_a_longer_name_of_the_former_form_stays_and_its_successor_has_a_shorter_one() {
    let mut cluster = Cluster::new(long_named(), [node("a")]);
    let first = long_plan(&mut cluster).creates[0].pod_name.clone();
    assert_eq!(first.len(), 62);
    let former = format!("{}{}", "x".repeat(58), &first[52..]);
    let old = pod(&former).on("a").ready(9);
    cluster.put(&old);
    assert!(long_plan(&mut cluster).is_settled());
    cluster.put(&old.clone().terminating().version(2));
    cluster.cache.deleted(Kind::Pod, &old.raw());
    assert_eq!(long_plan(&mut cluster).creates[0].pod_name, first);
}

fn surging() -> Object {
    daemon_set().with(json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }}}))
}

#[test]
fn while_surging_the_next_name_is_the_same_whether_the_pod_is_there_on_its_way_out_or_gone() {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    for old in [true, false] {
        let current = pod(&first).on("a").ready(100);
        let there = if old { current.hash(OLD) } else { current };
        let mut cluster = Cluster::new(surging(), [node("a"), there.clone()]);
        let mut names = Vec::new();
        if old {
            names.push(next_name(&mut cluster)); // the surge
        }
        let leaving = there.clone().terminating().version(2);
        for step in [leaving.clone(), leaving.phase("Failed").version(3)] {
            cluster.put(&step);
            names.push(next_name(&mut cluster));
        }
        cluster.cache.deleted(Kind::Pod, &there.raw());
        names.push(next_name(&mut cluster));
        // Deleted by force, for a controller that did not see it terminating.
        let mut cluster = Cluster::new(surging(), [node("a"), there.clone()]);
        cluster.cache.deleted(Kind::Pod, &there.raw());
        names.push(next_name(&mut cluster));
        names.dedup();
        assert_eq!(names.len(), 1, "old: {old}: {names:?}");
        assert_ne!(names[0], first);
    }
}

/// A node whose only pod went so many seconds ago.
fn emptied(ds: Object, seconds: u64) -> Cluster {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    let there = pod(&first).on("a").ready(100);
    let mut cluster = Cluster::new(ds, [node("a"), there.clone()]);
    cluster.cache.deleted(Kind::Pod, &there.raw());
    cluster.now = later(seconds);
    cluster
}

/// One controller may have planned while it remembered the pod, and another when it no longer did.
#[test]
fn while_a_pod_is_about_to_be_forgotten_none_is_made_whose_name_depends_on_it() {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    let after_it = next_name(&mut emptied(surging(), 0));
    assert_ne!(after_it, first);
    assert_eq!(next_name(&mut emptied(surging(), 1)), after_it);
    for seconds in [2, 3] {
        let plan = emptied(surging(), seconds).plan();
        assert_eq!(creates(&plan), NONE, "{seconds} s");
        assert_eq!(plan.wake_at, Some(later(4)), "{seconds} s");
        assert_eq!(plan.holds[0].rule.as_str(), "NameNotSettled");
        assert_eq!(plan.holds[0].until, Some(later(4)));
    }
    assert_eq!(next_name(&mut emptied(surging(), 4)), first);
}

#[test]
fn a_pod_about_to_be_forgotten_that_changes_no_name_holds_nothing() {
    let first = plan_of([node("a")]).creates[0].pod_name.clone();
    for seconds in 0..6 {
        assert_eq!(next_name(&mut emptied(daemon_set(), seconds)), first);
    }
}

/// An older pod that goes after the newer one is what another controller may still see.
#[test]
fn a_pod_that_goes_after_a_newer_one_decides_when_the_newer_one_is_forgotten() {
    let mut cluster = emptied(surging(), 0);
    let old = pod("old").on("a").ready(200).hash(OLD);
    cluster.put(&old);
    let after_new = next_name(&mut cluster);
    cluster.cache.tick(later(3));
    cluster.cache.deleted(Kind::Pod, &old.raw());
    cluster.now = later(3);
    assert_eq!(creates(&cluster.plan()), NONE);
    cluster.now = later(4);
    let after_old = next_name(&mut cluster);
    assert_ne!(after_old, after_new);
    let mut sees_old = Cluster::new(surging(), [node("a"), old]);
    assert_eq!(next_name(&mut sees_old), after_old);
}
