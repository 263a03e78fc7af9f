//! Obstacles agree with the verdict, none is missing, and each change that they say is enough: for
//! all templates and nodes.

use crate::config::config;
use std::{collections::BTreeMap, sync::Arc};

use daemonset_controller::{
    model::{
        Effect, Exclusion, Existing, FeatureGates, LabelSelector, Labels, Malformed, Node,
        NodeAffinity, Requirement, Str, Taint, Template, Term, Toleration, Uid, Verdict, Version,
        selector::Test, template::FieldRequirement,
    },
    plan::{
        eligibility::{self, Eligibility},
        obstacles::{Obstacle, obstacles, with_exclusions},
    },
};
use proptest::prelude::*;

fn key(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..4).prop_map(move |i| format!("{prefix}{i}"))
}

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "1", "2", "3", "x"]).prop_map(str::to_owned)
}

fn test() -> impl Strategy<Value = Test> {
    let values = || prop::collection::vec(value().prop_map(Str::from), 1..3);
    prop_oneof![
        values().prop_map(Test::In),
        values().prop_map(Test::NotIn),
        Just(Test::Exists),
        Just(Test::DoesNotExist),
        (0..4_i64).prop_map(Test::Gt),
        (0..4_i64).prop_map(Test::Lt),
    ]
}

fn field() -> impl Strategy<Value = FieldRequirement> {
    let key = prop_oneof![9 => Just("metadata.name"), 1 => Just("metadata.namespace")];
    let name = prop::sample::select(vec!["a", "b", ""]);
    (key, any::<bool>(), name).prop_map(|(key, equal, value)| FieldRequirement {
        key: key.into(),
        equal,
        value: value.into(),
    })
}

/// Requirements of one term never contradict each other: each is on a key of its own.
fn term(keys: &'static str) -> impl Strategy<Value = Result<Term, Malformed>> {
    let expressions = prop::collection::btree_map(key(keys), test(), 0..4);
    let fields = prop::collection::vec(field(), 0..2);
    let good = (expressions, fields).prop_map(|(expressions, mut fields)| {
        if expressions.len() % 2 == 1 {
            fields.clear();
        }
        let expressions = expressions.into_iter().map(|(key, test)| Requirement {
            key: key.into(),
            test,
        });
        Ok(Term {
            expressions: expressions.collect(),
            fields,
        })
    });
    prop_oneof![8 => good, 1 => Just(Err(Malformed("malformed".into())))]
}

fn toleration() -> impl Strategy<Value = Toleration> {
    let operator = prop::sample::select(vec!["", "Equal", "Exists", "Gt", "Lt", "Near"]);
    let effect = prop::sample::select(vec!["", "NoSchedule", "NoExecute"]);
    (key("t"), operator, value(), effect).prop_map(|(key, operator, value, effect)| Toleration {
        key: key.into(),
        operator: operator.into(),
        value: value.into(),
        effect: effect.into(),
        has_seconds: false,
    })
}

fn taint() -> impl Strategy<Value = Taint> {
    let effect = prop::sample::select(vec![
        "NoSchedule",
        "NoExecute",
        "PreferNoSchedule",
        "Elsewhere",
    ]);
    let key = prop_oneof![
        4 => key("t"),
        1 => Just("node.kubernetes.io/unschedulable".to_owned()),
        1 => Just("node.kubernetes.io/network-unavailable".to_owned()),
    ];
    (key, value(), effect).prop_map(|(key, value, effect)| Taint {
        key: key.into(),
        value: value.into(),
        effect: Effect::parse(effect),
    })
}

