//! Opens the connection of a client before calls need it: calls that find none would each begin
//! one, and all but one of these handshakes would be in vain.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, Version};
use kube::client::Body;
use tokio::time::{Instant, timeout};
use tower::{BoxError, Layer, Service, ServiceExt};

/// What is asked first. Everybody may read it, and it costs nothing.
const PROBE: &str = "/version";

/// For so long calls wait for the connection before each tries by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection without a call for so long may be gone: API servers close it after 90 s.
const IDLE: Duration = Duration::from_secs(60);

/// Opens the connection of the client that it is put around.
#[derive(Clone, Copy, Debug)]
pub struct OpeningLayer;

impl<S> Layer<S> for OpeningLayer {
    type Service = Opening<S>;

    fn layer(&self, inner: S) -> Opening<S> {
        Opening {
            inner,
            shared: Arc::default(),
        }
    }
}

/// A client whose calls wait until there is a connection.
#[derive(Clone, Debug)]
pub struct Opening<S> {
    inner: S,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Held by the call that opens the connection.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    connection: Connection,
    /// How many times one was opened, or could not be.
    tries: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Connection {
    #[default]
    None,
    /// HTTP/2, with the last answer at this time.
    Shared(Instant),
    /// HTTP/1.1: each call needs one of its own.
    Single,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_open(&self) -> bool {
        match self.state().connection {
            Connection::None => false,
            Connection::Shared(at) => at.elapsed() < IDLE,
            Connection::Single => true,
        }
    }

    /// Notes what a call was answered in; None where no answer came.
    fn note(&self, answered: Option<Version>) {
        self.state().connection = match answered {
            Some(Version::HTTP_2) => Connection::Shared(Instant::now()),
            Some(_) => Connection::Single,
            None => Connection::None,
        };
    }

    /// Opens a connection, unless another call did meanwhile, or has tried to.
    async fn open<S, B>(&self, inner: &mut S)
    where
        S: Service<Request<Body>, Response = Response<B>>,
    {
        let tries = self.state().tries;
        let _turn = self.turn.lock().await;
        if self.state().tries != tries {
            return;
        }
        let mut probe = Request::new(Body::empty());
        *probe.uri_mut() = http::Uri::from_static(PROBE);
        // What is wrong the call itself will tell.
        if let Ok(Ok(answer)) = timeout(PATIENCE, inner.call(probe)).await {
            self.note(Some(answer.version()));
        }
        self.state().tries += 1;
    }
}

impl<S, B> Service<Request<Body>> for Opening<S>
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
        let shared = self.shared.clone();
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            if !shared.is_open() {
                shared.open(&mut inner).await;
                inner.ready().await?;
            }
            let answer = inner.call(request).await;
            shared.note(answer.as_ref().ok().map(Response::version));
            answer
        })
    }
}
