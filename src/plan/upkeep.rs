//! One live pod on every eligible node and none elsewhere: what to create and delete for that,
//! node by node (upstream's `manage`).
//!
//! Where upstream is left:
//! - A failed or finished pod's successor, on a node that has no other pod, is created before that pod
//!   goes ([`ActionPhase::Successor`]): whoever sees the old one gone has seen the new one.
//! - Finished pods have a backoff of their own (upstream spins).
//! - While a failed or finished pod waits for a backoff that began in an earlier plan, nothing is created on its node, when
//!   surging too.
//! - An unscheduled pod whose node is gone is deleted once, not again at every sync while it terminates.
//! - A node with a pod that could not be decoded is left as it is.

use std::collections::HashSet;

use crate::model::{
    BackoffChange, BackoffKey, BackoffKind, DaemonSet, Labels, Node, NodeId, Pod, Snapshot, Str,
    Time, Uid, Verdict,
};

use super::{
    action::{ActionPhase, Create, CreateCause, Delete, DeleteCause, Event, EventType},
    by_node::ByNode,
    names,
    revisions::{self, History},
};

/// What the parts of one plan share.
pub struct Facts<'s, 'a> {
    /// The snapshot.
    pub snapshot: &'s Snapshot<'a>,
    /// The history, sorted out.
    pub history: &'s History,
    /// Claimed pods by node.
    pub by_node: &'s ByNode<'a>,
    /// Now.
    pub now: Time,
    /// The deprecated template generation as its label is written.
    pub template_generation: Option<String>,
    surging: bool,
    named: HashSet<NodeId>,
}

impl<'s, 'a> Facts<'s, 'a> {
    /// Gathers them.
    pub fn new(
        snapshot: &'s Snapshot<'a>,
        history: &'s History,
        by_node: &'s ByNode<'a>,
        pods: &[&'a Pod],
        now: Time,
    ) -> Self {
        let ds = snapshot.daemon_set;
        let untargeted = pods
            .iter()
            .filter(|p| p.node.is_none() && !p.is_terminal_and_terminating())
            .copied();
        Facts {
            snapshot,
            history,
            by_node,
            now,
            template_generation: ds.template_generation.map(|g| g.to_string()),
            surging: ds.update_strategy.allows_surge(),
            named: names::nodes_named_by(ds, snapshot.nodes, untargeted),
        }
    }

    /// The DaemonSet.
    pub fn ds(&self) -> &'a DaemonSet {
        self.snapshot.daemon_set
    }

    /// Pods on a node that decisions see: all but those that are terminal and terminating.
    pub fn visible(&self, id: NodeId) -> impl Iterator<Item = &'a Pod> + Clone {
        self.by_node
            .on(id)
            .iter()
            .copied()
            .filter(|p| !p.is_terminal_and_terminating())
    }

    /// Whether a pod is of the current revision: by hash, or by the deprecated template generation.
    pub fn is_updated(&self, pod: &Pod) -> bool {
        let generation = self.template_generation.as_deref();
        self.has_current_hash(pod)
            || generation.is_some_and(|g| pod.labels.get("pod-template-generation") == Some(g))
    }

    /// The hash that a pod counts with: a duplicate's is the current one.
    pub fn has_current_hash(&self, pod: &Pod) -> bool {
        revisions::hash_of(pod, self.history).is_some_and(|h| *h == self.history.current.hash)
    }
}

/// Tells, pod after pod, which are of the current revision. Pods of one revision share one label set, so most answers
/// are those of the pod before.
pub struct Updated<'f, 's, 'a> {
    facts: &'f Facts<'s, 'a>,
    last: Option<(&'a Labels, bool)>,
}

impl<'f, 's, 'a> Updated<'f, 's, 'a> {
    /// Knows no answer yet.
    pub fn new(facts: &'f Facts<'s, 'a>) -> Self {
        Updated { facts, last: None }
    }

