//! Everything that keeps a pod of a DaemonSet away from a node, and what would have to change.
//!
//! [`Eligibility::of`](super::eligibility::Eligibility::of) stops at the first reason: one is
//! enough to decide. People who want the pod on the node have to know all of them. Both follow the
//! same rules in the same order: a node has no obstacle if and only if it is eligible, and the
//! first obstacle is the reason of the verdict.

use std::fmt;

use crate::model::{
    Effect, Exclusion, Existing, FeatureGates, Node, NodeAffinity, Requirement, Str, Taint,
    Template, Term, Toleration, Verdict, selector::Test, template::FieldRequirement,
};

use super::{
    eligibility::{self, field_value},
    tolerations,
};

/// How many values of an `In` requirement [`Obstacle::change`] names.
const VALUES_NAMED: usize = 5;

/// One thing that keeps a pod away from a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// The node could not be decoded. Nothing else is known of it, so there is no other obstacle.
    Unreadable,
    /// The template's `spec.nodeName` names another node.
    NodeName {
        /// `spec.nodeName` of the template.
        asked: Str,
        /// `metadata.name` of the node.
        has: Str,
    },
    /// An entry of the template's `spec.nodeSelector` does not match the node's labels.
    NodeSelector {
        /// The entry.
        asked: Requirement,
        /// The value of the node's label; None where the node has no such label.
        has: Option<Str>,
    },
    /// A requirement of `matchExpressions` fails, in the term that fails least.
    AffinityExpression {
        /// The term.
        term: TermNumber,
        /// The requirement.
        asked: Requirement,
        /// The value of the node's label; None where the node has no such label.
        has: Option<Str>,
    },
    /// A requirement of `matchFields` fails, in the term that fails least.
    AffinityField {
        /// The term.
        term: TermNumber,
        /// The requirement.
        asked: FieldRequirement,
        /// The value of the node's field; empty where nodes do not have the field.
        has: Str,
    },
    /// A term of the required node affinity matches no node at all.
    AffinityTerm {
        /// The term.
        term: TermNumber,
        /// What is malformed; None where the term is empty.
        malformed: Option<String>,
    },
    /// The required node affinity has no terms, so it matches no node.
    NoAffinityTerms,
    /// The cluster defaults exclude the node.
    Excluded {
        /// The exclusion.
        by: Exclusion,
        /// What becomes of a running pod, by the exclusion that decides.
        existing: Existing,
    },
    /// The pod does not tolerate a taint of the node. The effect is `NoSchedule` or `NoExecute`.
    Taint {
        /// The taint.
        taint: Taint,
        /// A toleration of the template that would tolerate the taint if the feature gate
        /// `TaintTolerationComparisonOperators` were on.
        gated: Option<Toleration>,
    },
}

/// The place of a term in `nodeSelectorTerms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TermNumber {
    /// Its place, counted from 1.
    pub number: usize,
    /// How many terms there are.
    pub of: usize,
}

/// All obstacles of a node, in the order of the rules: node name, node selector (by key), node
/// affinity, taints with effect `NoExecute`, exclusions (the one that decides first), taints with
/// effect `NoSchedule` (taints as the node lists them).
///
/// One matching term of the required node affinity is enough. Where none matches, the obstacles are
/// the failing requirements of the term that fails least (the fewest failing requirements, then the
/// fewest of these in `matchFields`, then the first), and all terms that are malformed or empty.
pub fn obstacles(template: &Template, gates: FeatureGates, node: &Node) -> Vec<Obstacle> {
    with_exclusions(template, &[], gates, node)
}

/// The same where the cluster defaults exclude nodes.
pub fn with_exclusions(
    template: &Template,
    exclusions: &[Exclusion],
    gates: FeatureGates,
    node: &Node,
) -> Vec<Obstacle> {
    if !node.readable {
        return vec![Obstacle::Unreadable];
    }
    let mut list = Vec::new();
    if !template.node_name.is_empty() && template.node_name != node.name {
        list.push(Obstacle::NodeName {
            asked: template.node_name.clone(),
            has: node.name.clone(),
        });
    }
    let selector = template.node_selector.iter();
    list.extend(
        selector
            .filter(|r| !r.matches(&node.labels))
            .map(|r| Obstacle::NodeSelector {
                asked: r.clone(),
                has: node.labels.get_shared(&r.key).cloned(),
            }),
    );
    if let Some(affinity) = &template.node_affinity {
        of_affinity(affinity, node, &mut list);
    }
    of_taints(Effect::NoExecute, template, gates, node, &mut list);
    of_exclusions(exclusions, node, &mut list);
    of_taints(Effect::NoSchedule, template, gates, node, &mut list);
    list
}

