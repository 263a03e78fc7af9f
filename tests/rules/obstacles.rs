//! Obstacles: all that keeps a pod away from a node, and what would have to change, by table.

use crate::support::*;
use daemonset_controller::{
    model::{FeatureGates, Node},
    plan::obstacles::{Obstacle, obstacles},
};
use serde_json::{Value, json};

const OFF: FeatureGates = FeatureGates {
    taint_toleration_comparison_operators: false,
    daemon_set_graceful_node_shutdown: false,
};
const ON: FeatureGates = FeatureGates {
    taint_toleration_comparison_operators: true,
    daemon_set_graceful_node_shutdown: false,
};

/// The obstacles on `node` where the template's spec is `spec`.
fn found(spec: &Value, node: &Object, gates: FeatureGates) -> Vec<Obstacle> {
    let ds = daemon_set().with(json!({"spec": {"template": {"spec": spec}}}));
    let mut cluster = Cluster::new(ds, [node.clone()]);
    cluster.snapshot(|s| {
        let (_, node): (_, &Node) = s.nodes.by_name(node.name()).expect("the node");
        obstacles(&s.daemon_set.template, gates, node)
    })
}

/// `reason: message` of each obstacle.
fn lines(spec: Value, node: &Object) -> Vec<String> {
    found(&spec, node, OFF)
        .iter()
        .map(|o| format!("{}: {}", o.reason(), o.message()))
        .collect()
}

fn affinity(terms: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
    }}})
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({"key": key, "operator": operator, "values": values})
}

fn expressions(list: &[Value]) -> Value {
    json!({"matchExpressions": list})
}

/// The case `why-all-obstacles`: people who are told of one obstacle at a time fix and try four
/// times.
#[test]
fn why_all_obstacles() {
    let n_1 = node("n-1")
        .label("kubernetes.io/os", "linux")
        .label("role", "other")
        .label("env", "prod")
        .taint("dedicated=gpu:NoSchedule")
        .taint("drain.example/now:NoExecute");
    assert_eq!(
        lines(
            json!({"nodeSelector": {"role": "orgs", "env": "stag"}}),
            &n_1
        ),
        [
            "NodeSelectorMismatch: the template's nodeSelector asks for env=stag, the node has env=prod: \
             label the node with env=stag",
            "NodeSelectorMismatch: the template's nodeSelector asks for role=orgs, the node has role=other: \
             label the node with role=orgs",
            "UntoleratedNoExecuteTaint: the taint drain.example/now:NoExecute is not tolerated (a pod that runs \
             there goes): add a toleration for key drain.example/now and effect NoExecute to the template, or \
             remove the taint from the node",
            "UntoleratedNoScheduleTaint: the taint dedicated=gpu:NoSchedule is not tolerated (a pod that runs \
             there stays): add a toleration for key dedicated, value gpu and effect NoSchedule to the template, \
             or remove the taint from the node",
        ]
    );
}

#[test]
fn an_eligible_node_has_none() {
    let tolerated = node("a")
        .taint("node.kubernetes.io/unschedulable:NoSchedule")
        .taint("k:PreferNoSchedule");
    assert_eq!(lines(json!({}), &tolerated), [""; 0]);
}

#[test]
fn a_node_that_does_not_decode_has_no_other() {
    let mut cluster = Cluster::new(daemon_set(), []);
    let broken = node("a").with(json!({"spec": {"taints": 5}}));
    assert!(cluster.cache.observe(broken.kind, &broken.raw()).is_err());
    let list = cluster.snapshot(|s| {
        let (_, node) = s.nodes.by_name("a").expect("the node");
        obstacles(&s.daemon_set.template, OFF, node)
    });
    assert_eq!(list, [Obstacle::Unreadable]);
    assert_eq!(list[0].reason(), "NodeUnreadable");
    assert!(list[0].lets_running_pods_stay());
}

#[test]
fn the_node_name_and_all_the_rest() {
    let spec = json!({"nodeName": "b", "nodeSelector": {"disk": ""}});
    assert_eq!(
        lines(spec, &node("a")),
        [
            "NodeNameMismatch: the template's nodeName is b, the node is a: remove nodeName from the template",
            "NodeSelectorMismatch: the template's nodeSelector asks for disk=, the node has no label disk: \
             label the node with disk=",
        ]
    );
}

