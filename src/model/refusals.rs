//! Evictions that the API server refused because of a disruption budget (state of the snapshot: the
//! planner reads it).
//!
//! It is kept by pod: the next pod of the node is judged anew. A process that starts knows of none
//! and tries each pod once.

use std::{collections::BTreeMap, time::Duration};

use super::{Str, Time, Uid};

/// The first wait.
pub const INITIAL: Duration = Duration::from_secs(5);

/// The longest wait. Short enough that a rollout goes on soon after somebody lifts the budget. A
/// refusal that nothing followed for twice as long is forgotten.
pub const MAX: Duration = Duration::from_secs(5 * 60);

/// Why an eviction was refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unallowed {
    /// A disruption budget does not allow it now; the API server's words, which name the budget.
    Now(Str),
    /// Disruption budgets can never allow it; why.
    Ever(Str),
}

/// A pod whose eviction was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Why, by the last answer.
    pub why: Unallowed,
    /// When it was refused first.
    pub since: Time,
    /// When it is tried again, at the earliest.
    pub until: Time,
    attempts: u32,
}

/// The pods of a DaemonSet whose eviction was refused.
#[derive(Clone, Default, Debug)]
pub struct Refusals(BTreeMap<Uid, Refusal>);

impl Refusals {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many pods were refused.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The refusal for this pod.
    pub fn of(&self, pod: &Uid) -> Option<&Refusal> {
        self.0.get(pod)
    }

    /// The pod's eviction failed for another reason.
    pub fn forget(&mut self, pod: &Uid) {
        self.0.remove(pod);
    }

    /// The pod's eviction was refused: the next one waits for twice as long as the last one did,
    /// and for as long as the API server asks. Returns whether it is the first for this pod.
    pub fn refused(
        &mut self,
        pod: &Uid,
        why: Unallowed,
        at_least: Option<Duration>,
        now: Time,
    ) -> bool {
        self.0
            .retain(|_, refusal| now.since(refusal.until) <= 2 * MAX);
        let known = self.0.get(pod);
        let attempts = known.map_or(1, |refusal| refusal.attempts.saturating_add(1));
        let wait = MAX.min(INITIAL * (1 << (attempts - 1).min(16)));
        let refusal = Refusal {
            why,
            since: known.map_or(now, |refusal| refusal.since),
            until: now + wait.max(at_least.unwrap_or_default().min(MAX)),
            attempts,
        };
        self.0.insert(pod.clone(), refusal);
        attempts == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Unallowed {
        Unallowed::Now("no".into())
    }

    #[test]
    fn five_seconds_doubling_to_five_minutes_and_over_after_ten() {
        let mut refusals = Refusals::default();
        let pod = Uid::from("a");
        let begun = Time::from_secs(0);
        let mut now = begun;
        let mut waits = Vec::new();
        for n in 0..9 {
            assert_eq!(refusals.refused(&pod, words(), None, now), n == 0);
            let refusal = refusals.of(&pod).expect("it was refused");
            assert_eq!(refusal.since, begun);
            waits.push(refusal.until.since(now).as_secs());
            now = refusal.until;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        // Another pod is another matter, and so is what comes after another error.
        assert!(refusals.refused(&Uid::from("b"), words(), None, now));
        refusals.forget(&Uid::from("b"));
        assert!(refusals.refused(&Uid::from("b"), words(), None, now));
        let later = now + Duration::from_secs(901);
        assert!(refusals.refused(&Uid::from("c"), words(), None, later));
        assert_eq!(refusals.of(&pod), None);
    }

    #[test]
    fn the_api_server_may_ask_for_a_longer_wait_within_reason() {
        let mut refusals = Refusals::default();
        let now = Time::from_secs(0);
        for (asked, waits) in [(1, 5), (10, 10), (86_400, 300)] {
            let pod = Uid::from(&*asked.to_string());
            refusals.refused(&pod, words(), Some(Duration::from_secs(asked)), now);
            let until = refusals.of(&pod).map(|refusal| refusal.until);
            assert_eq!(until, Some(now + Duration::from_secs(waits)));
        }
    }
}
