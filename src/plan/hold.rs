//! The rules that hold something: in one word, as a sentence, and what ends each.

use crate::model::Str;

use super::{
    control::{
        exempt::{BadNode, TooMany},
        failure::{AutoPause, PastDeadline},
        resize_held::ResizeHeld,
        rollback::RolledBack,
    },
    leaving::Leaving,
    left_alone::LeftAlone,
};

/// The rule that holds something. Plans have their holds in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HoldRule {
    /// Nothing at all is done for this DaemonSet.
    LeftAlone(LeftAlone),
    /// The API server denied the last creates (quota, webhook, policy); its words.
    CreatesDenied(Str),
    /// `maxUnavailable` or `maxSurge` is neither a number nor a percentage: no rollout.
    InvalidBudget,
    /// Annotations of rollout control cannot be read: no rollout. What is wrong and what would be
    /// right.
    InvalidAnnotation(Str),
    /// The key `hold` says so: no rollout.
    HeldByAnnotation,
    /// The key `hold: all` says so: no create and no delete.
    AllHeldByAnnotation,
    /// `on-failure`: more nodes fail than it tolerates, and nothing is replaced.
    AutoPaused(AutoPause),
    /// `deadline`: for so long no further node got an available pod, and nothing is replaced.
    ProgressDeadlineExceeded(PastDeadline),
    /// `on-failure: rollback`: the current revision failed, and no node is to have it.
    RolledBack(RolledBack),
    /// The same, and nodes fail with the stable revision too: nothing is replaced.
    RollbackPaused(AutoPause),
    /// `canary`: the node waits for the nodes of the canary, of which not all have an available
    /// pod.
    Canary,
    /// `bake`: the node waits until the pods of the stage before have been available long enough.
    Baking,
    /// `bake: approval`: the node waits until somebody approves the revision with this hash.
    AwaitingApproval(Str),
    /// `order`: the node waits for the nodes of an earlier group, of which not all have an
    /// available pod.
    EarlierGroup(Str),
    /// `order`: there are more groups than can be recorded.
    TooManyGroups(usize),
    /// A stage is over, and that is not recorded yet: the node follows in the next plan.
    StageNotRecorded,
    /// `canary`: no eligible node has the labels that it asks for.
    NoCanaryNode,
    /// The revision that the node is to have while the rollout is held is gone, or its template
    /// cannot be read.
    PinnedRevisionMissing,
    /// `budget: bad-nodes`: more nodes are bad than it allows, and nothing is replaced.
    TooManyBadNodes(TooMany),
    /// `budget: bad-nodes`: the node is bad, and its old pod stays.
    NodeExempt(BadNode),
    /// `updateStrategy: OnDelete`, or one that this build does not know: old pods stay until
    /// somebody deletes them.
    OnDelete,
    /// As many nodes as `maxUnavailable` allows are unavailable.
    MaxUnavailable,
    /// As many nodes as `maxSurge` allows have a second pod.
    MaxSurge,
    /// `replace-by: eviction`: a disruption budget does not allow that the pod is evicted; the API
    /// server's words.
    EvictionRefused(Str),
    /// `replace-by: eviction`: disruption budgets can never allow that the pod is evicted; why.
    DisruptionBudgetUnusable(Str),
    /// Surging: the old pod stays until the new one beside it is available.
    SuccessorNotAvailable,
    /// Surging: an available pod on a node that is no longer eligible goes only when enough others
    /// are available.
    TooFewAvailable,
    /// `budget: strict`, or a node that is excluded: the pod stays on a node that is no longer
    /// wanted, because as many nodes as the budget allows are without an available pod.
    RemovalBudget,
    /// `resources`: rules name containers that the template does not have; which, in words.
    NoSuchContainer(Str),
    /// `resources`: the pod has not the resources of its node's class, and keeps what it has.
    ResizeHeld(ResizeHeld),
    /// `exclusive`: the pod keeps its scheduling gate while another pod of the node may run.
    PodGated,
    /// The node is about to go: nothing is created there, and what runs there is left alone.
    NodeLeaving(Leaving),
    /// The pod failed, and its backoff runs.
    FailedPodBackoff,
    /// The pod finished, and its backoff runs.
    FinishedPodBackoff,
    /// The last pods were deleted by somebody else soon after they were created, and a backoff
    /// runs.
    DeletedPodBackoff,
    /// The last pods stopped matching the selector soon after they were created, and a backoff
    /// runs.
    ReleasedPodBackoff,
    /// The pod ended and has its successor, and stays: a create of its name may still be under way.
    CreateUnsettled,
    /// Several pods failed on the node: one goes at a time.
    OneFailedPodAtATime,
    /// The node's pod is terminating; the next one is created when it is terminal or gone.
    PodTerminating,
    /// A delete was sent, and neither an answer nor a watch has told what became of it.
    DeletePending,
    /// The next pod has the name of one that is on its way out, because a create of that name may
    /// be under way.
    NameInUse,
    /// The name of the next pod would follow from the last one, which is gone, and other
    /// controllers may have forgotten that.
    NameNotSettled,
    /// No watch tells of pods, and they were not read either: another controller may have made the
    /// node's next pod.
    PodsNotWatched,
    /// A pod of this DaemonSet whose node cannot be read may be meant for this node.
    PodWithoutNode,
    /// A pod on the node could not be decoded: the node is left as it is.
    UnreadablePod,
    /// The node is gone: its scheduled pods are left to the pod garbage collector.
    NodeGone,
}

