//! The history of templates, rule by rule.

use crate::support::*;
use daemonset_controller::plan::Plan;
use serde_json::{Value, json};

fn ds() -> Object {
    daemon_set().with(json!({"spec": {"template": template(0)}}))
}

fn plan_of(objects: impl IntoIterator<Item = Object>) -> Plan {
    Cluster::bare(ds(), objects).plan()
}

fn names(revisions: &[daemonset_controller::plan::revisions::RevisionRef]) -> Vec<&str> {
    revisions.iter().map(|r| &*r.name).collect()
}

#[test]
fn where_none_equals_the_template_one_is_created_with_the_next_number() {
    for (objects, number) in [
        (vec![], 1),
        (
            vec![
                revision("x", 7, &template(1)),
                revision("y", 3, &template(2)),
            ],
            8,
        ),
        (vec![revision("x", -5, &template(1))], 1),
    ] {
        let plan = plan_of(objects);
        let current = plan.revision.unwrap();
        assert!(current.create);
        assert_eq!(current.number, number);
        assert_eq!(*current.name, format!("web-{}", current.hash));
        assert_eq!(plan.revision_ops, Default::default());
    }
}

#[test]
fn the_newest_one_that_equals_the_template_stays_as_it_is() {
    let plan = plan_of([
        revision("x", 2, &template(0)),
        revision("y", 1, &template(1)),
    ]);
    let current = plan.revision.unwrap();
    assert!(!current.create);
    assert_eq!(
        (&*current.name, &*current.hash, current.number),
        ("web-x", "x", 2)
    );
    assert_eq!(plan.revision_ops, Default::default());
}

#[test]
fn a_rollback_raises_the_number_above_all_old_ones() {
    let plan = plan_of([
        revision("x", 1, &template(0)),
        revision("y", 2, &template(1)),
        revision("z", 5, &template(2)),
    ]);
    let (raised, number) = plan.revision_ops.set_number.unwrap();
    assert_eq!((&*raised.name, number), ("web-x", 6));
    assert_eq!(plan.revision.unwrap().number, 6);
}

#[test]
fn duplicates_are_merged_into_the_highest_and_only_their_pods_are_relabelled() {
    let plan = plan_of([
        revision("dup", 3, &template(0)),
        revision("x", 4, &template(0)),
        revision("older", 1, &template(1)),
        node("a"),
        node("b"),
        node("c"),
        pod("p").on("a").hash("dup").ready(9),
        pod("q").on("b").hash("x").ready(9),
        pod("r").on("c").hash("older").ready(9),
    ]);
    assert_eq!(&*plan.revision.unwrap().name, "web-x");
    assert_eq!(names(&plan.revision_ops.delete_duplicates), ["web-dup"]);
    assert_eq!(
        plan.revision_ops.set_number, None,
        "4 is above 1: duplicates do not count"
    );
    let relabels: Vec<_> = plan
        .relabels
        .iter()
        .map(|r| (&*r.pod.name, &*r.hash))
        .collect();
    assert_eq!(relabels, [("p", "x")]);
    assert_eq!(
        plan.status.unwrap().updated_number_scheduled,
        2,
        "a relabelled pod is up to date in the same plan"
    );
}

#[test]
fn a_duplicate_of_the_same_hash_relabels_nobody() {
    let mut twin = revision("x", 1, &template(0));
    merge(
        &mut twin.json,
        json!({"metadata": {"name": "web-twin", "uid": "twin"}}),
    );
    let plan = plan_of([
        revision("x", 2, &template(0)),
        twin,
        node("a"),
        pod("p").on("a").hash("x").ready(9),
    ]);
    assert_eq!(names(&plan.revision_ops.delete_duplicates), ["web-twin"]);
    assert!(plan.relabels.is_empty());
}

#[test]
fn a_revision_without_a_hash_label_gets_its_name_as_one() {
    let mut bare = revision("x", 1, &template(0));
    bare.json["metadata"]["labels"] = json!({"app": "web"});
    let plan = plan_of([bare]);
    let (revision, hash) = &plan.revision_ops.set_label[0];
    assert_eq!((&*revision.name, &**hash), ("web-x", "web-x"));
    assert_eq!(&*plan.revision.unwrap().hash, "web-x");
}