    /// Whether this one is.
    pub fn is(&mut self, pod: &'a Pod) -> bool {
        match self.last {
            Some((labels, updated)) if labels.same(&pod.labels) => updated,
            _ => {
                let updated = self.facts.is_updated(pod);
                self.last = Some((&pod.labels, updated));
                updated
            }
        }
    }
}

/// What upkeep asks for.
#[derive(Default)]
pub struct Upkeep {
    /// Sorted by node name.
    pub creates: Vec<Create>,
    /// Sorted by node name, then pod name.
    pub deletes: Vec<Delete>,
    /// In the order of `deletes`.
    pub events: Vec<Event>,
    /// Attempts that this plan makes.
    pub backoff: Vec<BackoffChange>,
    /// When the next backoff ends.
    pub wake_at: Option<Time>,
    /// Nodes with a failed or finished pod that waits for its backoff: nothing is created there.
    pub waiting: HashSet<NodeId>,
}

impl Upkeep {
    /// Puts creates and deletes into their order.
    pub fn sort(&mut self) {
        self.creates.sort_by(|a, b| a.node.cmp(&b.node));
        self.deletes.sort_by(|a, b| {
            let node = a.node.cmp(&b.node);
            node.then_with(|| a.pod.name.cmp(&b.pod.name))
        });
    }
}

/// What is found on one node.
struct Found<'a> {
    /// Neither terminal nor terminating.
    running: Vec<&'a Pod>,
    /// Terminating, not yet terminal.
    terminating: bool,
    /// A terminal pod waits for a backoff that began in an earlier plan.
    waits: bool,
    /// Why the last terminal pod that goes now goes.
    goes: Option<CreateCause>,
}

/// Goes over all nodes.
pub fn plan(facts: &Facts<'_, '_>) -> Upkeep {
    let mut out = Upkeep::default();
    let mut events: Vec<(Str, Str, Event)> = Vec::new();
    let nodes = facts.snapshot.nodes;
    for (id, node) in nodes.iter() {
        let pods = facts.by_node.on(id);
        // Nearly all nodes of a settled cluster leave here.
        if let [pod] = pods
            && pod.is_live()
            && pod.readable
            && facts.snapshot.verdicts.get(id).should_continue_running()
        {
            continue;
        }
        plan_node(facts, id, node, &mut out, &mut events);
    }
    delete_unscheduled_without_node(facts, &mut out);
    events.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    out.events = events.into_iter().map(|(_, _, e)| e).collect();
    out.backoff.sort();
    out
}

fn plan_node(
    facts: &Facts<'_, '_>,
    id: NodeId,
    node: &Node,
    out: &mut Upkeep,
    events: &mut Vec<(Str, Str, Event)>,
) {
    let verdict = facts.snapshot.verdicts.get(id);
    let mut visible = facts.visible(id);
    if visible.clone().any(|p| !p.readable) || verdict == Verdict::Unreadable {
        return;
    }
    if visible.clone().next().is_none() {
        if verdict.should_run() {
            create(
                facts,
                id,
                node,
                ActionPhase::Manage,
                CreateCause::NodeWithoutPod,
                out,
            );
        }
        return;
    }
    if !verdict.should_continue_running() {
        for pod in visible.filter(|p| !p.terminating) {
            delete(
                pod,
                &node.name,
                ActionPhase::Manage,
                DeleteCause::NodeNotEligible(verdict),
                out,
            );
        }
        return;
    }

    let first_delete = out.deletes.len();
    let mut found = sort_out(facts, node, &mut visible, out, events);
    if found.waits {
        out.waiting.insert(id);
    }
    found.running.sort_by(|a, b| a.oldest_first(b));
    if facts.surging {
        prune_surging(facts, node, &found.running, out);
        if found.running.is_empty() && verdict.should_run() && !found.waits {
            create(
                facts,
                id,
                node,
                ActionPhase::Manage,
                CreateCause::OnlyTerminatingPods,
                out,
            );
        }
        return;
    }
    for pod in found.running.iter().skip(1) {
        delete(
            pod,
            &node.name,
            ActionPhase::Manage,
            DeleteCause::Duplicate,
            out,
        );
    }
    if let Some(cause) = found.goes
        && found.running.is_empty()
        && !found.terminating
        && !found.waits
        && verdict.should_run()
        && create(facts, id, node, ActionPhase::Successor, cause, out)
    {
        for d in &mut out.deletes[first_delete..] {
            d.phase = ActionPhase::Successor;
        }
    }
}