fn of_affinity(affinity: &NodeAffinity, node: &Node, list: &mut Vec<Obstacle>) {
    let of = affinity.terms.len();
    if of == 0 {
        list.push(Obstacle::NoAffinityTerms);
        return;
    }
    let mut nearest: Option<Vec<Obstacle>> = None;
    let mut useless = Vec::new();
    for (i, term) in affinity.terms.iter().enumerate() {
        let number = TermNumber { number: i + 1, of };
        match term {
            Ok(t) if !t.expressions.is_empty() || !t.fields.is_empty() => {
                let fails = of_term(t, number, node);
                if fails.is_empty() {
                    return;
                }
                if nearest
                    .as_ref()
                    .is_none_or(|n| distance(&fails) < distance(n))
                {
                    nearest = Some(fails);
                }
            }
            _ => useless.push(Obstacle::AffinityTerm {
                term: number,
                malformed: term.as_ref().err().map(ToString::to_string),
            }),
        }
    }
    list.extend(nearest.into_iter().flatten());
    list.append(&mut useless);
}

/// The requirements of a term that fail.
fn of_term(term: &Term, number: TermNumber, node: &Node) -> Vec<Obstacle> {
    let expressions = term.expressions.iter();
    let expressions =
        expressions
            .filter(|r| !r.matches(&node.labels))
            .map(|r| Obstacle::AffinityExpression {
                term: number,
                asked: r.clone(),
                has: node.labels.get_shared(&r.key).cloned(),
            });
    let fields = term.fields.iter();
    let fields = fields
        .filter(|f| !eligibility::field_matches(f, node))
        .map(|f| Obstacle::AffinityField {
            term: number,
            asked: f.clone(),
            has: field_value(f, node).into(),
        });
    expressions.chain(fields).collect()
}

/// How far a term is from matching: the failing requirements, and those of them that no label
/// mends.
fn distance(fails: &[Obstacle]) -> (usize, usize) {
    let fields = fails
        .iter()
        .filter(|o| matches!(o, Obstacle::AffinityField { .. }));
    (fails.len(), fields.count())
}

fn of_exclusions(exclusions: &[Exclusion], node: &Node, list: &mut Vec<Obstacle>) {
    let Some((_, deciding)) = Exclusion::deciding(exclusions, &node.labels) else {
        return;
    };
    let all = exclusions.iter().rev().filter(|e| e.applies(&node.labels));
    list.extend(all.map(|by| Obstacle::Excluded {
        by: by.clone(),
        existing: deciding.existing,
    }));
}

fn of_taints(
    effect: Effect,
    template: &Template,
    gates: FeatureGates,
    node: &Node,
    list: &mut Vec<Obstacle>,
) {
    if node.taints.is_empty() {
        return;
    }
    let effective = tolerations::effective(template);
    let all_gates = FeatureGates {
        taint_toleration_comparison_operators: true,
        ..FeatureGates::default()
    };
    let tolerated = |taint: &Taint, gates| {
        let mut found = effective.iter();
        found.find(|t| tolerations::tolerates(t, taint, gates))
    };
    for taint in node.taints.iter().filter(|t| t.effect == effect) {
        if tolerated(taint, gates).is_none() {
            list.push(Obstacle::Taint {
                taint: taint.clone(),
                gated: tolerated(taint, all_gates).cloned(),
            });
        }
    }
}

