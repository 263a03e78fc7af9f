//! How often lists and watches failed in a row, the pauses that follow from it, and what is logged.
//!
//! Nothing here waits: a pause is a duration, and the caller sleeps.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

use crate::runtime::read_error::{ReadError, ReadErrorKind};

/// Watches that the API server rejected or ended at once, in a row, after which the list is read
/// again.
const RELIST_AFTER: u32 = 5;

/// The first pause after a failure, before jitter; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The first pause after a watch that brought something and was ended early, before jitter. A busy
/// API server ends watches that it cannot serve quickly enough, and without a watch the cache is
/// stale.
const FIRST_PAUSE_AFTER_NEWS: Duration = Duration::from_millis(20);

/// The longest such pause.
const LONGEST_PAUSE_AFTER_NEWS: Duration = Duration::from_secs(1);

/// Watches that brought something and were ended early, in a row, from which on it is logged.
const TOO_MANY_CUT_SHORT: u32 = 5;

/// What comes after a watch that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another watch, from the same resourceVersion.
    Watch,
    /// Another list.
    List,
}

/// The failures of one list and watch.
pub(super) struct Retries {
    /// The kind, for logs.
    kind: &'static str,
    rng: StdRng,
    /// Lists that failed in a row. A completed list resets it.
    failed_lists: u32,
    /// Watches that failed, ended at once or expired, in a row. Only a settled watch resets it, so
    /// that a list that works does not speed up a watch that does not.
    failed_watches: u32,
    /// Those of them that the API server rejected; at [`RELIST_AFTER`] the list is read again.
    rejected_watches: u32,
    /// Watches that brought something and were ended early, in a row. Only a settled watch resets
    /// it.
    cut_short: u32,
    /// The error that was last logged, while it lasts.
    reported: Option<(ReadErrorKind, &'static str)>,
    /// Whether it was logged that the watch has started.
    started: bool,
}

impl Retries {
    /// No failure so far. `rng` makes the jitter.
    pub fn new(kind: &'static str, rng: StdRng) -> Retries {
        Retries {
            kind,
            rng,
            failed_lists: 0,
            failed_watches: 0,
            rejected_watches: 0,
            cut_short: 0,
            reported: None,
            started: false,
        }
    }

    /// The timeout of the next watch in seconds. It varies, so that the watches of many kinds and
    /// replicas do not end together.
    pub fn watch_seconds(&mut self) -> u32 {
        self.rng.random_range(60..=80)
    }

    /// A page of a list failed. Returns the pause before the next list.
    pub fn list_failed(&mut self, error: &ReadError) -> Duration {
        self.failed_lists += 1;
        if error.kind == ReadErrorKind::Expired {
            // The continue token is too old: an ordinary thing in a long list, once.
            tracing::debug!(kind = self.kind, "the list expired while it was read");
            return self.pause(self.failed_lists - 1, None);
        }
        self.report(error);
        self.pause(self.failed_lists, error.retry_after)
    }

    /// A list is complete.
    pub fn list_completed(&mut self) {
        self.failed_lists = 0;
    }

    /// A watch is open.
    pub fn watch_opened(&mut self) {
        if !self.started && self.reported.is_none() {
            self.log_started();
        }
    }

    /// The watch has lived long enough to be in order.
    pub fn watch_settled(&mut self) {
        self.failed_watches = 0;
        self.rejected_watches = 0;
        self.cut_short = 0;
        if self.reported.take().is_some() {
            self.log_started();
        }
    }

    /// A watch brought something, so the API server accepts it, and was ended early by `error`.
    /// Returns the pause before the next watch, which is short however often others failed before.
    pub fn watch_cut_short(&mut self, error: &ReadError) -> Duration {
        self.rejected_watches = 0;
        self.cut_short += 1;
        if self.cut_short >= TOO_MANY_CUT_SHORT {
            self.report(error);
        } else {
            tracing::debug!(kind = self.kind, "the watch was ended early");
        }
        let (first, longest) = (FIRST_PAUSE_AFTER_NEWS, LONGEST_PAUSE_AFTER_NEWS);
        self.backoff(self.cut_short, first, longest)
    }

    /// A watch could not be opened, failed, or was ended at once. Returns the pause, and what comes
    /// after it.
    pub fn watch_failed(&mut self, error: &ReadError) -> (Duration, Next) {
        self.failed_watches += 1;
        if error.kind == ReadErrorKind::Expired {
            // Without a pause the first time. A watch that expires after each list has pauses like
            // any other failure.
            tracing::debug!(kind = self.kind, "the watch expired, listing again");
            self.rejected_watches = 0;
            return (self.pause(self.failed_watches - 1, None), Next::List);
        }
        self.report(error);
        self.rejected_watches += u32::from(error.rejected);
        let pause = self.pause(self.failed_watches, error.retry_after);
        if self.rejected_watches >= RELIST_AFTER {
            self.rejected_watches = 0;
            return (pause, Next::List);
        }
        (pause, Next::Watch)
    }

    /// Logs an error where it is not the one that was logged last.
    pub fn report(&mut self, error: &ReadError) {
        let what = Some((error.kind, error.verb));
        if self.reported == what {
            tracing::debug!(kind = self.kind, "{error}");
            return;
        }
        let seconds = LONGEST_PAUSE.as_secs();
        tracing::warn!(
            kind = self.kind,
            "{error}; retrying with backoff, at most {seconds} s apart"
        );
        self.reported = what;
    }

    fn log_started(&mut self) {
        self.started = true;
        tracing::info!(kind = self.kind, "started watching");
    }

    /// The pause after so many failures in a row; none at 0.
    fn pause(&mut self, failures: u32, retry_after: Option<Duration>) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let pause = self.backoff(failures, FIRST_PAUSE, LONGEST_PAUSE);
        pause
            .max(retry_after.unwrap_or_default())
            .min(LONGEST_PAUSE)
    }

    /// The pause after the `count`th time in a row, from 1 on: doubles from `first` up to
    /// `longest`, less jitter of at most a half.
    fn backoff(&mut self, count: u32, first: Duration, longest: Duration) -> Duration {
        let full = first.saturating_mul(1 << (count - 1).min(10)).min(longest);
        full.mul_f64(self.rng.random_range(0.5..=1.0))
    }
}
