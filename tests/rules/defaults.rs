//! Cluster defaults, rule by rule: which value of a key counts, and nodes that are excluded.

use std::collections::BTreeSet;

use super::keyed::*;
use crate::support::*;
use daemonset_controller::{
    cli::rollout_defaults::parse,
    model::{FeatureGates, Kind, RolloutDefaults, Verdict},
    plan::{Plan, eligibility, obstacles},
};
use serde_json::{Value, json};

const PREFIX: &str = "daemonset-controller.io/";

fn defaults(text: &str) -> RolloutDefaults {
    parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// `default/web` that replaces so many pods at a time, with these annotations.
fn web(max_unavailable: usize, annotations: &[(&str, &str)]) -> Object {
    let key = |(key, value): &(&str, &str)| (format!("{PREFIX}{key}"), json!(value));
    let annotations: serde_json::Map<String, Value> = annotations.iter().map(key).collect();
    daemon_set().with(json!({
        "metadata": {"annotations": annotations},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": max_unavailable, "maxSurge": 0},
        }},
    }))
}

/// A cluster whose current revision is number 2, with these rules.
fn cluster(text: &str, set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let older = revision(OLD, 1, &template(1));
    let mut cluster = Cluster::bare(set, [current, older].into_iter().chain(objects));
    cluster.cache.set_rollout_defaults(defaults(text));
    cluster
}

fn old(node: &str) -> Object {
    pod(&format!("old-{node}")).on(node).ready(100).hash(OLD)
}

fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(100)
}

fn virtual_node(name: &str) -> Object {
    node(name).label("type", "virtual")
}

fn gone(plan: &Plan) -> Vec<&str> {
    plan.deletes.iter().map(|d| &*d.node).collect()
}

#[test]
fn a_default_counts_where_there_is_no_annotation() {
    let held = |text: &str, annotations: &[(&str, &str)]| {
        let objects = [node("a"), node("b"), old("a"), old("b")];
        let plan = cluster(text, web(1, annotations), objects).plan();
        plan.deletes.is_empty()
    };
    assert!(held("- set: {hold: rollout}", &[]));
    assert!(held(
        "- namespaces: [def*]\n  names: [web]\n  set: {hold: rollout}",
        &[]
    ));
    assert!(!held(
        "- namespaces: [kube-system]\n  set: {hold: rollout}",
        &[]
    ));
    assert!(!held("- names: [web-*]\n  set: {hold: rollout}", &[]));
    // The annotation wins, by `off` as well; a later rule wins, by `off` as well.
    assert!(!held("- set: {hold: rollout}", &[("hold", "off")]));
    assert!(held("- set: {hold: off}", &[("hold", "rollout")]));
    assert!(!held("- set: {hold: rollout}\n- set: {hold: off}", &[]));
    assert!(held("- set: {hold: off}\n- set: {hold: rollout}", &[]));
    // Other keys do not matter.
    assert!(held("- set: {hold: rollout}", &[("budget", "strict")]));
}

#[test]
fn an_annotation_that_cannot_be_read_holds_whatever_the_defaults_say() {
    let objects = [node("a"), old("a")];
    let plan = cluster("- set: {hold: off}", web(1, &[("hold", "of")]), objects).plan();
    assert_eq!(deletes(&plan), NONE);
    assert_eq!(holds(&plan), ["InvalidAnnotation a"]);
}

#[test]
fn each_key_says_where_its_value_came_from() {
    let text = "- set: {canary: 5%, bake: 1h, budget: strict}\n- set: {bake: approval, hold: all}";
    let set = web(1, &[("budget", "off"), ("hold", "al"), ("approve", "6f5d")]);
    let said: Vec<String> = cluster(text, set, []).snapshot(|s| {
        let control = s.daemon_set.control.as_deref().expect("control");
        assert!(!control.strict_budget, "the annotation cancels it");
        assert_eq!(
            control.hold, None,
            "an annotation that cannot be read is no default"
        );
        let settings = control.settings.iter();
        settings
            .map(|s| format!("{}={} {:?}", s.key, s.value, s.origin))
            .collect()
    });
    assert_eq!(
        said,
        [
            "approve=6f5d Annotation",
            "bake=approval Rule(2)",
            "budget=off Annotation",
            "canary=5% Rule(1)"
        ]
    );
}

