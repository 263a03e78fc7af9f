//! `replace-by: eviction`, rule by rule: which deletes are evictions, and what becomes of those
//! that the API server refuses.

use std::time::Duration;

use super::keyed::*;
use crate::support::*;
use daemonset_controller::cli::rollout_defaults::parse;
use daemonset_controller::model::{Time, Uid, Unallowed};
use daemonset_controller::plan::{HoldRule, Plan, Progress};
use serde_json::{Value, json};

const EVICT: &[(&str, &str)] = &[("replace-by", "eviction")];

/// The API server's words.
const WORDS: &str = "The disruption budget p needs 3 healthy pods and has 3 currently";

fn cluster(max_unavailable: Value, max_surge: Value, pods: Vec<Object>) -> Cluster {
    keyed(EVICT, max_unavailable, max_surge, pods)
}

fn keyed(keys: &[(&str, &str)], unavailable: Value, surge: Value, pods: Vec<Object>) -> Cluster {
    let set = set_with(keys, unavailable, surge);
    Cluster::new(set, nodes("a b c d").into_iter().chain(pods))
}

fn all_old() -> Vec<Object> {
    ["a", "b", "c", "d"].map(old).into()
}

/// The eviction of this pod was refused so many seconds ago.
fn refuse(cluster: &mut Cluster, pod: &str, seconds: i64) {
    refuse_because(cluster, pod, seconds, Unallowed::Now(WORDS.into()));
}

fn refuse_because(cluster: &mut Cluster, pod: &str, seconds: i64, why: Unallowed) {
    let pod = Uid::from(&*format!("pod-{pod}"));
    let at: Time = ago(seconds).parse().expect("a time");
    cluster.cache.eviction_refused(&key(), &pod, why, None, at);
}

/// Verb, pod and cause of each delete.
fn goes(plan: &Plan) -> Vec<String> {
    let all = plan.deletes.iter();
    let line = all.map(|d| format!("{} {} {}", d.by.as_str(), d.pod.name, d.cause.as_str()));
    line.collect()
}

#[test]
fn deletes_of_the_rollout_are_evictions_and_those_of_upkeep_are_not() {
    let pods = || {
        let newer = pod("newer-c").on("c").ready(10).created(10).hash(OLD);
        vec![
            old("a"),
            unready(old("b")),
            old("c"),
            newer,
            old("d").phase("Failed"),
        ]
    };
    let plan = cluster(json!("100%"), json!(0), pods()).plan();
    assert_eq!(
        goes(&plan),
        [
            "evict old-a Outdated",
            "evict old-b OldUnavailable",
            "delete newer-c Duplicate",
            "delete old-d PodFailed",
        ]
    );
    // The key changes nothing else.
    let mut without = keyed(&[], json!("100%"), json!(0), pods()).plan();
    assert_eq!(goes(&without)[0], "delete old-a Outdated");
    for (delete, with) in without.deletes.iter_mut().zip(&plan.deletes) {
        delete.by = with.by;
    }
    assert_eq!(without.deletes, plan.deletes);
    assert_eq!((without.holds, without.wake_at), (plan.holds, plan.wake_at));
}

#[test]
fn while_surging_the_old_pods_are_evicted() {
    let pods = vec![
        old("a"),
        new("a", 100),
        unready(old("b")),
        new("b", 100),
        old("c"),
    ];
    let mut cluster = cluster(json!(0), json!(2), pods);
    let plan = cluster.plan();
    assert_eq!(
        goes(&plan),
        ["evict old-a Replaced", "evict old-b OldNotReady"]
    );
}

#[test]
fn a_pod_whose_node_is_tainted_is_deleted_and_one_that_the_budget_removes_is_evicted() {
    let set = set_with(EVICT, json!(1), json!(0));
    let tainted = node("a").taint("k=v:NoExecute");
    let excluded = |name: &str| node(name).label("type", "virtual");
    let nodes = [tainted, excluded("b"), excluded("c"), node("d")];
    let pods = ["a", "b", "c", "d"].map(|node| new(node, 100));
    let mut cluster = Cluster::new(set, nodes.into_iter().chain(pods));
    let rule = "- excludeNodes: type=virtual\n  existing: remove";
    let rules = parse(rule.as_bytes()).expect("rules");
    cluster.cache.set_rollout_defaults(rules);
    let plan = cluster.plan();
    assert_eq!(
        goes(&plan),
        [
            "delete new-a NodeNotEligible",
            "evict new-b NodeNotEligible"
        ]
    );
    assert_eq!(holds(&plan), ["RemovalBudget c"]);
    // It is the other one's turn.
    refuse(&mut cluster, "new-b", 1);
    let plan = cluster.plan();
    assert_eq!(goes(&plan)[1..], ["evict new-c NodeNotEligible"]);
    assert_eq!(holds(&plan), ["EvictionRefused b"]);
}