#[test]
fn each_operator_says_what_label_would_do() {
    let node = node("a")
        .label("zone", "z1")
        .label("cores", "8")
        .label("few", "x");
    let many: Vec<String> = (0..7).map(|i| format!("v{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (requirement, asked, has, change) in [
        (
            expression("zone", "In", &["z2"]),
            "zone=z2",
            "the node has zone=z1",
            "label the node with zone=z2",
        ),
        (
            expression("rack", "In", &["r1", "r2"]),
            "rack in (r1,r2)",
            "the node has no label rack",
            "label the node with rack and one of the values r1, r2",
        ),
        (
            expression("rack", "In", &many),
            "rack in (v0,v1,v2,v3,v4,v5,v6)",
            "the node has no label rack",
            "label the node with rack and one of the values v0, v1, v2, v3, v4 or 2 others",
        ),
        (
            expression("zone", "NotIn", &["z1", "z2"]),
            "zone notin (z1,z2)",
            "the node has zone=z1",
            "remove the label zone from the node, or give it another value",
        ),
        (
            expression("rack", "Exists", &[]),
            "rack",
            "the node has no label rack",
            "label the node with rack and any value",
        ),
        (
            expression("zone", "DoesNotExist", &[]),
            "!zone",
            "the node has zone=z1",
            "remove the label zone from the node",
        ),
        (
            expression("cores", "Gt", &["8"]),
            "cores>8",
            "the node has cores=8",
            "label the node with cores and an integer above 8",
        ),
        (
            expression("few", "Lt", &["4"]),
            "few<4",
            "the node has few=x",
            "label the node with few and an integer below 4",
        ),
    ] {
        assert_eq!(
            lines(affinity(json!([expressions(&[requirement])])), &node),
            [format!(
                "NodeAffinityMismatch: the template's required node affinity asks for {asked}, {has}: {change}"
            )]
        );
    }
}

#[test]
fn of_several_terms_the_one_that_fails_least_with_all_that_fails_in_it() {
    let node = node("a").label("zone", "z1").label("arch", "amd64");
    let far = expressions(&[
        expression("zone", "In", &["z2"]),
        expression("arch", "In", &["arm64"]),
        expression("disk", "Exists", &[]),
    ]);
    let near = expressions(&[
        expression("zone", "In", &["z1"]),
        expression("arch", "In", &["arm64"]),
        expression("disk", "Exists", &[]),
    ]);
    let as_near = expressions(&[
        expression("zone", "In", &["z3"]),
        expression("disk", "Exists", &[]),
    ]);
    let asks =
        "NodeAffinityMismatch: term 2 of 3 of the template's required node affinity asks for";
    assert_eq!(
        lines(affinity(json!([far, near, as_near])), &node),
        [
            format!("{asks} arch=arm64, the node has arch=amd64: label the node with arch=arm64"),
            format!(
                "{asks} disk, the node has no label disk: label the node with disk and any value"
            ),
        ]
    );
}

#[test]
fn of_terms_that_fail_alike_the_one_that_labels_can_mend() {
    let name = json!({"matchFields": [expression("metadata.name", "In", &["b"])]});
    let zone = expressions(&[expression("zone", "In", &["z2"])]);
    let list = found(&affinity(json!([name, zone])), &node("a"), OFF);
    assert!(
        matches!(&list[..], [Obstacle::AffinityExpression { term, .. }] if term.number == 2),
        "{list:?}"
    );
}

#[test]
fn terms_that_match_no_node_whatever_its_labels() {
    let whole = "the template's required node affinity";
    let bad = expressions(&[expression("zone", "Near", &["z1"])]);
    let unknown = "requirement on \"zone\": unknown operator \"Near\"";
    for terms in [json!([]), Value::Null] {
        assert_eq!(
            lines(affinity(terms), &node("a")),
            [
                "NodeAffinityMismatch: the required node affinity has no terms and matches no node: remove the \
                 required node affinity from the template, or give it a term"
            ]
        );
    }
    assert_eq!(
        lines(affinity(json!([bad])), &node("a")),
        [format!(
            "NodeAffinityMismatch: {whole} is malformed and matches no node ({unknown}): correct the term in the \
             template"
        )]
    );
    // Beside one that labels can mend they are named too: somebody may have meant one of them.
    let zone = expressions(&[expression("zone", "In", &["z2"])]);
    assert_eq!(
        lines(affinity(json!([bad, {}, zone])), &node("a")),
        [
            format!(
                "NodeAffinityMismatch: term 3 of 3 of {whole} asks for zone=z2, the node has no label zone: label \
                 the node with zone=z2"
            ),
            format!(
                "NodeAffinityMismatch: term 1 of 3 of {whole} is malformed and matches no node ({unknown}): correct \
                 the term in the template"
            ),
            format!(
                "NodeAffinityMismatch: term 2 of 3 of {whole} is empty and matches no node: remove the term from \
                 the template, or give it a requirement"
            ),
        ]
    );
    let zone = expressions(&[expression("zone", "DoesNotExist", &[])]);
    assert_eq!(
        lines(affinity(json!([bad, {}, zone])), &node("a")),
        [""; 0],
        "one term that matches is enough"
    );
}

#[test]
fn match_fields_ask_for_what_no_label_mends() {
    let field = |key: &str, operator: &str, value: &str| {
        affinity(json!([{"matchFields": [expression(key, operator, &[value])]}]))
    };
    let whole = "NodeAffinityMismatch: the template's required node affinity";
    let change = "change the template's affinity, as a node's name and fields are fixed";
    for (spec, problem) in [
        (
            field("metadata.name", "In", "b"),
            "metadata.name=b, the node has metadata.name=a",
        ),
        (
            field("metadata.name", "NotIn", "a"),
            "metadata.name!=a, the node has metadata.name=a",
        ),
        (
            field("metadata.namespace", "In", "x"),
            "metadata.namespace=x, the node has metadata.namespace=",
        ),
    ] {
        assert_eq!(
            lines(spec, &node("a")),
            [format!("{whole} asks for the field {problem}: {change}")]
        );
    }
    assert_eq!(
        lines(field("metadata.name", "In", "a"), &node("a")),
        [""; 0]
    );
}

#[test]
fn a_toleration_with_gt_or_lt_counts_behind_its_gate_only() {
    let node = node("a").taint("level=5:NoSchedule");
    let tolerating = |operator: &str, value: &str| json!({"tolerations": [{"key": "level", "operator": operator, "value": value}]});
    for (operator, value, tolerated) in [
        ("Gt", "4", true),
        ("Gt", "5", false),
        ("Lt", "6", true),
        ("Lt", "5", false),
        ("Gt", "+4", false),
    ] {
        let spec = tolerating(operator, value);
        assert_eq!(
            found(&spec, &node, ON).is_empty(),
            tolerated,
            "{operator} {value}, its gate being on"
        );
        let off = found(&spec, &node, OFF);
        assert_eq!(off.len(), 1, "{operator} {value}, its gate being off");
        let names_gate = off[0]
            .message()
            .contains("TaintTolerationComparisonOperators");
        assert_eq!(names_gate, tolerated, "{operator} {value}");
    }
    assert_eq!(
        found(&tolerating("Gt", "4"), &node, OFF)[0].change(),
        "turn on the feature gate TaintTolerationComparisonOperators, which the toleration level Gt 4 needs, \
         or add a toleration for key level, value 5 and effect NoSchedule to the template, or remove the taint \
         from the node"
    );
}

#[test]
fn a_running_pod_stays_beside_a_no_schedule_taint_alone() {
    let spec = json!({"nodeSelector": {"disk": "ssd"}});
    let node = node("a").taint("s:NoSchedule").taint("e:NoExecute");
    let stays: Vec<(&str, bool)> = found(&spec, &node, OFF)
        .iter()
        .map(|o| (o.reason(), o.lets_running_pods_stay()))
        .collect();
    assert_eq!(
        stays,
        [
            ("NodeSelectorMismatch", false),
            ("UntoleratedNoExecuteTaint", false),
            ("UntoleratedNoScheduleTaint", true),
        ]
    );
}
