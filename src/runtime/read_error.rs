//! Why a list or a watch failed, in words: what was attempted, what went wrong, and what to do.
//!
//! Pure: an [`Attempt`] and an error of the client go in, a [`ReadError`] comes out. Bodies never
//! appear in it, only what a Kubernetes `Status` says, because bodies may hold the values of
//! environment variables.

#[cfg(test)]
mod tests;

use std::{error::Error as StdError, io, time::Duration};

use kube::{Error, core::Status};

use crate::apply::client::{
    error::{category_of, chain},
    response::NO_STATUS,
};

/// A read that was attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The verb as RBAC has it: `list`, `watch`.
    pub verb: &'static str,
    /// The URL of the API server, for messages.
    pub server: String,
    /// The path of the resource, e.g. `/apis/apps/v1/daemonsets`.
    pub path: String,
}

/// What went wrong. An error is logged again only when its kind changes, because its text may hold
/// a port or a duration that differs each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadErrorKind {
    /// No process listens at the address.
    ConnectionRefused,
    /// The host name of the API server cannot be resolved.
    UnresolvedHost,
    /// One side does not accept the certificate of the other.
    Certificate,
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    ConnectionBroken,
    /// 401: the API server does not accept our credentials.
    Unauthorized,
    /// No credentials: a token file or an exec plugin fails.
    Credentials,
    /// 403: RBAC does not allow it.
    Forbidden,
    /// 404: the API server has no such resource.
    NotServed,
    /// 410: the resourceVersion or the continue token is too old. The remedy is another list.
    Expired,
    /// 429: the API server asks to wait.
    Throttled,
    /// Another answer that is an error, by its HTTP code.
    Status(u16),
    /// The answer is not what the API promises.
    Unreadable,
    /// A watch outlived its own timeout: its connection is dead.
    Silent,
    /// A watch ends as soon as it is opened.
    ShortLived,
    /// The request cannot be built: a bug, or a setting that cannot work.
    InvalidRequest,
}

/// A list or a watch that failed. Its text is one or two sentences, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    /// What went wrong.
    pub kind: ReadErrorKind,
    /// The verb as RBAC has it: `list`, `watch`.
    pub verb: &'static str,
    /// The API server rejects this very request, so that it will do so again. False where it did
    /// not answer, and where its answer is about its own state.
    pub rejected: bool,
    /// The API server asks for no further request before this time has passed.
    pub retry_after: Option<Duration>,
    /// What was attempted, what went wrong, and what to do. Quotes no body.
    pub message: String,
}

impl ReadError {
    /// What became of the request, as a value of the metrics' label `outcome`.
    pub fn outcome(&self) -> &'static str {
        match self.kind {
            ReadErrorKind::TimedOut => "timeout",
            ReadErrorKind::Unauthorized => "unauthorized",
            ReadErrorKind::Forbidden => "forbidden",
            ReadErrorKind::NotServed => "not_found",
            ReadErrorKind::Expired => "gone",
            ReadErrorKind::Throttled => "throttled",
            ReadErrorKind::Status(code) => category_of(code),
            ReadErrorKind::Unreadable => "unreadable",
            ReadErrorKind::ConnectionRefused
            | ReadErrorKind::UnresolvedHost
            | ReadErrorKind::Certificate
            | ReadErrorKind::ConnectionBroken
            | ReadErrorKind::Credentials
            | ReadErrorKind::Silent
            | ReadErrorKind::ShortLived
            | ReadErrorKind::InvalidRequest => "transport",
        }
    }
}

impl Attempt {
    /// The plural of the resource: `pods`, `daemonsets`.
    pub fn resource(&self) -> &str {
        self.path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        let mut segments = self.path.trim_start_matches('/').split('/');
        match segments.next() {
            Some("apis") => segments.next().unwrap_or_default(),
            _ => "",
        }
    }

    /// The namespace in the path; None for all namespaces and for cluster-scoped resources.
    pub fn namespace(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once("/namespaces/")?;
        let (namespace, below) = rest.split_once('/')?;
        (!below.is_empty()).then_some(namespace)
    }

