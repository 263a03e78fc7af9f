//! Points in time, always handed in from outside: nothing in `model` or `plan` reads a clock.

use std::{fmt, str::FromStr, time::Duration};

use jiff::Timestamp;

/// Microseconds since the Unix epoch.
///
/// Kubernetes' own timestamps have whole seconds; `now` has more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Time(i64);

impl Time {
    /// The time that many seconds after the epoch.
    pub const fn from_secs(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    /// The time as a timestamp; times beyond its range (year 9999) are cut to it.
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
    }

    /// The begin of the second that it is in.
    pub fn whole_seconds(self) -> Time {
        Time(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// The earlier of two times of which either may be missing.
    pub fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
        [a, b].into_iter().flatten().min()
    }

    /// How long from `earlier` to this, zero when it is not earlier.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<Timestamp> for Time {
    fn from(t: Timestamp) -> Self {
        Time(t.as_microsecond())
    }
}

impl FromStr for Time {
    type Err = jiff::Error;

    /// Reads RFC 3339, as Kubernetes writes it.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse::<Timestamp>().map(Time::from)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, d: Duration) -> Time {
        Time(
            self.0
                .saturating_sub(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, d: Duration) -> Time {
        Time(
            self.0
                .saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}