/// The API server refuses a label with more than 63 characters, and did so at each sync.
#[test]
fn a_revision_whose_name_no_label_can_hold_gets_a_hash_of_ten_characters() {
    for (length, kept) in [(63, true), (64, false), (253, false)] {
        let mut bare = revision("x", 1, &template(0));
        bare.json["metadata"]["labels"] = json!({"app": "web"});
        bare.json["metadata"]["name"] = json!("x".repeat(length));
        let plan = plan_of([bare]);
        let (revision, hash) = &plan.revision_ops.set_label[0];
        assert_eq!(*revision.name == **hash, kept, "{hash}");
        assert_eq!(hash.len(), if kept { length } else { 10 });
        assert_eq!(plan.revision.unwrap().hash, *hash);
    }
}

/// A template as API servers up to 1.33 hand it out.
fn with_timestamp(mut template: Value) -> Value {
    merge(
        &mut template,
        json!({"metadata": {"creationTimestamp": null}}),
    );
    template
}

#[test]
fn one_that_differs_in_a_null_timestamp_is_the_current_one_only_where_none_is_equal() {
    let alike = revision("alike", 5, &with_timestamp(template(0)));
    let plan = plan_of([alike.clone()]);
    let current = plan.revision.unwrap();
    assert_eq!((&*current.name, current.create), ("web-alike", false));

    let plan = plan_of([alike, revision("equal", 1, &template(0))]);
    assert_eq!(&*plan.revision.unwrap().name, "web-equal");
    let (raised, number) = plan.revision_ops.set_number.unwrap();
    assert_eq!(
        (&*raised.name, number),
        ("web-equal", 6),
        "the other one is old"
    );
    assert!(
        plan.revision_ops.delete_duplicates.is_empty(),
        "and no duplicate"
    );

    let ds = daemon_set().with(json!({"spec": {"template": with_timestamp(template(0))}}));
    let plan = Cluster::bare(ds, [revision("without", 1, &template(0))]).plan();
    assert_eq!(
        &*plan.revision.unwrap().name,
        "web-without",
        "the other way round too"
    );
}

#[test]
fn an_empty_object_and_null_differ() {
    let empty = json!({"spec": {"template": {"metadata": {"annotations": {}}}}});
    let null = json!({"metadata": {"annotations": null}});
    let plan = Cluster::bare(daemon_set().with(empty), [revision("x", 1, &null)]).plan();
    assert!(plan.revision.unwrap().create);
}

#[test]
fn old_revisions_beyond_the_limit_go_lowest_number_first_but_none_that_a_pod_carries() {
    let history = || (1..=4).map(|n| revision(&format!("r{n}"), n, &template(n as usize)));
    let limited = |n: i32| ds().with(json!({"spec": {"revisionHistoryLimit": n}}));
    let current = revision("now", 9, &template(0));
    let old = |limit: i32, pods: Vec<Object>| -> Vec<String> {
        let objects = history().chain([current.clone(), node("a")]).chain(pods);
        let plan = Cluster::bare(limited(limit), objects).plan();
        names(&plan.revision_ops.delete_old)
            .into_iter()
            .map(String::from)
            .collect()
    };
    assert_eq!(old(4, vec![]), [""; 0], "the current one does not count");
    assert_eq!(old(2, vec![]), ["web-r1", "web-r2"]);
    assert_eq!(old(0, vec![]), ["web-r1", "web-r2", "web-r3", "web-r4"]);
    let live = |hash: &str| pod("p").on("a").hash(hash).ready(9);
    assert_eq!(old(2, vec![live("r1")]), ["web-r2", "web-r3"]);
    assert_eq!(
        old(2, vec![live("r1").terminating().phase("Failed")]),
        ["web-r2", "web-r3"],
        "even a terminal pod that terminates keeps its revision"
    );
    assert_eq!(
        old(2, vec![pod("p").hash("r1")]),
        ["web-r1", "web-r2"],
        "a pod without a node keeps nothing"
    );
}

