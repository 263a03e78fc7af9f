//! The stable revision: what nodes have while they are not released for the current one.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Bake, Control, NodeId, Pod, Revision, Snapshot, Str, Time, Verdict, Verdicts};

use crate::plan::{
    by_node::ByNode,
    revisions::{self, History},
};

use super::{
    bake::{self, Sample},
    exempt::Exempt,
    judge::Judge,
    rollback,
};

/// A revision with its hash.
pub type Hashed<'s> = (&'s Revision, &'s Str);

/// When the revision completed, where that was recorded. A time that has not come is no record: it
/// would be the newest of all, whatever completes meanwhile.
pub fn completed(revision: &Revision, now: Time) -> Option<Time> {
    revision.completed.filter(|at| *at <= now)
}

/// The stable revision among `old`, those but the current one, which completed at
/// `current_completed`. It is the newest that completed. Where none did, as after a takeover in the
/// middle of a rollout: the one with the highest number that a live pod carries. None where the
/// current revision itself is the newest that completed, and for a first install.
///
/// Before all these comes a revision that is [`Look::complete`] now.
pub fn stable<'s>(
    current_completed: Option<Time>,
    old: &'s [(&Revision, Str)],
    pods: &[&Pod],
    history: &History,
    now: Time,
) -> Option<Hashed<'s>> {
    let hashed = |(revision, hash): &'s (&'s Revision, Str)| (*revision, hash);
    let recorded = old
        .iter()
        .map(hashed)
        .filter_map(|(r, hash)| Some((completed(r, now)?, r.number, r, hash)));
    let newest = recorded.max_by_key(|(at, number, ..)| (*at, *number));
    match newest {
        Some((at, _, revision, hash)) if current_completed.is_none_or(|current| current < at) => {
            return Some((revision, hash));
        }
        None if current_completed.is_none() => {}
        _ => return None,
    }
    let live = pods.iter().filter(|p| p.is_live());
    let carried: BTreeSet<&Str> = live
        .filter_map(|p| revisions::hash_of(p, history))
        .collect();
    let carried = old.iter().filter(|(_, hash)| carried.contains(hash));
    carried
        .map(hashed)
        .max_by_key(|(r, _)| (!has_failed(r, now), r.number, &r.name))
}

/// Whether the revision was taken back, and nobody has approved it since.
fn has_failed(revision: &Revision, now: Time) -> bool {
    let approved = revision.approved.as_deref().filter(|a| a.at <= now);
    let failed = revision.failed.as_deref();
    failed.is_some_and(|failed| rollback::stands(failed, approved, now))
}

/// What the completion of a revision is judged by.
pub struct Look<'p, 'a> {
    /// The snapshot.
    pub snapshot: &'p Snapshot<'a>,
    /// The revisions, sorted out.
    pub history: &'p History,
    /// The live pods.
    live: Vec<&'p Pod>,
    /// Claimed pods by node.
    pub by_node: &'p ByNode<'a>,
    /// The time of the plan.
    pub now: Time,
}

