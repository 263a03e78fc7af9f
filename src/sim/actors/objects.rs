//! API objects as actors read them: one partial type for all kinds, so that all kinds are followed
//! alike.
//!
//! A field that a kind does not have reads as empty. The parts of placement are types of `model`,
//! made while decoding: an object is decoded once and compared often.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::model::quantity;
use crate::model::template::FieldRequirement;
use crate::model::{Effect, Labels, NodeAffinity, Requirement, Taint, Term};
use crate::sim::follow::Followed;
use crate::sim::host_ports::HostPorts;

/// The fields of an object that actors read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Object {
    /// `metadata`.
    pub metadata: ObjectMeta,
    /// `spec`.
    pub spec: ObjectSpec,
    /// `status`.
    pub status: ObjectStatus,
}

/// `metadata`, the same for all kinds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectMeta {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, empty for objects outside of namespaces.
    pub namespace: String,
    /// `metadata.uid`, a precondition of every write.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.creationTimestamp`; the scheduler takes the oldest pod first.
    #[serde(deserialize_with = "time")]
    pub creation_timestamp: Option<Timestamp>,
    /// `metadata.deletionTimestamp`: the object is terminating.
    #[serde(deserialize_with = "time")]
    pub deletion_timestamp: Option<Timestamp>,
    /// `metadata.labels`.
    #[serde(deserialize_with = "labels")]
    pub labels: Labels,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// `metadata.ownerReferences`.
    pub owner_references: Vec<OwnerReference>,
}

/// One of `metadata.ownerReferences`, with all its fields, because it may be written back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference {
    /// `apiVersion` of the owner, such as `apps/v1`.
    pub api_version: String,
    /// `kind` of the owner, such as `DaemonSet`.
    pub kind: String,
    /// `name` of the owner.
    pub name: String,
    /// `uid` of the owner, which decides whether it is still the same.
    pub uid: String,
    /// `controller`: the owner is the one that controls the object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// `blockOwnerDeletion`: the owner waits for this object when it is deleted in the foreground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

/// `spec` of pods, nodes, leases and namespaces.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectSpec {
    /// Pods: the node that it is bound to, empty before that.
    pub node_name: String,
    /// Pods: the scheduler that binds it.
    pub scheduler_name: String,
    /// Pods: while any is left, the pod is not scheduled.
    pub scheduling_gates: Vec<serde::de::IgnoredAny>,
    /// Pods: labels that its node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Pods: affinity, of which only the required node affinity is read.
    pub affinity: Affinity,
    /// Pods: taints that it tolerates, and for how long.
    pub tolerations: Vec<Toleration>,
    /// Pods: the scheduler takes the highest priority first.
    pub priority: i64,
    /// Pods: containers, for their requests.
    pub containers: Vec<Container>,
    /// Pods: init containers, and sidecars among them.
    pub init_containers: Vec<Container>,
    /// Pods: resources that the sandbox itself takes.
    pub overhead: Resources,
    /// Nodes: cordoned.
    pub unschedulable: bool,
    /// Nodes: taints, with the times at which they were added.
    pub taints: Vec<NodeTaint>,
    /// Leases: `spec.renewTime`, the last sign of life.
    #[serde(deserialize_with = "time")]
    pub renew_time: Option<Timestamp>,
    /// Namespaces: the controllers that have not finished with it.
    pub finalizers: Vec<String>,
}

/// `status` of pods, nodes and namespaces.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ObjectStatus {
    /// `status.phase`, of pods and namespaces.
    pub phase: String,
    /// `status.conditions`, of pods and nodes.
    pub conditions: Vec<Condition>,
    /// Nodes: the resources for pods.
    pub allocatable: Resources,
}

/// One of `status.conditions`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Condition {
    /// `type`, such as `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// `reason`, one word.
    pub reason: String,
    /// `message`, for people.
    pub message: String,
    /// `lastHeartbeatTime`, of a node's conditions only.
    pub last_heartbeat_time: Option<String>,
    /// `lastTransitionTime`: when the status changed last.
    pub last_transition_time: Option<String>,
}

/// Amounts in billionths, by the name of the resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources(pub BTreeMap<String, i128>);

/// The fields of a container that the scheduler reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    /// `resources`.
    pub resources: Requirements,
    /// `restartPolicy`; `Always` makes an init container a sidecar.
    pub restart_policy: String,
    /// `ports`: those of the node that it asks for.
    pub ports: HostPorts,
}

/// `resources` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Requirements {
    /// `resources.requests`: amounts that must be free on the node.
    pub requests: Resources,
}

/// `spec.affinity`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Affinity {
    /// `spec.affinity.nodeAffinity`.
    pub node_affinity: RequiredAffinity,
}

/// `spec.affinity.nodeAffinity`; the preferred part is not read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RequiredAffinity {
    /// The terms of which one must match.
    #[serde(
        rename = "requiredDuringSchedulingIgnoredDuringExecution",
        deserialize_with = "node_affinity"
    )]
    pub required: Option<NodeAffinity>,
}

/// A pod's toleration, with its seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toleration {
    /// The taints that it matches.
    pub of: crate::model::Toleration,
    /// How long a NoExecute taint is tolerated, in seconds: `None` is for ever, zero or less is not
    /// at all.
    pub seconds: Option<i64>,
}

