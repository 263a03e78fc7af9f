//! Whether the pods of a DaemonSet belong on a node: by node name, node selector, required node
//! affinity, taints, and what the cluster defaults exclude.
//!
//! `spec.unschedulable` of a node is ignored. Kubernetes adds a taint with it, and daemon pods
//! tolerate that taint.

use std::sync::Arc;

use crate::model::{
    Effect, Exclusion, Existing, FeatureGates, Node, Nodes, Taint, Template, Term, Toleration,
    Verdict, Verdicts, template::FieldRequirement,
};

use super::tolerations;

/// A template with its effective tolerations, prepared to be matched against many nodes.
#[derive(Clone, Debug)]
pub struct Eligibility {
    template: Arc<Template>,
    tolerations: Vec<Toleration>,
    gates: FeatureGates,
    exclusions: Arc<[Exclusion]>,
}

impl Eligibility {
    /// Prepares a template. The gates decide whether tolerations with `Gt` and `Lt` count.
    pub fn new(template: Arc<Template>, gates: FeatureGates) -> Self {
        Eligibility {
            tolerations: tolerations::effective(&template),
            template,
            gates,
            exclusions: Arc::default(),
        }
    }

    /// The same, and no pod belongs on nodes that are excluded.
    pub fn excluding(self, exclusions: Arc<[Exclusion]>) -> Self {
        Eligibility { exclusions, ..self }
    }

    /// The template that it was prepared from.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// The verdict on one node: the first reason why pods do not belong there. The order is: node
    /// name, node selector (by key), node affinity, taints with effect `NoExecute`, exclusions,
    /// taints with effect `NoSchedule`. So an exclusion keeps no pod that must leave without it.
    /// All reasons are in `plan::obstacles`.
    pub fn of(&self, node: &Node) -> Verdict {
        let t = &self.template;
        if !node.readable {
            return Verdict::Unreadable;
        }
        if !t.node_name.is_empty() && t.node_name != node.name {
            return Verdict::NodeName;
        }
        if let Some(i) = t
            .node_selector
            .iter()
            .position(|r| !r.matches(&node.labels))
        {
            return Verdict::NodeSelector(index(i));
        }
        if let Some(affinity) = &t.node_affinity
            && !affinity
                .terms
                .iter()
                .flatten()
                .any(|term| term_matches(term, node))
        {
            return Verdict::NodeAffinity;
        }
        let mut first = None;
        for (i, taint) in node.taints.iter().enumerate() {
            if !tolerations::keeps_away(&taint.effect) || self.tolerates(taint) {
                continue;
            }
            if taint.effect == Effect::NoExecute {
                return Verdict::NoExecute(index(i));
            }
            first.get_or_insert(index(i));
        }
        if let Some((i, exclusion)) = Exclusion::deciding(&self.exclusions, &node.labels) {
            return Verdict::NodeExcluded {
                by: index(i),
                existing: exclusion.existing,
            };
        }
        first.map_or(Verdict::Eligible, Verdict::NoSchedule)
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations
            .iter()
            .any(|t| tolerations::tolerates(t, taint, self.gates))
    }

    /// Brings verdicts up to date. Only nodes that changed since the last call are looked at again.
    /// A new template needs new verdicts ([`Verdicts::default`]).
    pub fn refresh(&self, verdicts: &mut Verdicts, nodes: &Nodes) {
        if verdicts.stamp == nodes.stamp() && verdicts.by_slot.len() == nodes.slots() {
            return;
        }
        verdicts
            .by_slot
            .resize(nodes.slots(), (0, Verdict::Unreadable));
        for (id, node) in nodes.iter() {
            let stamp = nodes.slot_stamp(id);
            let entry = &mut verdicts.by_slot[id.index()];
            if entry.0 != stamp {
                *entry = (stamp, self.of(node));
            }
        }
        verdicts.stamp = nodes.stamp();
    }
}

