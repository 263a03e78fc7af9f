//! Reads pods: what decides strictly, what explains leniently.

mod protobuf;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{EXCLUSIVE_GATE, Interner, Pod, PodPhase, Readiness, Str, resources::MARK};

use super::{
    DecodeError, Encoded,
    partial::{Affinity, Condition, Lenient, Metadata, Stamp, Text, condition},
    pod_detail::{self, ContainerStatus, Explanations, each_leniently},
};

/// A pod whose container statuses are read as `S`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
struct PodObject<'a, S> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
    #[serde(borrow)]
    status: Option<PodStatus<'a, S>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    node_name: Option<Text<'a>>,
    #[serde(borrow)]
    affinity: Option<Affinity<'a>>,
    #[serde(borrow)]
    scheduling_gates: Option<Vec<SchedulingGate<'a>>>,
}

#[derive(Deserialize)]
struct SchedulingGate<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
struct PodStatus<'a, S> {
    #[serde(borrow)]
    phase: Option<Text<'a>>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    #[serde(borrow, default)]
    reason: Lenient<Text<'a>>,
    #[serde(borrow, default)]
    message: Lenient<Text<'a>>,
    init_container_statuses: Option<S>,
    container_statuses: Option<S>,
}

impl<S> Default for PodStatus<'_, S> {
    fn default() -> Self {
        PodStatus {
            phase: None,
            conditions: None,
            reason: Lenient(None),
            message: Lenient(None),
            init_container_statuses: None,
            container_statuses: None,
        }
    }
}

type ContainerStatuses<'a> = Vec<ContainerStatus<'a>>;

/// Reads the object in one pass, as all pods of an API server allow. Only where that fails,
/// container statuses are read apart from the rest, which they must not spoil.
fn parse(raw: &RawValue) -> serde_json::Result<PodObject<'_, ContainerStatuses<'_>>> {
    if let Ok(object) = serde_json::from_str(raw.get()) {
        return Ok(object);
    }
    let object: PodObject<'_, &RawValue> = serde_json::from_str(raw.get())?;
    Ok(PodObject {
        metadata: object.metadata,
        spec: object.spec,
        status: object.status.map(|s| PodStatus {
            phase: s.phase,
            conditions: s.conditions,
            reason: s.reason,
            message: s.message,
            init_container_statuses: s.init_container_statuses.map(each_leniently),
            container_statuses: s.container_statuses.map(each_leniently),
        }),
    })
}

/// A pod as it was read. Its node is still a name, because slots of nodes are the cache's.
#[derive(Debug)]
pub struct DecodedPod {
    /// `metadata.namespace`.
    pub namespace: Str,
    /// Whether a DaemonSet controls it or nothing does. Any other pod only matters for its name.
    pub relevant: bool,
    /// The pod. [`Pod::node`] is None.
    pub pod: Pod,
    /// The name of the node that it runs on or is pinned to.
    pub node: Option<Str>,
}

/// Reads a pod as the API has it.
///
/// Fails where a field that decides is malformed. [`from_error`] then has what could be read.
pub fn decode<'a>(
    raw: impl Into<Encoded<'a>>,
    interner: &mut Interner,
) -> Result<DecodedPod, Box<DecodeError>> {
    let raw = raw.into();
    let fail = |why: String| DecodeError::new("Pod", why, raw);
    let object = match raw {
        Encoded::Json(raw) => parse(raw).map_err(|e| DecodeError::at("Pod", &e, raw))?,
        Encoded::Protobuf(raw) => protobuf::read(raw).map_err(|e| fail(e.to_string()))?,
    };
    let metadata = &object.metadata;
    let spec_node = object
        .spec
        .as_ref()
        .and_then(|s| s.node_name.as_ref())
        .map(|n| &*n.0)
        .filter(|n| !n.is_empty());
    let node = match (
        spec_node,
        object.spec.as_ref().and_then(|s| s.affinity.as_ref()),
    ) {
        (Some(name), _) => Some(interner.text(name)),
        (None, Some(affinity)) => affinity.pinned_to().map(|n| interner.text(n)),
        (None, None) => None,
    };
    let gates = object.spec.as_ref();
    let gates = gates.and_then(|spec| spec.scheduling_gates.as_deref());
    let is_ours = |gate: &SchedulingGate<'_>| {
        let name = gate.name.as_ref();
        name.is_some_and(|name| name.0 == EXCLUSIVE_GATE)
    };
    let gated = gates.unwrap_or_default().iter().any(is_ours);
    let status = object.status.unwrap_or_default();
    let phase = match status.phase.as_ref().map(|p| &*p.0) {
        Some("Failed") => PodPhase::Failed,
        Some("Succeeded") => PodPhase::Succeeded,
        _ => PodPhase::Active,
    };
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let of = |field: &'static str| move |why: String| fail(format!("{field}: {why}"));
    let readiness = readiness(conditions).map_err(of("status.conditions"))?;
    let relevant = metadata.is_daemon_or_orphan();
    let detail = if relevant {
        let explanations = Explanations {
            reason: status.reason,
            message: status.message,
            init_container_statuses: status.init_container_statuses.unwrap_or_default(),
            container_statuses: status.container_statuses.unwrap_or_default(),
        };
        pod_detail::detail(metadata, conditions, explanations, interner)
    } else {
        None
    };
    Ok(DecodedPod {
        namespace: interner.text(metadata.namespace.as_ref().map_or("", |n| &n.0)),
        relevant,
        pod: Pod {
            name: metadata.name.0.as_ref().into(),
            uid: metadata.uid(),
            version: metadata.version(),
            created: metadata
                .created()
                .map_err(of("metadata.creationTimestamp"))?,
            controller: metadata.controller(),
            labels: metadata.labels(interner),
            resources: metadata.annotation(MARK).map(|text| interner.text(text)),
            node: None,
            scheduled: spec_node.is_some(),
            gated,
            phase,
            readiness,
            terminating: metadata.deletion_timestamp.is_some(),
            deletion: metadata
                .deletion_timestamp
                .as_ref()
                .map(Stamp::time)
                .transpose()
                .map_err(of("metadata.deletionTimestamp"))?,
            ended: phase.is_terminal() && metadata.deletion_timestamp.is_none(),
            readable: true,
            detail,
        },
        node,
    })
}

/// What is left of a pod that could not be decoded. None where not even namespace, name and UID
/// could be read.
pub fn from_error(e: &DecodeError) -> Option<DecodedPod> {
    Some(DecodedPod {
        namespace: e.namespace.clone()?,
        relevant: true,
        pod: Pod {
            version: e.version,
            controller: e.controller.clone(),
            readable: false,
            ..Pod::new(e.name.clone()?, e.uid.clone()?)
        },
        node: e.node.clone(),
    })
}

fn readiness(conditions: &[Condition<'_>]) -> Result<Readiness, String> {
    let Some(ready) = condition(conditions, "Ready") else {
        return Ok(Readiness::NotReady);
    };
    if ready.status.as_ref().is_none_or(|s| s.0 != "True") {
        return Ok(Readiness::NotReady);
    }
    let since = ready.last_transition_time.as_ref().map(Stamp::known);
    // Null is read as Go's zero time.
    let since = since.transpose()?.flatten();
    Ok(since.map_or(Readiness::SinceUnknown, Readiness::Since))
}