/// A node's taint, with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTaint {
    /// The taint as decisions read it.
    pub taint: Taint,
    /// `timeAdded`, as written.
    pub time_added: Option<String>,
}

impl Followed for Object {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl Object {
    /// Whether it has a deletionTimestamp.
    pub fn terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// Whether it has this finalizer.
    pub fn has_finalizer(&self, finalizer: &str) -> bool {
        self.metadata.finalizers.iter().any(|f| f == finalizer)
    }

    /// The status of its condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&str> {
        let mut all = self.status.conditions.iter();
        all.find(|c| c.kind == kind).map(|c| c.status.as_str())
    }

    /// Whether it is a pod whose phase is Failed or Succeeded.
    pub fn is_terminal(&self) -> bool {
        matches!(self.status.phase.as_str(), "Failed" | "Succeeded")
    }

    /// `namespace/name`, or the name alone outside of namespaces.
    pub fn said(&self) -> String {
        let ObjectMeta {
            namespace, name, ..
        } = &self.metadata;
        if namespace.is_empty() {
            name.clone()
        } else {
            format!("{namespace}/{name}")
        }
    }
}

impl<'de> Deserialize<'de> for Resources {
    /// A text that is no quantity counts as zero; the API server lets none through.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        let amount = |(name, text): (String, String)| {
            let amount = quantity::billionths(&text).unwrap_or(0);
            (name, amount)
        };
        Ok(Resources(texts.into_iter().map(amount).collect()))
    }
}

/// A text that is no time counts as absent.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Labels, D::Error> {
    Ok(BTreeMap::<String, String>::deserialize(deserializer)?
        .into_iter()
        .collect())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TolerationObject {
    key: String,
    operator: String,
    value: String,
    effect: String,
    toleration_seconds: Option<i64>,
}

impl<'de> Deserialize<'de> for Toleration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = TolerationObject::deserialize(deserializer)?;
        Ok(Toleration {
            of: crate::model::Toleration {
                key: read.key.into(),
                operator: read.operator.into(),
                value: read.value.into(),
                effect: read.effect.into(),
                has_seconds: read.toleration_seconds.is_some(),
            },
            seconds: read.toleration_seconds,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TaintObject {
    key: String,
    value: String,
    effect: String,
    time_added: Option<String>,
}

impl<'de> Deserialize<'de> for NodeTaint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = TaintObject::deserialize(deserializer)?;
        Ok(NodeTaint {
            taint: Taint {
                key: read.key.into(),
                value: read.value.into(),
                effect: Effect::parse(&read.effect),
            },
            time_added: read.time_added,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct NodeSelector {
    node_selector_terms: Vec<TermObject>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TermObject {
    match_expressions: Vec<RequirementObject>,
    match_fields: Vec<RequirementObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RequirementObject {
    key: String,
    operator: String,
    values: Vec<String>,
}

fn node_affinity<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NodeAffinity>, D::Error> {
    let read = Option::<NodeSelector>::deserialize(deserializer)?;
    Ok(read.map(|read| NodeAffinity {
        terms: read.node_selector_terms.iter().map(term).collect(),
    }))
}

fn term(read: &TermObject) -> Result<Term, crate::model::Malformed> {
    let expressions = read.match_expressions.iter();
    let fields = read.match_fields.iter();
    Ok(Term {
        expressions: expressions
            .map(|r| Requirement::new(&r.key, &r.operator, &r.values))
            .collect::<Result<_, _>>()?,
        // The API server allows only one value, with In or NotIn.
        fields: fields
            .map(|r| FieldRequirement {
                key: r.key.as_str().into(),
                equal: r.operator == "In",
                value: r.values.first().map_or("", String::as_str).into(),
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_absent_reads_as_empty_and_the_rest_is_prepared() {
        let empty: Object = serde_json::from_value(json!({ "metadata": { "name": "a" } })).unwrap();
        assert_eq!(empty.said(), "a");
        assert!(empty.spec.affinity.node_affinity.required.is_none());
        let pod: Object = serde_json::from_value(json!({
            "metadata": { "name": "p", "namespace": "n", "labels": { "b": "1", "a": "2" } },
            "spec": {
                "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{ "matchFields": [
                        { "key": "metadata.name", "operator": "In", "values": ["node-1"] },
                    ] }],
                } } },
                "containers": [{ "resources": { "requests": { "cpu": "100m", "memory": "1Ki" } } }],
                "tolerations": [{ "operator": "Exists", "tolerationSeconds": 3 }],
            },
        }))
        .unwrap();
        assert_eq!(pod.metadata.labels.get("a"), Some("2"));
        let affinity = pod.spec.affinity.node_affinity.required.unwrap();
        let term = affinity.terms[0].as_ref().unwrap();
        assert_eq!(
            (&*term.fields[0].value, term.fields[0].equal),
            ("node-1", true)
        );
        let requests = &pod.spec.containers[0].resources.requests.0;
        assert_eq!(
            (requests["cpu"], requests["memory"]),
            (100_000_000, 1_024_000_000_000)
        );
        assert_eq!(pod.spec.tolerations[0].seconds, Some(3));
    }
}
