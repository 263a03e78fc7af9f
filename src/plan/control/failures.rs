//! What is judged of the current revision while it is rolled out, and what is to be recorded of it:
//! an approval, the time of the deadline, a verdict.

use std::time::Duration;

use crate::model::{
    Approved, Clock, Control, Failed, FailureAction, Pod, Revision, Snapshot, Time,
};

use crate::plan::{
    hold::HoldRule,
    revisions::{self, History, RevisionRef},
};

use super::{
    Known, Rules,
    assign::Assigned,
    deadline,
    failing::{Failing, Way},
    judge::Judge,
    rollback::{self, RolledBack},
};

impl Known<'_, '_> {
    /// Whether the current revision was rolled out to all nodes by somebody else after a verdict of
    /// this time, as without the keys: every live pod is of it, and some were made since. A
    /// rollback makes none.
    fn is_overtaken(&self, at: Time) -> bool {
        let current = &self.history.current.hash;
        let nodes = self.snapshot.nodes.iter();
        let pods = nodes.flat_map(|(id, _)| self.by_node.on(id).iter().copied());
        let mut newest = None;
        let is_current = |pod: &Pod| {
            newest = newest.max(Some(pod.created));
            revisions::hash_of(pod, self.history) == Some(current)
        };
        pods.filter(|pod| pod.is_live()).all(is_current) && newest.is_some_and(|made| made > at)
    }
}

impl Failing {
    /// The rule by which the rollout has failed, whatever else holds it.
    pub fn rule(&self, now: Time) -> Option<HoldRule> {
        if let Some(failed) = &self.verdict {
            return Some(match self.back_pause() {
                Some(pause) => HoldRule::RollbackPaused(pause),
                None => HoldRule::RolledBack(failed.into()),
            });
        }
        if let Some(failed) = self.taken_back(now) {
            return Some(HoldRule::RolledBack(RolledBack::from(&failed)));
        }
        let past = self.past().map(HoldRule::ProgressDeadlineExceeded);
        past.or_else(|| self.pause().map(HoldRule::AutoPaused))
    }
}

impl<'s> Rules<'s> {
    /// The nodes that fail with the current revision. It is judged while it is rolled out, from the
    /// record that it began until it has completed: what fails later is upkeep.
    pub fn failing<'a: 's>(&self, known: &Known<'s, 'a>) -> Failing {
        let Known {
            snapshot,
            history,
            by_node,
            exempt,
            now,
            ..
        } = *known;
        let on_failure = self.control.and_then(Control::failures);
        let current = self.current.filter(|current| current.started.is_some());
        let (Some(on_failure), Some(current)) = (on_failure, current) else {
            return Failing::default();
        };
        if self.current_completed.is_some() {
            return Failing::default();
        }
        let approved = self.approved(current, now);
        let judge = Judge::new(snapshot, history, approved, now);
        let mut failing = judge.find(on_failure, by_node, exempt);
        let way = self.way_back(snapshot);
        let is_forgiven = self.approval_is_new(history, current, now);
        failing = failing.with_approval(is_forgiven).with_way(match way {
            Some(_) => Way::Back,
            None if self.has_lost => Way::Lost,
            None => Way::None,
        });
        let failed = current.failed.as_deref();
        let failed = failed.filter(|failed| rollback::stands(failed, approved, now));
        if let Some(failed) = failed {
            let is_back = on_failure.action == FailureAction::Rollback;
            let is_overtaken =
                is_back && failing.pause().is_none() && known.is_overtaken(failed.at);
            if is_back && (way.is_some() || self.has_lost) && !is_overtaken {
                let way = way.filter(|to| known.is_going_back(to.hash));
                let back = way.map_or_else(Failing::default, |to| {
                    let judge = judge.of_older(to.hash, to.verdicts, None);
                    judge.since(failed.at).find(on_failure, by_node, exempt)
                });
                failing.go_back(failed, back);
                return failing;
            }
            if !is_overtaken {
                failing.remember(failed);
            }
        }
        if let Some(deadline) = self.control.and_then(|control| control.deadline) {
            self.watch(known, current, deadline, &mut failing);
        }
        failing
    }

