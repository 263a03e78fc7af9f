//! Rollout control: how the annotations of a DaemonSet change its plan. Without one, nothing here
//! has any effect.
//!
//! Rules here only take away: each forbids a step that the built-in controller's rules would take,
//! or chooses the revision of a pod that they would create. The one exception is [`exempt`]: nodes
//! that are out of order do not count, so others go on.

pub mod assign;
mod bake;
mod canary;
pub mod classes;
pub mod conditions;
mod deadline;
pub mod digest;
pub mod exempt;
pub mod failing;
pub mod failure;
mod failures;
pub mod hold;
mod judge;
pub mod pause;
pub mod resize;
pub mod resize_held;
pub mod rollback;
pub mod stable;
pub mod stages;
pub mod standing;
pub mod transitions;

use std::{collections::BTreeMap, sync::Arc};

use crate::model::{Bake, Control, NodeId, Pod, Revision, Snapshot, Str, Template, Time};

use super::{
    action::{Create, Event},
    by_node::ByNode,
    draft::Draft,
    facts::Facts,
    hold::HoldRule,
    revisions::{self, History, RevisionRef},
    whole::OlderRevision,
};

use assign::{Assigned, Assignment, Gone, Stable};
use bake::Sample;
use exempt::Exempt;
use failing::Failing;
use failure::AutoPause;
use stable::{Hashed, Look};
use standing::{Progress, Standing};

/// What keeps nodes from the current revision.
#[derive(Debug)]
pub enum Gate {
    /// Nothing is replaced.
    Held(HoldRule),
    /// The current revision failed: all nodes have the stable one, or get it.
    Back(HoldRule),
    /// Only the nodes of the stages are that are over, and of the open one.
    Stage(stages::Stage),
}

/// What is known before nodes are assigned a revision.
pub struct Known<'s, 'a> {
    /// The snapshot.
    pub snapshot: &'s Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'s History,
    /// The revisions but the current one.
    pub old: &'s [(&'a Revision, Str)],
    /// Claimed pods by node.
    pub by_node: &'s ByNode<'a>,
    /// The nodes that are exempt.
    pub exempt: &'s Exempt,
    /// The time of the plan.
    pub now: Time,
}

impl<'s, 'a: 's> Known<'s, 'a> {
    fn keep(&self, stable: Stable<'_>, gone: Gone<'_>) -> Assignment<'s> {
        let (snapshot, history) = (self.snapshot, self.history);
        Assignment::keep(snapshot, history, self.old, stable, gone, self.by_node)
    }

    /// Whether a live pod is of another revision than this one.
    fn is_going_back(&self, to: &Str) -> bool {
        let nodes = self.snapshot.nodes.iter();
        let mut pods = nodes.flat_map(|(id, _)| self.by_node.on(id));
        pods.any(|pod| pod.is_live() && revisions::hash_of(pod, self.history) != Some(to))
    }
}

/// How the last stage of a rollout stands: all nodes have the current revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastBake {
    /// There is nothing to watch, or it was watched for long enough.
    Over,
    /// It is watched until then.
    Until(Time),
    /// It begins anew when all its nodes have an available pod again.
    Interrupted,
}

impl LastBake {
    /// Until when it is watched, where a time ends it.
    pub fn until(self) -> Option<Time> {
        match self {
            LastBake::Until(until) => Some(until),
            LastBake::Over | LastBake::Interrupted => None,
        }
    }
}

/// What is to be recorded about stages.
pub struct Released {
    /// The current revision, and all stages of its rollout that are over.
    pub stages: (RevisionRef, Vec<Str>),
    /// The event that tells of those that are over now.
    pub event: Option<Event>,
}

/// Whether this plan makes an older revision the newest again: a rollout to it begins.
pub fn is_newest_again(history: &History) -> bool {
    history.ops.set_number.is_some() && history.ops.delete_duplicates.is_empty()
}

/// The rules of rollout control for one plan.
pub struct Rules<'s> {
    control: Option<&'s Control>,
    /// What holds the rollout.
    held: Option<HoldRule>,
    stable: Option<Hashed<'s>>,
    /// The current revision, where it exists.
    current: Option<&'s Revision>,
    /// When the newest of the equal current revisions completed, those included that are about to
    /// be deleted as duplicates.
    current_completed: Option<Time>,
    /// The older revision that is complete now.
    complete: Option<&'s Revision>,
    /// Whether the current revision is complete now.
    is_complete: bool,
    /// Whether pods run whose revision is gone.
    has_lost: bool,
    /// Of the others the one that completed last, where that was recorded: its hash, and when.
    newest_old: Option<(&'s Str, Time)>,
}

