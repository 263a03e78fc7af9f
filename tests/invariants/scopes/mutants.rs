//! Mutants: each decides something wrong, and the exploration finds a history that shows it.

use daemonset_controller::model::{
    DaemonSet, GonePods, IntOrPercent, Snapshot, Time, UpdateStrategy,
};
use daemonset_controller::plan::{self, Plan};

use super::scope::Scope;
use super::{broken, one, two};

/// Plans for the same snapshot with other parts.
fn with(s: &Snapshot<'_>, daemon_set: &DaemonSet, gone_pods: &GonePods, now: Time) -> Plan {
    let find_pod = |name: &str| (s.find_pod)(name);
    let revision_exists = |name: &str| (s.revision_exists)(name);
    plan::plan(
        &Snapshot {
            daemon_set,
            blind: s.blind,
            nodes: s.nodes,
            pods: s.pods.clone(),
            revisions: s.revisions.clone(),
            gone_pods,
            find_pod: &find_pod,
            revision_exists: &revision_exists,
            verdicts: s.verdicts,
            placed: s.placed.clone(),
            backoff: s.backoff,
            creates_denied: s.creates_denied,
            evictions_refused: s.evictions_refused,
            unsettled: s.unsettled,
            tenure: s.tenure,
            pods_as_of: s.pods_as_of,
            settings: s.settings,
        },
        now,
    )
}

fn without_budget(s: &Snapshot<'_>, now: Time, _: usize) -> Plan {
    let mut daemon_set = s.daemon_set.clone();
    daemon_set.update_strategy = UpdateStrategy::RollingUpdate {
        max_unavailable: IntOrPercent::Int(100),
        max_surge: IntOrPercent::Int(0),
    };
    with(s, &daemon_set, s.gone_pods, now)
}

fn without_memory(s: &Snapshot<'_>, now: Time, _: usize) -> Plan {
    with(s, s.daemon_set, &GonePods::default(), now)
}

/// Each controller has names of its own.
fn own_names(s: &Snapshot<'_>, now: Time, who: usize) -> Plan {
    let mut plan = plan::plan(s, now);
    for create in &mut plan.creates {
        create.pod_name = format!("{}{who}", create.pod_name).into();
    }
    plan
}

/// The revision is part of the name.
fn names_of_revisions(s: &Snapshot<'_>, now: Time, _: usize) -> Plan {
    let mut plan = plan::plan(s, now);
    for create in &mut plan.creates {
        create.pod_name = format!("{}-{}", create.pod_name, create.revision).into();
    }
    plan
}

/// Failed pods stay.
fn no_deletes(s: &Snapshot<'_>, now: Time, _: usize) -> Plan {
    let mut plan = plan::plan(s, now);
    plan.deletes.clear();
    plan
}

fn assert_breaks(promise: &str, scope: &Scope) {
    let violation = broken(scope, 100_000);
    let (what, scope) = (&violation.what, scope.name);
    assert!(what.starts_with(promise), "{scope}: {what}");
}

#[test]
fn a_plan_that_forgets_the_budget_is_found() {
    let scope = Scope {
        planner: without_budget,
        edits: vec![1],
        nodes: 2,
        ..one("no budget")
    };
    assert_breaks("S2", &scope);
}

#[test]
fn names_that_two_controllers_do_not_share_are_found() {
    let scope = Scope {
        planner: own_names,
        covered: false,
        late: Some(1),
        ..two("own names")
    };
    assert_breaks("S1", &scope);
}

/// Two people are enough: one fails a pod, the other deletes it.
#[test]
fn a_plan_that_forgets_which_pod_went_is_found() {
    let scope = Scope {
        planner: without_memory,
        fails: 1,
        deletes: 1,
        ..two("no memory of gone pods")
    };
    assert_breaks("S1", &scope);
}

#[test]
fn names_with_the_revision_in_them_are_found() {
    let scope = Scope {
        planner: names_of_revisions,
        edits: vec![1],
        deletes: 1,
        ..two("the revision in the name")
    };
    assert_breaks("S1", &scope);
}

#[test]
fn a_plan_that_leaves_failed_pods_is_found() {
    let scope = Scope {
        planner: no_deletes,
        fails: 1,
        ..one("no deletes")
    };
    assert_breaks("L1", &scope);
}
