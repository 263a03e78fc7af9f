//! Says in words what is wrong between us and the API server, and what to do about it.
//!
//! Pure: an error and what was attempted go in, a sentence comes out. Bodies never appear in it, only what a
//! Kubernetes `Status` says, because bodies may hold the values of environment variables.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use kube::Error;
use kube::core::Status;

use crate::apply::client::{error::chain, response::NO_STATUS};

/// What was attempted when the error came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The verb as RBAC has it: `list`, `watch`, `create`.
    pub verb: &'static str,
    /// Where the API server is, for people: its URL.
    pub server: String,
    /// The path of the resource, e.g. `/apis/apps/v1/daemonsets`.
    pub path: String,
}

/// What kind of trouble it is. An error is said again only when its kind changes, so that a port number or a duration
/// in its text does not make a new one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing listens at the address.
    Refused,
    /// The name of the API server cannot be resolved.
    Unresolved,
    /// The certificate of one side is not accepted by the other.
    Certificate,
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    Broken,
    /// 401: who we are is not accepted.
    Unauthorized,
    /// Credentials could not be obtained (token file, exec plugin).
    Credentials,
    /// 403: we may not do this.
    Forbidden,
    /// 404: the API server has no such resource.
    NotServed,
    /// 429: the API server asks for patience.
    Throttled,
    /// Another answer that is an error, by its HTTP code.
    Status(u16),
    /// The answer makes no sense as what it should be.
    Unreadable,
    /// A watch went silent: its connection is dead, or something between holds it open.
    Silent,
    /// A watch ends as soon as it is opened.
    ShortLived,
    /// A bug of ours or a setting that cannot work: a request that cannot be built.
    Unusable,
}

