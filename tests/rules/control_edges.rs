//! Rollout control where keys, nodes and revisions come together badly: what an attempt that was
//! taken back leaves behind, lost revisions, completion, approvals and exempt nodes.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::json;

fn rules(plan: &Plan) -> Vec<String> {
    plan.holds
        .iter()
        .map(|h| h.rule.as_str().to_owned())
        .collect()
}
fn conditions(plan: &Plan) -> String {
    format!("{:?}", plan.conditions)
}

#[test]
fn a_revision_that_is_left_in_its_last_bake_does_not_complete() {
    let set = set(&[("canary", "1"), ("bake", "1h")]);
    let current = revision(NEW, 3, &set.json["spec"]["template"]);
    let bad = revision(OLD, 2, &template(1)).with(state("released", json!(["canary"]).to_string()));
    let good = revision("good", 1, &template(2)).with(state("completed", ago(90_000)));
    let pods = ["a", "b", "c"].map(|n| pod(&format!("old-{n}")).on(n).ready(60).hash(OLD));
    let mut c = Cluster::bare(
        set,
        [current, bad, good]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(pods),
    );
    let plan = c.plan();
    assert_eq!(
        plan.revision_ops.set_completed, None,
        "bad is recorded as complete"
    );
}

#[test]
fn a_revision_that_was_never_approved_does_not_complete() {
    let set = set(&[("canary", "100%"), ("bake", "approval")]);
    let current = revision(NEW, 3, &set.json["spec"]["template"]);
    let bad = revision(OLD, 2, &template(1)).with(state("started", ago(600)));
    let good = revision("good", 1, &template(2)).with(state("completed", ago(90_000)));
    let pods = ["a", "b", "c"].map(|n| pod(&format!("old-{n}")).on(n).ready(60).hash(OLD));
    let mut c = Cluster::bare(
        set,
        [current, bad, good]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(pods),
    );
    let plan = c.plan();
    assert_eq!(
        plan.revision_ops.set_completed, None,
        "bad is recorded as complete"
    );
}

#[test]
fn a_pod_that_is_deleted_in_the_last_bake_does_not_end_it() {
    let of = |c: Object| {
        let set = set(&[("canary", "1"), ("bake", "1h")]);
        let current = revision(NEW, 2, &set.json["spec"]["template"])
            .with(state("released", json!(["canary"]).to_string()));
        let good = revision(OLD, 1, &template(1)).with(state("completed", ago(90_000)));
        let pods = [new("a", 60), new("b", 60), c];
        Cluster::bare(
            set,
            [current, good]
                .into_iter()
                .chain(nodes("a b c"))
                .chain(pods),
        )
        .plan()
    };
    assert_eq!(
        of(new("c", 60)).revision_ops.set_completed,
        None,
        "it bakes"
    );
    let plan = of(new("c", 60).terminating());
    assert_eq!(plan.revision_ops.set_completed, None, "{:?}", plan.standing);
}

#[test]
fn strict_while_surging_counts_nodes_whose_new_pod_is_not_available() {
    let set = set_with(&[("budget", "strict")], json!(0), json!(1));
    // An outage: no pod is ready. a and b have got their new pods, their old ones went.
    let pods = [
        unready(new("a", 60)),
        unready(new("b", 60)),
        unready(old("c")),
        unready(old("d")),
    ];
    let plan = Cluster::new(set, nodes("a b c d").into_iter().chain(pods)).plan();
    assert_eq!(creates(&plan), Vec::<String>::new());
}

#[test]
fn a_template_that_comes_again_has_its_canary_again() {
    let set = set(&[("canary", "1"), ("bake", "1h")]);
    // Rolled back to OLD, which is complete on all nodes, and now the template of NEW again: its
    // number is the lower one.
    let current = revision(NEW, 2, &set.json["spec"]["template"])
        .with(state("released", json!(["canary"]).to_string()))
        .with(state("started", ago(90_000)));
    let good = revision(OLD, 3, &template(1)).with(state("completed", ago(80_000)));
    let mut c = Cluster::bare(
        set.clone(),
        [current, good.clone()]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(["a", "b", "c"].map(old)),
    );
    let first = c.plan();
    assert!(
        first.revision_ops.set_number.is_some(),
        "the rollout begins"
    );
    assert_eq!(gone(&first), ["a"], "only the canary: {:?}", rules(&first));
}

#[test]
fn a_template_that_comes_again_goes_group_by_group_again() {
    let set = set(&[("order", "kubernetes.io/hostname"), ("bake", "1h")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]).with(state(
        "released",
        json!(["kubernetes.io/hostname=a"]).to_string(),
    ));
    let good = revision(OLD, 3, &template(1)).with(state("completed", ago(80_000)));
    let mut c = Cluster::bare(
        set,
        [current, good]
            .into_iter()
            .chain(nodes("a b c"))
            .chain(["a", "b", "c"].map(old)),
    );
    assert_eq!(gone(&c.plan()), ["a"]);
}

