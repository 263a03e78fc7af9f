//! Sends again what the server said that it has not processed: a server that closes a connection
//! (GOAWAY) names the last stream that it took, and may refuse a stream (REFUSED_STREAM). RFC 9113,
//! sections 6.8 and 8.7, allow to repeat what came after it, whatever its method. Every other
//! failure is the caller's to judge.

use std::error::Error;
use std::future::{Ready, ready};

use h2::Reason;
use http::{Request, Response};
use kube::client::Body;
use tower::BoxError;
use tower::retry::{Policy, RetryLayer};

/// How many times a request is sent at most. The next connection may be closed as well.
const TRIES: usize = 10;

/// What of one request may be sent again.
#[derive(Clone, Copy, Debug)]
pub struct Unprocessed {
    /// How many times more.
    left: usize,
}

/// Sends again what was not processed, by the client that it is put around.
pub fn layer() -> RetryLayer<Unprocessed> {
    RetryLayer::new(Unprocessed { left: TRIES - 1 })
}

impl<B> Policy<Request<Body>, Response<B>, BoxError> for Unprocessed {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        answer: &mut Result<Response<B>, BoxError>,
    ) -> Option<Ready<()>> {
        let is_unprocessed = answer.as_ref().is_err_and(|e| is_unprocessed(&**e));
        if !is_unprocessed || self.left == 0 {
            return None;
        }
        self.left -= 1;
        Some(ready(()))
    }

    /// None for a body that is a stream.
    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        let mut copy = Request::new(request.body().try_clone()?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(copy)
    }
}

fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        let is_going = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
        return error.is_remote() && (is_refused || is_going);
    }
    error.source().is_some_and(is_unprocessed)
}
