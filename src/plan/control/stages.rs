//! The stages of a rollout: the canary, then the groups of `order`, one after another.
//!
//! The nodes of a stage that is recorded as over are released, those that join later included. The
//! first stage that is not is the open one: its nodes are released, and it is judged. All other
//! nodes keep what they have. So a node that is relabelled is never moved back.
//!
//! A stage is over when all its nodes have an available pod of the current revision and have baked,
//! or were approved. That is recorded before another node follows, so that nodes that fail later do
//! not take it back.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Bake, Control, Group, Node, NodeId, Order, Pod, Revision, Snapshot, Str, Time,
    control::CANARY_STAGE,
};

use crate::plan::{
    action::{Event, EventType},
    by_node::ByNode,
    hold::HoldRule,
    revisions::{self, History},
};

use super::{
    assign::Assignment,
    bake::{self, Sample},
    exempt::Exempt,
    failing::Failing,
    stable::Hashed,
};

/// The most bytes of the names of all groups. An object's annotations have 256 KiB together, and a
/// revision has those of its DaemonSet.
const LONGEST_RECORD: usize = 128 * 1024;

/// So many groups are named in an event.
const SHOWN: usize = 5;

/// How the open stage stands.
#[derive(Debug)]
pub struct Stage {
    /// Its name.
    pub name: Str,
    /// Why the other nodes wait.
    pub rule: HoldRule,
    /// Until when, where a time ends the wait.
    pub until: Option<Time>,
    /// The stages that are over and not recorded yet. The others wait for nothing but that.
    pub over: Option<Over>,
}

/// Stages that are over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    /// Their names.
    pub names: Vec<Str>,
    /// What ended the last one of them, as a phrase.
    pub because: String,
}

impl Over {
    /// The event that says so: the canary's has a reason of its own.
    pub fn event(&self, current: &Revision) -> Event {
        let (name, because) = (&current.name, &self.because);
        let is_canary = self.names.iter().any(|name| &**name == CANARY_STAGE);
        let (reason, message) = if is_canary {
            let message = format!(
                "The canary of revision {name} is over, and the others may follow: {because}"
            );
            ("CanaryReady", message)
        } else {
            let mut groups: Vec<&str> = self.names.iter().map(|name| &**name).collect();
            let more = groups.len().saturating_sub(SHOWN);
            groups.truncate(SHOWN);
            let groups = groups.join(" ");
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let message = format!(
                "Of revision {name} these groups are over, and the next one may follow: {groups}{more}; {because}"
            );
            ("StageReleased", message)
        };
        Event {
            kind: EventType::Normal,
            reason,
            message,
            node: None,
        }
    }
}

/// What stages are made and judged by.
pub struct Facts<'s, 'a> {
    /// The snapshot.
    pub snapshot: &'s Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'s History,
    /// Claimed pods by node.
    pub by_node: &'s ByNode<'a>,
    /// The nodes that are exempt.
    pub exempt: &'s Exempt,
    /// The nodes that fail.
    pub failing: &'s Failing,
    /// The stable revision; None where it is lost.
    pub stable: Option<Hashed<'s>>,
    /// The stages that are recorded as over.
    pub released: &'s [Str],
    /// When the rollout began, where that was recorded.
    pub started: Option<Time>,
    /// The time of the plan.
    pub now: Time,
}

/// Which kind of stage is judged.
#[derive(Clone, Copy)]
enum Kind<'k> {
    Canary,
    Group(&'k Str),
}

