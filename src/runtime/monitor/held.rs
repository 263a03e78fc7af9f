//! What the rules of rollout control hold of one DaemonSet, and since when.
//!
//! An annotation does not say when it was set, so the time is that of the first plan that had the
//! hold. It is the wall clock's, unlike the times by which progress is measured, because
//! dashboards compare it with their own clock. It is never moved, whatever the clock does later.

use std::collections::BTreeMap;

use crate::{
    model::{DaemonSet, Time},
    plan::Plan,
};

/// What is held, by the rule in one word.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held(pub BTreeMap<&'static str, HeldBy>);

/// What one rule holds.
#[derive(Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// The first plan that had the hold.
    pub since: Time,
    /// The nodes on which it holds something.
    pub nodes: usize,
}

impl Held {
    /// What is held after this plan, made at `now`. A hold that was there `before` keeps its time.
    pub fn after(before: &Held, plan: &Plan, now: Time) -> Held {
        let mut held = Held::default();
        for hold in &plan.holds {
            if !hold.rule.is_by_annotation() {
                continue;
            }
            let rule = hold.rule.as_str();
            let since = before.0.get(rule).map_or(now, |by| by.since);
            let by = held.0.entry(rule).or_insert(HeldBy { since, nodes: 0 });
            by.nodes += hold.nodes.as_ref().map_or(0, |nodes| nodes.count);
        }
        held
    }
}

/// A DaemonSet with rollout control goes on only when a person acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// The rule, in one word: the reason of the condition `Stalled`.
    pub reason: &'static str,
    /// The first plan that had it.
    pub since: Time,
}

impl Stalled {
    /// What it is after this plan, made at `now`. The same reason as `before` keeps its time.
    pub fn after(
        before: Option<Stalled>,
        ds: &DaemonSet,
        plan: &Plan,
        now: Time,
    ) -> Option<Stalled> {
        ds.control.as_ref()?;
        let reason = plan.standing.as_ref()?.stalled.as_ref()?.as_str();
        let before = before.filter(|before| before.reason == reason);
        Some(before.unwrap_or(Stalled { reason, since: now }))
    }
}