impl<'p, 'a> Look<'p, 'a> {
    /// `pods` are all claimed pods.
    pub fn new(
        snapshot: &'p Snapshot<'a>,
        history: &'p History,
        pods: &[&'p Pod],
        by_node: &'p ByNode<'a>,
        now: Time,
    ) -> Look<'p, 'a> {
        Look {
            snapshot,
            history,
            live: pods.iter().copied().filter(|p| p.is_live()).collect(),
            by_node,
            now,
        }
    }

    fn hash(&self, pod: &'p Pod) -> Option<&'p Str> {
        revisions::hash_of(pod, self.history)
    }

    /// Since when the revision with this hash has been complete, whoever rolled it out: every live
    /// pod is of it, and every node that its pods belong on has an available one. Nodes that are
    /// exempt from its rollout aside. None where it is not, or there is no such node.
    fn since(
        &self,
        of: &Str,
        started: Option<Time>,
        verdict: impl Fn(NodeId) -> Verdict,
    ) -> Option<Time> {
        let snapshot = self.snapshot;
        let exempt = Exempt::find(snapshot, self.history, of, self.by_node);
        let exempt = exempt.limit(snapshot, self.by_node, &verdict);
        let is_excused = |pod: &Pod| pod.node.is_some_and(|id| exempt.excuses(id));
        let mut live = self.live.iter();
        if live.any(|pod| self.hash(pod) != Some(of) && !is_excused(pod)) {
            return None;
        }
        let since = |pod: &&Pod| {
            let since = bake::available_since(snapshot.daemon_set, pod, self.now)?;
            Some((pod.node?, since))
        };
        let covered: BTreeMap<NodeId, Time> = self
            .live
            .iter()
            .copied()
            .filter_map(|p| since(&p))
            .collect();
        let nodes = snapshot.nodes.iter().map(|(id, _)| id);
        let mut eligible = nodes
            .filter(|id| verdict(*id).should_run() && !exempt.excuses(*id))
            .peekable();
        eligible.peek()?;
        let sample = |id| {
            let since = *covered.get(&id)?;
            let joined = bake::joined(snapshot.nodes.get(id), started);
            Some(Sample { since, joined })
        };
        bake::stage_since(eligible.map(sample), self.now)
    }

    /// Whether the current revision is complete now.
    pub fn is_current_complete(&self) -> bool {
        let verdict = |id| self.snapshot.verdicts.get(id);
        self.since(&self.history.current.hash, None, verdict)
            .is_some()
    }

    /// The older revision that is complete now. None while a live pod is of the current one: then
    /// that one is rolled out. One that was rolled out in stages has to have baked as well.
    pub fn complete<'s>(&self, old: &'s [(&Revision, Str)]) -> Option<Hashed<'s>> {
        let carried: BTreeSet<&Str> = self.live.iter().filter_map(|pod| self.hash(pod)).collect();
        if carried.contains(&self.history.current.hash) {
            return None;
        }
        let carried = old.iter().filter(|(_, hash)| carried.contains(hash));
        let is_complete = |revision: &Revision, hash: &Str| {
            let verdicts = self.snapshot.placed(revision)?.verdicts;
            let since = self.since(hash, revision.started, |id| verdicts.get(id))?;
            let fails = self.fails(revision, hash, verdicts);
            (!fails && self.has_baked(revision, hash, since)).then_some(())
        };
        let complete = carried.filter(|(r, hash)| is_complete(r, hash).is_some());
        let newest = complete.max_by_key(|(revision, _)| (revision.number, &revision.name));
        newest.map(|(revision, hash)| (*revision, hash))
    }

    /// Whether the rollout of an older revision failed, or was paused because nodes fail. Then its
    /// pods may be available for a moment, and it is not complete all the same.
    fn fails(&self, revision: &Revision, hash: &Str, verdicts: &Verdicts) -> bool {
        let is_judged = revision.started.is_some() && completed(revision, self.now).is_none();
        let control = self.snapshot.daemon_set.control.as_deref();
        let on_failure = control.and_then(Control::failures).filter(|_| is_judged);
        has_failed(revision, self.now)
            || on_failure.is_some_and(|on_failure| {
                let approved = revision.approved.as_deref().filter(|a| a.at <= self.now);
                let judge = Judge::new(self.snapshot, self.history, None, self.now);
                let judge = judge.of_older(hash, verdicts, approved);
                let exempt = Exempt::find(self.snapshot, self.history, hash, self.by_node);
                let failing = judge.find(on_failure, self.by_node, &exempt);
                failing.pause().is_some()
            })
    }

    /// Whether an older revision that is complete since then was watched for long enough, or needs
    /// not be. It needs not where it completed before, or where nothing says that it was rolled out
    /// under rollout control.
    fn has_baked(&self, revision: &Revision, hash: &Str, since: Time) -> bool {
        let Some(control) = self.snapshot.daemon_set.control.as_deref() else {
            return false;
        };
        let is_staged = control.canary.is_some() || control.order.is_some();
        let is_ours = revision.started.is_some() || !revision.released.is_empty();
        if !is_staged || !is_ours || completed(revision, self.now).is_some() {
            return true;
        }
        let is_approved = control.approve.as_ref() == Some(hash);
        match control.bake {
            Bake::For(time) => is_approved || since + time <= self.now,
            Bake::Approval => is_approved || !revision.released.is_empty(),
        }
    }

    /// Whether a live pod is of a revision that is gone.
    pub fn has_lost(&self, old: &[(&Revision, Str)]) -> bool {
        let current = &self.history.current.hash;
        let is_known = |hash: &Str| hash == current || old.iter().any(|(_, of)| of == hash);
        let mut hashes = self.live.iter().filter_map(|pod| self.hash(pod));
        hashes.any(|hash| !is_known(hash))
    }
}
