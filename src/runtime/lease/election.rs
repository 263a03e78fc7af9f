//! Who leads, and what to do about it next: decided from what is known of the Lease and the time, without IO.
//!
//! Other holders' times are never compared with ours: a Lease counts as expired when it was seen unchanged for its
//! duration by our own monotonic clock. Whoever takes it does so with the resourceVersion that it saw, so that of two
//! who find it expired one succeeds.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Version;

use super::record::Lease;

/// How long things take; `leaderElection` of Kubernetes' components has the same three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Standbys wait this long for a sign of life before they take over.
    pub lease_duration: Duration,
    /// A leader whose last renewal is this long ago stops.
    pub renew_deadline: Duration,
    /// Between two renewals, and between two attempts.
    pub retry_period: Duration,
}

impl Default for Timing {
    /// Kubernetes' own.
    fn default() -> Self {
        Timing {
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// Why these times cannot work together, if they cannot.
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

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read the Lease.
    Read,
    /// There is none: create it.
    Create,
    /// Write ourselves into it, with the version that is known.
    Write,
    /// Nothing before then, or before the Lease changes.
    WaitUntil(Instant),
}

/// What a candidate knows.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    known: LeaseState,
    /// When what is known became so.
    since: Instant,
    /// Nothing is tried before.
    not_before: Option<Instant>,
    /// When the request began that made or kept us the leader.
    renewed: Option<Instant>,
}

#[derive(Debug, PartialEq, Eq)]
enum LeaseState {
    /// It must be read.
    Unknown,
    /// There is none.
    Absent,
    /// It is there.
    Present(Lease),
}

impl Election {
    /// A candidate who knows nothing yet.
    pub fn new(identity: String, timing: Timing, now: Instant) -> Election {
        Election {
            identity,
            timing,
            known: LeaseState::Unknown,
            since: now,
            not_before: None,
            renewed: None,
        }
    }

    /// Who we are.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The Lease, where it is known.
    pub fn lease(&self) -> Option<&Lease> {
        match &self.known {
            LeaseState::Present(lease) => Some(lease),
            LeaseState::Unknown | LeaseState::Absent => None,
        }
    }

    /// Who holds the Lease, as far as is known.
    pub fn holder(&self) -> Option<&str> {
        let holder = self.lease().map(|lease| &*lease.holder);
        holder.filter(|holder| !holder.is_empty())
    }

    /// Until when we lead, if we do.
    pub fn leads_until(&self, now: Instant) -> Option<Instant> {
        let until = self.renewed? + self.timing.renew_deadline;
        (now < until).then_some(until)
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

    /// The Lease was read.
    pub fn read(&mut self, lease: Lease, now: Instant) {
        if matches!(&self.known, LeaseState::Present(known) if *known == lease) {
            return;
        }
        if lease.holder != self.identity {
            self.renewed = None;
            // One that was given up is to be had at once.
            self.not_before = self.not_before.filter(|_| !lease.holder.is_empty());
        }
        self.known = LeaseState::Present(lease);
        self.since = now;
    }

    /// A watch told of the Lease, perhaps later than an answer did.
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

    /// The Lease is not there.
    pub fn absent(&mut self, now: Instant) {
        if self.known != LeaseState::Absent {
            self.known = LeaseState::Absent;
            self.since = now;
        }
        self.renewed = None;
    }

    /// Our write, begun then, was answered with this Lease: we lead.
    pub fn won(&mut self, begun: Instant, lease: Lease, now: Instant) {
        self.known = LeaseState::Present(lease);
        self.since = now;
        self.not_before = None;
        self.renewed = Some(begun);
    }

    /// Somebody else was quicker: what is known is old.
    pub fn lost_a_race(&mut self) {
        self.known = LeaseState::Unknown;
    }

    /// An attempt failed in another way; `pause` is the time to the next one. Whether our write was carried out is not
    /// known, so it is read next.
    pub fn failed(&mut self, now: Instant, pause: Duration) {
        self.not_before = Some(now + pause);
        if self.renewed.is_some() || self.holder() == Some(self.identity()) {
            self.known = LeaseState::Unknown;
        }
    }

    /// The time is past, or the Lease is to be given up: we lead no longer.
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
    fn a_leader_renews_in_time_and_is_none_after_the_deadline() {
        let (mut us, t) = us();
        us.absent(t);
        // The request took a second: what counts is when it began.
        us.won(t, lease(1, "us"), t + SECOND);
        assert_eq!(us.leads_until(t + SECOND), Some(t + 10 * SECOND));
        assert_eq!(us.next(t + SECOND), Next::WaitUntil(t + 2 * SECOND));
        assert_eq!(us.next(t + 2 * SECOND), Next::Write);
        // It fails. Whether it was carried out is not known.
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
