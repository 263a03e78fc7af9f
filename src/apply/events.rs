//! Publishes Kubernetes events in the background, so that no event delays a create or a delete.
//!
//! [`EventSink::send`] decides what is written (see [`event_correlator`](super::event_correlator))
//! and puts it into a bounded queue. [`Publisher::run`] writes the queue in order. An event that
//! does not fit is dropped and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::client::{Api, ApiError, PatchType, paths};
use super::event_correlator::{COMPONENT, Correlator, Write};
pub use super::event_correlator::{EventText, ObjectRef};

/// How many writes may wait in the queue.
const WAITING: usize = 1000;

/// How many times a write is tried when no answer comes.
const TRIES: u32 = 12;

/// The pause between two tries.
const BETWEEN_TRIES: Duration = Duration::from_secs(10);

/// Returns the time on the wall clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The entrance of the queue; cheap to clone.
#[derive(Clone)]
pub struct EventSink {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Write>,
}

struct Shared {
    correlator: Mutex<Correlator>,
    clock: Clock,
    dropped: AtomicU64,
}

/// Writes what the sinks were given.
pub struct Publisher {
    api: Api,
    queue: mpsc::Receiver<Write>,
    denied: bool,
}

/// A sink, and the publisher of all that it and its clones are given.
pub fn events(api: Api, clock: Clock) -> (EventSink, Publisher) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let shared = Shared {
        correlator: Mutex::new(Correlator::new()),
        clock,
        dropped: AtomicU64::new(0),
    };
    let sink = EventSink {
        shared: Arc::new(shared),
        queue: sender,
    };
    let publisher = Publisher {
        api,
        queue: receiver,
        denied: false,
    };
    (sink, publisher)
}

impl EventSink {
    /// Queues an event, without waiting.
    pub fn send(&self, object: ObjectRef, event: EventText) {
        tracing::debug!(
            namespace = object.namespace,
            name = object.name,
            reason = event.reason,
            "event: {}",
            event.message
        );
        let now = (self.shared.clock)();
        let write = {
            let correlator = self.shared.correlator.lock();
            // A panic under the lock may have left a count off by one, which is good enough for
            // events.
            let mut correlator = correlator.unwrap_or_else(PoisonError::into_inner);
            correlator.correlate(object, event, now)
        };
        if let Some(write) = write
            && self.queue.try_send(write).is_err()
        {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many events were dropped, because the queue was full or the publisher had ended.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Publisher {
    /// Writes events until every sink is dropped and the queue is empty. May be dropped at any
    /// time.
    pub async fn run(mut self) {
        while let Some(write) = self.queue.recv().await {
            self.publish(&write).await;
        }
    }

    async fn publish(&mut self, write: &Write) {
        for attempt in 1..=TRIES {
            let result = self.write(write).await;
            let error = match result {
                Ok(()) => return,
                Err(error) => error,
            };
            if !error.is_transient() {
                return self.rejected(write, &error);
            }
            tracing::debug!(name = write.name, attempt, %error, "an event could not be written");
            if attempt < TRIES {
                sleep(BETWEEN_TRIES).await;
            }
        }
        tracing::warn!(
            namespace = write.object.namespace,
            name = write.object.name,
            "an event is given up, the API server did not take it: {}",
            write.message
        );
    }

    async fn write(&self, write: &Write) -> Result<(), ApiError> {
        let namespace = &write.object.namespace;
        if write.count > 1 {
            let path = paths::event(namespace, &write.name);
            match self
                .api
                .patch(&path, PatchType::StrategicMerge, patch(write))
                .await
            {
                // The event has expired, or was never created because it was dropped.
                Err(error) if error.is_not_found() => {}
                result => return result.map(drop),
            }
        }
        let path = paths::events(namespace);
        self.api.post(&path, new_event(write)).await.map(drop)
    }

    fn rejected(&mut self, write: &Write, error: &ApiError) {
        // An earlier try may have succeeded although its answer was lost, and a terminating
        // namespace needs no events.
        let expected = error.is_already_exists()
            || error.is_namespace_terminating()
            || *error == ApiError::Dropped;
        let namespace = &*write.object.namespace;
        if expected || self.denied {
            tracing::debug!(namespace, name = write.name, %error, "an event was not taken");
        } else if error.code() == Some(403) {
            self.denied = true;
            tracing::warn!(
                namespace,
                "events cannot be written ({error}); grant create and patch on events (API group \"\")"
            );
        } else {
            tracing::warn!(namespace, name = write.name, %error, "an event was rejected");
        }
    }
}

/// A time as Kubernetes writes it, in whole seconds.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn patch(write: &Write) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Patch<'a> {
        count: u32,
        last_timestamp: String,
        message: &'a str,
    }
    json(&Patch {
        count: write.count,
        last_timestamp: seconds(write.last),
        message: &write.message,
    })
}

fn new_event(write: &Write) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct NewEvent<'a> {
        kind: &'a str,
        api_version: &'a str,
        metadata: Metadata<'a>,
        involved_object: Involved<'a>,
        reason: &'a str,
        message: &'a str,
        source: Source<'a>,
        first_timestamp: String,
        last_timestamp: String,
        count: u32,
        #[serde(rename = "type")]
        kind_of_event: &'a str,
        event_time: Option<&'a str>,
        reporting_component: &'a str,
        reporting_instance: &'a str,
    }
    #[derive(Serialize)]
    struct Metadata<'a> {
        name: &'a str,
        namespace: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Involved<'a> {
        kind: &'a str,
        namespace: &'a str,
        name: &'a str,
        uid: &'a str,
        api_version: &'a str,
        resource_version: &'a str,
    }
    #[derive(Serialize)]
    struct Source<'a> {
        component: &'a str,
    }
    let object = &write.object;
    json(&NewEvent {
        kind: "Event",
        api_version: "v1",
        metadata: Metadata {
            name: &write.name,
            namespace: &object.namespace,
        },
        involved_object: Involved {
            kind: "DaemonSet",
            namespace: &object.namespace,
            name: &object.name,
            uid: &object.uid,
            api_version: "apps/v1",
            resource_version: &object.resource_version,
        },
        reason: write.reason,
        message: &write.message,
        source: Source {
            component: COMPONENT,
        },
        first_timestamp: seconds(write.first),
        last_timestamp: seconds(write.last),
        count: write.count,
        kind_of_event: write.kind.as_str(),
        event_time: None,
        // client-go leaves it out of combined events.
        reporting_component: if write.combined { "" } else { COMPONENT },
        reporting_instance: "",
    })
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers always serialize")
}

