//! S2 can be broken in each of its ways, and each excuse holds.

use serde_json::{Value, json};

use super::*;

/// The DaemonSet on the nodes `n0`, `n1`, …, each of which has an old pod that is ready: `old-n0`,
/// `old-n1`, …
fn rolling(nodes: usize, strategy: Value) -> Story {
    let mut story = Story::new();
    story.remove(&NODES, "n", None);
    for n in 0..nodes {
        story.put(&NODES, json!({"metadata": {"name": format!("n{n}")}}), None);
    }
    story = story.with_daemon_set(json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate", "rollingUpdate": strategy,
    }}}));
    (0..nodes).fold(story, |story, n| story.there(old(n)))
}

fn evicted(mut story: Story, name: &str) -> Story {
    let path = format!("{POD}{name}/eviction");
    story.remove(&PODS, name, Some(("us", "POST", &path)));
    story
}

fn budget(max_unavailable: impl Into<Value>) -> Value {
    json!({"maxUnavailable": max_unavailable.into(), "maxSurge": 0})
}

fn surge(max_surge: impl Into<Value>) -> Value {
    json!({"maxUnavailable": 0, "maxSurge": max_surge.into()})
}

fn of(kind: &str, node: usize, hash: &str) -> Value {
    changed(
        &format!("{kind}-n{node}"),
        json!({
            "metadata": {"labels": {"controller-revision-hash": hash}},
            "spec": {"nodeName": format!("n{node}")},
        }),
    )
}

fn old(node: usize) -> Value {
    of("old", node, "old")
}

fn new(node: usize) -> Value {
    of("new", node, "new")
}

/// The pod with one difference: not ready, terminal, or terminating.
fn but(mut pod: Value, change: Value) -> Value {
    json_patch::merge(&mut pod, &change);
    pod
}

fn unready(pod: Value) -> Value {
    but(pod, json!({"status": {"conditions": null}}))
}

fn terminating(pod: Value) -> Value {
    but(
        pod,
        json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
    )
}

/// The pod, ready since so many seconds after the start.
fn ready_at(pod: Value, seconds: i64) -> Value {
    let since = Timestamp::from_second(seconds).unwrap().to_string();
    let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]);
    but(pod, json!({"status": {"conditions": ready}}))
}

fn tainted(mut story: Story, node: usize, effect: &str) -> Story {
    let taints = json!([{"key": "k", "effect": effect}]);
    let node = json!({"metadata": {"name": format!("n{node}")}, "spec": {"taints": taints}});
    story.put(&NODES, node, None);
    story
}

/// The violations, in the promise's own words.
fn found(story: &Story) -> Vec<String> {
    let found = story.check(|check| check.history()).into_iter();
    found.map(|v| format!("{} {}", v.promise, v.what)).collect()
}

#[test]
fn without_surge_by_table() {
    let both = |max: Value| rolling(4, budget(max)).deleted("old-n0").deleted("old-n1");
    let one = || rolling(4, budget(1));
    // The second pod is deleted 150 s after the start.
    let slow = |new_is_ready_since| {
        let waits = json!({"spec": {"minReadySeconds": 100}});
        let story = rolling(2, budget(1)).with_daemon_set(waits);
        let story = story
            .there(ready_at(old(0), 0))
            .there(ready_at(old(1), 0))
            .deleted("old-n0");
        story
            .there(ready_at(new(0), new_is_ready_since))
            .deleted("old-n1")
    };
    for (what, story, is_broken) in [
        ("one of one", one().deleted("old-n0"), false),
        ("two of one", both(1.into()), true),
        ("two of two", both(2.into()), false),
        (
            "two of one, evicted",
            evicted(evicted(one(), "old-n0"), "old-n1"),
            true,
        ),
        ("one of one, evicted", evicted(one(), "old-n0"), false),
        ("two of zero, which counts as one", both(0.into()), true),
        (
            "one of zero, which counts as one",
            rolling(4, budget(0)).deleted("old-n0"),
            false,
        ),
        ("two of 50%", both("50%".into()), false),
        ("two of 25%", both("25%".into()), true),
        ("two of 26%, rounded up", both("26%".into()), false),
        (
            "one of what is no number",
            rolling(4, budget("many")).deleted("old-n0"),
            true,
        ),
        (
            "the next one, the first being back",
            one().deleted("old-n0").created(new(0)).deleted("old-n1"),
            false,
        ),
        (
            "the next one, the first being back and not ready",
            one()
                .deleted("old-n0")
                .created(unready(new(0)))
                .deleted("old-n1"),
            true,
        ),
        (
            "the next one, the first being on its way out",
            one().deleted_gracefully("old-n0").deleted("old-n1"),
            true,
        ),
        (
            "beside a node without a pod",
            {
                let mut story = one();
                story.remove(&PODS, "old-n3", None);
                story.deleted("old-n0")
            },
            true,
        ),
        (
            "beside one that is not ready",
            one().there(unready(old(3))).deleted("old-n0"),
            true,
        ),
        (
            "beside one that is going",
            one().there(terminating(old(3))).deleted("old-n0"),
            true,
        ),
        (
            "one that is not ready itself",
            one().there(unready(old(3))).deleted("old-n3"),
            false,
        ),
        (
            "all that are not ready",
            one()
                .there(unready(old(2)))
                .there(unready(old(3)))
                .deleted("old-n2")
                .deleted("old-n3"),
            false,
        ),
        (
            "beside a node that is not eligible and has no pod",
            {
                let mut story = tainted(one(), 3, "NoSchedule");
                story.remove(&PODS, "old-n3", None);
                story.deleted("old-n0")
            },
            false,
        ),
        (
            "beside a node that is not eligible, whose pod is not ready",
            tainted(one(), 3, "NoSchedule")
                .there(unready(old(3)))
                .deleted("old-n0"),
            true,
        ),
        (
            "where it may not be",
            tainted(one(), 0, "NoExecute")
                .deleted("old-n1")
                .deleted("old-n0"),
            false,
        ),
        (
            "the younger of two",
            one()
                .deleted("old-n1")
                .there(of("oldest", 0, "old"))
                .deleted("oldest-n0"),
            false,
        ),
        (
            "the next one, before minReadySeconds are over",
            slow(100),
            true,
        ),
        ("the next one, after minReadySeconds", slow(0), false),
    ] {
        let found = found(&story);
        let is_so =
            found.len() == usize::from(is_broken) && found.iter().all(|f| f.starts_with("S2"));
        assert!(is_so, "{what}: {found:?}");
    }
}