/// Deletes failed and finished pods as their backoff allows; tells what else is there.
///
/// Of several failed pods on a node one goes at a time: they share a key. Finished pods do not: all of
/// one plan are one attempt.
fn sort_out<'a>(
    facts: &Facts<'_, 'a>,
    node: &Node,
    visible: &mut dyn Iterator<Item = &'a Pod>,
    out: &mut Upkeep,
    events: &mut Vec<(Str, Str, Event)>,
) -> Found<'a> {
    let ds = facts.ds();
    let mut found = Found {
        running: Vec::new(),
        terminating: false,
        waits: false,
        goes: None,
    };
    let mut failed: Vec<&Pod> = Vec::new();
    let mut succeeded: Vec<&Pod> = Vec::new();
    for pod in visible {
        match pod.phase {
            _ if pod.terminating => found.terminating = true,
            crate::model::PodPhase::Failed => failed.push(pod),
            crate::model::PodPhase::Succeeded => succeeded.push(pod),
            crate::model::PodPhase::Active => found.running.push(pod),
        }
    }
    let ours_first = |p: &Pod| !p.controller.is(&ds.uid);
    failed.sort_by(|a, b| {
        ours_first(a)
            .cmp(&ours_first(b))
            .then_with(|| a.oldest_first(b))
    });
    for (kind, pods) in [
        (BackoffKind::Succeeded, succeeded),
        (BackoffKind::Failed, failed),
    ] {
        if pods.is_empty() {
            continue;
        }
        let key = BackoffKey {
            daemon_set: ds.uid.clone(),
            generation: ds.status.observed_generation,
            node: node.name.clone(),
            kind,
        };
        if let Some(end) = facts.snapshot.backoff.waits_until(&key, facts.now) {
            found.waits = true;
            wake(&mut out.wake_at, end);
            continue;
        }
        let now_going = match kind {
            BackoffKind::Failed => &pods[..1],
            BackoffKind::Succeeded => &pods[..],
        };
        if now_going.len() < pods.len() {
            // The next one goes when the backoff that begins now ends.
            wake(
                &mut out.wake_at,
                facts.snapshot.backoff.after_attempt(&key, facts.now),
            );
        }
        for pod in now_going {
            let (cause, because, event) = match kind {
                BackoffKind::Failed => (
                    DeleteCause::PodFailed,
                    CreateCause::PodFailed,
                    Event {
                        kind: EventType::Warning,
                        reason: "FailedDaemonPod",
                        message: format!(
                            "Found failed daemon pod {}/{} on node {}, will try to kill it",
                            ds.namespace, pod.name, node.name
                        ),
                        node: Some(node.name.clone()),
                    },
                ),
                BackoffKind::Succeeded => (
                    DeleteCause::PodSucceeded,
                    CreateCause::PodSucceeded,
                    Event {
                        kind: EventType::Normal,
                        reason: "SucceededDaemonPod",
                        message: format!(
                            "Found succeeded daemon pod {}/{} on node {}, will try to delete it",
                            ds.namespace, pod.name, node.name
                        ),
                        node: Some(node.name.clone()),
                    },
                ),
            };
            found.goes = Some(because);
            events.push((node.name.clone(), pod.name.clone(), event));
            delete(pod, &node.name, ActionPhase::Manage, cause, out);
        }
        out.backoff.push(key);
    }
    found
}

