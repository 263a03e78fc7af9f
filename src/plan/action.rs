//! What a plan is made of. Every action carries its cause.

use std::sync::Arc;

use crate::model::{
    Amounts, BackoffKey, NodeId, Pod, Resized, ResourceRule, Str, Uid, Verdict, Version,
};

/// An existing pod as an action refers to it: with what was seen of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodRef {
    /// Its name.
    pub name: Str,
    /// Its UID: another pod of the same name is not meant.
    pub uid: Uid,
    /// The version that was seen.
    pub version: Version,
}

impl From<&Pod> for PodRef {
    fn from(p: &Pod) -> Self {
        PodRef {
            name: p.name.clone(),
            uid: p.uid.clone(),
            version: p.version,
        }
    }
}

/// A pod's hash label changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relabel {
    /// The pod.
    pub pod: PodRef,
    /// The label's new value.
    pub hash: Str,
}

/// Pods that change hands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claims {
    /// Matching orphans, which become ours.
    pub adopt: Vec<PodRef>,
    /// Ours that stopped matching.
    pub release: Vec<PodRef>,
}

/// Which part of the plan an action belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActionPhase {
    /// A pod on every eligible node, and none elsewhere.
    Manage,
    /// A failed or finished pod and the one created before it goes.
    Successor,
    /// A rolling update.
    Rollout,
}

impl ActionPhase {
    /// In the JSON contract's words.
    pub fn as_str(self) -> &'static str {
        match self {
            ActionPhase::Manage => "manage",
            ActionPhase::Successor => "successor",
            ActionPhase::Rollout => "rollout",
        }
    }
}

/// Why a pod is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CreateCause {
    /// The node is eligible and has no pod.
    NodeWithoutPod,
    /// The node's pod failed.
    PodFailed,
    /// The node's pod finished.
    PodSucceeded,
    /// Surging, and all pods on the node are on their way out.
    OnlyTerminatingPods,
    /// A rolling update: the node's pod is old, and the surge allows for one beside it.
    Outdated,
    /// A rolling update: the node's pod is old and not available.
    OldUnavailable,
}

impl CreateCause {
    /// Every one.
    pub const ALL: [CreateCause; 6] = [
        CreateCause::NodeWithoutPod,
        CreateCause::PodFailed,
        CreateCause::PodSucceeded,
        CreateCause::OnlyTerminatingPods,
        CreateCause::Outdated,
        CreateCause::OldUnavailable,
    ];

    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            CreateCause::NodeWithoutPod => "NodeWithoutPod",
            CreateCause::PodFailed => "PodFailed",
            CreateCause::PodSucceeded => "PodSucceeded",
            CreateCause::OnlyTerminatingPods => "OnlyTerminatingPods",
            CreateCause::Outdated => "Outdated",
            CreateCause::OldUnavailable => "OldUnavailable",
        }
    }

    /// As a phrase, for people.
    pub fn describe(self) -> &'static str {
        match self {
            CreateCause::NodeWithoutPod => "the node is eligible and has no pod",
            CreateCause::PodFailed => "takes the place of a failed pod",
            CreateCause::PodSucceeded => "takes the place of a finished pod",
            CreateCause::OnlyTerminatingPods => "surging: the node's pods are all on their way out",
            CreateCause::Outdated => "surging: beside an old pod",
            CreateCause::OldUnavailable => "surging: the old pod is not available",
        }
    }
}

/// Why a pod is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteCause {
    /// It failed.
    PodFailed,
    /// It finished.
    PodSucceeded,
    /// Its node is not, or no longer, one of ours.
    NodeNotEligible(Verdict),
    /// An older pod of ours is on the node.
    Duplicate,
    /// It was never scheduled and its node is gone.
    NodeGone,
    /// Surging: the node's pod of the current revision is available.
    Replaced,
    /// Surging: it is old and not ready, and a newer pod is there.
    OldNotReady,
    /// A rolling update: it is old, and the budget allows for its replacement.
    Outdated,
    /// A rolling update: it is old and not available, so nothing is lost.
    OldUnavailable,
    /// A rolling update, surging: its node is no longer eligible, and enough others are available.
    Misplaced,
}

impl DeleteCause {
    /// Whether it is a step of a rollout, and not upkeep.
    /// [`NodeNotEligible`](Self::NodeNotEligible) may be either.
    pub fn is_of_rollout(self) -> bool {
        matches!(
            self,
            DeleteCause::Replaced
                | DeleteCause::OldNotReady
                | DeleteCause::Outdated
                | DeleteCause::OldUnavailable
                | DeleteCause::Misplaced
        )
    }

    /// Every one; of the verdicts that a node may have, one.
    pub const ALL: [DeleteCause; 10] = [
        DeleteCause::PodFailed,
        DeleteCause::PodSucceeded,
        DeleteCause::NodeNotEligible(Verdict::NodeAffinity),
        DeleteCause::Duplicate,
        DeleteCause::NodeGone,
        DeleteCause::Replaced,
        DeleteCause::OldNotReady,
        DeleteCause::Outdated,
        DeleteCause::OldUnavailable,
        DeleteCause::Misplaced,
    ];

