//! Progress of a rollout: since when it is under way, and whether it is stuck.
//!
//! A rollout is under way from the first plan that sees a pod of an older revision, until every
//! eligible node has a pod of the current one and at least as many of them are available as when it
//! began. Nodes that were out of order before the rollout do not keep it from its end. A new
//! template begins another rollout. Nor do exempt nodes keep it from its end, which wait until they
//! are well. While the rollout is held by an annotation, none is under way:
//! somebody wants it so, nothing is late, and when it goes on the patience begins anew.
//!
//! A rollout is stuck when no further node has come to have an available pod of the current
//! revision for [`PATIENCE`] and the time that a pod takes by itself, or when the API server has
//! refused to create pods for [`REFUSED`].
//!
//! Times are compared with each other only, so the caller may take them from any clock, but always
//! from the same one. A monotonic clock (the metrics' choice) makes steps of the wall clock
//! invisible. With the wall clock, a step forward ends the patience early, until the next node is
//! done; after a step back, ages are zero and nothing is stuck until the next plan, which moves all
//! times that lie in the future to its own: the age and the patience begin anew.

use std::time::Duration;

use crate::model::{DaemonSet, DaemonSetStatus, Str, Time};

use super::counts::Rollout;
use crate::plan::whole::Plan;

/// The time that a node may take, besides `minReadySeconds` and `terminationGracePeriodSeconds`.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// The time after which a rollout whose pods the API server refuses is stuck.
pub const REFUSED: Duration = Duration::from_secs(60);

/// Kubernetes' `terminationGracePeriodSeconds` where the template has none.
const DEFAULT_GRACE_SECONDS: u64 = 30;

/// A rollout that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The hash of the revision that is rolled out.
    revision: Str,
    begun: Time,
    /// Nodes with an available pod when the rollout began.
    available: i32,
    /// Eligible nodes at the last plan.
    desired: usize,
    /// The least number of nodes that were not done at any plan. Nodes that joined since are added,
    /// so that a node that is done after that counts as progress all the same.
    left: usize,
    /// The time at which `left` last became less.
    advanced: Time,
    /// The time that a node may take.
    patience: Duration,
}

impl Progress {
    /// The rollout that is under way after this plan, made at `now`; None when there is none, and
    /// where the plan does not say (`OnDelete`, a DaemonSet that is left alone) or is held.
    /// `before` is the answer after the last plan for the same DaemonSet.
    pub fn after(
        before: Option<Progress>,
        ds: &DaemonSet,
        plan: &Plan,
        now: Time,
    ) -> Option<Progress> {
        let (Some(rollout), Some(revision), Some(status)) =
            (&plan.rollout, &plan.revision, &plan.status)
        else {
            return None;
        };
        if plan.holds.iter().any(|hold| hold.rule.holds_rollout()) {
            return None;
        }
        let exempt = i32::try_from(rollout.exempt).unwrap_or(i32::MAX);
        let updated = status.updated_number_scheduled.saturating_add(exempt);
        let has_old = rollout.old > 0 || updated < status.current_number_scheduled;
        if !has_old && before.as_ref().is_none_or(|p| p.is_done(status, exempt)) {
            return None;
        }
        match before {
            Some(mut progress) if progress.revision == revision.hash => {
                progress.go_on(rollout, now);
                Some(progress)
            }
            before => Some(Progress {
                revision: revision.hash.clone(),
                begun: now,
                // In the middle of a rollout fewer nodes are available than before it.
                available: before
                    .map_or(0, |b| b.available)
                    .max(status.number_available),
                desired: rollout.desired,
                left: left(rollout),
                advanced: now,
                patience: patience(ds),
            }),
        }
    }

    /// The first plan that saw the rollout.
    pub fn begun(&self) -> Time {
        self.begun
    }

    /// The time since [`Progress::begun`].
    pub fn age(&self, now: Time) -> Duration {
        now.since(self.begun)
    }

    /// The time since which nothing has moved, where the rollout is stuck. `refused` is the time
    /// since which the API server refuses to create pods: then nothing is replaced.
    pub fn stuck_since(&self, refused: Option<Time>, now: Time) -> Option<Time> {
        let stalled = (now.since(self.advanced) > self.patience).then_some(self.advanced);
        let refused = refused.filter(|since| now.since(*since) >= REFUSED);
        stalled.into_iter().chain(refused).min()
    }