impl Facts<'_, '_> {
    /// Assigns the nodes that are released the current revision, and says how the open stage
    /// stands. None where there is no stage left: all nodes are released.
    pub fn assign(&self, control: &Control, assignment: &mut Assignment<'_>) -> Option<Stage> {
        let released: BTreeSet<&str> = self.released.iter().map(|stage| &**stage).collect();
        if let Some(canary) = &control.canary
            && !released.contains(CANARY_STAGE)
        {
            // Without a node there is nothing to learn.
            self.eligible().next()?;
            let nodes = self.choose(canary, control.order.as_ref(), assignment);
            let stage = self.judge(control, Kind::Canary, &nodes);
            // One that was approved takes in no more nodes: they have their turn in their groups.
            if stage.over.is_none() {
                assignment.release(&nodes);
            }
            return Some(stage);
        }
        let order = control.order.as_ref()?;
        let groups = self.groups(order).into_iter();
        let groups: Vec<(Str, Vec<NodeId>)> = groups
            .map(|(group, nodes)| (order.name(&group), nodes))
            .collect();
        if groups.iter().map(|(name, _)| name.len() + 3).sum::<usize>() > LONGEST_RECORD {
            return Some(Stage {
                name: "".into(),
                rule: HoldRule::TooManyGroups(groups.len()),
                until: None,
                over: None,
            });
        }
        let mut over: Option<Over> = None;
        for (name, nodes) in groups {
            if released.contains(&*name) {
                assignment.release(&nodes);
                continue;
            }
            let judged = nodes.iter().copied().filter(|id| !self.exempt.is(*id));
            let judged: Vec<NodeId> = judged.collect();
            // It has its turn when one of its nodes is well again.
            if judged.is_empty() {
                continue;
            }
            let stage = self.judge(control, Kind::Group(&name), &judged);
            if stage.over.is_none() && over.is_some() {
                break;
            }
            assignment.release(&nodes);
            // Several at once, as where the key is added to a rollout that is far on.
            let Some(Over { because, .. }) = stage.over else {
                return Some(stage);
            };
            let names = over.map_or_else(Vec::new, |over| over.names);
            let names = names.into_iter().chain([name]).collect();
            over = Some(Over { names, because });
        }
        over.map(|over| Stage {
            name: over.names.last().cloned().unwrap_or_else(|| "".into()),
            rule: HoldRule::StageNotRecorded,
            until: None,
            over: Some(over),
        })
    }

    /// The nodes that are eligible for the current revision.
    pub fn eligible(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let nodes = self.snapshot.nodes.iter();
        nodes.filter(|(id, _)| self.snapshot.verdicts.get(*id).should_run())
    }

    /// The eligible nodes by group, exempt ones included.
    fn groups(&self, order: &Order) -> BTreeMap<Group, Vec<NodeId>> {
        let mut groups: BTreeMap<Group, Vec<NodeId>> = BTreeMap::new();
        for (id, node) in self.eligible() {
            let group = groups.entry(order.group(&node.labels));
            group.or_default().push(id);
        }
        groups
    }

    /// Whether the next stage may follow.
    fn judge(&self, control: &Control, kind: Kind<'_>, nodes: &[NodeId]) -> Stage {
        let hash = &self.history.current.hash;
        let name = match kind {
            Kind::Canary => CANARY_STAGE.into(),
            Kind::Group(name) => name.clone(),
        };
        let waits = |rule, until| Stage {
            name: name.clone(),
            rule,
            until,
            over: None,
        };
        let over = |because: String| Stage {
            name: name.clone(),
            rule: HoldRule::StageNotRecorded,
            until: None,
            over: Some(Over {
                names: vec![name.clone()],
                because,
            }),
        };
        let is_approved = control.approve.as_ref() == Some(hash);
        let not_available = match kind {
            Kind::Canary if is_approved => return over("it was approved".to_owned()),
            Kind::Canary if nodes.is_empty() => return waits(HoldRule::NoCanaryNode, None),
            Kind::Canary => HoldRule::Canary,
            Kind::Group(name) => HoldRule::EarlierGroup(name.clone()),
        };
        // Nobody waits for a node that fails and may.
        let since = nodes.iter().map(|id| {
            let excused = self.failing.excused(*id);
            let since = excused.or_else(|| self.available_since(*id))?;
            let joined = bake::joined(self.snapshot.nodes.get(*id), self.started);
            Some(Sample { since, joined })
        });
        let Some(since) = bake::stage_since(since, self.now) else {
            return waits(not_available, None);
        };
        match control.bake {
            Bake::Approval if is_approved => over("it is available, and was approved".to_owned()),
            Bake::Approval => waits(HoldRule::AwaitingApproval(hash.clone()), None),
            Bake::For(time) if since + time > self.now => {
                waits(HoldRule::Baking, Some(since + time))
            }
            Bake::For(_) => over(format!("its pods have been available since {since}")),
        }
    }

    /// The pods of the node that are neither terminating nor terminal.
    pub fn live(&self, id: NodeId) -> impl Iterator<Item = &Pod> {
        self.by_node.on(id).iter().copied().filter(|p| p.is_live())
    }

    /// Whether the pod is of the current revision.
    pub fn is_current(&self, pod: &Pod) -> bool {
        revisions::hash_of(pod, self.history) == Some(&self.history.current.hash)
    }

    /// Since when the node's pod of the current revision has been available; None while it is not.
    fn available_since(&self, id: NodeId) -> Option<Time> {
        let mut current = self.live(id).filter(|p| self.is_current(p));
        bake::available_since(self.snapshot.daemon_set, current.next()?, self.now)
    }
}
