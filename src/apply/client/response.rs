//! An answer while it is read: its body, or the error that it stands for.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Response, StatusCode};
use kube::client::Body;
use kube::core::Status;

use super::error::{ApiError, Cause, chain};
use super::fence::Fenced;

/// Reads an answer to its end: the body of one that says yes, the error of any other.
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

/// The error of a request that got no answer.
pub(super) fn unanswered(error: kube::Error) -> ApiError {
    if is_unsent(&error) {
        return ApiError::Dropped;
    }
    ApiError::Transport(chain(&error))
}

/// Whether the fence kept the request back.
fn is_unsent(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref() == Some(&Fenced::Unsent) || error.source().is_some_and(is_unsent)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // Kubernetes sends seconds; the form with a date is for proxies, and can be done without.
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

/// The reason given to an answer that is an error by its HTTP code but no `Status` of Kubernetes.
pub const NO_STATUS: &str = "NoStatus";

/// The `Status` in an answer that is an error. Of an answer without one, such as a proxy's, only the
/// code is kept, because its text may be anything.
pub fn status_of(code: StatusCode, body: &[u8]) -> Status {
    let mut status = serde_json::from_slice::<Status>(body)
        .ok()
        .filter(|status| !status.reason.is_empty() || !status.message.is_empty())
        .unwrap_or_else(|| Status::failure("", NO_STATUS));
    if status.code == 0 {
        status.code = code.as_u16();
    }
    status
}
