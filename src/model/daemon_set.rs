//! A DaemonSet as decisions see it.

use std::sync::Arc;

use super::{
    Control, Exclusion, Labels, Malformed, Selector, StoredCondition, Str, Template, Uid, Version,
};

/// A number or a percentage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntOrPercent {
    /// A count of nodes.
    Int(i32),
    /// A share of the desired nodes, in percent.
    Percent(i32),
    /// Neither: upstream fails the rolling update with an error.
    Invalid(Str),
}

impl IntOrPercent {
    /// The count out of `total`, rounded up; None when invalid.
    pub fn scaled_up(&self, total: usize) -> Option<usize> {
        match self {
            IntOrPercent::Int(n) => Some(usize::try_from(*n).unwrap_or(0)),
            IntOrPercent::Percent(p) => {
                Some((usize::try_from(*p).unwrap_or(0) * total).div_ceil(100))
            }
            IntOrPercent::Invalid(_) => None,
        }
    }
}

/// `spec.updateStrategy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpdateStrategy {
    /// Pods are replaced only after somebody else deleted them.
    OnDelete,
    /// Old pods are replaced within a budget.
    RollingUpdate {
        /// `rollingUpdate.maxUnavailable`.
        max_unavailable: IntOrPercent,
        /// `rollingUpdate.maxSurge`.
        max_surge: IntOrPercent,
    },
    /// Not known to this build: like OnDelete.
    Other(Str),
}

impl UpdateStrategy {
    /// Whether two pods on a node are allowed: asked with the percentage scaled against 1, as
    /// upstream does.
    pub fn allows_surge(&self) -> bool {
        match self {
            UpdateStrategy::RollingUpdate { max_surge, .. } => {
                max_surge.scaled_up(1).is_some_and(|n| n > 0)
            }
            _ => false,
        }
    }
}

/// `status`, the part that the controller writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DaemonSetStatus {
    /// Eligible nodes with at least one pod.
    pub current_number_scheduled: i32,
    /// Nodes with a pod that are not eligible.
    pub number_misscheduled: i32,
    /// Eligible nodes.
    pub desired_number_scheduled: i32,
    /// Eligible nodes whose pod is ready.
    pub number_ready: i32,
    /// Eligible nodes whose pod is of the current revision.
    pub updated_number_scheduled: i32,
    /// Eligible nodes whose pod has been ready for minReadySeconds.
    pub number_available: i32,
    /// Eligible nodes without an available pod.
    pub number_unavailable: i32,
    /// The generation that was acted upon.
    pub observed_generation: i64,
    /// Hash collisions so far; null and 0 differ.
    pub collision_count: Option<i32>,
}

impl DaemonSetStatus {
    /// Whether every eligible node has an available pod of the current revision: what a rollout
    /// waits for.
    pub fn is_complete(&self) -> bool {
        let wanted = self.desired_number_scheduled;
        (self.updated_number_scheduled, self.number_available) == (wanted, wanted)
    }
}

/// A DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DaemonSet {
    /// `metadata.namespace`.
    pub namespace: Str,
    /// `metadata.name`.
    pub name: Str,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// `metadata.generation`.
    pub generation: i64,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// `metadata.annotations`, which its revisions carry too.
    pub annotations: Labels,
    /// What the annotations and the cluster defaults ask for beyond the built-in controller's
    /// rules; None where they ask for nothing.
    pub control: Option<Arc<Control>>,
    /// The deprecated template generation, where its annotation can be parsed.
    pub template_generation: Option<i64>,
    /// `spec.selector`; one that cannot be parsed leaves the DaemonSet alone.
    pub selector: Result<Selector, Malformed>,
    /// `spec.template`.
    pub template: Arc<Template>,
    /// What a revision of this template holds as `data`, in canonical form.
    pub revision_data: Str,
    /// The same without a template `creationTimestamp: null`.
    pub revision_data_without_timestamp: Str,
    /// `spec.updateStrategy`.
    pub update_strategy: UpdateStrategy,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// `spec.revisionHistoryLimit`.
    pub revision_history_limit: i32,
    /// `status`.
    pub status: DaemonSetStatus,
    /// `status.conditions`; None where there are none.
    pub conditions: Option<Arc<[StoredCondition]>>,
    /// False for a DaemonSet that could not be decoded: it is left alone.
    pub readable: bool,
}

impl DaemonSet {
    /// Whether it has `budget: bad-nodes`.
    pub fn minds_bad_nodes(&self) -> bool {
        let control = self.control.as_deref();
        control.is_some_and(|control| control.bad_nodes.is_some())
    }

    /// Whether the key `exclusive` is there: its pods are created with a scheduling gate.
    pub fn is_exclusive(&self) -> bool {
        let control = self.control.as_deref();
        control.is_some_and(|control| control.exclusive)
    }

    /// The nodes that the cluster defaults exclude.
    pub fn exclusions(&self) -> Arc<[Exclusion]> {
        let control = self.control.as_ref();
        control.map_or_else(Arc::default, |control| control.exclusions.clone())
    }

    /// The stored conditions, in order.
    pub fn conditions(&self) -> &[StoredCondition] {
        self.conditions.as_deref().unwrap_or_default()
    }
}
