//! The part of `spec.template` that placement looks at, and the template itself as opaque text.

use super::{Labels, Malformed, Requirement, Str, TemplateContainer, Toleration};

/// `matchFields`: a requirement on `metadata.name` (or another field, which no node has).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldRequirement {
    /// The field.
    pub key: Str,
    /// Equal (`In`) or not equal (`NotIn`).
    pub equal: bool,
    /// The one value.
    pub value: Str,
}

/// One term of required node affinity: all its requirements hold. An empty term matches nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Term {
    /// `matchExpressions`.
    pub expressions: Vec<Requirement>,
    /// `matchFields`.
    pub fields: Vec<FieldRequirement>,
}

/// `requiredDuringSchedulingIgnoredDuringExecution`: any term matches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeAffinity {
    /// The terms; a malformed one matches nothing and says why.
    pub terms: Vec<Result<Term, Malformed>>,
}

/// A pod template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Template {
    /// The JSON exactly as it was read; fields that this build does not know are in it.
    pub raw: Str,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.nodeName`, empty when absent.
    pub node_name: Str,
    /// `spec.nodeSelector`, by key order.
    pub node_selector: Vec<Requirement>,
    /// Required node affinity.
    pub node_affinity: Option<NodeAffinity>,
    /// `spec.tolerations` as written.
    pub tolerations: Vec<Toleration>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `spec.terminationGracePeriodSeconds`; None where the template has none (Kubernetes then
    /// takes 30 s), or nothing that the API server would store.
    pub termination_grace_period_seconds: Option<u64>,
    /// `spec.containers` and `spec.initContainers`, as far as resources are concerned.
    pub containers: Vec<TemplateContainer>,
    /// Whether `spec.resources` is there, by which the pod as a whole has a quality of service.
    pub has_pod_resources: bool,
}