/// Surging allows two pods while the older revision's is ready and the current one's is not available
/// yet; pruning keeps the oldest with the current hash and the oldest without.
fn prune_surging(facts: &Facts<'_, '_>, node: &Node, running: &[&Pod], out: &mut Upkeep) {
    if running.len() <= 1 {
        return;
    }
    let mut new: Option<&Pod> = None;
    let mut old: Option<&Pod> = None;
    for &pod in running {
        let place = if facts.has_current_hash(pod) {
            &mut new
        } else {
            &mut old
        };
        if place.is_none() {
            *place = Some(pod);
        } else {
            delete(
                pod,
                &node.name,
                ActionPhase::Manage,
                DeleteCause::Duplicate,
                out,
            );
        }
    }
    if let (Some(new), Some(old)) = (new, old) {
        let cause = if !old.is_ready() {
            DeleteCause::OldNotReady
        } else {
            match new.available_at(facts.ds().min_ready_seconds) {
                Some(at) if at <= facts.now => DeleteCause::Replaced,
                Some(at) => return wake(&mut out.wake_at, at),
                None => return,
            }
        };
        delete(old, &node.name, ActionPhase::Manage, cause, out);
    }
}

/// Pods pinned to a node that is gone, and not scheduled: neither the scheduler nor the pod garbage
/// collector will ever deal with them. Scheduled ones are left to the latter.
fn delete_unscheduled_without_node(facts: &Facts<'_, '_>, out: &mut Upkeep) {
    let nodes = facts.snapshot.nodes;
    for slot in (0..).map(NodeId).take(nodes.slots()) {
        if nodes.get(slot).is_some() {
            continue;
        }
        for pod in facts.visible(slot) {
            if !pod.scheduled && !pod.terminating && pod.readable {
                delete(
                    pod,
                    nodes.name(slot),
                    ActionPhase::Manage,
                    DeleteCause::NodeGone,
                    out,
                );
            }
        }
    }
}

/// Plans a pod for the node, unless one of ours without a readable target may be there. True when planned.
pub fn create(
    facts: &Facts<'_, '_>,
    id: NodeId,
    node: &Node,
    phase: ActionPhase,
    cause: CreateCause,
    out: &mut Upkeep,
) -> bool {
    if facts.named.contains(&id) {
        return false;
    }
    let here = facts.by_node.on(id);
    let gone_pods = facts.snapshot.gone_pods.on(&node.name);
    let base = names::base(facts.ds(), &node.name, here, gone_pods, facts.now);
    // A pod of ours that bears the name and is about to be gone is waited for.
    let holder = (facts.snapshot.find_pod)(&base).filter(|p| p.controller.is(&facts.ds().uid));
    if let Some(end) = holder
        .and_then(Pod::expected_gone_by)
        .filter(|end| *end > facts.now)
    {
        wake(&mut out.wake_at, end);
        return false;
    }
    let names::Free::Name(pod_name) =
        names::free_name(facts.ds(), &node.name, base, facts.snapshot.find_pod)
    else {
        return false;
    };
    let mut seen: Vec<Uid> = here.iter().map(|p| p.uid.clone()).collect();
    seen.sort();
    out.creates.push(Create {
        node_id: id,
        node: node.name.clone(),
        pod_name,
        phase,
        cause,
        seen,
    });
    true
}

/// Plans that a pod is deleted.
pub fn delete(pod: &Pod, node: &Str, phase: ActionPhase, cause: DeleteCause, out: &mut Upkeep) {
    out.deletes.push(Delete {
        pod: pod.into(),
        node: node.clone(),
        phase,
        cause,
    });
}

/// Looks again at `time` at the latest.
pub fn wake(at: &mut Option<Time>, time: Time) {
    *at = Some(at.map_or(time, |t| t.min(time)));
}
