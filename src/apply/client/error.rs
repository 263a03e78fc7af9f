//! The error of a call, and what it means for the caller.

use std::error::Error as StdError;
use std::time::Duration;

use thiserror::Error;

/// The error of a call. It never holds a body that was sent or received, only what a Kubernetes
/// `Status` says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApiError {
    /// The API server answered with an error.
    #[error("{code} {reason}: {message}")]
    Status {
        /// `code`: the HTTP code.
        code: u16,
        /// `reason`, for example `AlreadyExists`.
        reason: String,
        /// `message`, for people.
        message: String,
        /// `details.causes`.
        causes: Vec<Cause>,
        /// The wait that the API server asks for: `Retry-After`, or else
        /// `details.retryAfterSeconds`.
        retry_after: Option<Duration>,
    },
    /// No answer came in time. The request may have been carried out, or may be carried out later.
    #[error("no answer in time")]
    Timeout,
    /// The connection failed. The request may have been carried out.
    #[error("{0}")]
    Transport(String),
    /// Nothing was sent: this process is shutting down or is not the leader, the plan has become
    /// old, or the request cannot be built.
    #[error("not sent")]
    Dropped,
}

/// One of the causes in a `Status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `reason`, for example `NamespaceTerminating` or `FieldValueInvalid`.
    pub reason: String,
    /// `message`, for people.
    pub message: String,
    /// `field`: the path of the field at fault, for example `metadata.uid`.
    pub field: String,
}

impl ApiError {
    /// The HTTP code; None where no answer came.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The `reason` of the `Status`; empty where no answer came.
    pub fn reason(&self) -> &str {
        match self {
            Self::Status { reason, .. } => reason,
            _ => "",
        }
    }

    /// The wait that the API server asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// 404: the object, or the namespace that it is in, does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// What an event says of it: the API server's own message where there is one.
    pub fn words(&self) -> String {
        match self {
            Self::Status { message, .. } if !message.is_empty() => message.clone(),
            other => other.to_string(),
        }
    }

    /// 406: the API server does not have the object in the format that was asked for.
    pub fn is_not_acceptable(&self) -> bool {
        self.code() == Some(406)
    }

    /// 409 because of a resourceVersion or a precondition; not
    /// [`is_already_exists`](Self::is_already_exists).
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409) && !self.is_already_exists()
    }

    /// 409: another object has the name.
    pub fn is_already_exists(&self) -> bool {
        self.reason() == "AlreadyExists"
    }

    /// 410: a resourceVersion or a continue token is too old.
    pub fn is_gone(&self) -> bool {
        self.code() == Some(410)
    }

    /// 422: the request is not valid. A patch with the UID of an earlier object of that name is
    /// answered so too.
    pub fn is_invalid(&self) -> bool {
        self.code() == Some(422)
    }

    /// 429: too many requests, or an eviction that a disruption budget does not allow.
    pub fn is_throttled(&self) -> bool {
        self.code() == Some(429)
    }

    /// The namespace is terminating, so nothing can be created in it.
    pub fn is_namespace_terminating(&self) -> bool {
        self.has_cause("NamespaceTerminating")
    }

    /// Whether one of the causes has this reason.
    pub fn has_cause(&self, wanted: &str) -> bool {
        match self {
            Self::Status { causes, .. } => causes.iter().any(|cause| cause.reason == wanted),
            _ => false,
        }
    }

    /// The words about the disruption budget that does not allow an eviction, which name it. The
    /// 429 of an API server that is too busy has none.
    pub fn disruption_budget(&self) -> Option<&str> {
        match self {
            Self::Status {
                code: 429, causes, ..
            } => {
                let mut causes = causes.iter();
                let cause = causes.find(|cause| cause.reason == "DisruptionBudget");
                cause.map(|cause| &*cause.message)
            }
            _ => None,
        }
    }

    /// Several disruption budgets select the pod that is to be evicted, which the API server does
    /// not carry out. It has no reason for that, and only says so.
    pub fn has_several_disruption_budgets(&self) -> bool {
        match self {
            Self::Status {
                code: 500, message, ..
            } => message.contains("more than one PodDisruptionBudget"),
            _ => false,
        }
    }

    /// Whether the request may have been carried out in spite of the error. A 5xx may come after
    /// the write (etcd elected a new leader, the API server ran out of time); the error of an
    /// admission webhook comes before it.
    pub fn outcome_unknown(&self) -> bool {
        match self {
            Self::Timeout | Self::Transport(_) => true,
            Self::Dropped => false,
            Self::Status { code, message, .. } => {
                *code >= 500 && !message.contains("failed calling webhook")
            }
        }
    }

    /// Whether the same call may succeed later, with nothing else changed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Timeout | Self::Transport(_) => true,
            Self::Dropped => false,
            Self::Status { code, .. } => *code == 429 || *code >= 500,
        }
    }

    /// The error in one word of a small fixed set, for metrics and logs.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Transport(_) => "transport",
            Self::Dropped => "dropped",
            Self::Status { .. } if self.is_already_exists() => "already_exists",
            Self::Status { code, .. } => category_of(*code),
        }
    }
}

/// The word for an HTTP code of 400 or more.
pub fn category_of(code: u16) -> &'static str {
    match code {
        400 => "bad_request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not_found",
        409 => "conflict",
        410 => "gone",
        422 => "invalid",
        429 => "throttled",
        500.. => "server_error",
        _ => "other",
    }
}

/// The texts of an error and its sources, each once: many errors repeat their source in their own
/// text.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut at = error.source();
    while let Some(error) = at {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        at = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> ApiError {
        ApiError::Status {
            code,
            reason: reason.into(),
            message: message.into(),
            causes: Vec::new(),
            retry_after: None,
        }
    }

    #[test]
    fn the_two_kinds_of_409_are_told_apart() {
        let (exists, conflict) = (
            status(409, "AlreadyExists", ""),
            status(409, "Conflict", ""),
        );
        assert!(exists.is_already_exists() && !exists.is_conflict());
        assert!(conflict.is_conflict() && !conflict.is_already_exists());
        assert_eq!(
            (exists.category(), conflict.category()),
            ("already_exists", "conflict")
        );
    }

    #[test]
    fn only_errors_that_may_come_after_the_write_leave_the_outcome_unknown() {
        assert!(status(500, "InternalError", "etcdserver: leader changed").outcome_unknown());
        assert!(status(504, "Timeout", "").outcome_unknown());
        let webhook = "Internal error occurred: failed calling webhook \"x\": refused";
        assert!(!status(500, "InternalError", webhook).outcome_unknown());
        assert!(!status(429, "TooManyRequests", "").outcome_unknown());
        assert!(!status(403, "Forbidden", "exceeded quota").outcome_unknown());
    }

    #[test]
    fn an_error_is_small() {
        assert!(size_of::<ApiError>() <= 128);
    }
}
