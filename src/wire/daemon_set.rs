//! Decoding of DaemonSets. Only what placement needs is parsed; the template stays as it is.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{
    Control, DaemonSet, DaemonSetStatus, DefaultsOf, IntOrPercent, Interner, Labels, Malformed,
    NodeAffinity, Requirement, Selector, Str, Template, Term, Toleration, UpdateStrategy,
    template::FieldRequirement,
};

use super::{
    DecodeError, Encoded, canonical, conditions, containers,
    partial::{self, Affinity, Map, Metadata, NodeSelectorTerm, Pairs, SelectorRequirement, Text},
    place,
    raw::RawObject,
    status::StatusObject,
};

/// The deprecated annotation that holds the generation of the template.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

#[derive(Deserialize)]
struct DaemonSetObject<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Spec<'a>,
    #[serde(borrow)]
    status: Option<StatusObject<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    selector: Option<LabelSelector<'a>>,
    #[serde(borrow)]
    template: &'a RawValue,
    #[serde(borrow)]
    update_strategy: Option<Strategy<'a>>,
    min_ready_seconds: Option<i32>,
    revision_history_limit: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelSelector<'a> {
    #[serde(borrow)]
    match_labels: Option<Map<'a>>,
    #[serde(borrow)]
    match_expressions: Option<Vec<SelectorRequirement<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Strategy<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    rolling_update: Option<RollingUpdate<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollingUpdate<'a> {
    #[serde(borrow)]
    max_unavailable: Option<&'a RawValue>,
    #[serde(borrow)]
    max_surge: Option<&'a RawValue>,
}

/// `data` of a revision.
#[derive(Deserialize)]
struct DataObject<'a> {
    #[serde(borrow)]
    spec: DataSpec<'a>,
}

#[derive(Deserialize)]
struct DataSpec<'a> {
    #[serde(borrow)]
    template: &'a RawValue,
}

#[derive(Deserialize)]
struct TemplateObject<'a> {
    #[serde(borrow)]
    metadata: Option<TemplateMetadata<'a>>,
    #[serde(borrow)]
    spec: PodSpec<'a>,
}

#[derive(Deserialize)]
struct TemplateMetadata<'a> {
    #[serde(borrow)]
    labels: Option<Pairs<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec<'a> {
    #[serde(borrow)]
    node_name: Option<Text<'a>>,
    #[serde(borrow)]
    node_selector: Option<Map<'a>>,
    #[serde(borrow)]
    affinity: Option<Affinity<'a>>,
    #[serde(borrow)]
    tolerations: Option<Vec<TolerationObject<'a>>>,
    host_network: Option<bool>,
    /// Undecoded, because a value of another type must not make the DaemonSet unreadable.
    #[serde(borrow)]
    termination_grace_period_seconds: Option<&'a RawValue>,
    /// The same.
    #[serde(borrow)]
    containers: Option<&'a RawValue>,
    #[serde(borrow)]
    init_containers: Option<&'a RawValue>,
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TolerationObject<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    operator: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    effect: Option<Text<'a>>,
    toleration_seconds: Option<i64>,
}