/// A template. The keys of its node selector and its affinity begin with these.
fn template(selector: &'static str, affinity: &'static str) -> impl Strategy<Value = Template> {
    let node_name = prop_oneof![6 => Just(""), 1 => Just("a"), 1 => Just("b")];
    let affinity = prop::option::weighted(0.7, prop::collection::vec(term(affinity), 0..4));
    (
        node_name,
        prop::collection::btree_map(key(selector), value(), 0..3),
        affinity,
        prop::collection::vec(toleration(), 0..4),
        any::<bool>(),
    )
        .prop_map(
            |(node_name, selector, affinity, tolerations, host_network)| Template {
                raw: "{}".into(),
                labels: Labels::default(),
                node_name: node_name.into(),
                node_selector: selector
                    .iter()
                    .map(|(k, v)| Requirement::equals(k, v))
                    .collect(),
                node_affinity: affinity.map(|terms| NodeAffinity { terms }),
                tolerations,
                host_network,
                termination_grace_period_seconds: None,
                containers: Vec::new(),
                has_pod_resources: false,
            },
        )
}

fn node() -> impl Strategy<Value = Node> {
    let keys = prop_oneof![key("s"), key("e")];
    (
        prop::collection::btree_map(keys, value(), 0..8),
        prop::collection::vec(taint(), 0..4),
    )
        .prop_map(|(labels, taints)| Node {
            name: "a".into(),
            uid: Uid::from("a"),
            version: Version(1),
            created: None,
            labels: labels.into_iter().collect(),
            taints: taints.into(),
            boot: None,
            readable: true,
            detail: None,
        })
}

fn gates() -> impl Strategy<Value = FeatureGates> {
    any::<bool>().prop_map(|on| FeatureGates {
        taint_toleration_comparison_operators: on,
        ..FeatureGates::default()
    })
}

fn exclusions() -> impl Strategy<Value = Vec<Exclusion>> {
    let selector = prop::sample::select(vec!["e0", "e1=1", "!e2", "s0,e0!=x"]);
    let existing = prop::sample::select(vec![Existing::Keep, Existing::Remove]);
    let one = (selector, existing).prop_map(|(text, existing)| Exclusion {
        selector: LabelSelector::parse(text).expect("a selector"),
        text: text.into(),
        existing,
        rule: 1,
    });
    prop::collection::vec(one, 0..3)
}

fn verdict(template: &Template, gates: FeatureGates, node: &Node) -> Verdict {
    Eligibility::new(Arc::new(template.clone()), gates).of(node)
}

/// The template and the node after the change that the obstacle says.
///
/// `mended`: whether the affinity is mended by what is near; then malformed terms may stay as they
/// are.
fn apply(obstacle: &Obstacle, mended: bool, template: &mut Template, node: &mut Node) {
    let mut labels: BTreeMap<String, String> = node
        .labels
        .iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    let terms = template.node_affinity.as_mut().map(|a| &mut a.terms);
    let anything = || {
        Ok(Term {
            expressions: Vec::new(),
            fields: vec![FieldRequirement {
                key: "metadata.name".into(),
                equal: true,
                value: "a".into(),
            }],
        })
    };
    match obstacle {
        Obstacle::Unreadable => node.readable = true,
        Obstacle::NodeName { .. } => template.node_name = "".into(),
        Obstacle::NodeSelector { asked, .. } | Obstacle::AffinityExpression { asked, .. } => {
            let key = asked.key.to_string();
            match &asked.test {
                Test::In(values) => labels.insert(key, values[0].to_string()),
                Test::NotIn(_) | Test::DoesNotExist => labels.remove(&key),
                Test::Exists => labels.insert(key, "any".to_owned()),
                Test::Gt(n) => labels.insert(key, (n + 1).to_string()),
                Test::Lt(n) => labels.insert(key, (n - 1).to_string()),
            };
        }
        Obstacle::AffinityField { term, asked, has } => {
            let terms = terms.expect("the affinity");
            let fields = &mut terms[term.number - 1].as_mut().expect("a term").fields;
            for field in fields.iter_mut().filter(|f| *f == asked) {
                (field.equal, field.value) = (true, has.clone());
            }
        }
        Obstacle::AffinityTerm { .. } if mended => {}
        Obstacle::AffinityTerm { term, .. } => {
            terms.expect("the affinity")[term.number - 1] = anything();
        }
        Obstacle::NoAffinityTerms => terms.expect("the affinity").push(anything()),
        Obstacle::Excluded { .. } => unreachable!("nothing is excluded"),
        // In one half of the cases the one, in the other half the other.
        Obstacle::Taint { taint, .. } if taint.value.is_empty() => {
            node.taints = node
                .taints
                .iter()
                .filter(|t| *t != taint)
                .cloned()
                .collect();
        }
        Obstacle::Taint { taint, .. } => template.tolerations.push(Toleration {
            key: taint.key.clone(),
            operator: "Equal".into(),
            value: taint.value.clone(),
            effect: taint.effect.as_str().into(),
            has_seconds: false,
        }),
    }
    node.labels = labels.into_iter().collect();
}