#[test]
fn a_daemon_set_that_no_rule_is_for_gets_the_plan_of_a_cluster_without_rules() {
    let objects = || [node("a"), virtual_node("b"), node("c"), old("a"), new("b")];
    let of = |text: &str| {
        let mut cluster = cluster(text, web(1, &[]), objects());
        cluster.snapshot(|s| {
            assert_eq!(s.daemon_set.control, None, "{text}");
            assert!(s.placed.is_empty());
        });
        cluster.plan()
    };
    let other = "- names: [other]\n  set: {hold: all}\n  excludeNodes: type=virtual";
    assert_eq!(of(other), of(""));
    assert_eq!(of("- set: {hold: off, canary: off}"), of(""));
    assert_eq!(
        of("- excludeNodes: type=virtual\n- excludeNodes: off"),
        of("")
    );
}

#[test]
fn rules_that_are_read_again_concern_the_daemon_sets_for_which_they_change_something() {
    let mut cluster = cluster("", web(1, &[]), [node("a"), virtual_node("b"), new("a")]);
    for kind in Kind::ALL {
        cluster.cache.list_began(kind);
    }
    // The other one has an annotation of its own.
    let other =
        web(1, &[("hold", "all")]).with(json!({"metadata": {"name": "other", "uid": "other"}}));
    let all = [web(1, &[]), other, node("a"), virtual_node("b"), new("a")];
    for object in all {
        let listed = cluster.cache.listed(object.kind, &object.raw());
        listed.expect("it decodes");
    }
    for kind in Kind::ALL {
        let version = daemonset_controller::model::Version(9);
        cluster.cache.list_completed(kind, version);
    }
    let mut dirty = |text: &str| {
        cluster.cache.take_dirty();
        cluster.cache.set_rollout_defaults(defaults(text));
        let dirty = cluster.cache.take_dirty().into_iter();
        dirty.map(|key| key.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(dirty("- set: {hold: all}"), ["web"]);
    assert_eq!(dirty("# as it was\n- set: {hold: all}"), NONE);
    assert_eq!(
        dirty("- names: [other]\n  set: {budget: strict}"),
        ["other", "web"]
    );
    assert_eq!(dirty("- excludeNodes: type=virtual"), ["other", "web"]);
    assert!(!cluster.verdict("b").should_run());
    let mut dirty = |text: &str| cluster.cache.set_rollout_defaults(defaults(text));
    assert_eq!(dirty(""), 2);
    assert!(cluster.verdict("b").should_run());
}

#[test]
fn no_pod_is_created_on_an_excluded_node_and_it_is_not_desired() {
    let rule = "- excludeNodes: type in (virtual,fargate)";
    let plan = cluster(rule, web(1, &[]), [node("a"), virtual_node("b")]).plan();
    assert_eq!(creates(&plan), ["manage a NodeWithoutPod"]);
    let status = plan.status.expect("a status");
    assert_eq!(status.desired_number_scheduled, 1);
    // For the pods of an older revision it is the same.
    let objects = [node("a"), virtual_node("b"), node("c"), old("c")];
    let mut held = cluster(rule, web(1, &[("hold", "rollout")]), objects);
    let plan = held.plan();
    let created: Vec<String> = plan
        .creates
        .iter()
        .map(|c| format!("{} {}", c.node, c.revision))
        .collect();
    assert_eq!(created, ["a old"]);
    // The rule goes, and the node is like any other.
    held.cache.set_rollout_defaults(defaults(""));
    assert_eq!(held.plan().creates.len(), 2);
}

#[test]
fn exclusion_follows_the_labels_of_nodes() {
    let rule = "- excludeNodes: type=virtual";
    let mut cluster = cluster(rule, web(1, &[]), [node("a")]);
    assert!(cluster.verdict("a").should_run());
    cluster.put(&virtual_node("a").version(2));
    assert_eq!(eligibility::reason(cluster.verdict("a")), "NodeExcluded");
    cluster.put(&node("a").version(3));
    assert!(cluster.verdict("a").should_run());
}

#[test]
fn what_runs_on_an_excluded_node_stays_and_is_not_replaced() {
    let rule = "- excludeNodes: type=virtual";
    for strategy in [
        json!({"type": "OnDelete"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3, "maxSurge": 0}}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 3}}),
    ] {
        let set = web(3, &[]).with(json!({"spec": {"updateStrategy": strategy}}));
        let objects = [
            virtual_node("a"),
            virtual_node("b"),
            node("c"),
            old("a"),
            new("b"),
            new("c"),
        ];
        let plan = cluster(rule, set, objects).plan();
        assert_eq!(deletes(&plan), NONE, "{strategy}");
        assert_eq!(creates(&plan), NONE, "{strategy}");
        assert_eq!(holds(&plan), NONE, "{strategy}: the verdict is the reason");
        let status = plan.status.expect("a status");
        let counts = (status.desired_number_scheduled, status.number_misscheduled);
        assert_eq!(counts, (1, 2), "{strategy}");
    }
    // One that fails is deleted, and has no successor.
    let objects = [virtual_node("a"), new("a").phase("Failed")];
    let plan = cluster(rule, web(1, &[]), objects).plan();
    assert_eq!(deletes(&plan), ["manage new-a PodFailed"]);
    assert_eq!(creates(&plan), NONE);
}

