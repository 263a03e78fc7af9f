//! `resources`, rule by rule: what new pods are made with, which pods are resized while they run,
//! and which keep what they have.

use super::keyed::{holds, set};
use crate::support::*;
use daemonset_controller::apply::manifests::Manifests;
use daemonset_controller::model::{BackoffKind, Kind, Placement, Version};
use daemonset_controller::plan::{self, Plan};
use serde_json::{Value, json};

const MARK: &str = "daemonset-controller.io/resources";

/// Agents on edge nodes get little memory.
const EDGE: &str =
    r#"[{"nodes":"pool=edge","containers":{"agent":{"limits":{"memory":"200Mi"}}}}]"#;
const EDGE_MARK: &str = r#"{"agent":{"limits":{"memory":"200Mi"}}}"#;

/// The DaemonSet with this value, whose template has a sidecar, an init container and an agent with
/// these fields besides.
fn ds(value: &str, agent: Value) -> Object {
    let mut own = json!({
        "name": "agent", "image": "agent:1", "future": {"n": 1.50},
        "resources": {"requests": {"cpu": "0.1", "memory": "100Mi"}, "limits": {"memory": "400Mi"}},
    });
    merge(&mut own, agent);
    set(&[("resources", value)]).with(json!({"spec": {"template": {"spec": {
        "containers": [own, {"name": "other", "image": "other:1"}],
        "initContainers": [
            {"name": "init", "resources": {"requests": {"cpu": "1"}}},
            {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
        ],
    }}}}))
}

fn edge(name: &str) -> Object {
    node(name).label("pool", "edge")
}

/// A pod that runs on the node, made with this class.
fn with_mark(node: &str, mark: Option<&str>) -> Object {
    let annotations = json!({"metadata": {"annotations": {MARK: mark}}});
    let pod = pod(&format!("p-{node}")).on(node).ready(1_000);
    mark.map_or(pod.clone(), |_| pod.with(annotations))
}

/// Node, rule and what changes, of each resize.
fn resizes(plan: &Plan) -> Vec<String> {
    let line = |r: &plan::Resize| format!("{} {}", r.node, r.describe());
    plan.resizes.iter().map(line).collect()
}

/// Why pods keep their resources, in words.
fn kept(plan: &Plan) -> Vec<String> {
    let rules = plan.holds.iter().map(|hold| &hold.rule);
    let rules = rules.filter(|rule| rule.as_str() == "ResizeHeld");
    let words = rules.map(|rule| rule.message());
    words
        .map(|words| words.split_once("node: ").expect("why").1.to_owned())
        .collect()
}

fn plan_of(set: Object, objects: impl IntoIterator<Item = Object>) -> Plan {
    Cluster::new(set, objects).plan()
}

/// The pods that a plan creates, as they are posted.
fn posted(cluster: &mut Cluster) -> Vec<Value> {
    let now = cluster.now;
    cluster.snapshot(|s| {
        let plan = plan::plan(s, now);
        let manifests = Manifests::new(s.daemon_set, &plan, Placement::Scheduler);
        let manifests = manifests.expect("the template is JSON");
        let body = |c: &plan::Create| {
            let manifest = manifests.of(c).expect("a manifest");
            manifest.body(&c.pod_name, &c.node)
        };
        let bodies: Vec<String> = plan.creates.iter().map(body).collect();
        for body in &bodies {
            assert!(body.contains(r#""future":{"n":1.5}"#), "{body}");
        }
        let parse = |body: &String| serde_json::from_str(body).expect("JSON");
        bodies.iter().map(parse).collect()
    })
}

#[test]
fn a_new_pod_has_the_resources_of_the_first_rule_that_matches_its_node() {
    let value = r#"[
        {"nodes": "pool=edge", "containers": {"agent": {"limits": {"memory": "0.5Gi"}}, "side": {"requests": {"cpu": "10m"}}}},
        {"nodes": "pool", "containers": {"agent": {"requests": {"cpu": "2"}}}},
        {"nodes": "plain", "containers": {}}
    ]"#;
    let nodes = [
        edge("a"),
        node("b").label("pool", "big"),
        node("c").label("plain", ""),
        node("d"),
    ];
    let mut cluster = Cluster::new(ds(value, json!({})), nodes.clone());
    let rules: Vec<String> = cluster
        .plan()
        .creates
        .iter()
        .map(|c| match &c.resources {
            Some(rule) => format!("{} {rule}", c.node),
            None => c.node.to_string(),
        })
        .collect();
    assert_eq!(rules, ["a rule 1 (pool=edge)", "b rule 2 (pool)", "c", "d"]);
    let pods = posted(&mut cluster);
    let own = json!({"requests": {"cpu": "0.1", "memory": "100Mi"}, "limits": {"memory": "400Mi"}});
    let of = |pod: &Value, list: &str, at: usize| pod["spec"][list][at]["resources"].clone();
    assert_eq!(
        of(&pods[0], "containers", 0),
        json!({"requests": {"cpu": "0.1", "memory": "100Mi"}, "limits": {"memory": "512Mi"}})
    );
    assert_eq!(
        of(&pods[0], "initContainers", 1),
        json!({"requests": {"cpu": "10m"}})
    );
    assert_eq!(
        of(&pods[0], "initContainers", 0),
        json!({"requests": {"cpu": "1"}})
    );
    assert_eq!(of(&pods[0], "containers", 1), Value::Null);
    assert_eq!(
        of(&pods[1], "containers", 0),
        json!({"requests": {"cpu": "2", "memory": "100Mi"}, "limits": {"memory": "400Mi"}})
    );
    assert_eq!(
        pods[0]["metadata"]["annotations"],
        json!({MARK: r#"{"agent":{"limits":{"memory":"512Mi"}},"side":{"requests":{"cpu":"10m"}}}"#})
    );
    for pod in &pods[2..] {
        assert_eq!(of(pod, "containers", 0), own);
        assert_eq!(pod["metadata"].get("annotations"), None);
    }
    // The revision is the same for all, so for a controller without the key nothing is old.
    for pod in &pods {
        assert_eq!(pod["metadata"]["labels"]["controller-revision-hash"], NEW);
    }
    // The template's own annotations stay.
    let set = ds(value, json!({}))
        .with(json!({"spec": {"template": {"metadata": {"annotations": {"x": "y"}}}}}));
    let pods = posted(&mut Cluster::new(set, nodes));
    assert_eq!(pods[0]["metadata"]["annotations"]["x"], "y");
    assert_eq!(pods[3]["metadata"]["annotations"], json!({"x": "y"}));
}

#[test]
fn a_pod_of_the_stable_revision_has_them_too() {
    let set = ds(EDGE, json!({"image": "agent:2"}))
        .with(json!({"metadata": {"annotations": {"daemonset-controller.io/hold": "rollout"}}}));
    let current = revision(NEW, 2, &set.json["spec"]["template"]);
    let older = ds(EDGE, json!({})).json["spec"]["template"].clone();
    let older = revision(OLD, 1, &older).with(super::keyed::state("completed", ago(900)));
    let objects = [current, older, edge("a"), edge("b"), super::keyed::old("b")];
    let mut cluster = Cluster::bare(set, objects);
    let pods = posted(&mut cluster);
    let agent = &pods[0]["spec"]["containers"][0];
    assert_eq!(agent["image"], "agent:1");
    assert_eq!(agent["resources"]["limits"]["memory"], "200Mi");
    assert_eq!(
        pods[0]["metadata"]["labels"]["controller-revision-hash"],
        OLD
    );
    assert!(kept(&cluster.plan()).contains(&"the rollout is held".to_owned()));
}

#[test]
fn a_pod_of_another_class_is_resized_and_nothing_is_replaced() {
    let nodes = || [edge("a"), edge("b"), node("c"), node("d"), edge("e")];
    let mark = |text: &str| format!(r#"{{"agent":{{"limits":{{"memory":"{text}"}}}}}}"#);
    let pods = [
        with_mark("a", Some(EDGE_MARK)),
        with_mark("b", None),
        with_mark("c", Some(EDGE_MARK)),
        with_mark("d", None),
        with_mark("e", Some(&mark("300Mi"))),
    ];
    let plan = plan_of(ds(EDGE, json!({})), nodes().into_iter().chain(pods));
    assert_eq!(
        resizes(&plan),
        [
            "b resources by rule 1 (pool=edge): agent: limits memory=200Mi",
            "c resources by the template alone: agent: limits memory=400Mi",
            "e resources by rule 1 (pool=edge): agent: limits memory=200Mi",
        ]
    );
    assert!(plan.creates.is_empty() && plan.deletes.is_empty() && !plan.is_settled());
    assert_eq!(holds(&plan), [""; 0]);
    // Without the key nothing is done about pods that were made by it.
    let plain = set(&[]).with(ds("off", json!({})).json);
    let pods = [with_mark("a", Some(EDGE_MARK)), with_mark("c", None)];
    let plan = plan_of(plain, [edge("a"), node("c")].into_iter().chain(pods));
    assert!(plan.is_settled() && plan.holds.is_empty(), "{plan:?}");
}

#[test]
fn a_sidecar_and_a_container_without_a_request_of_its_own_are_resized() {
    let value = r#"[{"nodes":"pool=edge","containers":{"side":{"requests":{"cpu":"2"}},"agent":{"limits":{"cpu":"1"}}}}]"#;
    let plan = plan_of(
        ds(value, json!({"resources": {"requests": {"cpu": null}}})),
        [edge("a"), with_mark("a", None)],
    );
    // As for a new pod, what has a limit and no request requests the limit.
    let [resize] = &plan.resizes[..] else {
        panic!("{plan:?}");
    };
    let line = |c: &daemonset_controller::model::Resized| {
        format!(
            "{} {} {:?} {:?}",
            c.name, c.is_sidecar, c.requests, c.limits
        )
    };
    let lines: Vec<String> = resize.containers.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            r#"agent false {"cpu": "1"} {"cpu": "1"}"#,
            r#"side true {"cpu": "2"} {}"#
        ]
    );
}

#[test]
fn what_cannot_be_done_in_place_waits_and_says_why() {
    let rule = |agent: &str| format!(r#"[{{"nodes":"pool","containers":{{{agent}}}}}]"#);
    let memory = r#""agent":{"limits":{"memory":"200Mi"}}"#;
    let restart = |name: &str| json!({"resizePolicy": [{"resourceName": name, "restartPolicy": "RestartContainer"}]});
    for (value, agent, had, why) in [
        (rule(memory), json!({}), None, None),
        (rule(memory), restart("cpu"), None, None),
        (
            rule(memory),
            restart("memory"),
            None,
            Some("a resize would restart the container agent"),
        ),
        (
            rule(r#""init":{"requests":{"cpu":"2"}}"#),
            json!({}),
            None,
            Some("the container init has ended"),
        ),
        (
            rule(r#""agent":{"requests":{"ephemeral-storage":"1Gi"}}"#),
            json!({}),
            None,
            Some("ephemeral-storage cannot change while a pod runs"),
        ),
        (
            rule(memory),
            json!({}),
            Some(r#"{"agent":{"limits":{"cpu":"1"}}}"#),
            Some("a request or limit of the container agent cannot be taken away while it runs"),
        ),
        (
            rule(memory),
            json!({}),
            Some("what somebody wrote"),
            Some("what it was made with is not known"),
        ),
    ] {
        let plan = plan_of(ds(&value, agent), [edge("a"), with_mark("a", had)]);
        assert_eq!(kept(&plan), Vec::from_iter(why), "{value}");
        assert_eq!(plan.resizes.len(), usize::from(why.is_none()), "{value}");
        assert!(plan.deletes.is_empty() && plan.creates.is_empty());
    }
    // A pod without requests is of the class BestEffort, and stays so.
    let bare = set(&[("resources", &rule(r#""c":{"requests":{"cpu":"1"}}"#))])
        .with(json!({"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}));
    let plan = plan_of(bare, [edge("a"), with_mark("a", None)]);
    assert_eq!(kept(&plan), ["its QoS class would change"]);
    assert_eq!(plan.resizes, []);
    // A pod whose revision is gone.
    let lost = with_mark("a", None).hash("lost");
    let set = ds(EDGE, json!({})).with(json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}));
    let plan = plan_of(set, [edge("a"), lost]);
    assert_eq!(kept(&plan), ["what it was made with is not known"]);
}

#[test]
fn nothing_is_resized_that_goes_ends_or_is_not_wanted() {
    let not_wanted = edge("b").taint("x=y:NoExecute");
    let gone = with_mark("d", None).terminating();
    let objects = [
        not_wanted,
        with_mark("b", None),
        edge("c"),
        with_mark("c", None).phase("Failed"),
        edge("d"),
        gone,
    ];
    let plan = plan_of(ds(EDGE, json!({})), objects);
    assert_eq!(resizes(&plan), [""; 0]);
}

#[test]
fn a_held_rollout_resizes_nothing() {
    for (key, value) in [
        ("hold", "rollout"),
        ("hold", "all"),
        ("canary", "typo in here"),
    ] {
        let key = format!("daemonset-controller.io/{key}");
        let set = ds(EDGE, json!({})).with(json!({"metadata": {"annotations": {key: value}}}));
        let plan = plan_of(set, [edge("a"), with_mark("a", None)]);
        assert_eq!(kept(&plan), ["the rollout is held"], "{value}");
        assert_eq!(plan.resizes, []);
    }
}

#[test]
fn a_class_that_does_not_go_with_the_template_holds_the_rollout_and_upkeep_goes_on_without_it() {
    let value = r#"[{"nodes":"pool=edge","containers":{"agent":{"limits":{"memory":"50Mi"}}}}]"#;
    let mut cluster = Cluster::new(
        ds(value, json!({})),
        [edge("a"), edge("b"), with_mark("b", None)],
    );
    let plan = cluster.plan();
    let words = plan.holds[0].rule.message();
    let why = "annotation daemonset-controller.io/resources: by rule 1 (pool=edge) and the template the \
               container agent requests 100Mi of memory, and its limit is 50Mi";
    assert!(words.ends_with(why), "{words}");
    assert_eq!(holds(&plan), ["InvalidAnnotation *", "ResizeHeld b"]);
    assert_eq!(plan.events[0].reason, "InvalidAnnotation");
    // The node has an agent all the same.
    let pods = posted(&mut cluster);
    assert_eq!(
        pods[0]["spec"]["containers"][0]["resources"]["limits"]["memory"],
        "400Mi"
    );
    assert_eq!(plan.creates[0].resources, None);
}

#[test]
fn a_container_that_the_template_does_not_have_is_said() {
    let value = r#"[{"nodes":"pool=edge","containers":{"agnet":{"limits":{"memory":"1Gi"}}}}]"#;
    let plan = plan_of(ds(value, json!({})), [edge("a"), with_mark("a", None)]);
    assert_eq!(holds(&plan), ["NoSuchContainer *"]);
    assert_eq!(
        plan.holds[0].rule.message(),
        "rules of daemonset-controller.io/resources have no effect on containers that the template does \
         not have: agnet of rule 1 (pool=edge)"
    );
    // Nothing is resized; that the pod is of the class is noted.
    assert_eq!(
        resizes(&plan),
        ["a resources by rule 1 (pool=edge), which it has already"]
    );
}

#[test]
fn a_refused_resize_is_tried_again_after_a_backoff() {
    let mut cluster = Cluster::new(
        ds(EDGE, json!({})),
        [
            edge("a"),
            edge("b"),
            with_mark("a", None),
            with_mark("b", None),
        ],
    );
    let first = cluster.plan();
    assert_eq!(first.resizes.len(), 2);
    let refused = first.resizes[0].refusal.clone();
    assert_eq!(refused.kind, BackoffKind::Resize);
    cluster.cache.attempt(&[refused], cluster.now);
    let plan = cluster.plan();
    assert_eq!(kept(&plan), ["the API server refused the last resize"]);
    assert_eq!(plan.resizes.len(), 1, "the other node does not wait");
    assert_eq!(plan.wake_at, Some(later(1)));
    cluster.now = later(1);
    assert_eq!(cluster.plan().resizes.len(), 2);
    // Where none is served, none is tried.
    let all = first.resizes[0].refusal_of_all.clone();
    cluster.cache.attempt(&[all], cluster.now);
    let plan = cluster.plan();
    assert_eq!(plan.resizes, []);
    assert_eq!(holds(&plan), ["ResizeHeld a b"]);
    // Another rule is another request.
    cluster.put(&ds(&EDGE.replace("200", "250"), json!({})).version(2));
    assert_eq!(cluster.plan().resizes.len(), 2);
}

#[test]
fn a_relabelled_node_makes_its_daemon_sets_dirty() {
    let set = ds(EDGE, json!({})).version(2);
    let current = revision(NEW, 1, &set.json["spec"]["template"]);
    let mut cluster = Cluster::empty();
    for kind in Kind::ALL {
        cluster.cache.list_began(kind);
        cluster.cache.list_completed(kind, Version(1));
    }
    for object in [set, current, node("a"), with_mark("a", None)] {
        cluster.put(&object.version(2));
    }
    assert_eq!(cluster.plan().resizes, []);
    cluster.cache.take_dirty();
    cluster.put(&edge("a").version(3));
    assert_eq!(cluster.cache.take_dirty().len(), 1);
    assert_eq!(cluster.plan().resizes.len(), 1);
    // And so does a pod that somebody else marks.
    cluster.cache.take_dirty();
    cluster.put(&with_mark("a", Some(EDGE_MARK)).version(3));
    assert_eq!(cluster.cache.take_dirty().len(), 1);
    assert_eq!(cluster.plan().resizes, []);
}
