//! Plain domain types: what the controller knows about a cluster, without Kubernetes' client types,
//! async or IO. Everything here is cheap to clone (texts are shared) and small in memory.
//!
//! # Glossary
//!
//! One word, one meaning, in names, logs and documents (`CONTRIBUTING.md` has the same list):
//!
//! - *terminating*: the object has a `deletionTimestamp`, or a delete of ours for it is pending.
//! - *terminal*: the pod's phase is `Failed` or `Succeeded`.
//! - *live*: the pod is neither terminating by its `deletionTimestamp` nor terminal.
//! - *gone*: the object no longer exists.
//! - *synced*: a cache has completed its first list of a kind.
//! - *stale*: a cache is behind the API server.
//! - *leader*: the replica that holds the Lease.
//! - *rollout*: replacing the pods of older revisions.
//! - *hold*: something is not done although a rule would want it; it has a rule, a reason, and
//!   since and until when.
//! - *eligible*: the DaemonSet's pods belong on the node.
//! - *settled*: the plan has no action.

pub mod backoff;
pub mod condition;
pub mod conditions;
pub mod control;
pub mod daemon_set;
pub mod exclusion;
pub mod gone_pods;
pub mod intern;
pub mod json;
pub mod kind;
pub mod label_selector;
pub mod labels;
pub mod missing_pod;
pub mod node;
pub mod node_detail;
pub mod node_health;
pub mod order;
pub mod pod;
pub mod pod_detail;
pub mod quantity;
pub mod refusals;
pub mod resources;
pub mod revision;
pub mod rollout_defaults;
pub mod selector;
pub mod snapshot;
pub mod taint;
pub mod template;
pub mod time;
pub mod unsettled;

use std::{fmt, sync::Arc};

pub use backoff::{Backoff, BackoffChange, BackoffKey, BackoffKind};
pub use condition::{ConditionState, ConditionStatus};
pub use conditions::{Condition, ConditionType, Conditions, ListedCondition, StoredCondition};
pub use control::{
    Bake, Canary, Control, FailureAction, HoldScope, InvalidKey, NodeCap, OnFailure, Origin,
    Setting, Tolerated,
};
pub use daemon_set::{DaemonSet, DaemonSetStatus, IntOrPercent, UpdateStrategy};
pub use exclusion::{Exclusion, Existing};
pub use gone_pods::{End, GonePod, GonePods};
pub use intern::Interner;
pub use kind::Kind;
pub use label_selector::LabelSelector;
pub use labels::Labels;
pub use missing_pod::MissingPod;
pub use node::{Node, NodeId, Nodes, Verdict, Verdicts};
pub use node_detail::NodeDetail;
pub use node_health::{LeavingSigns, NodeHealth};
pub use order::{Group, Order};
pub use pod::{Controller, EXCLUSIVE_GATE, Pod, PodPhase, Readiness};
pub use pod_detail::{PodDetail, Restarts, Termination, Unscheduled, WaitingContainer};
pub use refusals::{Refusal, Refusals, Unallowed};
pub use resources::{
    Amounts, ContainerKind, ContainerResources, Resized, ResourceClass, ResourceRule,
    TemplateContainer,
};
pub use revision::{Approved, Clock, Failed, FailureCause, Revision, StoredData};
pub use rollout_defaults::{DefaultRule, DefaultsOf, ExcludeNodes, NamePattern, RolloutDefaults};
pub use selector::{Malformed, Requirement, Selector};
pub use snapshot::{Denial, FeatureGates, PlacedRevision, Placement, Settings, Snapshot};
pub use taint::{Effect, Taint, Toleration, TolerationEntry};
pub use template::{NodeAffinity, Template, Term};
pub use time::Time;
pub use unsettled::{Tenure, UnsettledCreates};

/// A shared, immutable text.
pub type Str = Arc<str>;

/// `metadata.uid`: what makes an object this one and not another of the same name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub Str);

impl Uid {
    /// The UID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Uid(text.into())
    }
}

/// `metadata.resourceVersion` as the decimal number that it is. Versions of one resource are
/// ordered (KEP-5504); 0 stands for "not known", older than everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Version(pub u64);

impl Version {
    /// Reads a resourceVersion; what is no decimal number is "not known".
    pub fn parse(text: &str) -> Version {
        Version(text.parse().unwrap_or(0))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Namespace and name of a namespaced object.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    /// `metadata.namespace`.
    pub namespace: Str,
    /// `metadata.name`.
    pub name: Str,
}

impl Key {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<Str>, name: impl Into<Str>) -> Key {
        Key {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