impl<'s> Rules<'s> {
    /// Sorts out what the rules need. `old` are the revisions but the current one, `pods` all
    /// claimed pods.
    pub fn new<'a: 's>(
        snapshot: &'s Snapshot<'a>,
        history: &History,
        old: &'s [(&Revision, Str)],
        pods: &[&Pod],
        by_node: &ByNode<'a>,
        now: Time,
    ) -> Rules<'s> {
        let control = snapshot.daemon_set.control.as_deref();
        let is_current = |r: &Revision| !history.current.create && r.name == history.current.name;
        let current = snapshot.revisions.iter().copied().find(|r| is_current(r));
        let is_duplicate =
            |r: &Revision| history.ops.delete_duplicates.iter().any(|d| d.uid == r.uid);
        let alike = snapshot
            .revisions
            .iter()
            .copied()
            .filter(|r| is_current(r) || is_duplicate(r));
        let current_completed = alike.filter_map(|r| stable::completed(r, now)).max();
        let look = control.map(|_| Look::new(snapshot, history, pods, by_node, now));
        let complete = look.as_ref().and_then(|look| look.complete(old));
        let stable = control.and_then(|_| {
            complete.or_else(|| stable::stable(current_completed, old, pods, history, now))
        });
        Rules {
            control,
            held: hold::rule(snapshot.daemon_set),
            stable,
            current,
            current_completed,
            complete: complete.map(|(revision, _)| revision),
            is_complete: look.as_ref().is_some_and(Look::is_current_complete),
            has_lost: look.as_ref().is_some_and(|look| look.has_lost(old)),
            newest_old: old
                .iter()
                .filter_map(|(r, hash)| Some((hash, stable::completed(r, now)?)))
                .max_by_key(|(_, at)| *at),
        }
    }

    /// Whether the key `hold`, or a key that cannot be read, holds the rollout.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What nodes without a pod get while they are not released.
    fn stable(&self) -> Stable<'s> {
        match self.stable {
            Some(stable) => Stable::Older(stable),
            None if self.current_completed.is_some() || self.is_complete => Stable::Current,
            None if self.has_lost => Stable::Lost,
            None => Stable::None,
        }
    }

    /// Which pods that are gone say what their node had.
    fn gone<'h>(&self, current: &'h Str) -> Gone<'h>
    where
        's: 'h,
    {
        if self.complete.is_some() || self.is_complete {
            return Gone::Unheeded;
        }
        let newest: Option<(&'h Str, Time)> = self.newest_old;
        match (newest, self.current_completed) {
            (old, Some(at)) if old.is_none_or(|(_, old)| old <= at) => Gone::Since(current, at),
            (Some((hash, at)), _) => Gone::Since(hash, at),
            (None, _) => Gone::All,
        }
    }

    /// Which revision each node is to have, and how the canary stands. None where that is the
    /// current one for all.
    pub fn assignment<'a: 's>(
        &self,
        known: &Known<'s, 'a>,
        failing: &Failing,
    ) -> Option<(Assignment<'s>, Gate)> {
        let control = self.control?;
        let failed = failing.rule(known.now);
        let has_failed = matches!(
            failed,
            Some(HoldRule::RollbackPaused(_) | HoldRule::RolledBack(_))
        );
        let keep = || match self.way_back(known.snapshot) {
            _ if !has_failed => known.keep(self.stable(), self.gone(&known.history.current.hash)),
            Some(_) => known.keep(self.stable(), Gone::Failed),
            None => known.keep(Stable::Lost, Gone::Failed),
        };
        if let Some(rule) = &self.held {
            return Some((keep(), Gate::Held(rule.clone())));
        }
        if self.current_completed.is_some() {
            return None;
        }
        let facts = self.stages(known, failing);
        let mut assignment = keep();
        let stage = facts.and_then(|facts| facts.assign(control, &mut assignment));
        match failed {
            None => Some((assignment, Gate::Stage(stage?))),
            // Once that is recorded.
            Some(rule @ HoldRule::RolledBack(_)) if failing.verdict.is_some() => {
                let Some(stable) = self.way_back(known.snapshot) else {
                    return Some((keep(), Gate::Held(HoldRule::PinnedRevisionMissing)));
                };
                let mut assignment = keep();
                assignment.assign_all(stable.hash);
                Some((assignment, Gate::Back(rule)))
            }
            Some(HoldRule::AutoPaused(pause)) => {
                let pause = AutoPause {
                    stage: stage.map(|stage| stage.name),
                    ..pause
                };
                Some((keep(), Gate::Held(HoldRule::AutoPaused(pause))))
            }
            Some(rule) => Some((keep(), Gate::Held(rule))),
        }
    }

    /// What stages are made and judged by. None where there is no stable revision, and so no stage.
    fn stages<'f, 'a>(
        &'f self,
        known: &Known<'f, 'a>,
        failing: &'f Failing,
    ) -> Option<stages::Facts<'f, 'a>> {
        // A first install has none.
        if matches!(self.stable(), Stable::None | Stable::Current) {
            return None;
        }
        Some(stages::Facts {
            snapshot: known.snapshot,
            history: known.history,
            by_node: known.by_node,
            exempt: known.exempt,
            failing,
            stable: self.stable,
            released: self.released(known.history),
            started: self.current.and_then(|revision| revision.started),
            now: known.now,
        })
    }

    /// The stages that are over. Those of an earlier rollout to the same revision do not count, nor
    /// do they in the plan that makes it the newest again.
    fn released(&self, history: &History) -> &'s [Str] {
        match self.current {
            Some(revision) if !is_newest_again(history) => &revision.released,
            _ => &[],
        }
    }

    /// Adds what is held to the draft, and takes out what may not be done.
    pub fn hold(&self, gate: &Gate, facts: &Facts<'_, '_>, draft: &mut Draft) {
        let Some(control) = self.control else {
            return;
        };
        if let Gate::Back(rule) = gate {
            draft.holds.on_daemon_set(rule.clone());
        } else {
            hold::rollout(facts, gate, draft);
        }
        if let Gate::Held(_) = gate {
            hold::all(control.hold, facts.snapshot.nodes, draft);
        }
        draft.events.extend(hold::event(facts.ds()));
    }

    /// All stages that are over, where that is to be recorded on the current revision, and the
    /// event that tells of those that are over now. A rollout that begins anew has none.
    pub fn release_stages(&self, gate: &Gate, history: &History) -> Option<Released> {
        let current = self.current?;
        let released = self.released(history);
        let over = match gate {
            Gate::Stage(stages::Stage { over, .. }) => over.as_ref(),
            Gate::Held(_) | Gate::Back(_) => None,
        };
        let is_stale = released.len() < current.released.len();
        if over.is_none() && !is_stale {
            return None;
        }
        let names = over.map_or(&[][..], |over| &over.names);
        let all = released.iter().chain(names).cloned().collect();
        Some(Released {
            stages: (current.into(), all),
            event: over.map(|over| over.event(current)),
        })
    }

    /// The nodes that are to have an older revision.
    pub fn older(
        &self,
        snapshot: &Snapshot<'_>,
        old: &'s [(&Revision, Str)],
        assignment: Option<&Assignment<'_>>,
    ) -> BTreeMap<NodeId, OlderRevision> {
        let Some(assignment) = assignment else {
            return BTreeMap::new();
        };
        let template = |(revision, hash): &'s (&Revision, Str)| {
            Some((hash, snapshot.placed(revision)?.template))
        };
        let templates: BTreeMap<&Str, &Arc<Template>> = old.iter().filter_map(template).collect();
        let of_node = |(id, _)| {
            let Assigned { hash, verdicts } = assignment.of(id)?;
            let older = OlderRevision {
                hash: hash.clone(),
                template: Arc::clone(templates.get(hash)?),
                verdict: verdicts.get(id),
            };
            Some((id, older))
        };
        snapshot.nodes.iter().filter_map(of_node).collect()
    }

    /// What is to be recorded on the current revision: that the rollout to it begins now, with the
    /// plan that creates it or makes it the newest again, or because rollout control came to it in
    /// the middle.
    pub fn started(
        &self,
        history: &History,
        standing: &Standing,
        now: Time,
    ) -> Option<(Option<RevisionRef>, Time)> {
        self.control?;
        let Some(current) = self.current else {
            return Some((None, now));
        };
        let is_newest_again = is_newest_again(history);
        let is_unknown = current.started.is_none() && standing.progress != Progress::Complete;
        (is_newest_again || is_unknown).then(|| (Some(current.into()), now))
    }

    /// What is to be recorded: that a revision completed now, so that the next rollout knows what
    /// is stable; or what a duplicate of the current revision has recorded.
    ///
    /// Without rollout control nothing completes. A revision that completed before completes again
    /// when another one did since, or when its rollout began anew. `complete` is what
    /// [`status::Counted`](super::status::Counted) has, unless the last stage still bakes.
    pub fn completed(&self, complete: bool, now: Time) -> Option<(RevisionRef, Time)> {
        let newest = self.current_completed.max(self.old_completed());
        let is_newest = |at: Option<Time>| at.is_some() && at == newest;
        if let Some(older) = self.complete.filter(|r| !is_newest(r.completed)) {
            return Some((older.into(), now));
        }
        let current = self.current?;
        let is_recorded = is_newest(self.current_completed) && !self.is_begun_anew(now);
        if self.control.is_some() && complete && !is_recorded {
            return Some((current.into(), now));
        }
        let lost = self
            .current_completed
            .filter(|at| current.completed != Some(*at));
        lost.map(|at| (current.into(), at))
    }

    /// When the newest of the others completed.
    fn old_completed(&self) -> Option<Time> {
        self.newest_old.map(|(_, at)| at)
    }

    /// Whether the current revision is the one that completed last.
    pub fn is_completed(&self) -> bool {
        self.current_completed.is_some() && self.current_completed >= self.old_completed()
    }

    /// The same, and it is not on its way back.
    pub fn is_rolled_out(&self, now: Time) -> bool {
        self.is_completed() && !self.is_begun_anew(now)
    }

    /// Whether the current revision completed, and became the newest again since: its template was
    /// taken back, and then not. A time that has not come is no record.
    fn is_begun_anew(&self, now: Time) -> bool {
        let started = self.current.and_then(|revision| revision.started);
        let started = started.filter(|at| *at <= now);
        started
            .zip(self.current_completed)
            .is_some_and(|(started, completed)| started > completed)
    }

    /// How the last stage of a rollout stands, once the counts say that the revision is complete.
    pub fn last_bake(&self, facts: &Facts<'_, '_>, complete: bool) -> LastBake {
        let Some(control) = self.control.filter(|_| complete) else {
            return LastBake::Over;
        };
        let hash = &facts.history.current.hash;
        let has_stages = control.canary.is_some() || control.order.is_some();
        let is_released = !self.released(facts.history).is_empty();
        let is_staged = has_stages && (self.stable.is_some() || is_released);
        let is_good = self.current_completed.is_some() || control.approve.as_ref() == Some(hash);
        let Bake::For(time) = control.bake else {
            return LastBake::Over;
        };
        if !is_staged || is_good {
            return LastBake::Over;
        }
        let nodes = facts.snapshot.nodes.iter().map(|(id, _)| id);
        let counts = |id: &NodeId| facts.is_eligible(*id) && !facts.exempt.excuses(*id);
        let eligible = nodes.filter(counts);
        let since = eligible.map(|id| {
            let mut live = facts.visible(id).filter(|p| p.is_live());
            let pod = live.find(|p| facts.is_of_current(p))?;
            let since = bake::available_since(facts.ds(), pod, facts.now)?;
            let started = self.current.and_then(|revision| revision.started);
            let joined = bake::joined(facts.snapshot.nodes.get(id), started);
            Some(Sample { since, joined })
        });
        match bake::stage_since(since, facts.now).map(|since| since + time) {
            // A pod is on its way out that the counts still have.
            None => LastBake::Interrupted,
            Some(until) if until > facts.now => LastBake::Until(until),
            Some(_) => LastBake::Over,
        }
    }

    /// The number of the stable revision, where it is an older one.
    pub fn stable_number(&self) -> Option<i64> {
        self.stable.map(|(revision, _)| revision.number)
    }

    /// The name of the stable revision, where it is an older one.
    pub fn stable_name(&self) -> Option<&'s str> {
        self.stable.map(|(revision, _)| &*revision.name)
    }

    /// The hash of the stable revision, where it is an older one.
    pub fn stable_hash(&self) -> Option<&'s Str> {
        self.stable.map(|(_, hash)| hash)
    }
}

/// The templates of the older revisions that these creates are of, by hash.
pub fn older_templates(
    older: &BTreeMap<NodeId, OlderRevision>,
    creates: &[Create],
) -> Vec<(Str, Arc<Template>)> {
    let asked = creates.iter().filter_map(|c| older.get(&c.node_id));
    let asked = asked.map(|older| (older.hash.clone(), older.template.clone()));
    let by_hash: BTreeMap<Str, Arc<Template>> = asked.collect();
    by_hash.into_iter().collect()
}
