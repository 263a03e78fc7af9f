//! Eligibility: the nodes on which the pods of a DaemonSet belong, by table.

use crate::support::*;
use daemonset_controller::{
    model::{FeatureGates, Verdict, Verdicts},
    plan::eligibility::{self, Eligibility},
};
use serde_json::{Value, json};

/// The verdict on `node` where the template's spec is `spec`, and the sentence that goes with it.
fn judge(spec: &Value, node: &Object) -> (Verdict, String) {
    let ds = daemon_set().with(json!({"spec": {"template": {"spec": spec}}}));
    let mut cluster = Cluster::new(ds, [node.clone()]);
    cluster.snapshot(|s| {
        let (id, node) = s.nodes.by_name(node.name()).expect("the node");
        let verdict = s.verdicts.get(id);
        let sentence = eligibility::message(verdict, &s.daemon_set.template, &[], node);
        (verdict, sentence)
    })
}

fn verdict(spec: Value, node: &Object) -> Verdict {
    judge(&spec, node).0
}

/// Required node affinity of these terms.
fn affinity(terms: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
    }}})
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({"key": key, "operator": operator, "values": values})
}

fn zoned() -> Object {
    node("a").label("zone", "z1").label("cores", "8")
}

#[test]
fn each_verdict_with_its_word_and_its_sentence() {
    for (spec, node, expected, word, sentence) in [
        (
            json!({}),
            node("a"),
            Verdict::Eligible,
            "Eligible",
            "the node gets a pod",
        ),
        (
            json!({"nodeName": "b"}),
            node("a"),
            Verdict::NodeName,
            "NodeNameMismatch",
            "the template's nodeName is b",
        ),
        (
            json!({"nodeSelector": {"a": "1", "zone": "z2"}}),
            zoned().label("a", "1"),
            Verdict::NodeSelector(1),
            "NodeSelectorMismatch",
            "the template's nodeSelector asks for zone=z2, the node has zone=z1",
        ),
        (
            json!({"nodeSelector": {"disk": ""}}),
            zoned(),
            Verdict::NodeSelector(0),
            "NodeSelectorMismatch",
            "the template's nodeSelector asks for disk=, the node has no label disk",
        ),
        (
            affinity(json!([{"matchExpressions": [expression("zone", "In", &["z2"])]}])),
            zoned(),
            Verdict::NodeAffinity,
            "NodeAffinityMismatch",
            "no term of the template's required node affinity matches the node",
        ),
        (
            affinity(json!([{"matchExpressions": [expression("zone", "Near", &["z1"])]}])),
            zoned(),
            Verdict::NodeAffinity,
            "NodeAffinityMismatch",
            "no term of the template's required node affinity matches the node \
             (malformed: requirement on \"zone\": unknown operator \"Near\")",
        ),
        (
            json!({}),
            node("a")
                .taint("x=1:PreferNoSchedule")
                .taint("k=v:NoSchedule"),
            Verdict::NoSchedule(1),
            "UntoleratedNoScheduleTaint",
            "the taint k=v:NoSchedule is not tolerated; a pod that runs there stays",
        ),
        (
            json!({}),
            node("a").taint("k:NoExecute"),
            Verdict::NoExecute(0),
            "UntoleratedNoExecuteTaint",
            "the taint k:NoExecute is not tolerated; a pod that runs there goes",
        ),
    ] {
        let (verdict, text) = judge(&spec, &node);
        assert_eq!(verdict, expected, "{spec} on {node:?}");
        assert_eq!(eligibility::reason(verdict), word);
        assert_eq!(text, sentence);
    }
}

#[test]
fn a_node_that_does_not_decode_keeps_what_runs_and_gets_nothing() {
    let mut cluster = Cluster::new(daemon_set(), []);
    let broken = node("a").with(json!({"spec": {"taints": 5}}));
    assert!(cluster.cache.observe(broken.kind, &broken.raw()).is_err());
    assert_eq!(cluster.verdict("a"), Verdict::Unreadable);
    assert!(cluster.plan().is_settled());
    cluster.put(&pod("p").on("a").ready(9));
    assert!(cluster.plan().is_settled());
    assert_eq!(eligibility::reason(Verdict::Unreadable), "NodeUnreadable");
}

#[test]
fn what_each_verdict_allows() {
    for (verdict, should_run, should_continue) in [
        (Verdict::Eligible, true, true),
        (Verdict::NodeName, false, false),
        (Verdict::NodeSelector(0), false, false),
        (Verdict::NodeAffinity, false, false),
        (Verdict::NoSchedule(0), false, true),
        (Verdict::NoExecute(0), false, false),
        (Verdict::Unreadable, false, true),
    ] {
        assert_eq!(
            (verdict.should_run(), verdict.should_continue_running()),
            (should_run, should_continue),
            "{verdict:?}"
        );
    }
}

