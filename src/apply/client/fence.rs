//! A fence that stops writes of a process that may no longer be the leader.
//!
//! The fence stands below the client's buffer, right before a request goes to a connection, so that
//! a request which waited in a queue for too long is never sent. It is open until a given time and
//! then closes by itself, whatever else hangs. Reads always pass.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{Method, Request};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::model::Time;

/// The error of any service behind the fence.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Returns the wall-clock time. The monotonic clock stands still while a machine is suspended, the
/// wall clock does not.
pub type WallClock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A write was not sent, or was given up in flight, because this process is not the leader.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fenced {
    /// The write was never sent.
    #[error("not sent: this process is not the leader")]
    Unsent,
    /// The write was in flight, and its outcome is not known.
    #[error("given up under way: this process is no longer the leader")]
    UnderWay,
}

/// The end of the time in which writes may be in flight, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    until: Instant,
    wall: Time,
}

/// Open or closed; clones are the same fence.
#[derive(Clone)]
pub struct Fence {
    shared: Arc<Shared>,
    clock: WallClock,
}

#[derive(Default)]
struct Shared {
    open: Mutex<Option<Open>>,
    /// A `Notify` wakes its waiters in the order in which they came; a `watch` channel does not.
    closed: Notify,
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence")
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

impl Fence {
    /// A fence that is closed.
    pub fn new(clock: WallClock) -> Fence {
        Fence {
            shared: Arc::default(),
            clock,
        }
    }

    /// Opens the fence, or keeps it open, until that time.
    pub fn open_until(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let wall = (self.clock)() + left;
        *self.state() = Some(Open { until, wall });
    }

    /// Closes the fence now.
    pub fn close(&self) {
        *self.state() = None;
        self.shared.closed.notify_waiters();
    }

    /// Whether writes may be sent now.
    pub fn is_open(&self) -> bool {
        self.open_now().is_some()
    }

    /// Returns when the fence is closed or its time is over.
    pub async fn closed(&self) {
        loop {
            let closed = self.shared.closed.notified();
            let Some(until) = self.open_now() else {
                return;
            };
            // At that time the fence may have been kept open for longer.
            let _ = timeout_at(until, closed).await;
        }
    }

    /// The time at which the fence closes; None when it is closed.
    fn open_now(&self) -> Option<Instant> {
        let open = (*self.state())?;
        let is_open = Instant::now() < open.until && (self.clock)() < open.wall;
        is_open.then_some(open.until)
    }

    fn state(&self) -> MutexGuard<'_, Option<Open>> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for Fence {
    type Service = FencedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FencedService {
            inner,
            fence: self.clone(),
        }
    }
}

/// A service behind a [`Fence`].
#[derive(Clone, Debug)]
pub struct FencedService<S> {
    inner: S,
    fence: Fence,
}

impl<S, B> Service<Request<B>> for FencedService<S>
where
    S: Service<Request<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.method() == Method::GET {
            let answer = self.inner.call(request);
            return Box::pin(async move { answer.await.map_err(Into::into) });
        }
        if !self.fence.is_open() {
            return Box::pin(async { Err(Fenced::Unsent.into()) });
        }
        let (answer, fence) = (self.inner.call(request), self.fence.clone());
        Box::pin(async move {
            tokio::select! {
                biased;
                () = fence.closed() => Err(Fenced::UnderWay.into()),
                answer = answer => answer.map_err(Into::into),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicI64, Ordering},
        time::Duration,
    };

    use http::Response;
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Rig {
        fence: Fence,
        /// How many seconds the wall clock is ahead of the monotonic clock.
        ahead: Arc<AtomicI64>,
        /// The requests that the server answered.
        sent: Arc<Mutex<Vec<Method>>>,
    }

    impl Rig {
        fn new() -> Rig {
            let (ahead, begun) = (Arc::new(AtomicI64::new(0)), Instant::now());
            let clock = {
                let ahead = ahead.clone();
                move || {
                    let ahead = Duration::from_secs(ahead.load(Ordering::Relaxed).unsigned_abs());
                    Time::default() + begun.elapsed() + ahead
                }
            };
            Rig {
                fence: Fence::new(Arc::new(clock)),
                ahead,
                sent: Arc::default(),
            }
        }

        /// Sends a request to a server that takes this long to answer.
        async fn send(&self, method: Method, takes: Duration) -> Result<(), Option<Fenced>> {
            let sent = self.sent.clone();
            let server = tower::service_fn(move |request: Request<()>| {
                let sent = sent.clone();
                async move {
                    sleep(takes).await;
                    sent.lock().expect("a lock").push(request.method().clone());
                    Ok::<_, BoxError>(Response::new(()))
                }
            });
            let request = Request::builder()
                .method(method)
                .body(())
                .expect("a request");
            let answer = self.fence.layer(server).call(request).await;
            answer.map(drop).map_err(|e| e.downcast_ref().copied())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn reads_pass_a_closed_fence_and_writes_do_not() {
        let rig = Rig::new();
        assert_eq!(rig.send(Method::GET, SECOND).await, Ok(()));
        let refused = rig.send(Method::POST, SECOND).await;
        assert_eq!(refused, Err(Some(Fenced::Unsent)));
        assert_eq!(*rig.sent.lock().expect("a lock"), [Method::GET]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_closes_by_itself_and_drops_what_is_under_way() {
        let rig = Rig::new();
        let begun = Instant::now();
        rig.fence.open_until(begun + 10 * SECOND);
        assert_eq!(rig.send(Method::PUT, 9 * SECOND).await, Ok(()));
        let given_up = rig.send(Method::DELETE, 9 * SECOND).await;
        assert_eq!(given_up, Err(Some(Fenced::UnderWay)));
        assert_eq!(begun.elapsed(), 10 * SECOND);
        let refused = rig.send(Method::PUT, SECOND).await;
        assert_eq!(refused, Err(Some(Fenced::Unsent)));
        assert_eq!(*rig.sent.lock().expect("a lock"), [Method::PUT]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_renewed_goes_on_and_what_is_closed_ends_at_once() {
        let rig = Rig::new();
        let begun = Instant::now();
        rig.fence.open_until(begun + 10 * SECOND);
        let renew = async {
            sleep(9 * SECOND).await;
            rig.fence.open_until(begun + 19 * SECOND);
        };
        let (answer, ()) = tokio::join!(rig.send(Method::PATCH, 15 * SECOND), renew);
        assert_eq!(answer, Ok(()));
        let close = async {
            sleep(SECOND).await;
            rig.fence.close();
        };
        let (answer, ()) = tokio::join!(rig.send(Method::PATCH, 15 * SECOND), close);
        assert_eq!(answer, Err(Some(Fenced::UnderWay)));
        assert_eq!(begun.elapsed(), 16 * SECOND);
    }

    /// For example a laptop with its lid closed, or a virtual machine that is moved to another
    /// host.
    #[tokio::test(start_paused = true)]
    async fn a_machine_that_was_suspended_finds_it_closed() {
        let rig = Rig::new();
        rig.fence.open_until(Instant::now() + 10 * SECOND);
        rig.ahead.store(9, Ordering::Relaxed);
        assert!(rig.fence.is_open());
        rig.ahead.store(10, Ordering::Relaxed);
        assert!(!rig.fence.is_open());
        let refused = rig.send(Method::POST, SECOND).await;
        assert_eq!(refused, Err(Some(Fenced::Unsent)));
    }
}
