//! Sends requests to the API server by our rules, and says what became of each.
//!
//! Every call is bounded in time, body included, and counted against a limit of calls in flight until its body is read
//! (kube's client queues calls inside, where they cannot be seen). Nothing is retried here: whoever asks knows what a
//! repetition would mean. The client must have been made with `default_retry` off, as
//! [`runtime::client`](crate::runtime::client) does, or a POST may be sent twice.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use kube::Client;
use kube::core::Status;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::error::{ApiError, Cause};
use super::fence::Fenced;
use super::tally::{self, Tally};

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// JSON merge patch.
    Merge,
    /// Strategic merge patch, which knows the keys of lists.
    StrategicMerge,
    /// JSON patch: a list of operations, with tests.
    Json,
}

impl PatchType {
    /// The content type that stands for it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::StrategicMerge => "application/strategic-merge-patch+json",
            Self::Json => "application/json-patch+json",
        }
    }
}

/// Makes calls; cheap to clone, and clones share the limit of calls in flight.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    /// No call begins after this.
    deadline: Option<Instant>,
    /// Who counts, if anyone does.
    tally: Option<Arc<dyn Tally>>,
}

struct Shared {
    client: Client,
    permits: Semaphore,
    patience: Duration,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("free", &self.shared.permits.available_permits())
            .finish_non_exhaustive()
    }
}

impl Api {
    /// At most `in_flight` calls at a time, each given up after `patience`; time spent waiting for a turn does not count.
    pub fn new(client: Client, in_flight: usize, patience: Duration) -> Self {
        let permits = Semaphore::new(in_flight.max(1));
        Self {
            shared: Arc::new(Shared {
                client,
                permits,
                patience,
            }),
            deadline: None,
            tally: None,
        }
    }

    /// The same, with every call counted; one that was not sent is none.
    pub fn counted(mut self, tally: Arc<dyn Tally>) -> Self {
        self.tally = Some(tally);
        self
    }

    /// Who counts.
    pub(super) fn tally(&self) -> Option<&dyn Tally> {
        self.tally.as_deref()
    }

    /// The same, for the calls of one plan: one that has not begun by `deadline`, because it waited for its turn or this
    /// process was halted, is [`ApiError::Dropped`].
    pub fn before(&self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// Ends it: calls that wait for their turn, and later ones, are [`ApiError::Dropped`]; those in flight go on.
    pub fn close(&self) {
        self.shared.permits.close();
    }

    /// Reads `path`, which may have a query.
    pub async fn get(&self, path: &str) -> Result<Bytes, ApiError> {
        self.call(Method::GET, path, None, Bytes::new()).await
    }

    /// Creates what `body` says at `path`.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(Method::POST, path, Some("application/json"), body.into())
            .await
    }

    /// Replaces the object at `path`; `body` is all of it, with the version that it was read at.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(Method::PUT, path, Some("application/json"), body.into())
            .await
    }

    /// Patches the object at `path`.
    pub async fn patch(
        &self,
        path: &str,
        patch: PatchType,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, ApiError> {
        self.call(Method::PATCH, path, Some(patch.content_type()), body.into())
            .await
    }

    /// Deletes the object at `path`; `body` holds the options, with their preconditions.
    pub async fn delete(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(Method::DELETE, path, Some("application/json"), body.into())
            .await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Bytes, ApiError> {
        let (verb, resource) = tally::of(&method, path);
        let result = self.send(method, path, content_type, body).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(ApiError::Dropped) => return result,
            Err(error) => error.category(),
        };
        if let Some(tally) = self.tally() {
            tally.called(verb, resource, outcome);
        }
        result
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&'static str>,
        body: Bytes,
    ) -> Result<Bytes, ApiError> {
        let mut request = http::Request::builder().method(method).uri(path);
        request = request.header(ACCEPT, "application/json");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request.body(body.into()).map_err(|error| {
            // The path is of our own making, so this is a bug; nothing has been sent.
            tracing::error!(path, %error, "a request cannot be built");
            ApiError::Dropped
        })?;
        let _permit = self
            .shared
            .permits
            .acquire()
            .await
            .map_err(|_| ApiError::Dropped)?;
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            return Err(ApiError::Dropped);
        }
        let whole = async {
            let response = self.shared.client.send(request).await.map_err(transport)?;
            let (code, retry_after) = (response.status(), retry_after(response.headers()));
            let body = response
                .into_body()
                .collect_bytes()
                .await
                .map_err(transport)?;
            if code.is_success() {
                Ok(body)
            } else {
                Err(refused(code, &body, retry_after))
            }
        };
        timeout(self.shared.patience, whole)
            .await
            .unwrap_or(Err(ApiError::Timeout))
    }
}

