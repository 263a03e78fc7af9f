//! `exclusive`, rule by rule: which pods lose their gate, which wait, and what a read calls for.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::{
    model::{Interner, Pod},
    plan::{
        Plan,
        exclusive::{Answer, Settling, Step},
    },
    wire,
};
use serde_json::json;

const KEY: [(&str, &str); 1] = [("exclusive", "true")];

fn gated(pod: Object) -> Object {
    pod.with(json!({"spec": {"schedulingGates": [{"name": "daemonset-controller.io/exclusive"}]}}))
}

/// A pod that is pinned to a node and has the gate.
fn waiting(name: &str, node: &str) -> Object {
    gated(pod(name).pinned(&[node]))
}

fn plan(set: Object, objects: impl IntoIterator<Item = Object>) -> Plan {
    Cluster::new(set, objects).plan()
}

fn ungates(plan: &Plan) -> Vec<&str> {
    plan.ungates.iter().map(|u| &*u.pod.name).collect()
}

#[test]
fn a_pod_is_created_with_the_gate_only_where_the_key_says_so() {
    for (keys, is_gated) in [
        (&KEY[..], true),
        (&[("exclusive", "off")], false),
        (&[], false),
    ] {
        let plan = plan(set(keys), [node("a")]);
        let all: Vec<bool> = plan.creates.iter().map(|create| create.gated).collect();
        assert_eq!(all, [is_gated], "{keys:?}");
    }
}

#[test]
fn a_gated_pod_alone_on_its_node_loses_its_gate_with_and_without_the_key() {
    for keys in [&KEY[..], &[]] {
        let plan = plan(set(keys), [node("a"), waiting("new", "a")]);
        assert_eq!(ungates(&plan), ["new"], "{keys:?}");
        assert!(!plan.is_settled());
        assert_eq!(creates(&plan), NONE);
        let status = plan.status.expect("a status");
        assert_eq!((status.number_available, status.number_unavailable), (0, 1));
    }
}

#[test]
fn beside_a_pod_that_may_run_it_waits_or_goes() {
    let beside = |other: Object| plan(set(&KEY), [node("a"), other, waiting("new", "a")]);
    let plan = beside(pod("old").on("a").ready(100).terminating());
    assert_eq!((ungates(&plan).len(), deletes(&plan)), (0, vec![]));
    assert_eq!(holds(&plan), ["PodGated a"]);
    let plan = beside(pod("old").on("a").ready(100));
    assert_eq!(
        (ungates(&plan).len(), deletes(&plan)),
        (0, vec!["manage new Duplicate".to_owned()])
    );
    // One that is not scheduled yet may run too, also where it is younger.
    let plan = beside(pod("young").pinned(&["a"]).created(1));
    assert_eq!(
        (ungates(&plan).len(), deletes(&plan)),
        (0, vec!["manage new Duplicate".to_owned()])
    );
    // One that is pinned nowhere may come to any node.
    let plan = beside(pod("stray"));
    assert_eq!(ungates(&plan).len(), 0);
    assert!(
        holds(&plan).contains(&"PodGated a".to_owned()),
        "{:?}",
        holds(&plan)
    );
    let plan = beside(pod("over").on("a").phase("Failed").terminating());
    assert_eq!(ungates(&plan), ["new"], "what is over never runs again");
}

#[test]
fn of_two_gated_pods_the_oldest_stays() {
    let two = [
        node("a"),
        waiting("b", "a").created(5),
        waiting("c", "a").created(9),
    ];
    let plan = plan(set(&KEY), two);
    assert_eq!(
        (ungates(&plan), deletes(&plan)),
        (vec!["c"], vec!["manage b Duplicate".to_owned()])
    );
}

#[test]
fn while_all_is_held_no_gate_goes() {
    let keys = [("exclusive", "true"), ("hold", "all")];
    let plan = plan(set(&keys), [node("a"), waiting("new", "a")]);
    assert_eq!(ungates(&plan).len(), 0);
    assert!(
        holds(&plan).contains(&"AllHeldByAnnotation a".to_owned()),
        "{:?}",
        holds(&plan)
    );
}

#[test]
fn surging_contradicts_it() {
    let set = set_with(&KEY, json!(0), json!(1));
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let old = pod("old").on("a").ready(100).hash(OLD);
    let objects = [current, revision(OLD, 1, &template(1)), node("a"), old];
    let plan = Cluster::bare(set, objects).plan();
    assert_eq!((creates(&plan), deletes(&plan)), (vec![], vec![]));
    assert_eq!(holds(&plan), ["InvalidAnnotation a"]);
    let words = plan.holds[0].rule.message();
    assert!(words.contains("maxSurge: 0 is needed"), "{words}");
}

fn read(objects: &[Object]) -> Vec<Pod> {
    let decode = |object: &Object| {
        let decoded = wire::pod::decode(&object.raw(), &mut Interner::default());
        decoded.expect("a pod").pod
    };
    objects.iter().map(decode).collect()
}

fn steps(settling: &Settling) -> Vec<String> {
    let said = |step: &Step| match step {
        Step::Delete(pod) => format!("delete {}", pod.name),
        Step::Ungate(pod) => format!("ungate {}", pod.name),
    };
    settling.steps().iter().map(said).collect()
}

#[test]
fn a_read_says_which_rivals_go_before_the_gate() {
    let three = [
        waiting("b", "a"),
        waiting("a", "a"),
        waiting("c", "a").created(1),
    ];
    let mut settling = Settling::new(&read(&three));
    assert_eq!(steps(&settling), ["delete b", "delete c", "ungate a"]);
    settling.answered(Answer::Done);
    assert_eq!(steps(&settling), ["delete c", "ungate a"]);
    settling.answered(Answer::NotDone);
    assert_eq!(
        steps(&settling),
        [""; 0],
        "nothing follows what was not done"
    );
}

#[test]
fn a_read_of_a_pod_that_may_run_calls_for_nothing() {
    for other in [
        pod("o").on("a").ready(100),
        pod("o").on("a").terminating(),
        pod("o").pinned(&["a"]),
        pod("o").orphan(),
    ] {
        let settling = Settling::new(&read(&[waiting("a", "a"), other]));
        assert_eq!(steps(&settling), [""; 0]);
        assert!(settling.blocked_by().is_some());
    }
    for other in [
        pod("o").on("a").phase("Failed"),
        gated(pod("o").pinned(&["a"])).terminating(),
    ] {
        let settling = Settling::new(&read(&[waiting("a", "a"), other]));
        assert_eq!(steps(&settling), ["ungate a"]);
    }
    let both = read(&[waiting("a", "a"), pod("o").on("a").terminating()]);
    assert_eq!(steps(&Settling::give_way(&both)), ["delete a"]);
}
