//! `hold`, rule by rule: what is not done, and which revision a pod is of meanwhile.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::{
    model::{Kind, Time, Version},
    plan::{HoldRule, Plan},
};
use serde_json::{Value, json};

/// The key as an annotation.
const HOLD: &str = "daemonset-controller.io/hold";
const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// `default/web` that replaces one pod at a time, with this value of `hold`.
fn held(value: &str) -> Object {
    annotated(HOLD, value)
}

fn annotated(key: &str, value: &str) -> Object {
    daemon_set().with(json!({
        "metadata": {"annotations": {key: value}},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
        }},
    }))
}

/// The older revision.
fn older() -> Object {
    revision(OLD, 1, &template(1))
}

/// The current revision is number 2.
fn cluster(set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    Cluster::bare(set, [current, older()].into_iter().chain(objects))
}

fn old(node: &str) -> Object {
    pod(&format!("old-{node}")).on(node).ready(100).hash(OLD)
}

fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(100)
}

fn completed(revision: Object, at: &str) -> Object {
    revision.with(json!({"metadata": {"annotations": {COMPLETED: at}}}))
}

#[test]
fn while_held_no_pod_is_replaced_and_each_node_with_an_old_one_says_so() {
    let objects = || {
        ["a", "b", "c"]
            .map(node)
            .into_iter()
            .chain([old("a"), old("b"), new("c")])
    };
    for value in ["rollout", "all"] {
        let plan = cluster(held(value), objects()).plan();
        assert_eq!(deletes(&plan), NONE, "{value}");
        assert_eq!(creates(&plan), NONE, "{value}");
        assert_eq!(holds(&plan), ["HeldByAnnotation a b"], "{value}");
        let status = plan.status.expect("a status");
        assert_eq!(status.updated_number_scheduled, 1, "the target is counted");
        assert_eq!(status.desired_number_scheduled, 3);
    }
    let plan = cluster(held("off"), objects()).plan();
    assert_eq!(
        deletes(&plan),
        ["rollout old-a Outdated"],
        "off holds nothing"
    );
}

#[test]
fn with_on_delete_and_while_surging_it_holds_as_well() {
    for strategy in [
        json!({"type": "OnDelete"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}),
    ] {
        let set = held("rollout").with(json!({"spec": {"updateStrategy": strategy}}));
        let plan = cluster(set, [node("a"), node("b"), old("a"), old("b")]).plan();
        assert!(
            plan.creates.is_empty() && plan.deletes.is_empty(),
            "{strategy}"
        );
        assert_eq!(holds(&plan), ["HeldByAnnotation a b"], "{strategy}");
    }
}

#[test]
fn a_node_without_a_pod_gets_the_stable_revision() {
    let objects = [node("a"), node("b"), node("c"), old("a"), new("c")];
    let plan = cluster(held("rollout"), objects).plan();
    assert_eq!(created(&plan), ["b old"]);
    let templates: Vec<&str> = plan
        .older_templates
        .iter()
        .map(|(hash, _)| &**hash)
        .collect();
    assert_eq!(templates, [OLD]);
    let raw: Value = serde_json::from_str(&plan.older_templates[0].1.raw).expect("JSON");
    assert_eq!(raw, template(1), "its template is the revision's");
}

#[test]
fn a_first_install_has_no_stable_revision_and_goes_on() {
    let set = held("rollout");
    let current = revision(NEW, 1, &set.json["spec"]["template"]);
    let plan = Cluster::bare(set, [current, node("a"), node("b"), new("b")]).plan();
    assert_eq!(created(&plan), ["a new"]);
    assert_eq!(holds(&plan), ["HeldByAnnotation *"]);
}

#[test]
fn a_pod_that_goes_is_replaced_by_the_revision_that_it_had() {
    let objects = [
        node("a"),
        node("b"),
        node("c"),
        new("a").phase("Failed"),
        old("b").phase("Failed"),
        old("c"),
    ];
    let plan = cluster(held("rollout"), objects).plan();
    assert_eq!(created(&plan), ["a new", "b old"]);
    // The same once they are gone, and after a pod of each revision that only just went.
    let mut cluster = cluster(held("rollout"), [node("a"), node("b"), node("c"), old("c")]);
    for pod in [new("a"), old("b")] {
        cluster.put(&pod);
        cluster.cache.deleted(Kind::Pod, &pod.raw());
    }
    assert_eq!(created(&cluster.plan()), ["a new", "b old"]);
}

#[test]
fn the_newest_pod_says_what_a_node_has() {
    let ending = |pod: Object, seconds| pod.created(seconds).terminating();
    for (older, newer, expected) in [
        (ending(old("a"), 200), ending(new("a"), 100), "a new"),
        (ending(new("a"), 200), ending(old("a"), 100), "a old"),
        (ending(old("a"), 100), ending(new("a"), 100), "a new"),
    ] {
        let gone = |pod: Object| pod.phase("Failed");
        let objects = [node("a"), node("z"), old("z"), gone(older), gone(newer)];
        let plan = cluster(held("rollout"), objects).plan();
        assert_eq!(created(&plan), [expected]);
    }
}