    /// `list pods at cluster scope`, `watch pods in namespace logging`.
    fn in_words(&self) -> String {
        let (verb, resource) = (self.verb, self.resource());
        match self.namespace() {
            Some(namespace) => format!("{verb} {resource} in namespace {namespace}"),
            None => format!("{verb} {resource} at cluster scope"),
        }
    }

    fn error(&self, kind: ReadErrorKind, why: impl AsRef<str>) -> ReadError {
        ReadError {
            kind,
            verb: self.verb,
            rejected: false,
            retry_after: None,
            message: format!("cannot {}: {}", self.in_words(), why.as_ref()),
        }
    }

    /// The client returned an error.
    pub fn failed(&self, error: &Error) -> ReadError {
        let server = &self.server;
        match error {
            Error::Api(status) => self.answered(status),
            Error::SerdeError(error) => self.unreadable(&undecodable(error)),
            Error::FromUtf8(_) => self.unreadable("an answer that is not UTF-8"),
            Error::Auth(error) => self.error(
                ReadErrorKind::Credentials,
                format!(
                    "no credentials for {server}: {}; check the user in the kubeconfig (token \
                     file, exec plugin), or the service account's token in the pod",
                    chain(error)
                ),
            ),
            Error::BuildRequest(error) => self.error(ReadErrorKind::InvalidRequest, chain(error)),
            Error::HttpError(error) => self.error(ReadErrorKind::InvalidRequest, chain(error)),
            other => self.not_connected(other),
        }
    }

    /// Nothing came in time. `missing` says what did not come and within which time.
    pub fn timed_out(&self, missing: &str) -> ReadError {
        self.error(
            ReadErrorKind::TimedOut,
            format!(
                "the API server at {} sent no {missing}; it may be overloaded, or a firewall or \
                 proxy drops the connection",
                self.server
            ),
        )
    }

    /// An open watch brought nothing more, not even its end.
    pub fn silent(&self, seconds: u64) -> ReadError {
        self.error(
            ReadErrorKind::Silent,
            format!(
                "the watch was still open after {seconds} s, later than its own timeout, so the \
                 connection to {} is dead; if this repeats, look for a proxy or load balancer \
                 that keeps connections open",
                self.server
            ),
        )
    }

    /// A watch ended as soon as it was opened.
    pub fn short_lived(&self) -> ReadError {
        let error = self.error(
            ReadErrorKind::ShortLived,
            format!(
                "{} ends every watch as soon as it is opened; look for a proxy or load balancer \
                 that cuts long requests, or an API server that is shutting down or cannot keep up",
                self.server
            ),
        );
        ReadError {
            rejected: true,
            ..error
        }
    }

    /// The answer is not what the API promises. `what` describes it without quoting it.
    pub fn unreadable(&self, what: &str) -> ReadError {
        self.error(
            ReadErrorKind::Unreadable,
            format!(
                "{} sent {what}; is that the address of a Kubernetes API server of 1.33 or later?",
                self.server
            ),
        )
    }

    /// What was asked for can only be had by another list.
    pub fn expired(&self) -> ReadError {
        self.error(
            ReadErrorKind::Expired,
            "the resourceVersion or the continue token is too old (410); list again",
        )
    }

    fn answered(&self, status: &Status) -> ReadError {
        if status.code == 410 || matches!(&*status.reason, "Expired" | "Gone") {
            return self.expired();
        }
        let details = status.details.as_ref();
        let seconds = details.map_or(0, |d| d.retry_after_seconds);
        // A server that is busy or fails says nothing about the request itself, unless it is behind
        // the version that we ask for: it was restored from a backup and may never get there.
        let mut causes = details.into_iter().flat_map(|d| &d.causes);
        let behind = causes.any(|cause| cause.reason == "ResourceVersionTooLarge");
        ReadError {
            rejected: behind || !matches!(status.code, 429 | 500..),
            retry_after: (seconds > 0).then(|| Duration::from_secs(seconds.into())),
            ..self.status(status)
        }
    }