impl Obstacle {
    /// The obstacle in one word, for programs: the word that [`eligibility::reason`] has for the
    /// verdict.
    pub fn reason(&self) -> &'static str {
        eligibility::reason(match self {
            Obstacle::Unreadable => Verdict::Unreadable,
            Obstacle::NodeName { .. } => Verdict::NodeName,
            Obstacle::NodeSelector { .. } => Verdict::NodeSelector(0),
            Obstacle::AffinityExpression { .. }
            | Obstacle::AffinityField { .. }
            | Obstacle::AffinityTerm { .. }
            | Obstacle::NoAffinityTerms => Verdict::NodeAffinity,
            Obstacle::Excluded { existing, .. } => Verdict::NodeExcluded {
                by: 0,
                existing: *existing,
            },
            Obstacle::Taint { taint, .. } if taint.effect == Effect::NoExecute => {
                Verdict::NoExecute(0)
            }
            Obstacle::Taint { .. } => Verdict::NoSchedule(0),
        })
    }

    /// Whether a pod that already runs on the node stays, as far as this obstacle goes.
    pub fn lets_running_pods_stay(&self) -> bool {
        match self {
            Obstacle::Unreadable => true,
            Obstacle::Excluded { existing, .. } => *existing == Existing::Keep,
            Obstacle::Taint { taint, .. } => taint.effect == Effect::NoSchedule,
            _ => false,
        }
    }

    /// The obstacle and its remedy as a sentence, for people: [`Obstacle::problem`], a colon,
    /// [`Obstacle::change`].
    pub fn message(&self) -> String {
        format!("{}: {}", self.problem(), self.change())
    }

    /// What is asked for, and what the node has.
    pub fn problem(&self) -> String {
        match self {
            Obstacle::Unreadable => "the node could not be decoded".into(),
            Obstacle::NodeName { asked, has } => {
                format!("the template's nodeName is {asked}, the node is {has}")
            }
            Obstacle::NodeSelector { asked, has } => format!(
                "the template's nodeSelector asks for {asked}, {}",
                label(&asked.key, has.as_ref())
            ),
            Obstacle::AffinityExpression { term, asked, has } => format!(
                "{term} asks for {asked}, {}",
                label(&asked.key, has.as_ref())
            ),
            Obstacle::AffinityField { term, asked, has } => {
                let FieldRequirement { key, equal, value } = asked;
                let operator = if *equal { "=" } else { "!=" };
                format!(
                    "{term} asks for the field {key}{operator}{value}, the node has {key}={has}"
                )
            }
            Obstacle::AffinityTerm {
                term,
                malformed: Some(why),
            } => format!("{term} is malformed and matches no node ({why})"),
            Obstacle::AffinityTerm {
                term,
                malformed: None,
            } => format!("{term} is empty and matches no node"),
            Obstacle::NoAffinityTerms => {
                "the required node affinity has no terms and matches no node".into()
            }
            Obstacle::Excluded { by, existing } => {
                let what = match existing {
                    Existing::Keep => "stays",
                    Existing::Remove => "goes, within the budget",
                };
                let who = eligibility::excluded(by);
                format!("{who} (a pod that runs there {what})")
            }
            Obstacle::Taint { taint, .. } => {
                let stays = if self.lets_running_pods_stay() {
                    "stays"
                } else {
                    "goes"
                };
                format!("the taint {taint} is not tolerated (a pod that runs there {stays})")
            }
        }
    }

    /// What would have to change. After all changes of all obstacles the node is eligible, unless
    /// the template contradicts itself.
    pub fn change(&self) -> String {
        match self {
            Obstacle::Unreadable => "correct the node's malformed field".into(),
            Obstacle::NodeName { .. } => "remove nodeName from the template".into(),
            Obstacle::NodeSelector { asked, .. } | Obstacle::AffinityExpression { asked, .. } => {
                relabel(asked)
            }
            Obstacle::AffinityField { .. } => {
                "change the template's affinity, as a node's name and fields are fixed".into()
            }
            Obstacle::AffinityTerm { malformed, .. } => match malformed {
                Some(_) => "correct the term in the template".into(),
                None => "remove the term from the template, or give it a requirement".into(),
            },
            Obstacle::NoAffinityTerms => {
                "remove the required node affinity from the template, or give it a term".into()
            }
            Obstacle::Excluded { by, .. } => format!(
                "change the node's labels, or rule {} of the cluster defaults",
                by.rule
            ),
            Obstacle::Taint { taint, gated } => {
                let gate = gated.as_ref().map(|t| {
                    format!(
                        "turn on the feature gate TaintTolerationComparisonOperators, which the \
                         toleration {} {} {} needs, ",
                        t.key, t.operator, t.value
                    )
                });
                let or = if gate.is_some() { "or " } else { "" };
                let value = if taint.value.is_empty() {
                    String::new()
                } else {
                    format!(", value {}", taint.value)
                };
                format!(
                    "{}{or}add a toleration for key {}{value} and effect {} to the template, or remove \
                     the taint from the node",
                    gate.unwrap_or_default(),
                    taint.key,
                    taint.effect.as_str()
                )
            }
        }
    }
}

impl fmt::Display for TermNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.of > 1 {
            write!(f, "term {} of {} of ", self.number, self.of)?;
        }
        f.write_str("the template's required node affinity")
    }
}

/// What the node has of a label.
fn label(key: &str, has: Option<&Str>) -> String {
    match has {
        Some(value) => format!("the node has {key}={value}"),
        None => format!("the node has no label {key}"),
    }
}

/// The change of the node's labels that satisfies a requirement.
fn relabel(asked: &Requirement) -> String {
    let key = &asked.key;
    match &asked.test {
        Test::In(values) => match values.as_slice() {
            [value] => format!("label the node with {key}={value}"),
            _ => {
                let named: Vec<&str> = values.iter().take(VALUES_NAMED).map(|v| &**v).collect();
                let more = match values.len() - named.len() {
                    0 => String::new(),
                    more => format!(" or {more} others"),
                };
                format!(
                    "label the node with {key} and one of the values {}{more}",
                    named.join(", ")
                )
            }
        },
        Test::NotIn(_) => {
            format!("remove the label {key} from the node, or give it another value")
        }
        Test::Exists => format!("label the node with {key} and any value"),
        Test::DoesNotExist => format!("remove the label {key} from the node"),
        Test::Gt(n) => format!("label the node with {key} and an integer above {n}"),
        Test::Lt(n) => format!("label the node with {key} and an integer below {n}"),
    }
}