#[test]
fn a_pod_that_is_refused_waits_and_the_next_one_goes_within_the_same_budget() {
    let mut cluster = cluster(json!(1), json!(0), all_old());
    assert_eq!(goes(&cluster.plan()), ["evict old-a Outdated"]);
    refuse(&mut cluster, "old-a", 3);
    let plan = cluster.plan();
    assert_eq!(goes(&plan), ["evict old-b Outdated"]);
    assert_eq!(holds(&plan), ["MaxUnavailable c d", "EvictionRefused a"]);
    let hold = &plan.holds[1];
    assert_eq!(hold.rule, HoldRule::EvictionRefused(WORDS.into()));
    assert!(hold.rule.message().ends_with(WORDS));
    let three = ago(3).parse().expect("a time");
    assert_eq!((hold.since, hold.until), (Some(three), Some(later(2))));
    assert_eq!(plan.wake_at, Some(later(2)));
    // Nobody has to do anything about it.
    let standing = plan.standing.expect("it stands somehow");
    assert_eq!(
        (standing.progress, standing.stalled),
        (Progress::Rolling, None)
    );
    // All wait.
    for pod in ["old-b", "old-c", "old-d"] {
        refuse(&mut cluster, pod, 1);
    }
    let plan = cluster.plan();
    assert_eq!(goes(&plan), NONE);
    assert_eq!(holds(&plan), ["EvictionRefused a b c d"]);
    assert_eq!(plan.wake_at, Some(later(2)));
}

#[test]
fn a_pod_that_was_refused_is_tried_again_when_its_backoff_ends_and_the_hold_stays() {
    let mut cluster = cluster(json!(1), json!(0), all_old());
    refuse(&mut cluster, "old-a", 20);
    let plan = cluster.plan();
    assert_eq!(goes(&plan), ["evict old-a Outdated"]);
    assert_eq!(holds(&plan), ["MaxUnavailable b c d", "EvictionRefused a"]);
    let hold = &plan.holds[1];
    let first = ago(20).parse().expect("a time");
    assert_eq!((hold.since, hold.until), (Some(first), None));
    // Refused once more, it waits for twice as long.
    refuse(&mut cluster, "old-a", 6);
    let plan = cluster.plan();
    assert_eq!(plan.holds[1].until, Some(later(4)));
    assert_eq!(plan.holds[1].since, Some(first));
    assert_eq!(goes(&plan), ["evict old-b Outdated"]);
    // Another pod on the node is another matter.
    let another = pod("another-a").on("a").ready(5_000).hash(OLD);
    cluster
        .cache
        .gone(old("a").kind, &old("a").key(), &Uid::from("pod-old-a"));
    cluster.put(&another);
    assert_eq!(goes(&cluster.plan()), ["evict another-a Outdated"]);
}

#[test]
fn a_pod_that_is_refused_and_not_available_uses_the_budget() {
    let pods = || vec![unready(old("a")), old("b"), old("c"), new("d", 100)];
    let mut cluster = cluster(json!(1), json!(0), pods());
    assert_eq!(goes(&cluster.plan()), ["evict old-a OldUnavailable"]);
    refuse(&mut cluster, "old-a", 1);
    let plan = cluster.plan();
    assert_eq!(goes(&plan), NONE);
    assert_eq!(holds(&plan), ["MaxUnavailable b c", "EvictionRefused a"]);
    let mut strict = keyed(
        &[("replace-by", "eviction"), ("budget", "strict")],
        json!(1),
        json!(0),
        pods(),
    );
    refuse(&mut strict, "old-a", 1);
    assert_eq!(goes(&strict.plan()), NONE);
}