/// Decodes a DaemonSet.
///
/// An absent field reads as the API server's default where it has one. (An object from the API has
/// a value there.) A malformed affinity term or generation annotation is no error, as in upstream.
/// `control` is what its annotations alone ask for.
pub fn decode<'a>(
    raw: impl Into<Encoded<'a>>,
    interner: &mut Interner,
) -> Result<DaemonSet, Box<DecodeError>> {
    let raw = raw.into().json("DaemonSet")?;
    let fail = |e: serde_json::Error| DecodeError::at("DaemonSet", &e, raw);
    let object: DaemonSetObject<'_> = serde_json::from_str(raw.get()).map_err(fail)?;
    let metadata = &object.metadata;
    let spec = &object.spec;
    let fail_inside = |e: serde_json::Error| {
        let why = place::said_within("spec.template", &e, spec.template.get());
        DecodeError::new("DaemonSet", why, raw)
    };
    // The template comes first: its errors say where they are.
    let template = template(spec.template, interner).map_err(fail_inside)?;
    let (data, without) = canonical::revision_data(spec.template).map_err(|e| {
        DecodeError::new(
            "DaemonSet",
            format_args!("spec.template: {}", place::words(&e)),
            raw,
        )
    })?;
    let data = Str::from(data);
    let status = object.status.unwrap_or_default();
    let annotations = partial::labels(metadata.annotations.as_ref(), interner);
    Ok(DaemonSet {
        namespace: interner.text(metadata.namespace.as_ref().map_or("", |n| &n.0)),
        name: interner.text(&metadata.name.0),
        uid: metadata.uid(),
        version: metadata.version(),
        generation: metadata.generation.unwrap_or(0),
        terminating: metadata.deletion_timestamp.is_some(),
        template_generation: annotations
            .get(TEMPLATE_GENERATION)
            .and_then(crate::model::selector::parse_int),
        control: Control::read(&annotations, &DefaultsOf::default()),
        annotations,
        selector: selector(spec.selector.as_ref()),
        template: Arc::new(template),
        revision_data_without_timestamp: without.map_or_else(|| data.clone(), Str::from),
        revision_data: data,
        update_strategy: update_strategy(spec.update_strategy.as_ref()),
        min_ready_seconds: spec.min_ready_seconds.unwrap_or(0),
        revision_history_limit: spec.revision_history_limit.unwrap_or(10),
        conditions: conditions::decode(status.conditions),
        status: status.into(),
        readable: true,
    })
}

/// The template in the `data` of a revision. Fails where there is none, or none of a DaemonSet.
pub fn template_of_data(data: &str, interner: &mut Interner) -> serde_json::Result<Template> {
    let data: DataObject<'_> = serde_json::from_str(data)?;
    let mut object: RawObject = serde_json::from_str(data.spec.template.get())?;
    object.remove("$patch");
    template(&object.to_raw(), interner)
}

/// The rest of a DaemonSet that did not decode. None where not even its name and UID could be read.
pub fn from_error(e: &DecodeError) -> Option<DaemonSet> {
    Some(DaemonSet {
        namespace: e.namespace.clone()?,
        name: e.name.clone()?,
        uid: e.uid.clone()?,
        version: e.version,
        generation: 0,
        terminating: false,
        annotations: Labels::default(),
        control: None,
        template_generation: None,
        selector: Ok(Selector::Nothing),
        template: Arc::new(Template {
            raw: "{}".into(),
            labels: Labels::default(),
            node_name: "".into(),
            node_selector: Vec::new(),
            node_affinity: None,
            tolerations: Vec::new(),
            host_network: false,
            termination_grace_period_seconds: None,
            containers: Vec::new(),
            has_pod_resources: false,
        }),
        revision_data: "".into(),
        revision_data_without_timestamp: "".into(),
        update_strategy: UpdateStrategy::OnDelete,
        min_ready_seconds: 0,
        revision_history_limit: 0,
        status: DaemonSetStatus::default(),
        conditions: None,
        readable: false,
    })
}

/// Reads a label selector of any object. None where it is no such object.
pub fn label_selector(raw: &RawValue) -> Option<Result<Selector, Malformed>> {
    let object: LabelSelector<'_> = serde_json::from_str(raw.get()).ok()?;
    Some(selector(Some(&object)))
}

fn selector(object: Option<&LabelSelector<'_>>) -> Result<Selector, Malformed> {
    let Some(object) = object else {
        return Ok(Selector::Nothing);
    };
    let mut all = Vec::new();
    for (key, value) in object.match_labels.iter().flatten() {
        all.push(Requirement::new(&key.0, "In", &[&value.0])?);
    }
    for requirement in object.match_expressions.iter().flatten() {
        let (key, operator, values) = requirement.parts();
        if matches!(operator, "Gt" | "Lt") {
            return Err(Malformed(format!(
                "requirement on {key:?}: {operator} is not for label selectors"
            )));
        }
        all.push(Requirement::new(key, operator, values)?);
    }
    Ok(if all.is_empty() {
        Selector::Everything
    } else {
        Selector::All(all)
    })
}

