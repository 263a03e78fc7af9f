//! Reads pods: what decides strictly, what explains leniently.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Interner, Labels, Pod, PodPhase, Readiness, Str, Time};

use super::{
    DecodeError,
    partial::{Affinity, Condition, Metadata, Text, ZERO_TIME, condition, parse_time},
    pod_detail::{self, Explanations},
};

#[derive(Deserialize)]
struct PodObject<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
    #[serde(borrow)]
    status: Option<PodStatus<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    node_name: Option<Text<'a>>,
    #[serde(borrow)]
    affinity: Option<Affinity<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct PodStatus<'a> {
    #[serde(borrow)]
    phase: Option<Text<'a>>,
    #[serde(borrow)]
    conditions: Option<Vec<Condition<'a>>>,
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    init_container_statuses: Option<&'a RawValue>,
    #[serde(borrow)]
    container_statuses: Option<&'a RawValue>,
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
pub fn decode(raw: &RawValue, interner: &mut Interner) -> Result<DecodedPod, Box<DecodeError>> {
    let fail = |why: String| DecodeError::new("Pod", why, raw);
    let object: PodObject<'_> = serde_json::from_str(raw.get()).map_err(|e| fail(e.to_string()))?;
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
    let status = object.status.unwrap_or_default();
    let phase = match status.phase.as_ref().map(|p| &*p.0) {
        Some("Failed") => PodPhase::Failed,
        Some("Succeeded") => PodPhase::Succeeded,
        _ => PodPhase::Active,
    };
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let readiness = readiness(conditions).map_err(fail)?;
    let relevant = metadata.is_daemon_or_orphan();
    let detail = if relevant {
        let explanations = Explanations {
            reason: status.reason,
            message: status.message,
            init_container_statuses: status.init_container_statuses,
            container_statuses: status.container_statuses,
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
            created: metadata.created().map_err(fail)?,
            controller: metadata.controller(),
            labels: metadata.labels(interner),
            node: None,
            scheduled: spec_node.is_some(),
            phase,
            readiness,
            terminating: metadata.deletion_timestamp.is_some(),
            deletion: metadata
                .deletion_timestamp
                .as_ref()
                .map(|t| parse_time(&t.0))
                .transpose()
                .map_err(fail)?,
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
            name: e.name.clone()?,
            uid: e.uid.clone()?,
            version: e.version,
            created: Time::from_secs(0),
            controller: e.controller.clone(),
            labels: Labels::default(),
            node: None,
            scheduled: false,
            phase: PodPhase::Active,
            readiness: Readiness::NotReady,
            terminating: false,
            deletion: None,
            ended: false,
            readable: false,
            detail: None,
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
    match &ready.last_transition_time {
        // Null is read as Go's zero time.
        None => Ok(Readiness::SinceUnknown),
        Some(t) if t.0 == ZERO_TIME => Ok(Readiness::SinceUnknown),
        Some(t) => parse_time(&t.0).map(Readiness::Since),
    }
}