/// The index in 16 bits. No object has as many entries; a larger index becomes the largest one.
fn index(i: usize) -> u16 {
    u16::try_from(i).unwrap_or(u16::MAX)
}

fn term_matches(term: &Term, node: &Node) -> bool {
    if term.expressions.is_empty() && term.fields.is_empty() {
        return false;
    }
    term.expressions.iter().all(|r| r.matches(&node.labels))
        && term.fields.iter().all(|f| field_matches(f, node))
}

/// Whether the node satisfies a requirement of `matchFields`.
pub(super) fn field_matches(field: &FieldRequirement, node: &Node) -> bool {
    (field_value(field, node) == &*field.value) == field.equal
}

/// The node's value of the field; empty for a field that nodes do not have.
pub(super) fn field_value<'n>(field: &FieldRequirement, node: &'n Node) -> &'n str {
    if &*field.key == "metadata.name" {
        &node.name
    } else {
        ""
    }
}

/// The verdict in one word, for programs. The words are part of the JSON output.
pub fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Eligible => "Eligible",
        Verdict::NodeName => "NodeNameMismatch",
        Verdict::NodeSelector(_) => "NodeSelectorMismatch",
        Verdict::NodeAffinity => "NodeAffinityMismatch",
        Verdict::NodeExcluded { .. } => "NodeExcluded",
        Verdict::NoSchedule(_) => "UntoleratedNoScheduleTaint",
        Verdict::NoExecute(_) => "UntoleratedNoExecuteTaint",
        Verdict::Unreadable => "NodeUnreadable",
    }
}

/// The verdict as a sentence, for people. `template`, `exclusions` and `node` are those that it is
/// about.
pub fn message(
    verdict: Verdict,
    template: &Template,
    exclusions: &[Exclusion],
    node: &Node,
) -> String {
    let taint = |i: u16| {
        node.taints
            .get(usize::from(i))
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    match verdict {
        Verdict::Eligible => "the node gets a pod".into(),
        Verdict::NodeName => format!("the template's nodeName is {}", template.node_name),
        Verdict::NodeSelector(i) => match template.node_selector.get(usize::from(i)) {
            Some(r) => match node.labels.get(&r.key) {
                Some(has) => format!(
                    "the template's nodeSelector asks for {r}, the node has {}={has}",
                    r.key
                ),
                None => format!(
                    "the template's nodeSelector asks for {r}, the node has no label {}",
                    r.key
                ),
            },
            None => "the template's nodeSelector does not match".into(),
        },
        Verdict::NodeAffinity => {
            let malformed: Vec<String> = template
                .node_affinity
                .iter()
                .flat_map(|a| &a.terms)
                .filter_map(|t| t.as_ref().err().map(|e| e.to_string()))
                .collect();
            if malformed.is_empty() {
                "no term of the template's required node affinity matches the node".into()
            } else {
                format!(
                    "no term of the template's required node affinity matches the node (malformed: {})",
                    malformed.join("; ")
                )
            }
        }
        Verdict::NodeExcluded { by, existing } => {
            let exclusion = exclusions.get(usize::from(by));
            let who = exclusion.map_or_else(|| "the cluster defaults exclude it".into(), excluded);
            let what = match existing {
                Existing::Keep => "a pod that runs there stays",
                Existing::Remove => "a pod that runs there goes, within the budget",
            };
            format!("{who}; {what}")
        }
        Verdict::NoSchedule(i) => format!(
            "the taint {} is not tolerated; a pod that runs there stays",
            taint(i)
        ),
        Verdict::NoExecute(i) => format!(
            "the taint {} is not tolerated; a pod that runs there goes",
            taint(i)
        ),
        Verdict::Unreadable => "the node could not be decoded; what runs there stays".into(),
    }
}

/// Who excludes nodes, and which.
pub(super) fn excluded(by: &Exclusion) -> String {
    format!(
        "rule {} of the cluster defaults excludes nodes with {}",
        by.rule, by.text
    )
}