#[test]
fn eligibility_is_that_of_the_revision_that_a_node_has() {
    // The new template asks for another zone: without the key every agent would go at once.
    let set = |value: &str| {
        let other = json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "2"}}}}});
        held(value).with(other)
    };
    let objects = || {
        [
            node("a").label("zone", "1"),
            node("b").label("zone", "1"),
            node("c").label("zone", "2"),
            old("a"),
        ]
    };
    let plan = cluster(set("rollout"), objects()).plan();
    assert_eq!(deletes(&plan), NONE);
    assert_eq!(created(&plan), ["b old", "c old"]);
    assert_eq!(plan.status.expect("a status").desired_number_scheduled, 3);
    let plan = cluster(set("off"), objects()).plan();
    assert_eq!(deletes(&plan), ["manage old-a NodeNotEligible"]);
    assert_eq!(created(&plan), ["c new"]);
}

#[test]
fn hold_all_only_lets_pods_leave_nodes_that_are_not_eligible() {
    let objects = [
        node("a"),
        node("b").taint("k:NoExecute"),
        node("c"),
        node("d"),
        old("a").phase("Failed"),
        old("b"),
        old("d"),
        new("d").created(50),
    ];
    let plan = cluster(held("all"), objects).plan();
    assert_eq!(deletes(&plan), ["manage old-b NodeNotEligible"]);
    assert_eq!(creates(&plan), NONE);
    assert_eq!(plan.events, [], "nothing is said of pods that stay");
    assert_eq!(plan.backoff, [], "and no attempt is counted");
    assert_eq!(
        holds(&plan),
        ["HeldByAnnotation d", "AllHeldByAnnotation a c d"]
    );
}

#[test]
fn what_cannot_be_read_holds_the_rollout_and_says_what_would_be_right() {
    let wrong = [
        (HOLD, "rollot", "rollout, all or off is needed"),
        (
            "daemonset-controller.io/holt",
            "all",
            "this version does not know the key; it knows approve, bake, budget, canary, deadline, exclusive, hold, on-failure, order, replace-by and resources",
        ),
    ];
    for (key, value, right) in wrong {
        let objects = [node("a"), node("b"), old("a")];
        let plan = cluster(annotated(key, value), objects).plan();
        assert_eq!(deletes(&plan), NONE, "{key}");
        assert_eq!(created(&plan), ["b old"], "upkeep goes on");
        let HoldRule::InvalidAnnotation(words) = &plan.holds[0].rule else {
            panic!("{:?}", plan.holds);
        };
        assert!(words.contains(key) && words.contains(right), "{words}");
        let event = &plan.events[0];
        assert_eq!(
            (event.kind.as_str(), event.reason),
            ("Warning", "InvalidAnnotation")
        );
        assert!(event.message.contains(right), "{}", event.message);
    }
}

#[test]
fn where_the_stable_revision_is_gone_nothing_is_created_or_deleted() {
    // The only pod is of a revision that somebody deleted, and the target fits nowhere.
    let set = held("rollout")
        .with(json!({"spec": {"template": {"spec": {"nodeSelector": {"zone": "2"}}}}}));
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let unreadable = older().with(json!({"data": {"spec": null}}));
    let objects = [current, unreadable, node("a"), node("b"), old("a")];
    let plan = Cluster::bare(set, objects).plan();
    assert!(
        plan.creates.is_empty() && plan.deletes.is_empty(),
        "{plan:?}"
    );
    assert_eq!(
        holds(&plan),
        ["HeldByAnnotation a", "PinnedRevisionMissing b"]
    );
}

#[test]
fn the_newest_revision_that_completed_is_stable_whatever_its_number() {
    let at = |seconds: i64| ago(seconds);
    let highest = revision("highest", 9, &template(3));
    let objects = |old_at: &str, highest_at: &str| {
        [
            completed(revision("first", 1, &template(2)), old_at),
            completed(highest.clone(), highest_at),
            node("a"),
            node("b"),
            old("b"),
        ]
    };
    let stable = |old_at: i64, highest_at: i64| {
        let objects = objects(&at(old_at), &at(highest_at));
        created(&cluster(held("rollout"), objects).plan())
    };
    assert_eq!(stable(50, 60), ["a first"]);
    assert_eq!(stable(60, 50), ["a highest"]);
    // Where none completed: the one with the highest number that a live pod carries.
    let objects = [highest.clone(), node("a"), node("b"), old("b")];
    assert_eq!(
        created(&cluster(held("rollout"), objects).plan()),
        ["a old"]
    );
}

#[test]
fn a_revision_that_is_complete_now_is_stable_and_recorded_whoever_rolled_it_out() {
    let first = || completed(revision("first", 0, &template(2)), &ago(60));
    let all_old = || [first(), node("a"), node("b"), old("a"), old("b")];
    let plan = cluster(held("rollout"), all_old()).plan();
    assert_eq!(recorded(&plan), Some(("web-old".to_owned(), now())));
    // What was recorded longer ago is not stable any more: see the pod that goes.
    let plan_of = |more: Object| {
        let mut cluster = cluster(held("rollout"), all_old());
        cluster.put(&more);
        cluster.plan()
    };
    let incomplete = [
        node("c"),
        new("a").created(50),
        old("b")
            .with(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}))
            .version(2),
    ];
    for more in incomplete {
        assert_eq!(recorded(&plan_of(more.clone())), None, "{}", more.name());
    }
}