#[test]
fn without_the_stable_revision_the_others_still_wait() {
    for key in [("canary", "1"), ("order", "kubernetes.io/hostname")] {
        let set = set(&[key, ("bake", "1h")]);
        let current = revision(NEW, 2, &set.json["spec"]["template"]);
        let pods = [new("a", 60), old("b"), old("c")];
        let plan =
            Cluster::bare(set, [current].into_iter().chain(nodes("a b c")).chain(pods)).plan();
        assert_eq!(
            gone(&plan),
            Vec::<String>::new(),
            "{key:?} {:?}",
            rules(&plan)
        );
    }
}

#[test]
fn nodes_whose_revision_is_missing_keep_a_revision_from_its_completion() {
    let set = set(&[("hold", "rollout")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let pods = [new("a", 600), old("b"), old("c")];
    let plan = Cluster::bare(set, [current].into_iter().chain(nodes("a b c")).chain(pods)).plan();
    assert_eq!(plan.revision_ops.set_completed, None);
    let status = plan.status.expect("status");
    assert_eq!(status.desired_number_scheduled, 3, "{status:?}");
}

#[test]
fn a_node_that_joins_while_held_gets_nothing_when_the_stable_revision_is_gone() {
    let set = set(&[("hold", "rollout")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let pods = [new("a", 600), old("b")];
    let plan = Cluster::bare(set, [current].into_iter().chain(nodes("a b c")).chain(pods)).plan();
    assert_eq!(creates(&plan), Vec::<String>::new(), "{:?}", rules(&plan));
}

#[test]
fn a_canary_without_any_node_is_not_stalled() {
    let set = set(&[("canary", "5%")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
    let plan = Cluster::bare(set, [current, good]).plan();
    let standing = plan.standing.clone().expect("standing");
    assert_eq!(
        standing.stalled,
        None,
        "{:?}\n{}",
        standing.progress,
        conditions(&plan)
    );
}

#[test]
fn a_template_that_selects_no_node_can_be_rolled_out() {
    let set = set(&[("canary", "1")])
        .with(json!({"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}}));
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
    let plan = Cluster::bare(
        set,
        [current, good]
            .into_iter()
            .chain(nodes("a b"))
            .chain(["a", "b"].map(old)),
    )
    .plan();
    let standing = plan.standing.clone().expect("standing");
    assert_eq!(standing.stalled, None, "{:?}", standing.progress);
}

fn not_ready(name: &str, since: i64) -> Object {
    node(name).with(json!({"status": {"conditions": [
        {"type": "Ready", "status": "False", "lastTransitionTime": ago(since)}]}}))
}

#[test]
fn a_node_that_joins_a_released_group_gets_the_new_revision_with_bad_nodes_too() {
    for budget in ["strict", "bad-nodes=3"] {
        let set = set(&[("order", "zone"), ("budget", budget)]);
        let current = revision(NEW, 2, &set.json["spec"]["template"])
            .with(state("released", json!(["zone=1"]).to_string()));
        let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
        let objects = [
            node("a").label("zone", "1"),
            not_ready("b", 5).label("zone", "1"),
            node("c").label("zone", "2"),
            new("a", 6_000),
            old("c"),
        ];
        let plan = Cluster::bare(set, [current, good].into_iter().chain(objects)).plan();
        let made: Vec<String> = plan
            .creates
            .iter()
            .map(|c| format!("{} {}", c.node, c.revision))
            .collect();
        assert_eq!(made, [format!("b {NEW}")], "{budget}");
    }
}

#[test]
fn records_of_completion_settle() {
    let at = |new_done: i64, old_done: i64| {
        let set = set(&[("budget", "bad-nodes=9")]);
        let current =
            revision(NEW, 2, &set.json["spec"]["template"]).with(state("completed", ago(new_done)));
        let good = revision(OLD, 1, &template(1)).with(state("completed", ago(old_done)));
        let objects = [
            not_ready("a", 5),
            not_ready("b", 5),
            new("a", 600),
            old("b"),
        ];
        let plan = Cluster::bare(set, [current, good].into_iter().chain(objects)).plan();
        plan.revision_ops
            .set_completed
            .map(|(r, _)| r.name.to_string())
    };
    let (first, second) = (at(100, 50), at(50, 100));
    assert!(
        first.is_none() || second.is_none(),
        "{first:?} then {second:?}"
    );
}

#[test]
fn the_record_of_stages_fits_into_an_annotation() {
    let set = set(&[("order", "kubernetes.io/hostname"), ("bake", "0s")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
    let name = |n: usize| {
        format!(
            "ip-10-{:03}-{:03}-17.eu-central-1.compute.internal",
            n / 256,
            n % 256
        )
    };
    let names: Vec<String> = (0..4_000).map(name).collect();
    let objects: Vec<Object> = names
        .iter()
        .flat_map(|n| [node(n).label("kubernetes.io/hostname", n), new(n, 600)])
        .collect();
    let last = [node("z"), old("z")];
    let plan = Cluster::bare(set, [current, good].into_iter().chain(objects).chain(last)).plan();
    assert_eq!(plan.revision_ops.release_stages, None);
    assert_eq!(rules(&plan), ["TooManyGroups"]);
    let stalled = plan
        .standing
        .expect("standing")
        .stalled
        .expect("a person must act");
    assert_eq!(stalled.as_str(), "TooManyGroups");
}

#[test]
fn a_canary_node_stays_in_while_its_surge_pod_failed() {
    let set = set_with(&[("canary", "1")], json!(0), json!(1));
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
    // a has the canary; its new pod failed, its old one runs. b's old pod just went away.
    let objects = [
        node("a"),
        node("b"),
        node("c"),
        old("a"),
        new("a", 60).phase("Failed"),
        old("c"),
    ];
    let plan = Cluster::bare(set, [current, good].into_iter().chain(objects)).plan();
    let made: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert!(!made.contains(&format!("b {NEW}")), "{made:?}");
}

#[test]
fn hold_with_the_new_template_selecting_more_nodes_is_not_complete() {
    let set = set(&[("hold", "rollout")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    // The older template selects pool=x only. a has the new pod; only the new one wants b and c.
    let mut older = template(1);
    older["spec"]["nodeSelector"] = json!({"pool": "x"});
    let older = revision(OLD, 1, &older).with(state("completed", ago(80_000)));
    let objects = [
        node("a").label("pool", "x"),
        node("b"),
        node("c"),
        new("a", 600),
    ];
    let plan = Cluster::bare(set, [current, older].into_iter().chain(objects)).plan();
    assert_eq!(
        plan.revision_ops.set_completed,
        None,
        "{:?} {:?}",
        plan.standing,
        rules(&plan)
    );
}

#[test]
fn long_bakes_do_not_overflow() {
    let set = set(&[("canary", "1"), ("bake", "999999999h999999999m999999999s")]);
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
    let plan = Cluster::bare(
        set,
        [current, good]
            .into_iter()
            .chain(nodes("a b"))
            .chain([new("a", 60), old("b")]),
    )
    .plan();
    assert!(plan.wake_at.is_some());
}

#[test]
fn an_approved_canary_restarts_no_pod_for_nothing() {
    let set = set(&[
        ("canary", "pool=0"),
        ("order", "kubernetes.io/hostname"),
        ("bake", "1h"),
        ("approve", NEW),
    ]);
    let revs = |released: &[&str]| {
        let mut current = revision(NEW, 2, &set.json["spec"]["template"]);
        if !released.is_empty() {
            current = current.with(state("released", json!(released).to_string()));
        }
        let good = revision(OLD, 1, &template(1)).with(state("completed", ago(80_000)));
        [current, good]
    };
    let all = || {
        ["a", "b", "c", "d"].map(|n| {
            node(n)
                .label("kubernetes.io/hostname", n)
                .label("pool", if n < "c" { "1" } else { "0" })
        })
    };
    let plan = Cluster::bare(
        set.clone(),
        revs(&[])
            .into_iter()
            .chain(all())
            .chain(["a", "b", "c", "d"].map(old)),
    )
    .plan();
    let first = gone(&plan);
    assert!(plan.revision_ops.release_stages.is_some());
    let after = [
        old("a"),
        old("b"),
        old("c").phase("Failed").terminating(),
        old("d").phase("Failed").terminating(),
    ];
    let plan = Cluster::bare(
        set.clone(),
        revs(&["canary"]).into_iter().chain(all()).chain(after),
    )
    .plan();
    let made: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert!(
        first.is_empty(),
        "{first:?} go with the plan that records the canary as over; then {made:?} {:?}",
        rules(&plan)
    );
}

#[test]
fn nodes_that_join_do_not_begin_a_bake_anew() {
    let began = state("started", ago(87_000));
    let joined = |name: &str, seconds| {
        node(name).with(json!({"metadata": {"creationTimestamp": ago(seconds)}}))
    };
    let plan = |keys: &[(&str, &str)], released: &[&str], more: Vec<Object>| {
        let set = set(keys);
        let current = revision(NEW, 2, &set.json["spec"]["template"])
            .with(began.clone())
            .with(state("released", json!(released).to_string()));
        let good = revision(OLD, 1, &template(1)).with(state("completed", ago(90_000)));
        let old = ["a", "b"].map(|name| joined(name, 900_000));
        let pods = [new("b", 86_000)];
        let objects = old
            .into_iter()
            .chain([joined("c", 100)])
            .chain(pods)
            .chain(more);
        Cluster::bare(set, [current, good].into_iter().chain(objects)).plan()
    };
    // The last bake, and that of a group.
    let canary = [("canary", "1"), ("bake", "1h")];
    let done = plan(&canary, &["canary"], vec![new("a", 86_000), new("c", 60)]);
    assert!(done.revision_ops.set_completed.is_some());
    let order = [("order", "zone"), ("bake", "1h")];
    let over = plan(&order, &[], vec![new("a", 86_000), new("c", 60)]);
    assert!(over.revision_ops.release_stages.is_some());
    // It has to be available all the same.
    let waits = plan(&order, &[], vec![new("a", 86_000), unready(new("c", 60))]);
    assert_eq!(waits.revision_ops.release_stages, None);
    // A pod on a node that was there counts.
    let set = plan(&canary, &["canary"], vec![new("a", 60), new("c", 60)]);
    assert_eq!(set.revision_ops.set_completed, None);
}