#[cfg(test)]
mod tests {
    use http::{Method, Request, Response};
    use kube::Client;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::plan::EventType;

    type Seen = Arc<Mutex<Vec<(Method, String, Value)>>>;

    const START: i64 = 1_800_000_000;

    /// A sink and a publisher on a server that answers with a code (0: the connection breaks).
    /// `answer` gets the number of the request, counted from 1.
    fn stage(
        answer: impl Fn(usize, &Method) -> u16 + Send + Sync + 'static,
    ) -> (EventSink, Publisher, Seen) {
        let seen = Seen::default();
        let (log, answer) = (seen.clone(), Arc::new(answer));
        let service = tower::service_fn(move |request: Request<Body>| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let body = serde_json::from_slice(&body).unwrap();
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push((parts.method.clone(), parts.uri.to_string(), body));
                    log.len()
                };
                sleep(Duration::from_millis(1)).await;
                match answer(count, &parts.method) {
                    0 => Err(std::io::Error::other("reset")),
                    code => Ok(Response::builder()
                        .status(code)
                        .body(Body::empty())
                        .unwrap()),
                }
            }
        });
        let api = Api::new(Client::new(service, "default"), 4, Duration::from_secs(10));
        let epoch = Instant::now();
        let clock: Clock =
            Arc::new(move || Timestamp::from_second(START).unwrap() + epoch.elapsed());
        let (sink, publisher) = events(api, clock);
        (sink, publisher, seen)
    }

    fn object() -> ObjectRef {
        ObjectRef {
            namespace: "default".into(),
            name: "web".into(),
            uid: "9cae".into(),
            resource_version: "239".into(),
        }
    }

    fn created(pod: &str) -> EventText {
        EventText {
            kind: EventType::Normal,
            reason: "SuccessfulCreate",
            message: format!("Created pod: {pod}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_is_created_and_the_second_patched() {
        let (sink, publisher, seen) = stage(|_, _| 200);
        sink.send(object(), created("web-7mxtk"));
        tokio::time::advance(Duration::from_secs(3)).await;
        sink.send(object(), created("web-7mxtk"));
        drop(sink);
        publisher.run().await;
        let seen = seen.lock().unwrap();
        let name = "web.18fae27693b40000";
        assert_eq!(
            seen[0],
            (
                Method::POST,
                "/api/v1/namespaces/default/events".into(),
                json!({
                    "kind": "Event", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"},
                    "involvedObject": {"kind": "DaemonSet", "namespace": "default", "name": "web", "uid": "9cae",
                        "apiVersion": "apps/v1", "resourceVersion": "239"},
                    "reason": "SuccessfulCreate", "message": "Created pod: web-7mxtk",
                    "source": {"component": "daemonset-controller"},
                    "firstTimestamp": "2027-01-15T08:00:00Z", "lastTimestamp": "2027-01-15T08:00:00Z",
                    "count": 1, "type": "Normal", "eventTime": null,
                    "reportingComponent": "daemonset-controller", "reportingInstance": "",
                })
            )
        );
        assert_eq!(
            seen[1],
            (
                Method::PATCH,
                format!("/api/v1/namespaces/default/events/{name}"),
                json!({"count": 2, "lastTimestamp": "2027-01-15T08:00:03Z", "message": "Created pod: web-7mxtk"})
            )
        );
        assert_eq!(seen.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_creates_in_a_burst_are_25_writes_of_10_events() {
        let (sink, publisher, seen) = stage(|_, _| 200);
        for n in 0..1000 {
            sink.send(object(), created(&format!("web-{n}")));
        }
        assert_eq!(sink.dropped(), 0);
        drop(sink);
        publisher.run().await;
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 25);
        let posts: Vec<_> = seen
            .iter()
            .filter(|(method, ..)| method == Method::POST)
            .collect();
        assert_eq!(posts.len(), 10);
        assert_eq!(
            posts[9].2["message"],
            "(combined from similar events): Created pod: web-9"
        );
        assert_eq!(posts[9].2["reportingComponent"], "");
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_expired_is_created_anew_with_its_count() {
        let (sink, publisher, seen) =
            stage(|_, method| if method == Method::PATCH { 404 } else { 201 });
        sink.send(object(), created("a"));
        sink.send(object(), created("a"));
        drop(sink);
        publisher.run().await;
        let seen = seen.lock().unwrap();
        let methods: Vec<_> = seen.iter().map(|(method, ..)| method.as_str()).collect();
        assert_eq!(methods, ["POST", "PATCH", "POST"]);
        assert_eq!(
            (&seen[2].2["count"], &seen[2].2["metadata"]),
            (&json!(2), &seen[0].2["metadata"])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_tried_again_and_a_rejection_is_not() {
        for (code, requests) in [(0, 13), (503, 13), (403, 2), (404, 2), (409, 2)] {
            let (sink, publisher, seen) = stage(move |count, _| {
                if count <= 12 && requests == 13 {
                    code
                } else {
                    201
                }
            });
            let (sink, publisher, seen) = if requests == 2 {
                stage(move |_, _| code)
            } else {
                (sink, publisher, seen)
            };
            sink.send(object(), created("a"));
            sink.send(object(), created("b"));
            drop(sink);
            let start = Instant::now();
            publisher.run().await;
            assert_eq!(seen.lock().unwrap().len(), requests, "{code}");
            assert_eq!(start.elapsed() > Duration::from_secs(100), requests == 13);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sending_never_waits_and_what_does_not_fit_is_counted() {
        let (sink, publisher, seen) = stage(|_, _| 200);
        for n in 0..(WAITING + 5) {
            let mut object = object();
            object.uid = n.to_string();
            sink.send(object, created("a"));
        }
        assert_eq!(sink.dropped(), 5);
        let last = sink.clone();
        drop(sink);
        let running = tokio::spawn(publisher.run());
        sleep(Duration::from_secs(10)).await;
        assert_eq!(seen.lock().unwrap().len(), WAITING);
        running.abort();
        let _ = running.await;
        last.send(object(), created("a"));
        assert_eq!(last.dropped(), 6);
    }
}
