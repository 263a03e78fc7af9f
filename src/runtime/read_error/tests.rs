use serde_json::json;

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
    let error = attempt("list", "/api/v1/pods").failed(&io(io::ErrorKind::ConnectionRefused));
    assert_eq!(error.kind, ReadErrorKind::ConnectionRefused);
    assert!(
        error.message.starts_with(
            "cannot list pods at cluster scope: no API server listens at https://10.0.0.1:6443 (connection refused)"
        ),
        "{error}"
    );
}

#[test]
fn denied_names_the_verb_the_resource_and_the_grant() {
    let said = "pods is forbidden: User \"x\" cannot list resource \"pods\"";
    let error = attempt("list", "/api/v1/pods").failed(&api(403, said));
    assert_eq!(error.kind, ReadErrorKind::Forbidden);
    assert!(
        error
            .message
            .contains("cannot list pods at cluster scope: denied (403: pods is forbidden")
    );
    assert!(
        error
            .message
            .contains("grant get, list and watch on pods (API group \"\")"),
        "{error}"
    );
    assert!(error.message.contains("with a ClusterRole and"), "{error}");
    let error = attempt("watch", "/apis/apps/v1/namespaces/x/daemonsets").failed(&api(403, "no"));
    assert!(
        error.message.contains("in namespace x") && error.message.contains("a Role or"),
        "{error}"
    );
}

#[test]
fn each_status_has_its_advice() {
    let at = attempt("watch", "/api/v1/nodes");
    for (code, kind, words) in [
        (401, ReadErrorKind::Unauthorized, "refuses our credentials"),
        (
            404,
            ReadErrorKind::NotServed,
            "does not serve /api/v1/nodes",
        ),
        (429, ReadErrorKind::Throttled, "asks to wait"),
        (503, ReadErrorKind::Status(503), "failed (503"),
        (418, ReadErrorKind::Status(418), "answered 418"),
    ] {
        let error = at.failed(&api(code, "m"));
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn only_a_request_that_the_api_server_would_refuse_again_is_rejected() {
    let at = attempt("watch", "/api/v1/nodes");
    let wait = |code: u16, reason: &str, seconds: u32, cause: &str| {
        let causes = json!([{"reason": cause}]);
        let details = json!({"retryAfterSeconds": seconds, "causes": causes});
        let status = json!({"code": code, "reason": reason, "details": details});
        let status: Status = serde_json::from_value(status).expect("a Status");
        Error::Api(status.boxed())
    };
    let expired = ReadErrorKind::Expired;
    let throttled = ReadErrorKind::Throttled;
    let behind = "ResourceVersionTooLarge";
    for (error, kind, rejected, retry_after) in [
        (api(403, "m"), ReadErrorKind::Forbidden, true, None),
        (api(410, "m"), expired, false, None),
        (wait(400, "Expired", 0, ""), expired, false, None),
        (wait(429, "", 20, ""), throttled, false, Some(20)),
        (api(500, "m"), ReadErrorKind::Status(500), false, None),
        // Restored from a backup, it may never get to the version that is asked for.
        (
            wait(504, "Timeout", 1, behind),
            ReadErrorKind::Status(504),
            true,
            Some(1),
        ),
        (
            io(io::ErrorKind::ConnectionRefused),
            ReadErrorKind::ConnectionRefused,
            false,
            None,
        ),
    ] {
        let found = at.failed(&error);
        assert_eq!(
            (found.kind, found.rejected, found.retry_after),
            (kind, rejected, retry_after.map(Duration::from_secs)),
            "{error:?}"
        );
    }
    assert!(at.short_lived().rejected);
    assert!(!at.timed_out("answer").rejected);
}

#[test]
fn what_is_no_status_is_not_quoted_and_long_messages_are_cut() {
    let at = attempt("list", "/api/v1/pods");
    let html = Status::failure("<html>secret", NO_STATUS).with_code(502);
    let html = at.failed(&Error::Api(html.boxed()));
    assert!(!html.message.contains("html"), "{html}");
    let long = at.failed(&api(500, &"é".repeat(5000)));
    assert!(long.message.chars().count() < 700);
}

#[test]
fn decoding_errors_say_where_and_never_what() {
    let error = serde_json::from_str::<Vec<u32>>("[1, \"hunter2\"]").expect_err("a string");
    let error = attempt("list", "/api/v1/pods").failed(&Error::SerdeError(error));
    assert_eq!(error.kind, ReadErrorKind::Unreadable);
    assert!(
        error.message.contains("line 1") && !error.message.contains("hunter2"),
        "{error}"
    );
}

#[test]
fn transport_errors_are_told_apart() {
    let at = attempt("list", "/api/v1/pods");
    let service = |text: &str| at.failed(&Error::Service(text.to_owned().into())).kind;
    assert_eq!(
        at.failed(&io(io::ErrorKind::TimedOut)).kind,
        ReadErrorKind::TimedOut
    );
    assert_eq!(
        service("invalid peer certificate: UnknownIssuer"),
        ReadErrorKind::Certificate
    );
    assert_eq!(
        service("dns error: failed to lookup address information"),
        ReadErrorKind::UnresolvedHost
    );
    assert_eq!(
        service("connection closed before message completed"),
        ReadErrorKind::ConnectionBroken
    );
}

#[test]
fn a_chain_says_each_part_once() {
    let error = Error::Service(Box::new(io::Error::other("inner")));
    assert_eq!(chain(&error), "ServiceError: inner");
}