#[test]
fn while_surging_a_node_whose_old_pod_is_refused_keeps_its_place_in_max_surge() {
    let pods = || vec![old("a"), new("a", 100), old("b"), old("c"), old("d")];
    let of = |surge: usize, refused: Option<i64>| {
        let mut cluster = cluster(json!(0), json!(surge), pods());
        if let Some(seconds) = refused {
            refuse(&mut cluster, "old-a", seconds);
        }
        let plan = cluster.plan();
        (goes(&plan), creates(&plan), holds(&plan))
    };
    // The answer to the first one is not known when the plan is made; the creates of a rollout are
    // sent after it, and only if it is accepted.
    let (gone, made, _) = of(1, None);
    assert_eq!(
        (gone.len(), made),
        (1, vec!["rollout b Outdated".to_owned()])
    );
    let (gone, made, held) = of(1, Some(1));
    assert_eq!((gone.len(), made.len()), (0, 0));
    assert_eq!(held, ["MaxSurge b c d", "EvictionRefused a"]);
    // Also while it is tried again.
    let (gone, made, held) = of(1, Some(20));
    assert_eq!((gone.len(), made.len()), (1, 0));
    assert_eq!(held, ["MaxSurge b c d", "EvictionRefused a"]);
    let (_, made, _) = of(2, Some(1));
    assert_eq!(made, ["rollout b Outdated"]);
}

#[test]
fn what_can_never_be_allowed_needs_a_person_and_is_tried_all_the_same() {
    let mut cluster = cluster(json!(1), json!(0), all_old());
    for pod in ["old-a", "old-b", "old-c", "old-d"] {
        refuse_because(&mut cluster, pod, 1, Unallowed::Ever("no scale".into()));
    }
    let rule = HoldRule::DisruptionBudgetUnusable("no scale".into());
    let stalled = |plan: &Plan| plan.standing.as_ref().expect("it stands").stalled.clone();
    let plan = cluster.plan();
    assert_eq!(goes(&plan), NONE);
    assert_eq!(holds(&plan), ["DisruptionBudgetUnusable a b c d"]);
    assert_eq!(stalled(&plan), Some(rule.clone()));
    let progress = plan.standing.as_ref().map(|standing| &standing.progress);
    assert_eq!(progress, Some(&Progress::Paused(rule.clone())));
    // The budget may have been corrected: nobody tells.
    cluster.now = cluster.now + Duration::from_secs(5);
    let plan = cluster.plan();
    assert_eq!(goes(&plan), ["evict old-a Outdated"]);
    assert_eq!(stalled(&plan), Some(rule), "until one is accepted");
}

#[test]
fn with_on_delete_and_without_the_key_refusals_mean_nothing() {
    let annotation = json!({"metadata": {"annotations": {
        "daemonset-controller.io/replace-by": "eviction",
    }}});
    let objects = nodes("a").into_iter().chain([old("a")]);
    let mut on_delete = Cluster::new(daemon_set().with(annotation), objects);
    refuse(&mut on_delete, "old-a", 1);
    let plan = on_delete.plan();
    assert_eq!(
        (goes(&plan), holds(&plan)),
        (vec![], vec!["OnDelete a".to_owned()])
    );
    let mut off = keyed(&[("replace-by", "off")], json!(4), json!(0), all_old());
    refuse(&mut off, "old-a", 1);
    let plan = off.plan();
    assert_eq!(goes(&plan).len(), 4);
    assert!(goes(&plan).iter().all(|line| line.starts_with("delete ")));
    assert_eq!(holds(&plan), NONE);
}

#[test]
fn a_rollback_evicts_what_it_takes_back() {
    let verdict = json!({"failed": true, "when": ago(100), "node": "a", "why": "it crashed"});
    let set = set(&[("replace-by", "eviction"), ("on-failure", "rollback")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let current = current.with(state("started", ago(5_000)));
    let current = current.with(state("verdict", verdict.to_string()));
    let older = revision(OLD, 1, &template(1)).with(state("completed", ago(9_000)));
    let pods = [new("a", 1_000), old("b")];
    let objects = nodes("a b").into_iter().chain(pods).chain([current, older]);
    let plan = Cluster::bare(set, objects).plan();
    assert_eq!(goes(&plan), ["evict new-a Outdated"]);
}
