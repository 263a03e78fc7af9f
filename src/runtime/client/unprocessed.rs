//! Sends again what the server said that it has not processed: a server that closes a connection
//! (GOAWAY) names the last stream that it took, and may refuse a stream (REFUSED_STREAM). RFC 9113,
//! sections 6.8 and 8.7, allow to repeat what came after it, whatever its method. Every other
//! failure is the caller's to judge.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use h2::Reason;
use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Layer, Service, ServiceExt};

/// How many times a request is sent at most. The next connection may be closed as well.
const TRIES: usize = 10;

/// Sends again what was not processed, by the client that it is put around.
#[derive(Clone, Copy, Debug)]
pub struct UnprocessedLayer;

impl<S> Layer<S> for UnprocessedLayer {
    type Service = Unprocessed<S>;

    fn layer(&self, inner: S) -> Unprocessed<S> {
        Unprocessed { inner }
    }
}

/// A client that sends again what was not processed.
#[derive(Clone, Debug)]
pub struct Unprocessed<S> {
    inner: S,
}

impl<S, B> Service<Request<Body>> for Unprocessed<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let mut copy = copy_of(&request);
            let mut answer = inner.call(request).await;
            for _ in 1..TRIES {
                let is_unprocessed = answer.as_ref().is_err_and(|e| is_unprocessed(&**e));
                let Some(request) = copy.filter(|_| is_unprocessed) else {
                    break;
                };
                copy = copy_of(&request);
                answer = inner.ready().await?.call(request).await;
            }
            answer
        })
    }
}

/// The same request again. None for a body that is a stream.
fn copy_of(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

fn is_unprocessed(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        let is_going = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
        return error.is_remote() && (is_refused || is_going);
    }
    error.source().is_some_and(is_unprocessed)
}