#[test]
fn a_target_that_completed_last_is_stable_itself() {
    let set = held("rollout");
    let current = completed(revision(NEW, 2, &set.json["spec"]["template"]), &ago(50));
    let objects = [
        current,
        completed(older(), &ago(60)),
        node("a"),
        node("b"),
        old("b"),
    ];
    let plan = Cluster::bare(set, objects).plan();
    assert_eq!(created(&plan), ["a new"]);
    assert_eq!(holds(&plan), ["HeldByAnnotation b"], "what runs stays");
}

/// Name and time that are to be recorded.
fn recorded(plan: &Plan) -> Option<(String, Time)> {
    let (revision, at) = plan.revision_ops.set_completed.as_ref()?;
    Some((revision.name.to_string(), *at))
}

#[test]
fn completion_is_recorded_with_a_key_and_once() {
    let all_new = || [node("a"), node("b"), new("a"), new("b")];
    let keyed = held("rollout");
    assert_eq!(
        recorded(&cluster(keyed.clone(), all_new()).plan()),
        Some(("web-new".to_owned(), now()))
    );
    assert_eq!(
        recorded(&cluster(held("off"), all_new()).plan()),
        None,
        "without a key"
    );
    let unfinished = [node("a"), node("b"), new("a"), old("b")];
    assert_eq!(recorded(&cluster(keyed.clone(), unfinished).plan()), None);
    let no_nodes: [Object; 0] = [];
    assert_eq!(
        recorded(&cluster(keyed.clone(), no_nodes).plan()),
        None,
        "no node proves nothing"
    );

    let current = revision(NEW, 2, &keyed.json["spec"]["template"]);
    let with = |current: Object, old: Object| {
        let objects = [current, old].into_iter().chain(all_new());
        recorded(&Cluster::bare(keyed.clone(), objects).plan())
    };
    let current_at = |seconds| completed(current.clone(), &ago(seconds));
    assert_eq!(with(current_at(50), older()), None, "it is there");
    assert_eq!(with(current_at(50), completed(older(), &ago(60))), None);
    // After a way back: another one completed since, so it completed again.
    let again = with(current_at(60), completed(older(), &ago(50)));
    assert_eq!(again, Some(("web-new".to_owned(), now())));
}

#[test]
fn what_a_duplicate_has_recorded_is_not_lost_with_it() {
    let set = daemon_set();
    let template = &set.json["spec"]["template"];
    let kept = revision(NEW, 2, template);
    let duplicate = completed(revision("dup", 1, template), &ago(60));
    let mut cluster = Cluster::bare(set.clone(), [kept, duplicate, node("a"), new("a")]);
    let plan = cluster.plan();
    let deleted: Vec<&str> = plan
        .revision_ops
        .delete_duplicates
        .iter()
        .map(|r| &*r.name)
        .collect();
    assert_eq!(deleted, ["web-dup"]);
    let at: Time = ago(60).parse().expect("a time");
    assert_eq!(recorded(&plan), Some(("web-new".to_owned(), at)));
}

#[test]
fn the_history_limit_spares_the_stable_revision() {
    let history = || {
        [
            completed(revision("first", 0, &template(2)), &ago(60)),
            revision("second", 1, &template(3)),
        ]
    };
    let limited = |set: Object| set.with(json!({"spec": {"revisionHistoryLimit": 1}}));
    let of = |set: Object| {
        let objects = history().into_iter().chain([node("a"), new("a")]);
        let plan = cluster(limited(set), objects).plan();
        let names = plan
            .revision_ops
            .delete_old
            .iter()
            .map(|r| r.name.to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(of(held("rollout")), ["web-old", "web-second"]);
    assert_eq!(of(held("off")), ["web-first", "web-old"]);
}

#[test]
fn a_node_that_changes_for_an_older_revision_alone_concerns_the_daemon_set() {
    // Only the older revision looks at the zone.
    let zoned = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"image": "web:1"}], "nodeSelector": {"zone": "1"}},
    });
    for (value, dirty) in [("rollout", 1), ("off", 0)] {
        let set = held(value);
        let current = revision(NEW, 2, &set.json["spec"]["template"]);
        let in_zone = node("a").label("zone", "1");
        let objects = [current, revision(OLD, 1, &zoned), in_zone, old("a")];
        let mut cluster = Cluster::empty();
        for kind in Kind::ALL {
            cluster.cache.list_began(kind);
            cluster.cache.list_completed(kind, Version(1));
        }
        for object in [set].iter().chain(&objects) {
            cluster.put(object);
        }
        cluster.plan();
        cluster.cache.take_dirty();
        cluster.put(&node("a").label("zone", "2").version(2));
        assert_eq!(cluster.cache.take_dirty().len(), dirty, "{value}");
    }
}
