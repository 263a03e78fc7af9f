//! `demo --update` under rollout control: stages, a failure that stops in its zone, a rollback.

use super::{
    assert_has, flat, played, shown,
    update::{in_order, with},
};

/// A DaemonSet of a file with these keys.
fn keyed(keys: &[(&str, &str)]) -> String {
    let keys = keys.iter();
    let keys = keys.map(|(key, value)| format!("daemonset-controller.io/{key}: '{value}'"));
    let annotations = keys.collect::<Vec<_>>().join(", ");
    with("{rollingUpdate: {maxUnavailable: 4}}").replace(
        "metadata: {name: a}",
        &format!("metadata: {{name: a, annotations: {{{annotations}}}}}"),
    )
}

fn told_of(keys: &[(&str, &str)]) -> String {
    shown(&["--update", "-f", "-"], &keyed(keys))
}

/// The nodes of a zone, from the table at the end.
fn nodes_of(told: &str, zone: &str) -> Vec<String> {
    let rows = told.lines().skip_while(|line| !line.starts_with("NODE "));
    let words = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
    let here = words.filter(|words| words.get(1) == Some(&zone));
    here.map(|words| words[0].to_owned()).collect()
}

#[test]
fn a_canary_then_zones_then_a_failure_that_stops_in_its_zone_then_a_rollback() {
    let told = shown(&["--update"], "");
    in_order(
        &told,
        &[
            "with maxUnavailable 30%, and with the keys of rollout control canary 1, bake 1s,",
            "another image in the template: busybox:new",
            "Canary holds 15 nodes",
            "RolloutStarted: ",
            "CanaryReady: ",
            "Rolling zone=a",
            "StageReleased: ",
            "topology.kubernetes.io/zone=a",
            "Rolling zone=b",
            "topology.kubernetes.io/zone=b",
            "topology.kubernetes.io/zone=c",
            "RolloutComplete: ",
            "busybox:bad, whose pods crash on nodes with topology.kubernetes.io/zone=b",
            "CanaryReady: ",
            "topology.kubernetes.io/zone=a",
            " crashed",
            "Warning: RolloutFailed: ",
            "is paused: ",
            "in stage topology.kubernetes.io/zone=b",
            "AutoPaused zone=b",
            "Available False PodsUnavailable, Progressing False AutoPaused, Stalled True AutoPaused",
            // Their containers run for a moment, wait for a back-off, and run again.
            "NotReady on ",
            "of zone b, all 5 of zone c",
            "AutoPaused holds ",
            "until somebody approves the revision, on-failure tolerates as many, or the template changes",
            "daemonset-controller.io/on-failure=rollback",
            "of an older revision, and not available",
            "RollbackStarted: ",
            "RollingBack",
            "RolledBack",
            "Available True PodsAvailable, Progressing False RolledBack, Stalled True RolledBack",
            "the verdict that is kept: log-agent-",
            "nodes that had the failed revision are back: ",
            "back to the template before",
            "New pods on 16 of 16 nodes, and no old ones",
            "at most 5 at a time, of 5 allowed",
            "none was broken",
        ],
    );
    assert!(!told.contains("not settled"), "{told}");
    for line in told.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn the_failure_stays_in_its_zone_and_every_node_that_it_touched_is_counted() {
    for (seed, nodes) in [("1", "14"), ("2", "15")] {
        let told = shown(&["--update", "--seed", seed, "--nodes", nodes], "");
        let (_, bad) = told.split_once("busybox:bad").expect("a bad template");
        let (bad, _) = bad.split_once("\nNew pods on").expect("an end");
        let bad = flat(bad);
        let actions = bad.split("controller ").skip(1);
        let actions: Vec<&str> = actions
            .map(|action| action.split(": ").next().unwrap_or(action))
            .filter(|action| action.starts_with("create pod") || action.starts_with("delete"))
            .collect();
        assert!(!actions.is_empty(), "{told}");
        let untouched = nodes_of(&told, "c");
        assert!(untouched.len() > 2, "{untouched:?}");
        for node in untouched {
            let on = |action: &&&str| action.split([' ', ',']).any(|word| word == node);
            assert_eq!(actions.iter().find(on), None, "{node} in\n{told}");
        }
        let words: Vec<&str> = bad
            .split(" nodes that had the failed")
            .next()
            .map_or_else(Vec::new, |before| before.rsplit(' ').take(3).collect());
        let [all, "of", back] = words[..] else {
            panic!("{words:?} in\n{told}");
        };
        assert_eq!(all, back);
        assert!(all.parse::<usize>().is_ok_and(|all| all > 2), "{all}");
    }
}

#[test]
fn where_all_nodes_are_of_one_zone_the_canary_is_where_it_stops() {
    let told = shown(&["--update", "--nodes=1"], "");
    in_order(
        &told,
        &[
            "busybox:bad, whose pods crash",
            "in stage canary, first worker-1",
            "RollbackStarted: ",
            "1 of 1 nodes that had the failed revision are back: worker-1",
            "and no old ones",
        ],
    );
}

#[test]
fn the_keys_of_a_file_decide_and_an_approval_is_given_where_one_is_waited_for() {
    let told = told_of(&[("canary", "2"), ("bake", "approval")]);
    in_order(
        &told,
        &[
            "now batch-1, batch-2",
            "Canary holds 16 nodes",
            "Progressing Unknown AwaitingApproval",
            "until somebody approves",
            "annotate the DaemonSet: daemonset-controller.io/approve=",
            "CanaryReady: ",
            "it was approved",
            "RolloutComplete: ",
            "a:bad, whose pods crash on nodes with topology.kubernetes.io/zone=b",
            // A canary without order and without on-failure.
            "RolloutFailed: ",
            "in stage canary, first batch-2",
            "back to the template before",
            "New pods on 18 of 18 nodes, and no old ones",
        ],
    );
    assert!(!told.contains("on-failure=rollback"), "{told}");
    assert!(!told.contains("RollbackStarted"), "{told}");
    let told = told_of(&[
        ("order", "topology.kubernetes.io/zone=c>b"),
        ("bake", "1s"),
        ("on-failure", "rollback"),
    ]);
    in_order(
        &told,
        &[
            "Rolling zone=c",
            "Rolling zone=b",
            "RolloutComplete: ",
            "a:bad",
            "Rolling zone=c",
            "RollbackStarted: ",
            "nodes that had the failed revision are back: ",
            "all 6 of zone a",
            "back to the template before",
            "and no old ones",
        ],
    );
    assert!(!told.contains("annotate"), "{told}");
}

#[test]
fn what_a_key_of_a_file_holds_is_said_and_nothing_worse_is_tried() {
    for (key, value, words) in [
        ("hold", "rollout", "HeldByAnnotation holds 18 nodes: "),
        ("hold", "rollot", "InvalidAnnotation holds 18 nodes: "),
        ("canary", "pool=none", "NoCanaryNode holds 18 nodes: "),
    ] {
        let told = told_of(&[(key, value)]);
        assert_has(
            &told,
            &[words, "New pods on 0 of 18 nodes, and 18 old ones."],
        );
        assert!(!told.contains("a:bad"), "{told}");
    }
    let told = told_of(&[("canary", "2"), ("bake", "30m")]);
    assert_has(
        &told,
        &["Baking holds 16 nodes: ", "New pods on 2 of 18 nodes"],
    );
    assert!(!told.contains("a:bad"), "{told}");
}

#[test]
fn without_a_key_that_looks_for_failures_none_is_found() {
    let told = told_of(&[("budget", "strict")]);
    in_order(
        &told,
        &[
            "a:bad",
            "not settled after 60 s",
            // Their containers run for a moment, wait for a back-off, and run again.
            "NotReady on ",
            "back to the template before",
            "and no old ones",
        ],
    );
    assert!(!told.contains("RolloutFailed"), "{told}");
}

#[test]
fn a_terminal_shows_the_same_story_and_the_stage_below_the_bars() {
    let seen = played(80, &["--update"]).lines();
    let (story, bars) = seen.split_at(seen.len() - 7);
    assert_eq!(bars[0], "");
    assert!(bars[6].starts_with("stage  "), "{bars:?}");
    let plain = shown(&["--update"], "");
    let lines = plain.lines().filter(|line| !line.contains("coverage  "));
    assert_eq!(story, lines.collect::<Vec<_>>());
}
