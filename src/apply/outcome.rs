//! The outcome of a plan, and the reasons for not carrying it out to its end.

use super::client::ApiError;

/// A step that did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot {what}: {error}")]
pub struct Failure {
    /// The step and its object, in words that follow "cannot".
    pub what: String,
    /// The API server's answer, or the reason why there is none.
    pub error: ApiError,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>, error: ApiError) -> Failure {
        Failure {
            what: what.into(),
            error,
        }
    }
}

/// The outcome of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The steps that failed; empty when all succeeded.
    pub failures: Vec<Failure>,
    /// Plan again: something was not as the plan supposed, or there is more to do.
    pub again: bool,
    /// The current revision exists, so the generation may count as observed.
    pub revision_known: bool,
    /// The revisions could not be brought in order, so nothing after them was carried out. The
    /// counts are still true, but this generation is not observed.
    pub revisions_refused: bool,
    /// Pods could not be created, for a reason other than their name. The rest of a rolling update
    /// was not carried out.
    pub creates_refused: bool,
    /// Disruption budgets did not allow some evictions: others may go in their turn.
    pub evictions_refused: bool,
    /// Pods were created with our scheduling gate.
    pub gated: bool,
    /// The API server's words where it denied a create.
    pub denial: Option<String>,
}

impl Outcome {
    /// Notes why the rest of the plan was not carried out.
    pub(super) fn stop(&mut self, stop: Stop) {
        match stop {
            Stop::Failed(failure) => self.failures.push(failure),
            Stop::Changed => self.again = true,
            Stop::DaemonSetGone | Stop::NamespaceTerminating => {}
        }
    }
}

/// Why the steps that follow are not carried out.
#[derive(Debug)]
pub(super) enum Stop {
    /// A call failed.
    Failed(Failure),
    /// An object is in another state than the plan supposed. The next plan is made from the new
    /// state.
    Changed,
    /// The DaemonSet is gone, and nothing is left to do.
    DaemonSetGone,
    /// The namespace is terminating and takes no new objects.
    NamespaceTerminating,
}

impl Stop {
    /// A call failed.
    pub fn failed(what: impl Into<String>, error: ApiError) -> Stop {
        Stop::Failed(Failure::new(what, error))
    }
}

/// The outcome of a write of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWrite {
    /// The API server stored it.
    Written,
    /// The DaemonSet is gone, and its status with it.
    DaemonSetGone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_changed_object_asks_for_another_plan() {
        for (stop, again) in [
            (Stop::Changed, true),
            (Stop::DaemonSetGone, false),
            (Stop::NamespaceTerminating, false),
        ] {
            let mut outcome = Outcome::default();
            outcome.stop(stop);
            assert_eq!((outcome.again, outcome.failures.len()), (again, 0));
        }
        let mut outcome = Outcome::default();
        outcome.stop(Stop::failed("create pod a/b", ApiError::Timeout));
        assert_eq!((outcome.again, outcome.failures.len()), (false, 1));
    }
}