#[test]
fn the_first_reason_counts_node_name_then_selector_then_affinity_then_taints() {
    let mut spec = affinity(json!([{"matchExpressions": [expression("zone", "In", &["z2"])]}]));
    let tainted = zoned().taint("k:NoExecute");
    assert_eq!(verdict(spec.clone(), &tainted), Verdict::NodeAffinity);
    merge(&mut spec, json!({"nodeSelector": {"zone": "z2"}}));
    assert_eq!(verdict(spec.clone(), &tainted), Verdict::NodeSelector(0));
    merge(&mut spec, json!({"nodeName": "b"}));
    assert_eq!(verdict(spec, &tainted), Verdict::NodeName);
}

#[test]
fn no_execute_counts_before_no_schedule_whatever_their_order() {
    for node in [
        node("a").taint("s:NoSchedule").taint("e:NoExecute"),
        node("a").taint("e:NoExecute").taint("s:NoSchedule"),
    ] {
        assert!(matches!(verdict(json!({}), &node), Verdict::NoExecute(_)));
    }
}

#[test]
fn taints_by_effect_and_toleration() {
    let tolerate = |t: Value| json!({"tolerations": [t]});
    for (spec, taint, expected) in [
        (json!({}), "k:PreferNoSchedule", Verdict::Eligible),
        (json!({}), "k:NoSuchEffect", Verdict::Eligible),
        (json!({}), "k:NoSchedule", Verdict::NoSchedule(0)),
        (json!({}), "k:NoExecute", Verdict::NoExecute(0)),
        (
            tolerate(json!({"operator": "Exists"})),
            "k:NoExecute",
            Verdict::Eligible,
        ),
        (
            tolerate(json!({"key": "k", "value": "v"})),
            "k=v:NoExecute",
            Verdict::Eligible,
        ),
        (
            tolerate(json!({"key": "k", "value": "w"})),
            "k=v:NoExecute",
            Verdict::NoExecute(0),
        ),
        (
            tolerate(json!({"key": "k", "operator": "Exists", "effect": "NoSchedule"})),
            "k:NoExecute",
            Verdict::NoExecute(0),
        ),
        (
            tolerate(json!({"key": "k", "operator": "Exists", "tolerationSeconds": 5})),
            "k:NoExecute",
            Verdict::Eligible,
        ),
        (
            json!({}),
            "node.kubernetes.io/unschedulable:NoSchedule",
            Verdict::Eligible,
        ),
        (
            json!({}),
            "node.kubernetes.io/not-ready:NoExecute",
            Verdict::Eligible,
        ),
        (
            json!({}),
            "node.kubernetes.io/not-ready:NoSchedule",
            Verdict::NoSchedule(0),
        ),
        (
            json!({}),
            "node.kubernetes.io/network-unavailable:NoSchedule",
            Verdict::NoSchedule(0),
        ),
        (
            json!({"hostNetwork": true}),
            "node.kubernetes.io/network-unavailable:NoSchedule",
            Verdict::Eligible,
        ),
        // KEP-5471, its gate being off.
        (
            tolerate(json!({"key": "k", "operator": "Lt", "value": "9"})),
            "k=5:NoSchedule",
            Verdict::NoSchedule(0),
        ),
    ] {
        assert_eq!(
            verdict(spec.clone(), &node("a").taint(taint)),
            expected,
            "{spec} {taint}"
        );
    }
}

#[test]
fn spec_unschedulable_is_not_looked_at() {
    let cordoned = node("a").with(json!({"spec": {"unschedulable": true}}));
    assert_eq!(verdict(json!({}), &cordoned), Verdict::Eligible);
}

#[test]
fn node_name_must_be_the_nodes() {
    assert_eq!(
        verdict(json!({"nodeName": "a"}), &node("a")),
        Verdict::Eligible
    );
    assert_eq!(
        verdict(json!({"nodeName": ""}), &node("a")),
        Verdict::Eligible
    );
}

/// Whether required affinity of these terms matches a node named `a` in zone `z1` with 8 cores.
fn matches(terms: Value) -> bool {
    match verdict(affinity(terms.clone()), &zoned()) {
        Verdict::Eligible => true,
        Verdict::NodeAffinity => false,
        other => panic!("{other:?} for {terms}"),
    }
}

#[test]
fn terms_are_ored_and_requirements_anded() {
    let yes = expression("zone", "In", &["z1"]);
    let no = expression("zone", "In", &["z2"]);
    assert!(matches(json!([{"matchExpressions": [yes, yes]}])));
    assert!(!matches(json!([{"matchExpressions": [yes, no]}])));
    assert!(matches(
        json!([{"matchExpressions": [no]}, {"matchExpressions": [yes]}])
    ));
    let field = expression("metadata.name", "In", &["b"]);
    assert!(!matches(
        json!([{"matchExpressions": [yes], "matchFields": [field]}])
    ));
}

