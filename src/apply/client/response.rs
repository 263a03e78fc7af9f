//! An answer while it is read: the body of a success, or an error.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use kube::client::Body;
use kube::core::Status;
use kube::core::response::StatusDetails;

use super::error::{ApiError, Cause, chain};
use super::fence::Fenced;
use crate::wire::protobuf;

/// Reads an answer to its end. Any HTTP code but 2xx is an error.
pub(super) async fn read(response: Response<Body>) -> Result<Bytes, ApiError> {
    let (code, retry_after) = (response.status(), retry_after(response.headers()));
    let body = response.into_body().collect_bytes().await;
    let body = body.map_err(unanswered)?;
    if code.is_success() {
        Ok(body)
    } else {
        Err(refused(code, &body, retry_after))
    }
}

/// The error of a request without an answer.
pub(super) fn unanswered(error: kube::Error) -> ApiError {
    if is_unsent(&error) {
        return ApiError::Dropped;
    }
    ApiError::Transport(chain(&error))
}

/// Whether the fence stopped the request before it was sent.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref() == Some(&Fenced::Unsent) || error.source().is_some_and(is_unsent)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // Kubernetes sends seconds. Proxies may send a date, which is ignored.
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds))
}

fn refused(code: StatusCode, body: &[u8], retry_after: Option<Duration>) -> ApiError {
    let Status {
        code,
        reason,
        message,
        details,
        ..
    } = status_of(code, body);
    let seconds = details
        .as_ref()
        .map_or(0, |details| details.retry_after_seconds);
    let in_details = (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    let causes = details.into_iter().flat_map(|details| details.causes);
    let causes = causes.map(|cause| Cause {
        reason: cause.reason,
        message: cause.message,
        field: cause.field,
    });
    ApiError::Status {
        code,
        reason,
        message,
        causes: causes.collect(),
        retry_after: retry_after.or(in_details),
    }
}

/// The reason of an error whose answer holds no Kubernetes `Status`.
pub const NO_STATUS: &str = "NoStatus";

/// The `Status` in an envelope of protobuf; None where there is something else. Of its details only
/// the time to wait is read, because only lists and watches are answered so.
pub fn status_in(envelope: protobuf::Envelope<'_>) -> Option<Status> {
    let read = protobuf::Status::read(envelope).ok()?;
    let details = StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: read.retry_after_seconds,
    };
    Some(Status {
        code: read.code,
        details: Some(details),
        ..Status::failure(read.message, read.reason)
    })
}

/// The `Status` in the answer of an error. Of an answer without one, such as a proxy's, only the
/// code is kept, because its text may be anything.
pub fn status_of(code: StatusCode, body: &[u8]) -> Status {
    let read = match protobuf::envelope(body) {
        Ok(envelope) => status_in(envelope),
        Err(_) => serde_json::from_slice::<Status>(body).ok(),
    };
    let mut status = read
        .filter(|status| !status.reason.is_empty() || !status.message.is_empty())
        .unwrap_or_else(|| Status::failure("", NO_STATUS));
    if status.code == 0 {
        status.code = code.as_u16();
    }
    status
}