#[test]
fn a_pod_that_must_leave_an_excluded_node_for_another_reason_leaves() {
    let rule = "- excludeNodes: type=virtual";
    let tainted = virtual_node("a").taint("k:NoExecute");
    let plan = cluster(rule, web(1, &[]), [tainted, new("a")]).plan();
    assert_eq!(deletes(&plan), ["manage new-a NodeNotEligible"]);
    // A taint that lets it stay is the lesser reason.
    let tainted = virtual_node("a").taint("k:NoSchedule");
    let mut cluster = cluster(rule, web(1, &[]), [tainted]);
    assert_eq!(eligibility::reason(cluster.verdict("a")), "NodeExcluded");
}

#[test]
fn what_is_to_be_removed_leaves_within_the_budget_and_never_all_at_once() {
    let rule = "- excludeNodes: type=virtual\n  existing: remove";
    let of = |set: Object, pods: &[Object]| {
        let nodes = ["a", "b", "c"]
            .map(virtual_node)
            .into_iter()
            .chain([node("d")]);
        cluster(rule, set, nodes.chain(pods.iter().cloned())).plan()
    };
    let pods = [
        new("a").created(500),
        new("b").created(900),
        new("c").with(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})),
        new("d"),
    ];
    let plan = of(web(1, &[]), &pods);
    assert_eq!(gone(&plan), ["c"], "the one that is not available is first");
    assert_eq!(holds(&plan), ["RemovalBudget b a"], "then the oldest");
    assert_eq!(gone(&of(web(2, &[]), &pods)), ["b", "c"]);
    // While the node that is wanted has no available pod there is no room.
    let plan = of(web(1, &[]), &pods[..3]);
    assert_eq!(gone(&plan), NONE);
    assert_eq!(creates(&plan), ["manage d NodeWithoutPod"]);
    // Without a budget it is one at a time.
    let strategies = [
        json!({"type": "OnDelete"}),
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "x", "maxSurge": 0}}),
    ];
    for strategy in strategies {
        let set = web(1, &[]).with(json!({"spec": {"updateStrategy": strategy}}));
        assert_eq!(gone(&of(set, &pods)), ["c"], "{strategy}");
    }
}