/// Trouble in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind, to tell a new trouble from a repeated one.
    pub kind: Kind,
    /// What was attempted, as RBAC has it: `list`, `watch`, `create`.
    pub verb: &'static str,
    /// One sentence, or two, with what to do.
    pub sentence: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl Attempt {
    /// `pods`, `daemonsets`: the last segment of the path.
    pub fn resource(&self) -> &str {
        self.path
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    /// The API group: empty for the core group.
    pub fn group(&self) -> &str {
        let mut segments = self.path.trim_start_matches('/').split('/');
        match segments.next() {
            Some("apis") => segments.next().unwrap_or_default(),
            _ => "",
        }
    }

    /// The namespace the path is in, if it is in one.
    pub fn namespace(&self) -> Option<&str> {
        let (_, rest) = self.path.split_once("/namespaces/")?;
        let (namespace, below) = rest.split_once('/')?;
        (!below.is_empty()).then_some(namespace)
    }

    /// `list pods at cluster scope`, `watch pods in namespace logging`.
    fn in_words(&self) -> String {
        match self.namespace() {
            Some(namespace) => {
                format!("{} {} in namespace {namespace}", self.verb, self.resource())
            }
            None => format!("{} {} at cluster scope", self.verb, self.resource()),
        }
    }

    fn trouble(&self, kind: Kind, sentence: String) -> Trouble {
        Trouble {
            kind,
            verb: self.verb,
            sentence: format!("cannot {}: {sentence}", self.in_words()),
        }
    }

    /// Nothing came in time, where `waited` says for what and how long.
    pub fn timed_out(&self, waited: &str) -> Trouble {
        self.trouble(
            Kind::TimedOut,
            format!(
                "the API server at {} sent no {waited}; it may be overloaded, or a firewall or proxy swallows the \
                 connection",
                self.server
            ),
        )
    }

    /// A watch was open and then nothing more came, not even its end.
    pub fn silent(&self, seconds: u64) -> Trouble {
        self.trouble(
            Kind::Silent,
            format!(
                "the watch should have ended by itself and was still open after {seconds} s, so the connection to {} \
                 is taken for dead; if this repeats, look for a proxy or load balancer that keeps connections open",
                self.server
            ),
        )
    }

    /// A watch ended as soon as it was opened.
    pub fn short_lived(&self) -> Trouble {
        self.trouble(
            Kind::ShortLived,
            format!(
                "{} ends every watch as soon as it is opened; look for a proxy or load balancer that cuts long \
                 requests, or an API server that is shutting down or cannot keep up",
                self.server
            ),
        )
    }

    /// Something came that is not what the API promises; `what` says what, without quoting it.
    pub fn unreadable(&self, what: &str) -> Trouble {
        self.trouble(
            Kind::Unreadable,
            format!(
                "{} sent {what}; is that the address of a Kubernetes API server of 1.33 or later?",
                self.server
            ),
        )
    }
}

/// Puts an error of the client into words.
pub fn explain(error: &Error, attempt: &Attempt) -> Trouble {
    let server = &attempt.server;
    match error {
        Error::Api(status) => explain_status(status, attempt),
        Error::SerdeError(error) => attempt.unreadable(&undecodable(error)),
        Error::FromUtf8(_) => attempt.unreadable("an answer that is not UTF-8"),
        Error::Auth(error) => attempt.trouble(
            Kind::Credentials,
            format!(
                "no credentials for {server}: {}; look at the user in the kubeconfig (token file, exec plugin), or at \
                 the service account's token in the pod",
                chain(error)
            ),
        ),
        Error::BuildRequest(error) => attempt.trouble(Kind::Unusable, chain(error)),
        Error::HttpError(error) => attempt.trouble(Kind::Unusable, chain(error)),
        other => explain_transport(other, attempt),
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

fn explain_status(status: &Status, attempt: &Attempt) -> Trouble {
    let server = &attempt.server;
    let said = message_of(status);
    match status.code {
        401 => attempt.trouble(
            Kind::Unauthorized,
            format!(
                "the API server at {server} refuses our credentials (401{said}); the token may have expired or belong \
                 to another cluster: log in again, or check the service account's token"
            ),
        ),
        403 => {
            let group = attempt.group();
            let role = if attempt.namespace().is_some() { "a Role or ClusterRole" } else { "a ClusterRole" };
            attempt.trouble(
                Kind::Forbidden,
                format!(
                    "denied (403{said}); grant {} on {} (API group \"{group}\") to this identity with {role} and its \
                     binding",
                    if matches!(attempt.verb, "list" | "watch") { "get, list and watch" } else { attempt.verb },
                    attempt.resource(),
                ),
            )
        }
        404 => attempt.trouble(
            Kind::NotServed,
            format!(
                "{server} does not serve {} (404{said}); is that the address of a Kubernetes API server, without a \
                 path of its own?",
                attempt.path
            ),
        ),
        429 => attempt.trouble(
            Kind::Throttled,
            format!(
                "the API server at {server} is busy and asks to wait (429{said}); if this lasts, look at its load and \
                 its priority levels"
            ),
        ),
        code @ 500.. => attempt.trouble(
            Kind::Status(code),
            format!("the API server at {server} has trouble of its own ({code}{said}); look at its log and at etcd"),
        ),
        code => attempt.trouble(Kind::Status(code), format!("the API server at {server} answered {code}{said}")),
    }
}

/// `: the message`, or nothing where the answer was no `Status` of Kubernetes (its text may be anything).
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

fn explain_transport(error: &Error, attempt: &Attempt) -> Trouble {
    let server = &attempt.server;
    let text = chain(error);
    let lower = text.to_ascii_lowercase();
    let advice = "check the address in the kubeconfig, or KUBERNETES_SERVICE_HOST in the pod";
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => {
            return attempt.trouble(
                Kind::Refused,
                format!("no API server listens at {server} (connection refused); is it running? {advice}"),
            );
        }
        Some(io::ErrorKind::TimedOut) => {
            return attempt.trouble(
                Kind::TimedOut,
                format!("{server} does not answer (timed out); look for a firewall or a wrong address: {advice}"),
            );
        }
        _ => {}
    }
    if lower.contains("certificate") || lower.contains("tls") || lower.contains("unknownissuer") {
        return attempt.trouble(
            Kind::Certificate,
            format!(
                "no trusted connection to {server}: {text}; check certificate-authority and the client certificate in \
                 the kubeconfig"
            ),
        );
    }
    if lower.contains("dns error") || lower.contains("failed to lookup address") {
        return attempt.trouble(
            Kind::Unresolved,
            format!("the name in {server} cannot be resolved ({text}); {advice}, and the resolver"),
        );
    }
    attempt.trouble(
        Kind::Broken,
        format!("the connection to {server} failed: {text}; {advice}"),
    )
}

/// The first kind of I/O error along the sources that says something.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if error.kind() != io::ErrorKind::Other {
                return Some(error.kind());
            }
            // An io::Error's source is that of what it wraps, so the wrapped error itself must be asked too.
            if let Some(kind) = error.get_ref().and_then(|inner| io_kind(inner)) {
                return Some(kind);
            }
        }
        at = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(verb: &'static str, path: &str) -> Attempt {
        Attempt {
            verb,
            server: "https://10.0.0.1:6443".into(),
            path: path.into(),
        }
    }

    fn api(code: u16, message: &str) -> Error {
        Error::Api(Status::failure(message, "Reason").with_code(code).boxed())
    }

    fn io(kind: io::ErrorKind) -> Error {
        Error::Service(Box::new(io::Error::other(io::Error::new(
            kind,
            "os says no",
        ))))
    }

    #[test]
    fn a_path_says_its_resource_group_and_namespace() {
        let at = attempt("list", "/apis/apps/v1/namespaces/logging/daemonsets");
        assert_eq!(
            (at.resource(), at.group(), at.namespace()),
            ("daemonsets", "apps", Some("logging"))
        );
        let at = attempt("list", "/api/v1/pods");
        assert_eq!(
            (at.resource(), at.group(), at.namespace()),
            ("pods", "", None)
        );
        assert_eq!(
            attempt("get", "/api/v1/namespaces/default").namespace(),
            None
        );
    }

    #[test]
    fn refused_names_the_url() {
        let trouble = explain(
            &io(io::ErrorKind::ConnectionRefused),
            &attempt("list", "/api/v1/pods"),
        );
        assert_eq!(trouble.kind, Kind::Refused);
        assert!(
            trouble.sentence.starts_with(
                "cannot list pods at cluster scope: no API server listens at https://10.0.0.1:6443 (connection refused)"
            ),
            "{trouble}"
        );
    }

    #[test]
    fn denied_names_the_verb_the_resource_and_the_grant() {
        let said = "pods is forbidden: User \"x\" cannot list resource \"pods\"";
        let trouble = explain(&api(403, said), &attempt("list", "/api/v1/pods"));
        assert_eq!(trouble.kind, Kind::Forbidden);
        assert!(
            trouble
                .sentence
                .contains("cannot list pods at cluster scope: denied (403: pods is forbidden")
        );
        assert!(
            trouble
                .sentence
                .contains("grant get, list and watch on pods (API group \"\")"),
            "{trouble}"
        );
        assert!(
            trouble.sentence.contains("with a ClusterRole and"),
            "{trouble}"
        );
        let trouble = explain(
            &api(403, "no"),
            &attempt("watch", "/apis/apps/v1/namespaces/x/daemonsets"),
        );
        assert!(
            trouble.sentence.contains("in namespace x") && trouble.sentence.contains("a Role or"),
            "{trouble}"
        );
    }

    #[test]
    fn each_status_has_its_advice() {
        let at = attempt("watch", "/api/v1/nodes");
        for (code, kind, words) in [
            (401, Kind::Unauthorized, "refuses our credentials"),
            (404, Kind::NotServed, "does not serve /api/v1/nodes"),
            (429, Kind::Throttled, "asks to wait"),
            (503, Kind::Status(503), "trouble of its own (503"),
            (418, Kind::Status(418), "answered 418"),
        ] {
            let trouble = explain(&api(code, "m"), &at);
            assert_eq!(trouble.kind, kind);
            assert!(trouble.sentence.contains(words), "{trouble}");
        }
    }

    #[test]
    fn what_is_no_status_is_not_quoted_and_long_messages_are_cut() {
        let html = Error::Api(
            Status::failure("<html>secret", NO_STATUS)
                .with_code(502)
                .boxed(),
        );
        assert!(
            !explain(&html, &attempt("list", "/api/v1/pods"))
                .sentence
                .contains("html")
        );
        let long = explain(
            &api(500, &"é".repeat(5000)),
            &attempt("list", "/api/v1/pods"),
        );
        assert!(long.sentence.chars().count() < 700);
    }

    #[test]
    fn decoding_errors_say_where_and_never_what() {
        let error = serde_json::from_str::<Vec<u32>>("[1, \"hunter2\"]").expect_err("a string");
        let trouble = explain(&Error::SerdeError(error), &attempt("list", "/api/v1/pods"));
        assert_eq!(trouble.kind, Kind::Unreadable);
        assert!(
            trouble.sentence.contains("line 1") && !trouble.sentence.contains("hunter2"),
            "{trouble}"
        );
    }

    #[test]
    fn transport_errors_are_told_apart() {
        let at = attempt("list", "/api/v1/pods");
        let service = |text: &str| explain(&Error::Service(text.to_owned().into()), &at).kind;
        assert_eq!(
            explain(&io(io::ErrorKind::TimedOut), &at).kind,
            Kind::TimedOut
        );
        assert_eq!(
            service("invalid peer certificate: UnknownIssuer"),
            Kind::Certificate
        );
        assert_eq!(
            service("dns error: failed to lookup address information"),
            Kind::Unresolved
        );
        assert_eq!(
            service("connection closed before message completed"),
            Kind::Broken
        );
    }

    #[test]
    fn a_chain_says_each_part_once() {
        let error = Error::Service(Box::new(io::Error::other("inner")));
        assert_eq!(chain(&error), "ServiceError: inner");
    }
}