#[test]
fn an_empty_term_matches_nothing_and_no_terms_match_nothing() {
    assert!(!matches(json!([])));
    assert!(!matches(Value::Null));
    assert!(!matches(json!([{}])));
    assert!(!matches(
        json!([{"matchExpressions": [], "matchFields": []}])
    ));
    let yes = expression("zone", "Exists", &[]);
    assert!(
        matches(json!([{}, {"matchExpressions": [yes]}])),
        "the other terms still count"
    );
}

#[test]
fn preferred_terms_and_no_required_ones_leave_every_node_eligible() {
    let preferred = json!({"affinity": {"nodeAffinity": {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [expression("zone", "In", &["z2"])]}},
        ],
    }}});
    assert_eq!(verdict(preferred, &zoned()), Verdict::Eligible);
}

#[test]
fn match_fields_know_in_and_not_in_with_exactly_one_value() {
    let field = |operator: &str, values: &[&str]| expression("metadata.name", operator, values);
    for (requirement, expected) in [
        (field("In", &["a"]), true),
        (field("In", &["b"]), false),
        (field("NotIn", &["a"]), false),
        (field("NotIn", &["b"]), true),
        (field("In", &["a", "b"]), false),
        (field("In", &[]), false),
        (field("NotIn", &["b", "c"]), false),
        (field("Exists", &[]), false),
        (field("Gt", &["0"]), false),
        // A field that nodes do not have reads as empty.
        (expression("metadata.namespace", "In", &["a"]), false),
        (expression("metadata.namespace", "In", &[""]), true),
        (expression("metadata.namespace", "NotIn", &["a"]), true),
    ] {
        let spoiled = json!([{"matchFields": [requirement]}]);
        assert_eq!(matches(spoiled), expected, "{requirement}");
        let other = json!({"matchFields": [field("In", &["a"])]});
        assert!(matches(json!([{"matchFields": [requirement]}, other])));
    }
}

#[test]
fn a_malformed_requirement_spoils_its_term_only() {
    let good = expression("zone", "In", &["z1"]);
    for bad in [
        expression("zone", "In", &[]),
        expression("zone", "Exists", &["z1"]),
        expression("zone", "Is", &["z1"]),
        expression("", "Exists", &[]),
        expression("-zone", "DoesNotExist", &[]),
        expression("zone", "NotIn", &["no label value"]),
        expression("cores", "Gt", &["few"]),
        expression("cores", "Lt", &["9", "10"]),
    ] {
        assert!(!matches(json!([{"matchExpressions": [bad]}])), "{bad}");
        assert!(
            !matches(json!([{"matchExpressions": [good, bad]}])),
            "{bad} beside a good one"
        );
        assert!(
            matches(json!([{"matchExpressions": [bad]}, {"matchExpressions": [good]}])),
            "another term"
        );
    }
}

#[test]
fn a_label_that_is_no_integer_fails_just_that_requirement() {
    let few = expression("zone", "Gt", &["1"]);
    let many = expression("cores", "Gt", &["1"]);
    assert!(!matches(json!([{"matchExpressions": [few]}])));
    assert!(matches(
        json!([{"matchExpressions": [few]}, {"matchExpressions": [many]}])
    ));
}

#[test]
fn remembered_verdicts_follow_their_nodes_and_fresh_ones_agree() {
    let ds =
        daemon_set().with(json!({"spec": {"template": {"spec": {"nodeSelector": {"on": "1"}}}}}));
    let mut cluster = Cluster::new(ds, [node("a"), node("b").label("on", "1")]);
    assert_eq!(cluster.verdict("a"), Verdict::NodeSelector(0));
    let newer =
        |o: Object, version: &str| o.with(json!({"metadata": {"resourceVersion": version}}));
    cluster.put(&newer(node("a").label("on", "1"), "2"));
    cluster.put(&newer(node("b"), "2"));
    cluster.put(&node("c").label("on", "1"));
    for (name, expected) in [
        ("a", Verdict::Eligible),
        ("b", Verdict::NodeSelector(0)),
        ("c", Verdict::Eligible),
    ] {
        assert_eq!(cluster.verdict(name), expected, "{name}");
    }
    cluster.snapshot(|s| {
        let fresh = Eligibility::new(s.daemon_set.template.clone(), FeatureGates::default());
        let mut verdicts = Verdicts::default();
        fresh.refresh(&mut verdicts, s.nodes);
        assert_eq!(verdicts.by_slot, s.verdicts.by_slot);
    });
    let looser = daemon_set().with(json!({"metadata": {"resourceVersion": "2"}}));
    cluster.put(&looser);
    assert_eq!(
        cluster.verdict("b"),
        Verdict::Eligible,
        "another template, other verdicts"
    );
}