/// The DaemonSet with `bad-nodes`, and the node n3 in this state.
fn minding(mut story: Story, status: Value, spec: Value) -> Story {
    let annotations = json!({"daemonset-controller.io/budget": "bad-nodes"});
    story = story.with_daemon_set(json!({"metadata": {"annotations": annotations}}));
    let node =
        json!({"metadata": {"name": "n3"}, "spec": spec, "status": {"conditions": [status]}});
    story.put(&NODES, node, None);
    story
}

#[test]
fn with_bad_nodes_the_rule_holds_among_the_others() {
    let four = || rolling(4, budget(1));
    let down = |since: i64| {
        let since = Timestamp::from_second(since).unwrap().to_string();
        json!({"type": "Ready", "status": "Unknown", "lastTransitionTime": since})
    };
    let in_maintenance = || json!({"type": "MaintenanceInProgress", "status": "True"});
    let leaving =
        || json!({"taints": [{"key": "karpenter.sh/disrupted", "effect": "PreferNoSchedule"}]});
    let well = || json!({"type": "Ready", "status": "True"});
    let waits = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
    let waiting = but(old(3), json!({"status": {"conditions": waits}}));
    let plain = |story: Story| story.there(unready(old(3))).deleted("old-n0");
    let bad = |story: Story, status: Value| minding(story, status, json!({}));
    for (what, story, broken) in [
        ("a node that is down, without the key", plain(four()), 1),
        ("a node that is down", plain(bad(four(), down(0))), 0),
        (
            "two of the others",
            plain(bad(four(), down(0))).deleted("old-n1"),
            1,
        ),
        ("a node that is well", plain(bad(four(), well())), 1),
        ("in maintenance", plain(bad(four(), in_maintenance())), 0),
        ("about to go", plain(minding(four(), well(), leaving())), 0),
        (
            "whose pod is not scheduled",
            bad(four(), well()).there(waiting.clone()).deleted("old-n0"),
            0,
        ),
        (
            "whose pod was not scheduled and is now",
            bad(four(), well())
                .there(waiting)
                .there(unready(old(3)))
                .deleted("old-n0"),
            1,
        ),
        (
            "that was down before it got the new pod",
            {
                let mut story = bad(four(), down(0));
                story.remove(&PODS, "old-n3", None);
                story.there(unready(new(3))).deleted("old-n0")
            },
            0,
        ),
        (
            "that went down after it got the new pod",
            {
                let mut story = bad(four(), well());
                story.remove(&PODS, "old-n3", None);
                story = story.there(unready(new(3)));
                let at = i64::try_from(story.now().as_secs()).unwrap() + 5;
                bad(story, down(at)).deleted("old-n0")
            },
            1,
        ),
        (
            "the exempt one itself",
            bad(four(), in_maintenance()).deleted("old-n3"),
            1,
        ),
    ] {
        let found = found(&story);
        let is_so = found.len() == broken && found.iter().all(|f| f.starts_with("S2"));
        assert!(is_so, "{what}: {found:?}");
    }
}

#[test]
fn a_violation_says_what_was_unavailable_and_what_the_budget_is() {
    let story = rolling(4, budget("25%"))
        .deleted("old-n0")
        .deleted("old-n1");
    let expected = "S2 d/old-n1 on n1 is available and goes, although 1 of 4 nodes are without an available pod and \
                    maxUnavailable is 1";
    assert_eq!(found(&story), [expected]);
}