    /// Judges the time of `deadline`.
    fn watch<'a: 's>(
        &self,
        known: &Known<'s, 'a>,
        current: &'s Revision,
        deadline: Duration,
        failing: &mut Failing,
    ) {
        let mut assignment = known.keep(self.stable(), self.gone(&known.history.current.hash));
        let facts = self.stages(known, failing);
        let stage = self.control.zip(facts);
        let stage = stage.and_then(|(c, facts)| facts.assign(c, &mut assignment));
        let watch = deadline::Watch {
            snapshot: known.snapshot,
            history: known.history,
            by_node: known.by_node,
            exempt: known.exempt,
            current,
            approved: self.approved(current, known.now),
            stage: stage.as_ref(),
            is_held: self.held.is_some(),
            now: known.now,
        };
        watch.judge(deadline, failing);
    }

    /// What nodes go back to where the current revision fails: the stable one. None where there is
    /// none, and where it may be the one that is gone: pods run whose revision is.
    pub(super) fn way_back<'a: 's>(&self, snapshot: &Snapshot<'a>) -> Option<Assigned<'s>> {
        let (revision, hash) = self.stable.filter(|_| !self.has_lost)?;
        let verdicts = snapshot.placed(revision)?.verdicts;
        Some(Assigned { hash, verdicts })
    }

    /// The approval that is recorded on the current revision. One of a time that has not come is
    /// no record.
    fn approved(&self, current: &'s Revision, now: Time) -> Option<&'s Approved> {
        current.approved.as_deref().filter(|a| a.at <= now)
    }

    /// Whether the key `approve` asks for an approval that is not recorded yet.
    fn approval_is_new(&self, history: &History, current: &'s Revision, now: Time) -> bool {
        let asked = self.control.and_then(|control| control.approve.as_ref());
        let known = self.approved(current, now);
        asked == Some(&history.current.hash) && known.is_none_or(|approved| approved.withdrawn)
    }

    /// What is to be recorded on the current revision of the time of `deadline`. It begins anew
    /// with each stage.
    pub fn clock(
        &self,
        history: &History,
        failing: &Failing,
        now: Time,
    ) -> Option<(RevisionRef, Clock)> {
        let deadline = self.control?.deadline.filter(|_| failing.is_judged);
        let is_over = deadline.is_some() && history.ops.release_stages.is_some();
        let anew = is_over.then_some(Clock::Since(now));
        Some((self.current?.into(), anew.or(failing.set_clock)?))
    }

    /// The verdict that is to be recorded on the current revision.
    pub fn verdict(&self, failing: &Failing, now: Time) -> Option<(RevisionRef, Failed)> {
        if self.held.is_some() {
            return None;
        }
        Some((self.current?.into(), failing.sentence(now)?))
    }

    /// What is to be recorded of an approval of the current revision: that it is there, with how
    /// often containers had been restarted by then, or that it is gone again.
    pub fn approval(
        &self,
        history: &History,
        failing: &Failing,
        now: Time,
    ) -> Option<(RevisionRef, Approved)> {
        let (control, current) = (self.control?, self.current?);
        if !failing.is_judged {
            return None;
        }
        let is_asked = control.approve.as_ref() == Some(&history.current.hash);
        let known = self.approved(current, now);
        let is_known = known.is_some_and(|approved| !approved.withdrawn);
        if is_asked == is_known {
            return None;
        }
        let approved = match known {
            Some(known) if !is_asked => Approved {
                withdrawn: true,
                ..known.clone()
            },
            _ => Approved {
                at: now,
                restarts: failing.restarts(),
                withdrawn: false,
            },
        };
        Some((current.into(), approved))
    }
}
