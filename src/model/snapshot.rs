//! All that a plan is made from, borrowed from wherever it is kept.

use std::sync::Arc;

use super::{
    Backoff, DaemonSet, GonePods, Kind, Nodes, Pod, Refusals, Revision, Str, Template, Tenure,
    Time, Uid, UnsettledCreates, Verdicts,
};

/// Who binds a pod to its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Placement {
    /// The scheduler that the template names: pods are pinned by node affinity.
    #[default]
    Scheduler,
    /// The controller: pods are created with `spec.nodeName`.
    NodeName,
}

/// Feature gates, by the names that Kubernetes components use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FeatureGates {
    /// `TaintTolerationComparisonOperators` (KEP-5471): tolerations with `Lt` and `Gt`.
    pub taint_toleration_comparison_operators: bool,
    /// `DaemonSetGracefulNodeShutdown` (KEP-6249): nothing is created on a node that is shutting
    /// down.
    pub daemon_set_graceful_node_shutdown: bool,
}

/// What the operator chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Who binds pods.
    pub placement: Placement,
    /// Feature gates.
    pub gates: FeatureGates,
    /// `--suppress-on-leaving-nodes`: nothing is created on a node that is about to go, by whatever
    /// sign.
    pub suppress_on_leaving_nodes: bool,
}

impl Settings {
    /// Whether it matters that a node is leaving.
    pub fn minds_leaving_nodes(self) -> bool {
        self.suppress_on_leaving_nodes || self.gates.daemon_set_graceful_node_shutdown
    }
}

/// The API server denied the last pod that was to be created: a quota, a webhook, a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// The time of the first denial without a create that was accepted since.
    pub since: Time,
    /// The API server's words for the last one.
    pub message: Str,
}

/// A revision's template, and which nodes its pods belong on.
#[derive(Clone, Copy, Debug)]
pub struct PlacedRevision<'a> {
    /// The revision's UID.
    pub uid: &'a Uid,
    /// Its template.
    pub template: &'a Arc<Template>,
    /// The verdicts on all nodes for this template.
    pub verdicts: &'a Verdicts,
}

/// Finds a pod of the DaemonSet's namespace by name, whoever controls it.
pub type FindPod<'a> = dyn Fn(&str) -> Option<&'a Pod> + 'a;

/// Tells whether a ControllerRevision of that name is in the DaemonSet's namespace.
pub type RevisionExists<'a> = dyn Fn(&str) -> bool + 'a;

/// A DaemonSet and what is known around it at one moment.
pub struct Snapshot<'a> {
    /// The DaemonSet.
    pub daemon_set: &'a DaemonSet,
    /// There is an object of this kind that may concern it and whose name could not even be read.
    pub blind: Option<Kind>,
    /// All nodes.
    pub nodes: &'a Nodes,
    /// The pods of its namespace that it controls, that nobody controls, or whose controller cannot
    /// be read. Any order.
    pub pods: Vec<&'a Pod>,
    /// The revisions of its namespace, likewise.
    pub revisions: Vec<&'a Revision>,
    /// Its pods that were last on nodes that have none now.
    pub gone_pods: &'a GonePods,
    /// Who holds a pod name.
    pub find_pod: &'a FindPod<'a>,
    /// Whether a revision name is held.
    pub revision_exists: &'a RevisionExists<'a>,
    /// The verdicts on all nodes for the DaemonSet's template.
    pub verdicts: &'a Verdicts,
    /// The templates of its revisions, for a DaemonSet with rollout control; else none. A revision
    /// whose template cannot be read is not among them.
    pub placed: Vec<PlacedRevision<'a>>,
    /// Failed and finished pods' backoff.
    pub backoff: &'a Backoff,
    /// Whether the last create was denied; None in a process that has created nothing yet.
    pub creates_denied: Option<&'a Denial>,
    /// Its pods whose eviction was refused; none in a process that has evicted nothing yet.
    pub evictions_refused: &'a Refusals,
    /// Creates of its pods whose outcome is not known.
    pub unsettled: &'a UnsettledCreates,
    /// What is known of creates that other processes sent.
    pub tenure: Tenure,
    /// The time as of which the pods are known; None while a watch tells of them.
    pub pods_as_of: Option<Time>,
    /// What the operator chose.
    pub settings: Settings,
}

impl<'a> Snapshot<'a> {
    /// The template and the verdicts of a revision, where they are known.
    pub fn placed(&self, revision: &Revision) -> Option<PlacedRevision<'a>> {
        let mut placed = self.placed.iter().copied();
        placed.find(|placed| *placed.uid == revision.uid)
    }

    /// How many rows a plan looks at.
    pub fn rows(&self) -> usize {
        self.nodes.slots() + self.pods.len()
    }

    /// Lends the same snapshot of a DaemonSet without rollout control, as the built-in controller
    /// sees it. `verdicts` are those on all nodes for its template, none of them excluded.
    pub fn without_control<R>(&self, verdicts: &Verdicts, f: impl FnOnce(&Snapshot<'_>) -> R) -> R {
        let daemon_set = DaemonSet {
            control: None,
            ..self.daemon_set.clone()
        };
        let find_pod = |name: &str| (self.find_pod)(name);
        f(&Snapshot {
            daemon_set: &daemon_set,
            blind: self.blind,
            nodes: self.nodes,
            pods: self.pods.clone(),
            revisions: self.revisions.clone(),
            gone_pods: self.gone_pods,
            find_pod: &find_pod,
            revision_exists: self.revision_exists,
            verdicts,
            placed: Vec::new(),
            backoff: self.backoff,
            creates_denied: self.creates_denied,
            evictions_refused: self.evictions_refused,
            unsettled: self.unsettled,
            tenure: self.tenure,
            pods_as_of: self.pods_as_of,
            settings: self.settings,
        })
    }
}