    /// So many nodes are exempt and not done.
    fn is_done(&self, status: &DaemonSetStatus, exempt: i32) -> bool {
        let desired = status.desired_number_scheduled.saturating_sub(exempt);
        status.updated_number_scheduled >= desired
            && status.number_available >= self.available.min(desired)
    }

    fn go_on(&mut self, rollout: &Rollout, now: Time) {
        self.begun = self.begun.min(now);
        self.advanced = self.advanced.min(now);
        self.left += rollout.desired.saturating_sub(self.desired);
        self.desired = rollout.desired;
        if left(rollout) < self.left {
            self.left = left(rollout);
            self.advanced = now;
        }
    }
}

/// Nodes that are not done.
fn left(rollout: &Rollout) -> usize {
    rollout.desired.saturating_sub(rollout.done)
}

/// The time that a node may take: its old pod ends, its new one starts and becomes available.
fn patience(ds: &DaemonSet) -> Duration {
    let grace = ds.template.termination_grace_period_seconds;
    let ready = u64::try_from(ds.min_ready_seconds).unwrap_or(0);
    PATIENCE + Duration::from_secs(ready.saturating_add(grace.unwrap_or(DEFAULT_GRACE_SECONDS)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        model::Interner,
        plan::{LeftAlone, hold::HoldRule, holds::Holds, revisions::CurrentRevision},
        wire,
    };

    use super::*;

    const NOON: Time = Time::from_secs(1_800_000_000);

    /// The time that a node of [`daemon_set`] may take.
    const WHOLE: u64 = 660;

    fn at(seconds: u64) -> Time {
        NOON + Duration::from_secs(seconds)
    }

    fn decode(min_ready_seconds: i32, pod_spec: &str) -> DaemonSet {
        let spec: serde_json::Value = serde_json::from_str(pod_spec).expect("JSON");
        let labels = json!({"a": "b"});
        let object = json!({
            "metadata": {"namespace": "default", "name": "web", "uid": "u", "resourceVersion": "1"},
            "spec": {
                "selector": {"matchLabels": labels},
                "minReadySeconds": min_ready_seconds,
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        });
        let text = object.to_string();
        let raw: &serde_json::value::RawValue = serde_json::from_str(&text).expect("JSON");
        wire::daemon_set::decode(raw, &mut Interner::default()).expect("a DaemonSet")
    }

    fn daemon_set() -> DaemonSet {
        decode(20, r#"{"terminationGracePeriodSeconds": 40}"#)
    }

    /// A plan for so many nodes, of which so many have an available pod of this revision and all
    /// others an available pod of an older one.
    fn plan_to(revision: &str, desired: usize, done: usize) -> Plan {
        let count = |n: usize| i32::try_from(n).expect("a few");
        Plan {
            revision: Some(CurrentRevision {
                name: format!("web-{revision}").into(),
                hash: revision.into(),
                number: 2,
                create: false,
            }),
            rollout: Some(Rollout {
                desired,
                done,
                old: desired - done,
                ..Rollout::default()
            }),
            status: Some(DaemonSetStatus {
                desired_number_scheduled: count(desired),
                current_number_scheduled: count(desired),
                number_available: count(desired),
                updated_number_scheduled: count(done),
                ..DaemonSetStatus::default()
            }),
            ..Plan::default()
        }
    }

    fn plan(desired: usize, done: usize) -> Plan {
        plan_to("b", desired, done)
    }

    /// The same plan with other numbers in the status: updated, available.
    fn counted(mut plan: Plan, updated: i32, available: i32) -> Plan {
        let status = plan.status.as_mut().expect("a status");
        status.updated_number_scheduled = updated;
        status.number_available = available;
        plan
    }

    /// The same plan with so many exempt nodes.
    fn exempt(mut plan: Plan, nodes: usize) -> Plan {
        plan.rollout.as_mut().expect("a rollout").exempt = nodes;
        plan
    }

    #[test]
    fn a_rollout_begins_with_an_older_pod_and_ends_when_as_many_nodes_are_available_as_before() {
        let without = |f: fn(&mut Plan)| {
            let mut plan = plan(10, 3);
            f(&mut plan);
            plan
        };
        let ds = daemon_set();
        for (case, before, then, under_way) in [
            ("all are up to date", None, plan(10, 10), false),
            ("an older pod", None, plan(10, 9), true),
            (
                "no node has an older pod and one is not updated",
                None,
                counted(plan(10, 10), 9, 10),
                true,
            ),
            ("OnDelete", None, without(|p| p.rollout = None), false),
            (
                "it cannot be planned for",
                Some(plan(10, 3)),
                Plan::leave_alone(LeftAlone::BeingDeleted),
                false,
            ),
            ("all is done", Some(plan(10, 3)), plan(10, 10), false),
            (
                "the last new pod is not available",
                Some(plan(10, 3)),
                counted(plan(10, 10), 10, 9),
                true,
            ),
            (
                "one was not available before either",
                Some(counted(plan(10, 3), 3, 9)),
                counted(plan(10, 10), 10, 9),
                false,
            ),
            (
                "only exempt nodes have an older pod, and are not available",
                Some(plan(10, 3)),
                exempt(counted(plan(10, 10), 8, 8), 2),
                false,
            ),
            (
                "besides them the last new pod is not available",
                Some(plan(10, 3)),
                exempt(counted(plan(10, 10), 8, 7), 2),
                true,
            ),
            (
                "only exempt nodes have an older pod from the beginning",
                None,
                exempt(counted(plan(10, 10), 8, 8), 2),
                false,
            ),
            (
                "nodes left, so fewer can be available",
                Some(plan(10, 3)),
                plan(8, 8),
                false,
            ),
        ] {
            let before = before.map(|p| Progress::after(None, &ds, &p, NOON).expect("under way"));
            let after = Progress::after(before, &ds, &then, at(1));
            assert_eq!(after.is_some(), under_way, "{case}");
        }
    }

    #[test]
    fn while_it_is_held_no_rollout_is_under_way_and_the_patience_begins_anew_afterwards() {
        let ds = daemon_set();
        let held = |rule: HoldRule| {
            let mut holds = Holds::default();
            holds.on_daemon_set(rule);
            Plan {
                holds: holds.finish().0,
                ..plan(10, 3)
            }
        };
        let before = Progress::after(None, &ds, &plan(10, 3), NOON);
        for rule in [
            HoldRule::HeldByAnnotation,
            HoldRule::InvalidAnnotation("what".into()),
        ] {
            let during = Progress::after(before.clone(), &ds, &held(rule), at(1));
            assert_eq!(during, None);
        }
        let waits = Progress::after(before, &ds, &held(HoldRule::MaxUnavailable), at(1));
        assert!(waits.is_some_and(|p| p.begun() == NOON), "no other hold");
        let after = Progress::after(None, &ds, &plan(10, 3), at(10_000)).expect("under way");
        assert_eq!(after.stuck_since(None, at(10_000 + WHOLE)), None);
    }

    #[test]
    fn only_a_further_node_that_is_done_is_progress() {
        let ds = daemon_set();
        let mut progress = None;
        // Seconds, desired and done at a plan; stuck before it and after it.
        for (case, seconds, desired, done, before, after) in [
            ("it begins", 0, 100, 10, false, false),
            ("a node may take its time", WHOLE, 100, 10, false, false),
            (
                "nodes that join are no progress",
                WHOLE + 1,
                130,
                10,
                true,
                true,
            ),
            (
                "one that is done after that is",
                WHOLE + 2,
                130,
                11,
                true,
                false,
            ),
            (
                "nodes that leave are no progress",
                2 * WHOLE + 3,
                120,
                1,
                true,
                true,
            ),
            (
                "one that is done after that is",
                2 * WHOLE + 4,
                120,
                2,
                true,
                false,
            ),
            ("a pod ceases to be available", 2_000, 120, 1, true, true),
            ("and is available again", 2_001, 120, 2, true, true),
        ] {
            let now = at(seconds);
            let stuck = |progress: &Option<Progress>| {
                let progress = progress.as_ref();
                progress.and_then(|p| p.stuck_since(None, now)).is_some()
            };
            assert_eq!(stuck(&progress), before, "before: {case}");
            progress = Progress::after(progress, &ds, &plan(desired, done), now);
            assert_eq!(stuck(&progress), after, "{case}");
        }
        let progress = progress.expect("under way");
        assert_eq!(
            (progress.begun(), progress.age(at(2_001))),
            (NOON, Duration::from_secs(2_001))
        );
        let since = progress.stuck_since(None, at(2_001));
        assert_eq!(since, Some(at(2 * WHOLE + 4)), "the last node was done");
    }

    #[test]
    fn another_template_is_another_rollout_that_ends_where_the_first_would_have() {
        let ds = daemon_set();
        let first = Progress::after(None, &ds, &plan_to("b", 10, 3), NOON);
        // Two nodes are down in the middle of it.
        let then = counted(plan_to("c", 10, 0), 0, 8);
        let second = Progress::after(first, &ds, &then, at(100)).expect("under way");
        assert_eq!(second.begun(), at(100));
        let almost = counted(plan_to("c", 10, 10), 10, 9);
        let second = Progress::after(Some(second), &ds, &almost, at(200));
        assert!(second.is_some(), "ten were available when all began");
        assert_eq!(
            Progress::after(second, &ds, &plan_to("c", 10, 10), at(300)),
            None
        );
    }

    #[test]
    fn a_node_may_take_what_its_pods_take_by_themselves() {
        for (min_ready_seconds, pod_spec, besides) in [
            (0, "{}", 30),
            (0, r#"{"terminationGracePeriodSeconds": 0}"#, 0),
            (20, r#"{"terminationGracePeriodSeconds": 40}"#, 60),
            (20, r#"{"terminationGracePeriodSeconds": null}"#, 50),
            // What the API server would not store is read as absent, and the DaemonSet stays
            // readable.
            (20, r#"{"terminationGracePeriodSeconds": -1}"#, 50),
            (20, r#"{"terminationGracePeriodSeconds": "1h"}"#, 50),
            (-20, "{}", 30),
        ] {
            let ds = decode(min_ready_seconds, pod_spec);
            let progress = Progress::after(None, &ds, &plan(10, 3), NOON).expect("under way");
            let patience = PATIENCE + Duration::from_secs(besides);
            let just = NOON + patience;
            assert_eq!(progress.stuck_since(None, just), None, "{pod_spec}");
            let more = just + Duration::from_micros(1);
            assert_eq!(progress.stuck_since(None, more), Some(NOON), "{pod_spec}");
        }
    }

    #[test]
    fn a_rollout_whose_pods_are_refused_for_a_minute_is_stuck() {
        let ds = daemon_set();
        let progress = Progress::after(None, &ds, &plan(10, 3), NOON).expect("under way");
        let whole = WHOLE + 1;
        for (refused, now, since) in [
            (None, 60, None),
            (Some(10), 69, None),
            (Some(10), 70, Some(10)),
            // Both, and the earlier counts.
            (Some(whole - 60), whole, Some(0)),
        ] {
            let refused = refused.map(at);
            let found = progress.stuck_since(refused, at(now));
            assert_eq!(found, since.map(at), "{refused:?}, {now}");
        }
    }

    #[test]
    fn after_a_step_back_of_the_clock_age_and_patience_begin_anew_with_the_next_plan() {
        let ds = daemon_set();
        let progress = Progress::after(None, &ds, &plan(10, 3), at(10_000)).expect("under way");
        let stepped = at(100);
        assert_eq!(progress.age(stepped), Duration::ZERO);
        let refused = Some(at(10_000));
        assert_eq!(progress.stuck_since(refused, stepped), None);
        let progress = Progress::after(Some(progress), &ds, &plan(10, 3), stepped);
        let progress = progress.expect("under way");
        assert_eq!(progress.begun(), stepped);
        assert_eq!(progress.stuck_since(None, at(100 + WHOLE)), None);
        let later = at(100 + WHOLE + 1);
        assert_eq!(progress.stuck_since(None, later), Some(stepped));
    }
}