/// The plan is carried out again and again: pods that it deletes are terminating for a plan, and
/// gone in the next one.
#[test]
fn removal_goes_on_to_its_end_in_the_middle_of_a_rollout() {
    let rule = "- excludeNodes: type=virtual\n  existing: remove";
    let names = ["a", "b", "c", "d", "e", "f"];
    let nodes = names.map(|name| {
        if name < "e" {
            virtual_node(name)
        } else {
            node(name)
        }
    });
    let objects = nodes.into_iter().chain(names.map(old));
    let mut cluster = cluster(rule, web(2, &[]), objects);
    let mut terminating: Vec<Object> = Vec::new();
    let mut version = 10;
    let mut most = 0;
    for _ in 0..20 {
        let plan = cluster.plan();
        version += 1;
        let waited = !terminating.is_empty();
        for pod in terminating.drain(..) {
            cluster
                .cache
                .deleted(Kind::Pod, &pod.version(version).raw());
        }
        for delete in &plan.deletes {
            let pod = old(&delete.node).terminating().version(version);
            cluster.put(&pod);
            terminating.push(pod);
        }
        for create in &plan.creates {
            cluster.put(&new(&create.node));
        }
        most = most.max(terminating.len());
        if !waited && plan.creates.is_empty() && plan.deletes.is_empty() {
            break;
        }
    }
    assert_eq!(most, 2);
    let plan = cluster.plan();
    let status = plan.status.expect("a status");
    assert_eq!(status.number_misscheduled, 0);
    assert_eq!(status.updated_number_scheduled, 2);
    assert!(status.is_complete(), "{plan:?}");
    let (creates, deletes) = (creates(&plan), deletes(&plan));
    assert!(creates.is_empty() && deletes.is_empty(), "{plan:?}");
}

#[test]
fn of_several_exclusions_the_last_one_decides_and_all_are_named() {
    let text = "
- excludeNodes: type=virtual
  existing: remove
- excludeNodes: type
- excludeNodes: gpu
  existing: remove
";
    let mut cluster = cluster(text, web(1, &[]), [virtual_node("a").taint("k:NoSchedule")]);
    let verdict = cluster.verdict("a");
    assert!(!verdict.should_run() && verdict.should_continue_running());
    assert!(matches!(verdict, Verdict::NodeExcluded { by: 1, .. }));
    cluster.snapshot(|s| {
        let node = s.nodes.by_name("a").expect("the node").1;
        let (template, exclusions) = (&s.daemon_set.template, s.daemon_set.exclusions());
        assert_eq!(
            eligibility::message(verdict, template, &exclusions, node),
            "rule 2 of the cluster defaults excludes nodes with type; a pod that runs there stays"
        );
        let all = obstacles::with_exclusions(template, &exclusions, FeatureGates::default(), node);
        let lines: Vec<String> = all.iter().map(|o| format!("{}: {}", o.reason(), o.message())).collect();
        assert_eq!(
            lines[..2],
            [
                "NodeExcluded: rule 2 of the cluster defaults excludes nodes with type (a pod that runs there stays): \
                 change the node's labels, or rule 2 of the cluster defaults",
                "NodeExcluded: rule 1 of the cluster defaults excludes nodes with type=virtual (a pod that runs there \
                 stays): change the node's labels, or rule 1 of the cluster defaults",
            ]
        );
        let reasons: BTreeSet<&str> = all.iter().map(|o| o.reason()).collect();
        assert_eq!(reasons.len(), 2, "{lines:?}");
    });
}

#[test]
fn a_canary_is_chosen_among_the_nodes_that_are_not_excluded() {
    let rule = "- set: {canary: 50%, bake: approval}\n  excludeNodes: type=virtual";
    let names = ["a", "b", "c", "d"];
    let nodes = names.map(|name| {
        if name < "c" {
            virtual_node(name)
        } else {
            node(name)
        }
    });
    let plan = cluster(rule, web(4, &[]), nodes.into_iter().chain(names.map(old))).plan();
    assert_eq!(gone(&plan), ["c"]);
    assert_eq!(holds(&plan), ["Canary d"]);
}