impl HoldRule {
    /// In one word, for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            HoldRule::LeftAlone(why) => why.as_str(),
            HoldRule::CreatesDenied(_) => "CreatesDenied",
            HoldRule::InvalidBudget => "InvalidBudget",
            HoldRule::InvalidAnnotation(_) => "InvalidAnnotation",
            HoldRule::HeldByAnnotation => "HeldByAnnotation",
            HoldRule::AllHeldByAnnotation => "AllHeldByAnnotation",
            HoldRule::AutoPaused(_) => "AutoPaused",
            HoldRule::ProgressDeadlineExceeded(_) => "ProgressDeadlineExceeded",
            HoldRule::RolledBack(_) => "RolledBack",
            HoldRule::RollbackPaused(_) => "RollbackPaused",
            HoldRule::Canary => "Canary",
            HoldRule::Baking => "Baking",
            HoldRule::AwaitingApproval(_) => "AwaitingApproval",
            HoldRule::EarlierGroup(_) => "EarlierGroup",
            HoldRule::TooManyGroups(_) => "TooManyGroups",
            HoldRule::StageNotRecorded => "StageNotRecorded",
            HoldRule::NoCanaryNode => "NoCanaryNode",
            HoldRule::PinnedRevisionMissing => "PinnedRevisionMissing",
            HoldRule::TooManyBadNodes(_) => "TooManyBadNodes",
            HoldRule::NodeExempt(_) => "NodeExempt",
            HoldRule::OnDelete => "OnDelete",
            HoldRule::MaxUnavailable => "MaxUnavailable",
            HoldRule::MaxSurge => "MaxSurge",
            HoldRule::EvictionRefused(_) => "EvictionRefused",
            HoldRule::DisruptionBudgetUnusable(_) => "DisruptionBudgetUnusable",
            HoldRule::SuccessorNotAvailable => "SuccessorNotAvailable",
            HoldRule::TooFewAvailable => "TooFewAvailable",
            HoldRule::RemovalBudget => "RemovalBudget",
            HoldRule::NoSuchContainer(_) => "NoSuchContainer",
            HoldRule::ResizeHeld(_) => "ResizeHeld",
            HoldRule::PodGated => "PodGated",
            HoldRule::NodeLeaving(_) => "NodeLeaving",
            HoldRule::FailedPodBackoff => "FailedPodBackoff",
            HoldRule::FinishedPodBackoff => "FinishedPodBackoff",
            HoldRule::DeletedPodBackoff => "DeletedPodBackoff",
            HoldRule::ReleasedPodBackoff => "ReleasedPodBackoff",
            HoldRule::CreateUnsettled => "CreateUnsettled",
            HoldRule::OneFailedPodAtATime => "OneFailedPodAtATime",
            HoldRule::PodTerminating => "PodTerminating",
            HoldRule::DeletePending => "DeletePending",
            HoldRule::NameInUse => "NameInUse",
            HoldRule::NameNotSettled => "NameNotSettled",
            HoldRule::PodsNotWatched => "PodsNotWatched",
            HoldRule::PodWithoutNode => "PodWithoutNode",
            HoldRule::UnreadablePod => "UnreadablePod",
            HoldRule::NodeGone => "NodeGone",
        }
    }

    /// Whether it is a rule of rollout control: without annotations of ours it holds nothing.
    pub fn is_by_annotation(&self) -> bool {
        self.holds_rollout()
            || matches!(
                self,
                HoldRule::AllHeldByAnnotation
                    | HoldRule::Canary
                    | HoldRule::EarlierGroup(_)
                    | HoldRule::StageNotRecorded
                    | HoldRule::PinnedRevisionMissing
                    | HoldRule::NodeExempt(_)
                    | HoldRule::EvictionRefused(_)
                    | HoldRule::DisruptionBudgetUnusable(_)
                    | HoldRule::NoSuchContainer(_)
                    | HoldRule::ResizeHeld(_)
                    | HoldRule::PodGated
            )
    }

    /// Whether it is about the resources of pods, and about no rollout.
    pub fn is_about_resources(&self) -> bool {
        matches!(self, HoldRule::NoSuchContainer(_) | HoldRule::ResizeHeld(_))
    }

    /// Whether it keeps the whole rollout from going on for as long as an annotation says, so that
    /// no progress is to be expected. While one does, a plan has it, even where no pod is of
    /// another revision; but `TooManyBadNodes` only where one is.
    pub fn holds_rollout(&self) -> bool {
        matches!(
            self,
            HoldRule::HeldByAnnotation
                | HoldRule::InvalidAnnotation(_)
                | HoldRule::AutoPaused(_)
                | HoldRule::ProgressDeadlineExceeded(_)
                | HoldRule::RolledBack(_)
                | HoldRule::RollbackPaused(_)
                | HoldRule::Baking
                | HoldRule::AwaitingApproval(_)
                | HoldRule::NoCanaryNode
                | HoldRule::TooManyGroups(_)
                | HoldRule::TooManyBadNodes(_)
        )
    }

    /// Whether the rollout does not go on unless a person acts: the reason of the condition
    /// `Stalled`.
    pub fn needs_a_person(&self) -> bool {
        matches!(
            self,
            HoldRule::InvalidAnnotation(_)
                | HoldRule::AutoPaused(_)
                | HoldRule::ProgressDeadlineExceeded(_)
                | HoldRule::RollbackPaused(_)
                | HoldRule::InvalidBudget
                | HoldRule::NoCanaryNode
                | HoldRule::PinnedRevisionMissing
                | HoldRule::TooManyGroups(_)
                | HoldRule::TooManyBadNodes(_)
                | HoldRule::DisruptionBudgetUnusable(_)
        )
    }

    /// Whether the nodes that it holds wait for their turn, so that their order means something.
    pub fn is_in_turn(&self) -> bool {
        matches!(
            self,
            HoldRule::MaxUnavailable
                | HoldRule::MaxSurge
                | HoldRule::TooFewAvailable
                | HoldRule::RemovalBudget
                | HoldRule::TooManyBadNodes(_)
        )
    }

    /// What is not done, and why, as a sentence for people.
    pub fn message(&self) -> String {
        match self {
            HoldRule::LeftAlone(why) => format!("nothing is done: {why}"),
            HoldRule::CreatesDenied(words) => {
                format!("the API server denied the last creates: {words}")
            }
            HoldRule::InvalidBudget => "no pod is replaced: maxUnavailable or maxSurge is neither \
                                        a number nor a percentage"
                .into(),
            HoldRule::InvalidAnnotation(words) => {
                format!("no pod is replaced by one of another revision: {words}")
            }
            HoldRule::HeldByAnnotation => "no pod is replaced by one of another revision: the key \
                                           daemonset-controller.io/hold says so"
                .into(),
            HoldRule::AllHeldByAnnotation => "no pod is created or deleted: the key \
                                              daemonset-controller.io/hold says so"
                .into(),
            HoldRule::AutoPaused(pause) => pause.message(),
            HoldRule::RollbackPaused(pause) => pause.message_back(),
            HoldRule::RolledBack(back) => back.message(),
            HoldRule::ProgressDeadlineExceeded(past) => past.message(),
            HoldRule::Canary => {
                "the node keeps its revision: the canary comes first, and not all of \
                                 its nodes have an available pod"
                    .into()
            }
            HoldRule::Baking => {
                "the node keeps its revision: the pods of the stage before have not been \
                                 available for long enough"
                    .into()
            }
            HoldRule::AwaitingApproval(hash) => format!(
                "the node keeps its revision: the stage before is available and waits for the annotation \
                 daemonset-controller.io/approve: {hash}"
            ),
            HoldRule::EarlierGroup(name) => format!(
                "the node keeps its revision: the group {name} comes first, and not all of its nodes \
                 have an available pod"
            ),
            HoldRule::TooManyGroups(groups) => format!(
                "the node keeps its revision: the key daemonset-controller.io/order makes {groups} \
                 groups, and their names are longer than what a revision can record"
            ),
            HoldRule::StageNotRecorded => {
                "the node keeps its revision for one more plan: that the \
                                            stage before is over is recorded first"
                    .into()
            }
            HoldRule::NoCanaryNode => {
                "the node keeps its revision: no eligible node has the labels \
                                       that daemonset-controller.io/canary asks for"
                    .into()
            }
            HoldRule::PinnedRevisionMissing => {
                "no new pod: the rollout is held or taken back, and \
                                                the revision that the node is to have meanwhile \
                                                is gone or cannot be read"
                    .into()
            }
            HoldRule::TooManyBadNodes(TooMany { count, cap }) => format!(
                "no pod is replaced: {count} nodes are out of order or about to go, and the \
                 annotation daemonset-controller.io/budget allows {cap} of them"
            ),
            HoldRule::NodeExempt(why) => format!(
                "the old pod stays, and the rollout goes on without it: {}",
                why.describe()
            ),
            HoldRule::OnDelete => {
                "the old pod is not replaced: the update strategy leaves that to you".into()
            }
            HoldRule::MaxUnavailable => {
                "the old pod is not replaced yet: maxUnavailable is used up".into()
            }
            HoldRule::MaxSurge => "no new pod beside the old one yet: maxSurge is used up".into(),
            HoldRule::EvictionRefused(words) => {
                format!("the pod stays: the API server refused to evict it: {words}")
            }
            HoldRule::DisruptionBudgetUnusable(words) => {
                format!("the pod stays, because it can never be evicted: {words}")
            }
            HoldRule::SuccessorNotAvailable => {
                "the old pod stays: the new pod beside it is not available yet".into()
            }
            HoldRule::TooFewAvailable => "the pod stays on a node that is not eligible: too few \
                                          other pods are available"
                .into(),
            HoldRule::RemovalBudget => {
                "the pod stays on a node that is not eligible: as many nodes \
                                        as the budget allows are without an available pod"
                    .into()
            }
            HoldRule::NoSuchContainer(words) => format!(
                "rules of daemonset-controller.io/resources have no effect on containers that the \
                 template does not have: {words}"
            ),
            HoldRule::ResizeHeld(why) => format!(
                "the pod keeps its resources, and not those that daemonset-controller.io/resources \
                 has for the node: {}",
                why.describe()
            ),
            HoldRule::PodGated => "the pod is not started: another pod of the node may still run, \
                                   and daemonset-controller.io/exclusive allows one"
                .into(),
            HoldRule::NodeLeaving(why) => format!(
                "no pod is created on the node, and what runs there is left alone: {}",
                why.describe()
            ),
            HoldRule::FailedPodBackoff => {
                "the failed pod is not replaced yet: its backoff runs".into()
            }
            HoldRule::FinishedPodBackoff => {
                "the finished pod is not replaced yet: its backoff runs".into()
            }
            HoldRule::DeletedPodBackoff => {
                "no new pod yet: the last ones were deleted by somebody \
                                            else soon after their creation, and a backoff runs"
                    .into()
            }
            HoldRule::ReleasedPodBackoff => "no new pod yet: the last ones stopped matching the \
                                             selector soon after their creation, and a backoff runs"
                .into(),
            HoldRule::CreateUnsettled => {
                "an ended pod is not deleted yet: a create of its name may \
                                          still be under way, and would find the name free"
                    .into()
            }
            HoldRule::OneFailedPodAtATime => {
                "a failed pod is not deleted yet: of several on a node one goes at a time".into()
            }
            HoldRule::PodTerminating => "no new pod yet: the node's pod is terminating".into(),
            HoldRule::DeletePending => {
                "no new pod yet: the API server has not confirmed the last delete".into()
            }
            HoldRule::NameInUse => {
                "no new pod yet: the one before is on its way out, and a create of its name may be \
                 under way"
                    .into()
            }
            HoldRule::NameNotSettled => "no new pod yet: the last one went some seconds ago, and \
                                         another controller may name the next one after it"
                .into(),
            HoldRule::PodsNotWatched => {
                "no new pod yet: the watch of pods has ended and they cannot \
                                         be read, and another controller may have made one"
                    .into()
            }
            HoldRule::PodWithoutNode => "no new pod: a pod of this DaemonSet whose node cannot be \
                                         read may be meant for this node"
                .into(),
            HoldRule::UnreadablePod => {
                "the node is left as it is: a pod on it could not be decoded".into()
            }
            HoldRule::NodeGone => {
                "the node is gone: its pods are left to the pod garbage collector".into()
            }
        }
    }

    /// What ends the hold where no time does, as a phrase after "until".
    pub fn until_what(&self) -> &'static str {
        match self {
            HoldRule::LeftAlone(why) => why.until_what(),
            HoldRule::CreatesDenied(_) => "the API server accepts a create",
            HoldRule::InvalidBudget => "the update strategy is corrected",
            HoldRule::InvalidAnnotation(_) => "the annotation is corrected or removed",
            HoldRule::HeldByAnnotation | HoldRule::AllHeldByAnnotation => {
                "the key is removed or off"
            }
            HoldRule::RolledBack(_) => "somebody approves it, or the template changes",
            HoldRule::AutoPaused(_) | HoldRule::RollbackPaused(_) => {
                "somebody approves the revision, on-failure tolerates as many, or the template \
                 changes"
            }
            HoldRule::ProgressDeadlineExceeded(_) => {
                "another node has an available pod of it, or somebody approves the revision"
            }
            HoldRule::Canary => "every node of the canary has an available pod",
            HoldRule::Baking => "the stage before has baked",
            HoldRule::AwaitingApproval(_) => "somebody approves",
            HoldRule::EarlierGroup(_) => "every node of that group has an available pod",
            HoldRule::TooManyGroups(_) => "the key names labels with fewer values",
            HoldRule::StageNotRecorded => "it is recorded",
            HoldRule::NoCanaryNode => "a node has these labels, or the key is changed",
            HoldRule::PinnedRevisionMissing => {
                "that revision is there again, the template changes, or what holds the rollout or \
                 takes it back ends: by resume, approve, or on-failure: pause"
            }
            HoldRule::TooManyBadNodes(_) => "fewer nodes are, or the annotation allows more",
            HoldRule::NodeExempt(why) => why.until_what(),
            HoldRule::OnDelete => "somebody deletes the old pod",
            HoldRule::MaxUnavailable => "another node's pod is available",
            HoldRule::MaxSurge | HoldRule::SuccessorNotAvailable => "a new pod is available",
            HoldRule::EvictionRefused(_) => "the disruption budget allows it",
            HoldRule::DisruptionBudgetUnusable(_) => {
                "the disruption budget is corrected or deleted, or the key \
                 daemonset-controller.io/replace-by is removed or off"
            }
            HoldRule::TooFewAvailable => "more pods are available on eligible nodes",
            HoldRule::RemovalBudget => "another node's pod is available or gone",
            HoldRule::NoSuchContainer(_) => "the template has them, or the rules do not",
            HoldRule::ResizeHeld(why) => why.until_what(),
            HoldRule::PodGated => "that pod has ended or is gone",
            HoldRule::NodeLeaving(why) => why.until_what(),
            HoldRule::FailedPodBackoff
            | HoldRule::FinishedPodBackoff
            | HoldRule::DeletedPodBackoff
            | HoldRule::ReleasedPodBackoff => "the backoff ends",
            HoldRule::CreateUnsettled => "no create of its name can be under way any more",
            HoldRule::OneFailedPodAtATime => "the failed pod before it is gone",
            HoldRule::PodTerminating => "the pod is terminal or gone",
            HoldRule::DeletePending => "the API server tells what became of the delete",
            HoldRule::NameInUse => "that pod is gone",
            HoldRule::NameNotSettled => "every controller has forgotten that pod",
            HoldRule::PodsNotWatched => "pods are watched again, or a read of them succeeds",
            HoldRule::PodWithoutNode => "that pod is gone or its node can be read",
            HoldRule::UnreadablePod => "that pod is gone or this build can decode it",
            HoldRule::NodeGone => "the pod garbage collector deletes them",
        }
    }
}