fn transport(error: kube::Error) -> ApiError {
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

/// The `Status` in an answer that is an error. An answer that holds none, as those of proxies, keeps nothing but its
/// code, because its text may be anything.
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

/// The texts of an error and its sources, each once (many errors repeat their source in their own text).
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
    use std::sync::Mutex;

    use http::{Request, Response};
    use kube::client::Body;
    use tokio::time::sleep;
    use tower::Layer;

    use super::*;
    use crate::{apply::fence::Fence, model::Time};

    type Seen = Arc<Mutex<Vec<(String, String)>>>;

    /// An API whose server takes `takes` for each answer, and what the server was asked.
    fn api(
        in_flight: usize,
        takes: Duration,
        answer: impl Fn() -> (u16, &'static str) + Send + Clone + 'static,
    ) -> (Api, Seen) {
        let seen = Seen::default();
        let log = seen.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let content = request
                    .headers()
                    .get(CONTENT_TYPE)
                    .map_or("-", |value| value.to_str().unwrap());
                let line = format!("{} {} {content}", request.method(), request.uri());
                let body = request.into_body().collect_bytes().await.unwrap();
                log.lock()
                    .unwrap()
                    .push((line, String::from_utf8(body.to_vec()).unwrap()));
                sleep(takes).await;
                let (code, body) = answer();
                let response = Response::builder().status(code).header(RETRY_AFTER, "7");
                Ok::<_, std::io::Error>(
                    response.body(Body::from(body.as_bytes().to_vec())).unwrap(),
                )
            }
        });
        let client = Client::new(service, "default");
        (Api::new(client, in_flight, Duration::from_secs(10)), seen)
    }

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn requests_are_what_the_api_server_expects() {
        let (api, seen) = api(4, SHORT, || (200, "{}"));
        assert_eq!(api.get("/api/v1/pods?limit=1").await.unwrap(), "{}");
        api.post("/p", "{1}").await.unwrap();
        api.patch("/p/x/status", PatchType::Merge, "{2}")
            .await
            .unwrap();
        api.patch("/p/x", PatchType::StrategicMerge, "{3}")
            .await
            .unwrap();
        api.patch("/p/x", PatchType::Json, "[]").await.unwrap();
        api.delete("/p/x", vec![b'{', b'}']).await.unwrap();
        api.put("/p/x", "{4}").await.unwrap();
        let seen = seen.lock().unwrap();
        let seen: Vec<_> = seen
            .iter()
            .map(|(line, body)| format!("{line} {body}"))
            .collect();
        assert_eq!(
            seen,
            [
                "GET /api/v1/pods?limit=1 - ",
                "POST /p application/json {1}",
                "PATCH /p/x/status application/merge-patch+json {2}",
                "PATCH /p/x application/strategic-merge-patch+json {3}",
                "PATCH /p/x application/json-patch+json []",
                "DELETE /p/x application/json {}",
                "PUT /p/x application/json {4}",
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_keeps_what_its_status_says_and_how_long_to_wait() {
        let status = r#"{"kind":"Status","status":"Failure","reason":"Forbidden","code":403,"message":"no more",
            "details":{"causes":[{"reason":"NamespaceTerminating","message":"m","field":"metadata.namespace"}]}}"#;
        let (api, _) = api(4, SHORT, move || (403, status));
        let error = api.post("/p", "{}").await.unwrap_err();
        assert!(error.is_namespace_terminating());
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(error.to_string(), "403 Forbidden: no more");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_no_status_is_not_quoted() {
        let (api, _) = api(4, SHORT, || (502, "<html>PASSWORD=hunter2"));
        let error = api.get("/p").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        assert!(error.outcome_unknown());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_takes_too_long_is_given_up_and_its_outcome_unknown() {
        let (api, _) = api(4, Duration::from_secs(60), || (200, "{}"));
        let start = Instant::now();
        let error = api.post("/p", "{}").await.unwrap_err();
        assert_eq!(
            (start.elapsed(), error.outcome_unknown()),
            (Duration::from_secs(10), true)
        );
        assert_eq!(error, ApiError::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn calls_wait_for_their_turn_and_waiting_is_not_being_late() {
        let (api, seen) = api(2, Duration::from_secs(8), || (200, "{}"));
        let start = Instant::now();
        let calls = (0..6).map(|_| api.get("/p"));
        let results = futures::future::join_all(calls).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(start.elapsed(), Duration::from_secs(24));
        assert_eq!(seen.lock().unwrap().len(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_waited_past_its_deadline_is_not_sent() {
        let (api, seen) = api(1, Duration::from_secs(8), || (200, "{}"));
        let plan = api.before(Instant::now() + Duration::from_secs(15));
        let results = futures::future::join_all((0..3).map(|_| plan.post("/p", "{}"))).await;
        assert!(
            results[0].is_ok() && results[1].is_ok(),
            "begun at 0 s and 8 s"
        );
        assert_eq!(results[2], Err(ApiError::Dropped));
        assert_eq!(seen.lock().unwrap().len(), 2);
        assert!(api.get("/p").await.is_ok(), "others go on");
    }

    #[tokio::test(start_paused = true)]
    async fn closing_drops_what_waits_and_lets_finish_what_is_in_flight() {
        let (api, seen) = api(1, Duration::from_secs(5), || (200, "{}"));
        let close = async {
            sleep(Duration::from_secs(1)).await;
            api.close();
        };
        let (first, second, ()) = tokio::join!(api.get("/1"), api.get("/2"), close);
        assert!(first.is_ok());
        assert_eq!(second, Err(ApiError::Dropped));
        assert!(!ApiError::Dropped.outcome_unknown());
        assert_eq!(seen.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_path_that_is_none_is_not_sent() {
        let (api, seen) = api(1, SHORT, || (200, "{}"));
        assert_eq!(api.get("/a b").await, Err(ApiError::Dropped));
        assert!(seen.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_fence_keeps_back_was_not_sent_and_what_it_breaks_off_may_have_been_done() {
        let begun = Instant::now();
        let fence = Fence::new(Arc::new(move || Time::default() + begun.elapsed()));
        let server = tower::service_fn(|_: Request<Body>| async {
            sleep(Duration::from_secs(2)).await;
            Ok::<_, std::io::Error>(Response::new(Body::empty()))
        });
        let client = Client::new(fence.layer(server), "default");
        let api = Api::new(client, 1, Duration::from_secs(10));
        assert_eq!(api.post("/p", "{}").await, Err(ApiError::Dropped));
        fence.open_until(begun + Duration::from_secs(1));
        let error = api.post("/p", "{}").await.unwrap_err();
        assert!(error.outcome_unknown(), "{error}");
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_leaves_the_outcome_unknown() {
        let service = tower::service_fn(|_: Request<Body>| async {
            Err::<Response<Body>, _>(std::io::Error::other("connection reset"))
        });
        let api = Api::new(Client::new(service, "default"), 1, Duration::from_secs(1));
        let error = api.post("/p", "{}").await.unwrap_err();
        assert_eq!(
            error,
            ApiError::Transport("ServiceError: connection reset".into())
        );
        assert!(error.outcome_unknown());
    }
}
