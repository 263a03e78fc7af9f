//! The election: who is the leader, and what the candidate does next. Decided from the known state
//! of the Lease and the time, without IO.
//!
//! Times that other holders wrote are never compared with ours: a Lease is expired when it was seen
//! unchanged for its duration by our own monotonic clock. A candidate acquires it with the
//! resourceVersion that it saw, so that of two candidates that find it expired one succeeds.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Version;

use super::record::Lease;

/// The durations of an election, with the names that `leaderElection` of Kubernetes' components has
/// for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The time that a standby waits for a renewal before it acquires the Lease.
    pub lease_duration: Duration,
    /// The time after its last renewal at which a leader stops leading.
    pub renew_deadline: Duration,
    /// The time between two renewals, and between two attempts.
    pub retry_period: Duration,
}

impl Default for Timing {
    /// The defaults of Kubernetes' components.
    fn default() -> Self {
        Timing {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// Why these durations do not work together; None where they do.
    pub fn problem(&self) -> Option<&'static str> {
        if self.retry_period.is_zero() {
            Some("the retry period must be more than nothing")
        } else if self.renew_deadline < 2 * self.retry_period {
            Some("the renew deadline must be at least twice the retry period")
        } else if self.lease_duration <= self.renew_deadline {
            Some("the lease duration must be longer than the renew deadline")
        } else {
            None
        }
    }
}

/// What a candidate does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the Lease.
    Read,
    /// Create the Lease, because there is none.
    Create,
    /// Write ourselves into the Lease, with the version that is known.
    Write,
    /// Nothing before this time, or before the Lease changes.
    WaitUntil(Instant),
}

/// A candidate's view of the election.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    known: LeaseState,
    /// When the Lease was first seen in its known state.
    since: Instant,
    /// No attempt is made before this time.
    not_before: Option<Instant>,
    /// When the request began that last made or kept us the leader.
    renewed: Option<Instant>,
    /// When we last acquired the Lease from a holder that had not released it.
    seized: Option<Instant>,
    /// Whether we ever were the leader.
    has_led: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum LeaseState {
    /// The Lease must be read.
    Unknown,
    /// There is no Lease.
    Absent,
    /// The Lease as it was last seen.
    Present(Lease),
}

impl Election {
    /// A candidate that has not seen the Lease.
    pub fn new(identity: String, timing: Timing, now: Instant) -> Election {
        Election {
            identity,
            timing,
            known: LeaseState::Unknown,
            since: now,
            not_before: None,
            renewed: None,
            seized: None,
            has_led: false,
        }
    }