#[test]
fn with_surge_by_table() {
    let one = || rolling(2, surge(1));
    let waits = json!({"spec": {"minReadySeconds": 10_000}});
    for (what, story, is_broken) in [
        ("alone", one().deleted("old-n0"), true),
        (
            "beside a newer one",
            one().there(new(0)).deleted("old-n0"),
            false,
        ),
        (
            "beside a newer one that is not ready",
            one().there(unready(new(0))).deleted("old-n0"),
            true,
        ),
        (
            "beside a newer one that is not ready, not being ready itself",
            one()
                .there(unready(new(0)))
                .there(unready(old(0)))
                .deleted("old-n0"),
            false,
        ),
        (
            "beside a newer one that has not been ready for long enough",
            one()
                .with_daemon_set(waits)
                .there(ready_at(new(0), 0))
                .deleted("old-n0"),
            true,
        ),
        (
            "beside an older one of its kind",
            one().there(of("dup", 0, "old")).deleted("old-n0"),
            false,
        ),
        (
            "beside an older one of another kind, neither being of the present template",
            one().there(of("older", 0, "older")).deleted("old-n0"),
            false,
        ),
        (
            "from a node that is no longer eligible, nothing being lost",
            tainted(one(), 0, "NoSchedule").deleted("old-n0"),
            false,
        ),
        (
            "from a node that is no longer eligible, while another is without",
            tainted(one(), 0, "NoSchedule")
                .there(unready(old(1)))
                .deleted("old-n0"),
            true,
        ),
    ] {
        let found: Vec<String> = found(&story)
            .into_iter()
            .filter(|f| f.starts_with("S2"))
            .collect();
        assert_eq!(found.len(), usize::from(is_broken), "{what}: {found:?}");
    }
}

#[test]
fn what_others_did_a_moment_ago_excuses_and_what_it_did_itself_does_not() {
    for (lag, by, is_broken) in [
        (0, "them", true),
        (25, "them", false),
        (5, "them", true),
        (0, "us", true),
        (25, "us", true),
    ] {
        let mut story = rolling(3, budget(1));
        let us: Arc<str> = Arc::from("us");
        story.deliveries.opened(&us, &PODS, Duration::ZERO);
        let gate = Some(Gate::Lag(Duration::from_secs(lag)));
        story.deliveries.gate("us", &PODS, gate, Duration::ZERO);
        story.remove(
            &PODS,
            "old-n0",
            Some((by, "DELETE", &format!("{POD}old-n0"))),
        );
        let found = found(&story.deleted("old-n1"));
        assert_eq!(
            found.len(),
            usize::from(is_broken),
            "{by}, {lag} s: {found:?}"
        );
    }
}

#[test]
fn a_budget_that_was_lowered_excuses_whoever_does_not_know_it_yet() {
    for (lag, is_broken) in [(0, true), (35, false)] {
        let mut story = rolling(3, budget(2));
        let us: Arc<str> = Arc::from("us");
        story.deliveries.opened(&us, &DAEMON_SETS, Duration::ZERO);
        let gate = Some(Gate::Lag(Duration::from_secs(lag)));
        story
            .deliveries
            .gate("us", &DAEMON_SETS, gate, Duration::ZERO);
        let lower = json!({"spec": {"updateStrategy": {"rollingUpdate": budget(1)}}});
        let story = story
            .with_daemon_set(lower)
            .deleted("old-n0")
            .deleted("old-n1");
        assert_eq!(found(&story).len(), usize::from(is_broken), "{lag} s");
    }
}

#[test]
fn a_plan_that_has_been_under_way_for_long_is_judged_by_what_was_when_it_was_made() {
    for (under_way, is_broken) in [(false, true), (true, false)] {
        let mut story = rolling(3, budget(1));
        if under_way {
            // Sent at this moment, and answered when the delete is sent.
            story.request(Some(("us", "POST", "/api/v1/namespaces/d/pods")));
            let sent = story.log.last_mut().unwrap();
            sent.ended = Some(sent.at + Duration::from_secs(10));
        }
        story.remove(&PODS, "old-n0", None);
        assert_eq!(
            found(&story.deleted("old-n1")).len(),
            usize::from(is_broken)
        );
    }
}

#[test]
fn with_a_strict_budget_pods_that_are_not_available_count_as_well() {
    let strict = json!({"metadata": {"annotations": {"daemonset-controller.io/budget": "strict"}}});
    // Two nodes wait for their new pod, and a third one loses its old pod, which is not available.
    for (most, keys, expected) in [
        (1, strict.clone(), &["S2"][..]),
        (2, strict.clone(), &["S2"]),
        (3, strict, &[]),
        (2, json!({}), &[]),
    ] {
        let mut story = rolling(4, budget(most)).with_daemon_set(keys);
        for n in 0..2 {
            story.remove(&PODS, &format!("old-n{n}"), None);
            story = story.there(unready(new(n)));
        }
        story.put(&PODS, unready(old(2)), None);
        assert_eq!(story.deleted("old-n2").history(), expected, "{most}");
    }
}