    /// In one word, for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            DeleteCause::PodFailed => "PodFailed",
            DeleteCause::PodSucceeded => "PodSucceeded",
            DeleteCause::NodeNotEligible(_) => "NodeNotEligible",
            DeleteCause::Duplicate => "Duplicate",
            DeleteCause::NodeGone => "NodeGone",
            DeleteCause::Replaced => "Replaced",
            DeleteCause::OldNotReady => "OldNotReady",
            DeleteCause::Outdated => "Outdated",
            DeleteCause::OldUnavailable => "OldUnavailable",
            DeleteCause::Misplaced => "Misplaced",
        }
    }

    /// As a phrase, for people.
    pub fn describe(self) -> &'static str {
        match self {
            DeleteCause::PodFailed => "the pod failed",
            DeleteCause::PodSucceeded => "the pod finished",
            DeleteCause::NodeNotEligible(_) => "the node is not eligible",
            DeleteCause::Duplicate => "an older pod is on the node",
            DeleteCause::NodeGone => "never scheduled, and its node is gone",
            DeleteCause::Replaced => "surging: its successor is available",
            DeleteCause::OldNotReady => "surging: old and not ready, its successor is there",
            DeleteCause::Outdated => "of an older revision, its turn has come",
            DeleteCause::OldUnavailable => "of an older revision, and not available",
            DeleteCause::Misplaced => "surging: its node is no longer eligible",
        }
    }
}

/// By which request a pod is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteBy {
    /// A delete.
    Delete,
    /// An eviction, which a disruption budget may refuse.
    Eviction,
}

impl DeleteBy {
    /// Whether the pod is evicted.
    pub fn evicts(self) -> bool {
        self == DeleteBy::Eviction
    }

    /// The verb, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            DeleteBy::Delete => "delete",
            DeleteBy::Eviction => "evict",
        }
    }
}

/// A pod to create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Create {
    /// The node's slot.
    pub node_id: NodeId,
    /// The node's name.
    pub node: Str,
    /// The pod's name.
    pub pod_name: Str,
    /// The hash of the revision that the pod is made from.
    pub revision: Str,
    /// Which part of the plan it belongs to.
    pub phase: ActionPhase,
    /// Why.
    pub cause: CreateCause,
    /// The rule of the key `resources` that it is made by; None where that is the template alone.
    pub resources: Option<Arc<ResourceRule>>,
    /// Whether it gets our scheduling gate: the key `exclusive`.
    pub gated: bool,
    /// The pods on the node that were reckoned with. Where another one is there by the time the
    /// request is sent, it is not.
    pub seen: Vec<Uid>,
}

/// A pod to delete.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delete {
    /// The pod.
    pub pod: PodRef,
    /// The name of the node that it is on or pinned to.
    pub node: Str,
    /// Which part of the plan it belongs to. `successor`: only after that node's create succeeded
    /// or was denied.
    pub phase: ActionPhase,
    /// Why.
    pub cause: DeleteCause,
    /// By which request.
    pub by: DeleteBy,
}

/// A pod whose scheduling gate is to be removed, once a read has shown that no other pod of its
/// node may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ungate {
    /// The pod.
    pub pod: PodRef,
    /// The name of the node that it is pinned to.
    pub node: Str,
}

impl Ungate {
    /// Why, for people.
    pub const WHY: &'static str = "its gate is removed once a read shows that no other pod of the \
                                   node may run";
}

/// A pod whose containers get the resources of its node's class while they run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resize {
    /// The pod.
    pub pod: PodRef,
    /// The name of the node that it is on or pinned to.
    pub node: Str,
    /// The rule that it follows from now on; None where that is the template alone.
    pub rule: Option<Arc<ResourceRule>>,
    /// What changes, by container. Where nothing does, only the rule is noted on the pod.
    pub containers: Vec<Resized>,
    /// The backoff that a refusal starts.
    pub refusal: BackoffKey,
    /// The same where every resize would be refused.
    pub refusal_of_all: BackoffKey,
}

impl Resize {
    /// What changes, for people.
    pub fn describe(&self) -> String {
        let rule = match &self.rule {
            Some(rule) => rule.to_string(),
            None => "the template alone".to_owned(),
        };
        let containers = self.containers.iter().map(|c| {
            let amounts = |what: &str, amounts: &Amounts| {
                let all = amounts.iter().map(|(k, v)| format!("{what} {k}={v}"));
                all.collect::<Vec<_>>()
            };
            let both = [
                amounts("requests", &c.requests),
                amounts("limits", &c.limits),
            ];
            format!("{}: {}", c.name, both.concat().join(", "))
        });
        let containers: Vec<String> = containers.collect();
        match containers.is_empty() {
            true => format!("resources by {rule}, which it has already"),
            false => format!("resources by {rule}: {}", containers.join("; ")),
        }
    }
}

/// Severity of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventType {
    /// As it should be.
    Normal,
    /// Something to look at.
    Warning,
}

impl EventType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// An event on the DaemonSet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Severity.
    pub kind: EventType,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: String,
    /// The node whose action it speaks of; it is sent with that action.
    pub node: Option<Str>,
}