    fn status(&self, status: &Status) -> ReadError {
        let server = &self.server;
        let said = message_of(status);
        match status.code {
            401 => self.error(
                ReadErrorKind::Unauthorized,
                format!(
                    "the API server at {server} refuses our credentials (401{said}); the token \
                     may have expired or belong to another cluster: log in again, or check the \
                     service account's token"
                ),
            ),
            403 => {
                let verbs = match self.verb {
                    "list" | "watch" => "get, list and watch",
                    verb => verb,
                };
                let role = match self.namespace() {
                    Some(_) => "a Role or ClusterRole",
                    None => "a ClusterRole",
                };
                let (resource, group) = (self.resource(), self.group());
                self.error(
                    ReadErrorKind::Forbidden,
                    format!(
                        "denied (403{said}); grant {verbs} on {resource} (API group \"{group}\") \
                         to this identity with {role} and its binding"
                    ),
                )
            }
            404 => self.error(
                ReadErrorKind::NotServed,
                format!(
                    "{server} does not serve {} (404{said}); is that the address of a Kubernetes \
                     API server, without a path of its own?",
                    self.path
                ),
            ),
            429 => self.error(
                ReadErrorKind::Throttled,
                format!(
                    "the API server at {server} is busy and asks to wait (429{said}); if this \
                     lasts, look at its load and its priority levels"
                ),
            ),
            code @ 500.. => self.error(
                ReadErrorKind::Status(code),
                format!(
                    "the API server at {server} failed ({code}{said}); look at its log and at etcd"
                ),
            ),
            code => self.error(
                ReadErrorKind::Status(code),
                format!("the API server at {server} answered {code}{said}"),
            ),
        }
    }

    fn not_connected(&self, error: &Error) -> ReadError {
        let server = &self.server;
        let text = chain(error);
        let lower = text.to_ascii_lowercase();
        let advice = "check the address in the kubeconfig, or KUBERNETES_SERVICE_HOST in the pod";
        match io_kind(error) {
            Some(io::ErrorKind::ConnectionRefused) => {
                return self.error(
                    ReadErrorKind::ConnectionRefused,
                    format!(
                        "no API server listens at {server} (connection refused); is it running? \
                         {advice}"
                    ),
                );
            }
            Some(io::ErrorKind::TimedOut) => {
                return self.error(
                    ReadErrorKind::TimedOut,
                    format!(
                        "{server} does not answer (timed out); look for a firewall or a wrong \
                         address: {advice}"
                    ),
                );
            }
            _ => {}
        }
        if lower.contains("certificate") || lower.contains("tls") || lower.contains("unknownissuer")
        {
            return self.error(
                ReadErrorKind::Certificate,
                format!(
                    "no trusted connection to {server}: {text}; check certificate-authority and \
                     the client certificate in the kubeconfig"
                ),
            );
        }
        if lower.contains("dns error") || lower.contains("failed to lookup address") {
            return self.error(
                ReadErrorKind::UnresolvedHost,
                format!(
                    "the name in {server} cannot be resolved ({text}); {advice}, and the resolver"
                ),
            );
        }
        self.error(
            ReadErrorKind::ConnectionBroken,
            format!("the connection to {server} failed: {text}; {advice}"),
        )
    }
}

/// Where decoding failed, without what it failed on.
pub fn undecodable(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "an answer that was cut off",
        serde_json::error::Category::Syntax => "an answer that is no JSON",
        _ => "JSON of another shape than expected",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// `: the message`, or nothing where the answer was no `Status` of Kubernetes: then its text may be
/// anything.
fn message_of(status: &Status) -> String {
    if status.message.is_empty()
        || status.reason == NO_STATUS
        || status.reason == "Failed to parse error data"
    {
        return String::new();
    }
    let mut message: String = status.message.chars().take(400).collect();
    if message.len() < status.message.len() {
        message.push('…');
    }
    format!(": {message}")
}

/// The first kind of I/O error along the sources that says more than `Other`.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.kind() != io::ErrorKind::Other {
                return Some(error.kind());
            }
            // An io::Error's source is that of what it wraps, so the wrapped error itself must be
            // asked too.
            if let Some(kind) = error.get_ref().and_then(|inner| io_kind(inner)) {
                return Some(kind);
            }
        }
        at = error.source();
    }
    None
}
