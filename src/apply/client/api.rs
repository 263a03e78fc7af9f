//! Sends requests to the API server, within limits, and returns each answer or error.
//!
//! Every call has a time limit that includes reading the body, and counts against a limit of calls
//! in flight until its body is read. (kube's client queues calls inside, where they cannot be
//! seen.) Nothing is retried here, because only the caller knows what a repetition would mean. The
//! client must have been made with `default_retry` off, as
//! [`runtime::client`](crate::runtime::client) does, or a POST may be sent twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kube::Client;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::error::ApiError;
use super::request::{ApiRequest, PatchType};
use super::response;
use super::verbs::{Resource, Verb};

/// Counts calls. It is told of every call, by many tasks at a time, and must not block.
///
/// All arguments come from small fixed sets, so that the counts stay bounded.
pub trait Tally: Send + Sync {
    /// A call was answered or given up. `outcome` is `ok` or an [`ApiError::category`].
    fn called(&self, verb: Verb, resource: Resource, outcome: &'static str);
}

/// Makes calls. Clones are cheap and share the limit of calls in flight.
#[derive(Clone)]
pub struct Api {
    shared: Arc<Shared>,
    /// No call begins after this time.
    deadline: Option<Instant>,
    /// None where calls are not counted.
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
    /// At most `in_flight` calls at a time, each given up after `patience`. The time before a
    /// call's turn does not count.
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

    /// The same client, with every call counted that was sent.
    pub fn counted(mut self, tally: Arc<dyn Tally>) -> Self {
        self.tally = Some(tally);
        self
    }

    /// The same client for the calls of one plan. A call that has not begun by `deadline`, because
    /// it waited for its turn or this process was halted, is [`ApiError::Dropped`].
    pub fn before(&self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self.clone()
        }
    }

    /// Ends the client: calls that wait for their turn, and later ones, are [`ApiError::Dropped`].
    /// Calls in flight go on.
    pub fn close(&self) {
        self.shared.permits.close();
    }

    /// Reads `path`, which may have a query.
    pub async fn get(&self, path: &str) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::get(path)).await
    }

    /// Reads the object at `path` in the API server's binary form, where it has one.
    pub async fn get_binary(&self, path: &str) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::get_binary(path)).await
    }

    /// Creates the object `body` in the collection at `path`.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::post(path, body)).await
    }

    /// Replaces the object at `path`; `body` is the whole object, with the version that was read.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::put(path, body)).await
    }

    /// Patches the object at `path`.
    pub async fn patch(
        &self,
        path: &str,
        patch: PatchType,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::patch(path, patch, body)).await
    }

    /// Deletes the object at `path`; `body` holds the DeleteOptions, with their preconditions.
    pub async fn delete(&self, path: &str, body: impl Into<Bytes>) -> Result<Bytes, ApiError> {
        self.call(ApiRequest::delete(path, body)).await
    }

    async fn call(&self, request: ApiRequest<'_>) -> Result<Bytes, ApiError> {
        let (verb, resource) = request.asks_for();
        let result = self.send(request).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(ApiError::Dropped) => return result,
            Err(error) => error.category(),
        };
        if let Some(tally) = &self.tally {
            tally.called(verb, resource, outcome);
        }
        result
    }

    async fn send(&self, request: ApiRequest<'_>) -> Result<Bytes, ApiError> {
        let request = request.build()?;
        let permit = self.shared.permits.acquire().await;
        let _permit = permit.map_err(|_| ApiError::Dropped)?;
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            return Err(ApiError::Dropped);
        }
        let whole = async {
            let answer = self.shared.client.send(request).await;
            response::read(answer.map_err(response::unanswered)?).await
        };
        timeout(self.shared.patience, whole)
            .await
            .unwrap_or(Err(ApiError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use http::{Request, Response};
    use kube::client::Body;
    use tokio::time::sleep;
    use tower::Layer;

    use super::*;
    use crate::{apply::client::fence::Fence, model::Time};

    type Seen = Arc<Mutex<Vec<(String, String)>>>;

    /// A client whose server takes `takes` for each answer, and the requests that the server got.
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