    /// `spec.holderIdentity` of this candidate.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The Lease as it was last seen; None where it must be read, or does not exist.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.known {
            LeaseState::Present(lease) => Some(lease),
            LeaseState::Unknown | LeaseState::Absent => None,
        }
    }

    /// The holder of the Lease as it was last seen; None where nobody holds it.
    pub fn holder(&self) -> Option<&str> {
        let holder = self.lease().map(|lease| &*lease.holder);
        holder.filter(|holder| !holder.is_empty())
    }

    /// The time at which our leadership ends unless it is renewed; None when we are not the leader.
    pub fn leads_until(&self, now: Instant) -> Option<Instant> {
        let until = self.renewed? + self.timing.renew_deadline;
        (now < until).then_some(until)
    }

    /// When we last acquired the Lease from a holder that had not released it; None where we never
    /// did.
    pub fn seized(&self) -> Option<Instant> {
        self.seized
    }

    /// What to do now.
    pub fn next(&self, now: Instant) -> Next {
        let at = match &self.known {
            _ if self.not_before.is_some_and(|at| at > now) => self.not_before.unwrap_or(now),
            LeaseState::Unknown => return Next::Read,
            LeaseState::Absent => return Next::Create,
            LeaseState::Present(lease) => match self.renewed {
                Some(renewed) => renewed + self.timing.retry_period,
                None if lease.holder.is_empty() || lease.holder == self.identity => now,
                None => self.since + lease.duration.unwrap_or(self.timing.lease_duration),
            },
        };
        let at = match self.leads_until(now) {
            Some(until) => at.min(until),
            None => at,
        };
        if at <= now {
            Next::Write
        } else {
            Next::WaitUntil(at)
        }
    }

    /// A read answered with this Lease.
    pub fn read(&mut self, lease: Lease, now: Instant) {
        if matches!(&self.known, LeaseState::Present(known) if *known == lease) {
            return;
        }
        if lease.holder != self.identity {
            self.renewed = None;
            // A Lease that was released can be acquired at once.
            self.not_before = self.not_before.filter(|_| !lease.holder.is_empty());
        }
        self.known = LeaseState::Present(lease);
        self.since = now;
    }

    /// A watch told of this Lease, perhaps later than an answer did.
    pub fn noticed(&mut self, lease: Lease, now: Instant) {
        let later = match &self.known {
            LeaseState::Present(known) => lease.version > known.version,
            LeaseState::Unknown | LeaseState::Absent => true,
        };
        if later {
            self.read(lease, now);
        }
    }

    /// A watch told that the Lease was deleted, at this version.
    pub fn noticed_gone(&mut self, version: Version, now: Instant) {
        let earlier = matches!(&self.known, LeaseState::Present(known) if known.version > version);
        if !earlier {
            self.absent(now);
        }
    }

    /// There is no Lease.
    pub fn absent(&mut self, now: Instant) {
        if self.known != LeaseState::Absent {
            self.known = LeaseState::Absent;
            self.since = now;
        }
        self.renewed = None;
    }

    /// Our write, which began at `begun`, was answered with this Lease: we are the leader.
    pub fn won(&mut self, begun: Instant, lease: Lease, now: Instant) {
        // A holder of our identity may be a former process.
        let is_us = |former: &str| former == self.identity && self.has_led;
        if self.holder().is_some_and(|former| !is_us(former)) {
            self.seized = Some(now);
        }
        self.has_led = true;
        self.known = LeaseState::Present(lease);
        self.since = now;
        self.not_before = None;
        self.renewed = Some(begun);
    }

    /// Another candidate was faster: the known state is old.
    pub fn lost_a_race(&mut self) {
        self.known = LeaseState::Unknown;
    }

    /// An attempt failed in another way. `pause` is the time to the next one. Our write may have
    /// been carried out, so the Lease is read next.
    pub fn failed(&mut self, now: Instant, pause: Duration) {
        self.not_before = Some(now + pause);
        if self.renewed.is_some() || self.holder() == Some(self.identity()) {
            self.known = LeaseState::Unknown;
        }
    }

    /// We are no longer the leader: the deadline has passed, or the Lease is about to be released.
    pub fn resigned(&mut self) {
        self.renewed = None;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(version: u64, holder: &str) -> Lease {
        let spec = json!({ "holderIdentity": holder, "leaseDurationSeconds": 15 });
        let lease = json!({ "metadata": { "resourceVersion": version.to_string() }, "spec": spec });
        Lease::read(&lease.to_string()).expect("a lease")
    }

    /// A candidate called `us` and the time at which it begins.
    fn us() -> (Election, Instant) {
        let now = Instant::now();
        (Election::new("us".to_owned(), Timing::default(), now), now)
    }

    #[test]
    fn what_is_not_known_is_read_and_what_is_not_there_made() {
        let (mut us, t) = us();
        assert_eq!(us.next(t), Next::Read);
        us.absent(t);
        assert_eq!(us.next(t), Next::Create);
        us.failed(t, 2 * SECOND);
        assert_eq!(us.next(t), Next::WaitUntil(t + 2 * SECOND));
        us.lost_a_race();
        assert_eq!(us.next(t + 2 * SECOND), Next::Read);
    }

    #[test]
    fn a_lease_is_seized_from_a_holder_that_did_not_release_it() {
        for (before, seized) in [("other", true), ("", false), ("us", true)] {
            let (mut us, t) = us();
            us.read(lease(1, before), t);
            us.won(t + SECOND, lease(2, "us"), t + SECOND);
            assert_eq!(us.seized(), seized.then_some(t + SECOND), "{before}");
            // Nor do renewals change that.
            us.won(t + 3 * SECOND, lease(3, "us"), t + 3 * SECOND);
            assert_eq!(us.seized(), seized.then_some(t + SECOND), "{before}");
            us.resigned();
            us.won(t + 5 * SECOND, lease(4, "us"), t + 5 * SECOND);
            assert_eq!(us.seized(), seized.then_some(t + SECOND), "{before}");
        }
        let (mut us, t) = us();
        us.absent(t);
        us.won(t, lease(1, "us"), t);
        assert_eq!(us.seized(), None);
    }

    #[test]
    fn a_leader_renews_in_time_and_is_none_after_the_deadline() {
        let (mut us, t) = us();
        us.absent(t);
        // The request took a second: the time at which it began counts.
        us.won(t, lease(1, "us"), t + SECOND);
        assert_eq!(us.leads_until(t + SECOND), Some(t + 10 * SECOND));
        assert_eq!(us.next(t + SECOND), Next::WaitUntil(t + 2 * SECOND));
        assert_eq!(us.next(t + 2 * SECOND), Next::Write);
        // It fails, and may have been carried out.
        us.failed(t + 2 * SECOND, 2 * SECOND);
        assert_eq!(us.next(t + 4 * SECOND), Next::Read);
        us.read(lease(2, "us"), t + 4 * SECOND);
        assert_eq!(us.next(t + 4 * SECOND), Next::Write);
        us.failed(t + 4 * SECOND, 20 * SECOND);
        assert_eq!(us.leads_until(t + 10 * SECOND), None);
        us.resigned();
        us.read(lease(2, "us"), t + 24 * SECOND);
        assert_eq!(us.next(t + 24 * SECOND), Next::Write, "it is ours still");
        assert_eq!(us.leads_until(t + 24 * SECOND), None);
    }

    #[test]
    fn a_standby_takes_over_when_it_saw_no_sign_of_life_for_the_duration() {
        let (mut us, t) = us();
        us.read(lease(1, "them"), t);
        assert_eq!(us.next(t), Next::WaitUntil(t + 15 * SECOND));
        us.noticed(lease(2, "them"), t + 14 * SECOND);
        assert_eq!(us.next(t + 15 * SECOND), Next::WaitUntil(t + 29 * SECOND));
        us.read(lease(2, "them"), t + 20 * SECOND);
        assert_eq!(
            us.next(t + 29 * SECOND),
            Next::Write,
            "the same is no sign of life"
        );
        us.lost_a_race();
        us.read(lease(3, "they"), t + 29 * SECOND);
        assert_eq!(us.next(t + 29 * SECOND), Next::WaitUntil(t + 44 * SECOND));
    }

    #[test]
    fn one_that_was_given_up_is_taken_at_once_even_after_a_failure() {
        let (mut us, t) = us();
        us.read(lease(1, "them"), t);
        us.failed(t, 2 * SECOND);
        us.noticed(lease(2, ""), t + SECOND);
        assert_eq!(us.next(t + SECOND), Next::Write);
    }

    #[test]
    fn whoever_sees_another_holder_or_none_leads_no_longer() {
        let (mut us, t) = us();
        us.won(t, lease(5, "us"), t);
        us.noticed(lease(4, "them"), t + SECOND);
        assert!(us.leads_until(t + SECOND).is_some(), "that was before");
        us.noticed_gone(Version(4), t + SECOND);
        assert!(us.leads_until(t + SECOND).is_some(), "that was before");
        us.noticed(lease(6, "them"), t + SECOND);
        assert_eq!(us.leads_until(t + SECOND), None);
        us.won(t + 20 * SECOND, lease(7, "us"), t + 20 * SECOND);
        us.noticed_gone(Version(8), t + 21 * SECOND);
        assert_eq!(us.leads_until(t + 21 * SECOND), None);
        assert_eq!(us.next(t + 21 * SECOND), Next::Create);
    }

    #[test]
    fn times_that_cannot_work_are_refused() {
        let times = |lease, renew, retry| Timing {
            lease_duration: Duration::from_millis(lease),
            renew_deadline: Duration::from_millis(renew),
            retry_period: Duration::from_millis(retry),
        };
        assert_eq!(Timing::default().problem(), None);
        assert_eq!(times(1500, 1000, 500).problem(), None);
        for (bad, word) in [
            (times(15_000, 10_000, 0), "retry period"),
            (times(15_000, 3_000, 2_000), "twice"),
            (times(10_000, 10_000, 2_000), "longer"),
        ] {
            assert!(bad.problem().is_some_and(|p| p.contains(word)), "{bad:?}");
        }
    }
}