#[test]
fn duplicates_are_not_counted_in_the_history_limit() {
    let ds = ds().with(json!({"spec": {"revisionHistoryLimit": 1}}));
    let objects = [
        revision("a", 1, &template(0)),
        revision("b", 2, &template(0)),
        revision("old", 1, &template(1)),
    ];
    let plan = Cluster::bare(ds, objects).plan();
    assert_eq!(names(&plan.revision_ops.delete_duplicates), ["web-a"]);
    assert!(plan.revision_ops.delete_old.is_empty());
}

#[test]
fn a_name_that_is_taken_raises_the_collision_count() {
    let free = plan_of([]).revision.unwrap();
    let mut holder = revision("h", 1, &template(1));
    merge(
        &mut holder.json,
        json!({"metadata": {"name": &*free.name, "ownerReferences": [{"uid": "other", "controller": true}]}}),
    );
    let plan = plan_of([holder]);
    assert_eq!(plan.revision_ops.collision_count, Some(1));
    assert_eq!(plan.status.unwrap().collision_count, Some(1));
    let next = plan.revision.unwrap();
    assert!(next.create && next.name != free.name);
    assert_eq!(next.number, 1, "another's revision is no old one of ours");

    let counted = ds().with(json!({"status": {"collisionCount": 1}}));
    let plan = Cluster::bare(counted, []).plan();
    assert_eq!(
        plan.revision.unwrap().name,
        next.name,
        "the count is part of the name"
    );
    assert_eq!(plan.revision_ops.collision_count, None);
    assert_eq!(plan.status.unwrap().collision_count, Some(1), "and is kept");
}

#[test]
fn matching_orphans_are_adopted_and_what_stopped_matching_is_released() {
    let plan = plan_of([
        revision("x", 1, &template(0)).orphan(),
        revision("y", 2, &template(1)).label("app", "stolen"),
        revision("z", 3, &template(2)).owned_by("other"),
        revision("w", 4, &template(3)).orphan().terminating(),
    ]);
    assert_eq!(names(&plan.revision_ops.adopt), ["web-x"]);
    assert_eq!(names(&plan.revision_ops.release), ["web-y"]);
    let current = plan.revision.unwrap();
    assert_eq!(
        (&*current.name, current.number, current.create),
        ("web-x", 1, false)
    );
}

#[test]
fn the_generation_annotation_is_parsed_and_printed_again() {
    for (annotation, label, updated) in [
        ("+5", "5", 1),
        ("5", "5", 1),
        ("five", "five", 0),
        ("5", "+5", 0),
    ] {
        let ds = ds().with(json!({"metadata": {"annotations": {
            "deprecated.daemonset.template.generation": annotation,
        }}}));
        let pod = pod("p")
            .on("a")
            .hash(OLD)
            .label("pod-template-generation", label)
            .ready(9);
        let plan = Cluster::bare(ds, [node("a"), pod]).plan();
        assert_eq!(
            plan.status.unwrap().updated_number_scheduled,
            updated,
            "annotation {annotation}, label {label}"
        );
    }
}

#[test]
fn a_revision_that_does_not_decode_and_may_be_ours_leaves_the_daemon_set_alone() {
    let broken = |r: Object| r.with(json!({"revision": "seven"}));
    for (revision, alone) in [
        (broken(revision("x", 1, &template(0))), true),
        (broken(revision("x", 1, &template(0)).orphan()), true),
        (
            broken(revision("x", 1, &template(0)).owned_by("other")),
            false,
        ),
    ] {
        let mut cluster = Cluster::bare(ds(), [node("a")]);
        assert!(
            cluster
                .cache
                .observe(revision.kind, &revision.raw())
                .is_err()
        );
        let plan = cluster.plan();
        assert_eq!(plan.left_alone.is_some(), alone, "{revision:?}");
        assert_eq!(plan.creates.is_empty(), alone);
    }
}