fn update_strategy(object: Option<&Strategy<'_>>) -> UpdateStrategy {
    let rolling = object.and_then(|s| s.rolling_update.as_ref());
    match object
        .and_then(|s| s.kind.as_ref())
        .map_or("RollingUpdate", |k| &k.0)
    {
        "OnDelete" => UpdateStrategy::OnDelete,
        "RollingUpdate" => UpdateStrategy::RollingUpdate {
            max_unavailable: int_or_percent(rolling.and_then(|r| r.max_unavailable), 1),
            max_surge: int_or_percent(rolling.and_then(|r| r.max_surge), 0),
        },
        other => UpdateStrategy::Other(other.into()),
    }
}

/// An `IntOrString` as upstream scales it: `"10%"` or a number. Any other text is an error there.
fn int_or_percent(raw: Option<&RawValue>, default: i32) -> IntOrPercent {
    let Some(text) = raw.map(RawValue::get).filter(|t| *t != "null") else {
        return IntOrPercent::Int(default);
    };
    if let Ok(n) = text.parse() {
        return IntOrPercent::Int(n);
    }
    match serde_json::from_str::<String>(text) {
        Ok(s) => match s.strip_suffix('%').and_then(|p| p.parse().ok()) {
            Some(p) => IntOrPercent::Percent(p),
            None => IntOrPercent::Invalid(s.into()),
        },
        Err(_) => IntOrPercent::Invalid(text.into()),
    }
}

fn template(raw: &RawValue, interner: &mut Interner) -> serde_json::Result<Template> {
    let object: TemplateObject<'_> = serde_json::from_str(raw.get())?;
    let spec = &object.spec;
    let mut text = |t: &Option<Text<'_>>| interner.text(t.as_ref().map_or("", |t| &t.0));
    let tolerations = spec.tolerations.iter().flatten().map(|t| Toleration {
        key: text(&t.key),
        operator: text(&t.operator),
        value: text(&t.value),
        effect: text(&t.effect),
        has_seconds: t.toleration_seconds.is_some(),
    });
    let tolerations = tolerations.collect();
    let node_name = text(&spec.node_name);
    Ok(Template {
        raw: raw.get().into(),
        labels: partial::labels(
            object.metadata.as_ref().and_then(|m| m.labels.as_ref()),
            interner,
        ),
        node_name,
        node_selector: spec
            .node_selector
            .iter()
            .flatten()
            .map(|(k, v)| Requirement::equals(&k.0, &v.0))
            .collect(),
        node_affinity: spec
            .affinity
            .as_ref()
            .and_then(|a| a.node_affinity.as_ref())
            .and_then(|a| {
                a.required_during_scheduling_ignored_during_execution
                    .as_ref()
            })
            .map(|r| NodeAffinity {
                terms: r.node_selector_terms.iter().flatten().map(term).collect(),
            }),
        tolerations,
        host_network: spec.host_network.unwrap_or(false),
        termination_grace_period_seconds: spec
            .termination_grace_period_seconds
            .and_then(|text| text.get().parse().ok()),
        containers: containers::read(spec.containers, spec.init_containers, interner),
        has_pod_resources: spec.resources.is_some(),
    })
}

/// A term. One malformed requirement makes its whole term malformed.
fn term(object: &NodeSelectorTerm<'_>) -> Result<Term, Malformed> {
    let expressions = object
        .match_expressions
        .iter()
        .flatten()
        .map(|r| {
            let (key, operator, values) = r.parts();
            Requirement::new(key, operator, values)
        })
        .collect::<Result<_, _>>()?;
    let fields = object
        .match_fields
        .iter()
        .flatten()
        .map(|r| {
            let (key, operator, values) = r.parts();
            let equal = match operator {
                "In" => true,
                "NotIn" => false,
                other => {
                    return Err(Malformed(format!(
                        "field {key:?}: unknown operator {other:?}"
                    )));
                }
            };
            match values {
                [value] => Ok(FieldRequirement {
                    key: key.into(),
                    equal,
                    value: (*value.0).into(),
                }),
                _ => Err(Malformed(format!(
                    "field {key:?}: {operator} takes exactly one value"
                ))),
            }
        })
        .collect::<Result<_, _>>()?;
    Ok(Term {
        expressions,
        fields,
    })
}