proptest! {
    #![proptest_config(config(4_000, 20_260_601))]

    #[test]
    fn there_is_none_if_and_only_if_the_node_is_eligible_and_the_first_is_the_verdicts_reason(
        template in template("e", "e"), node in node(), readable in prop::bool::weighted(0.95), gates in gates(),
        exclusions in exclusions(),
    ) {
        let node = Node { readable, ..node };
        let eligibility = Eligibility::new(Arc::new(template.clone()), gates);
        let verdict = eligibility.excluding(exclusions[..].into()).of(&node);
        let list = with_exclusions(&template, &exclusions, gates, &node);
        let first = list.first().map_or("Eligible", Obstacle::reason);
        prop_assert_eq!(first, eligibility::reason(verdict), "{:?}", list);
        let stay = list.iter().all(Obstacle::lets_running_pods_stay);
        prop_assert_eq!(stay, verdict.should_continue_running(), "{:?}", list);
        for obstacle in &list {
            prop_assert!(!obstacle.message().is_empty());
        }
    }

    #[test]
    fn after_all_changes_that_are_said_the_node_is_eligible(
        template in template("s", "e"), node in node(), gates in gates(),
    ) {
        let list = obstacles(&template, gates, &node);
        let mended = list.iter().any(|o| {
            matches!(o, Obstacle::AffinityExpression { .. } | Obstacle::AffinityField { .. })
        });
        let (mut template, mut node) = (template, node);
        for obstacle in &list {
            apply(obstacle, mended, &mut template, &mut node);
        }
        prop_assert_eq!(
            verdict(&template, gates, &node), Verdict::Eligible,
            "{:?} on {:?} after {:?}", template, node, list
        );
    }

    #[test]
    fn while_one_of_them_is_left_the_node_is_not_eligible_for_its_reason(
        template in template("s", "e"), node in node(), gates in gates(),
    ) {
        let list = obstacles(&template, gates, &node);
        // Changes of labels for one term of the affinity may make another one match.
        for left in list.iter().filter(|o| o.reason() != "NodeAffinityMismatch") {
            let (mut template, mut node) = (template.clone(), node.clone());
            for obstacle in list.iter().filter(|o| *o != left) {
                apply(obstacle, false, &mut template, &mut node);
            }
            let verdict = verdict(&template, gates, &node);
            prop_assert_eq!(eligibility::reason(verdict), left.reason(), "{:?}", list);
        }
    }

    #[test]
    fn each_selector_entry_and_each_taint_that_is_an_obstacle_by_itself_is_named(
        template in template("e", "e"), node in node(), gates in gates(),
    ) {
        let list = obstacles(&template, gates, &node);
        let bare = Template {
            node_name: "".into(), node_selector: Vec::new(), node_affinity: None, ..template.clone()
        };
        for entry in &template.node_selector {
            let alone = Template { node_selector: vec![entry.clone()], ..bare.clone() };
            let fails = matches!(
                verdict(&alone, gates, &Node { taints: Box::default(), ..node.clone() }),
                Verdict::NodeSelector(_)
            );
            let named = list.iter().any(|o| matches!(o, Obstacle::NodeSelector { asked, .. } if asked == entry));
            prop_assert_eq!(named, fails, "{}", entry);
        }
        for taint in &node.taints {
            let alone = Node { taints: [taint.clone()].into(), ..node.clone() };
            let fails = verdict(&bare, gates, &alone) != Verdict::Eligible;
            let named = list.iter().any(|o| matches!(o, Obstacle::Taint { taint: t, .. } if t == taint));
            prop_assert_eq!(named, fails, "{}", taint);
        }
    }
}
