//! List, then watch, for the actors of the simulation: one stream of events that never ends.
//!
//! This is the shortest loop that is correct: the pages of a list are collected before they are
//! shown, a watch that ended is resumed at the same version, 410 leads to a new list, and failures
//! are retried after a pause. The controller has a stricter one of its own
//! (`runtime/list_watch.rs`).

use std::time::Duration;

use futures::stream::{self, BoxStream, Stream, StreamExt};
use kube::api::{ListParams, WatchParams};
use kube::core::{ObjectList, Request, WatchEvent};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// A change of the objects that are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<T> {
    /// A complete list. Objects that are not in it are gone.
    Listed(Vec<T>),
    /// One object was created or changed; this is its new state.
    Applied(T),
    /// One object was deleted; this is its last state.
    Deleted(T),
}

/// An object that can be followed.
pub trait Followed: Clone + DeserializeOwned + Send + 'static {
    /// `metadata.resourceVersion`.
    fn version(&self) -> &str;
}

/// The objects to follow.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The collection's path, e.g. `/api/v1/pods`.
    pub path: String,
    /// A field selector; None for all objects.
    pub fields: Option<String>,
    /// A label selector; None for all objects.
    pub labels: Option<String>,
}

/// The pause after a failed call, and after a watch that ended at once.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a watch may last, in seconds. Its end is the sign of life of a watch that sends
/// nothing.
const WATCH: u32 = 30;
/// A watch must begin, and end by itself, at most this long after it should.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most objects on a page of a list.
const PAGE: u32 = 500;

enum State<T> {
    List,
    Connect(String),
    Watch(String, BoxStream<'static, kube::Result<WatchEvent<T>>>),
}

/// Follows `target`: first [`Event::Listed`], then single changes, and [`Event::Listed`] again
/// whenever the history was lost. The stream never ends; failures are logged at debug level and
/// retried.
pub fn follow<T: Followed>(
    client: kube::Client,
    target: Target,
) -> impl Stream<Item = Event<T>> + Send {
    stream::unfold(State::List, move |mut state| {
        let (client, target) = (client.clone(), target.clone());
        async move {
            loop {
                let (event, next) = step(&client, &target, state).await;
                state = next;
                if let Some(event) = event {
                    return Some((event, state));
                }
            }
        }
    })
}

async fn step<T: Followed>(
    client: &kube::Client,
    target: &Target,
    state: State<T>,
) -> (Option<Event<T>>, State<T>) {
    match state {
        State::List => match list(client, target).await {
            Ok((items, version)) => (Some(Event::Listed(items)), State::Connect(version)),
            Err(error) => pause(target, &error, State::List).await,
        },
        State::Connect(version) => {
            match timeout(PATIENCE, connect(client, target, &version)).await {
                Ok(Ok(stream)) => (None, State::Watch(version, stream)),
                Ok(Err(error)) if gone(&error) => (None, State::List),
                Ok(Err(error)) => pause(target, &error, State::Connect(version)).await,
                Err(_) => (None, State::Connect(version)),
            }
        }
        State::Watch(version, mut stream) => match next(&mut stream).await {
            Some(Ok(WatchEvent::Added(object) | WatchEvent::Modified(object))) => {
                let version = object.version().to_owned();
                (Some(Event::Applied(object)), State::Watch(version, stream))
            }
            Some(Ok(WatchEvent::Deleted(object))) => {
                let version = object.version().to_owned();
                (Some(Event::Deleted(object)), State::Watch(version, stream))
            }
            Some(Ok(WatchEvent::Bookmark(bookmark))) => (
                None,
                State::Watch(bookmark.metadata.resource_version, stream),
            ),
            Some(Ok(WatchEvent::Error(status))) if status.code == 410 => (None, State::List),
            Some(Ok(WatchEvent::Error(status))) => {
                pause(target, &kube::Error::Api(status), State::Connect(version)).await
            }
            Some(Err(error)) if gone(&error) => (None, State::List),
            Some(Err(error)) => pause(target, &error, State::Connect(version)).await,
            None => {
                tokio::time::sleep(PAUSE / 10).await;
                (None, State::Connect(version))
            }
        },
    }
}

/// The next event. None once the watch has ended, or should have ended long ago.
async fn next<S: Stream + Unpin>(watch: &mut S) -> Option<S::Item> {
    let end = Duration::from_secs(WATCH.into()) + PATIENCE;
    timeout(end, watch.next()).await.ok().flatten()
}

async fn pause<T>(
    target: &Target,
    error: &kube::Error,
    next: State<T>,
) -> (Option<Event<T>>, State<T>) {
    tracing::debug!(path = target.path, %error, "cannot follow, trying again");
    tokio::time::sleep(PAUSE).await;
    (None, next)
}

fn gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 410)
}

async fn list<T: Followed>(
    client: &kube::Client,
    target: &Target,
) -> kube::Result<(Vec<T>, String)> {
    let mut items = Vec::new();
    let mut page = None;
    loop {
        let params = ListParams {
            field_selector: target.fields.clone(),
            label_selector: target.labels.clone(),
            limit: Some(PAGE),
            continue_token: page,
            ..ListParams::default()
        };
        let request = Request::new(&target.path)
            .list(&params)
            .map_err(kube::Error::BuildRequest)?;
        let list: ObjectList<T> = client.request(request).await?;
        items.extend(list.items);
        page = list.metadata.continue_.filter(|token| !token.is_empty());
        if page.is_none() {
            return Ok((items, list.metadata.resource_version.unwrap_or_default()));
        }
    }
}

async fn connect<T: Followed>(
    client: &kube::Client,
    target: &Target,
    version: &str,
) -> kube::Result<BoxStream<'static, kube::Result<WatchEvent<T>>>> {
    let params = WatchParams {
        field_selector: target.fields.clone(),
        label_selector: target.labels.clone(),
        ..WatchParams::default().timeout(WATCH)
    };
    let request = Request::new(&target.path)
        .watch(&params, version)
        .map_err(kube::Error::BuildRequest)?;
    Ok(client.request_events::<T>(request).await?.boxed())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures::stream::BoxStream;
    use http::{Request, Response};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use kube::client::Body;
    use serde::Deserialize;
    use tokio::time::Instant;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    struct Object {
        metadata: Metadata,
    }

    #[derive(Debug, Clone, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        resource_version: String,
    }

    impl Followed for Object {
        fn version(&self) -> &str {
            &self.metadata.resource_version
        }
    }

    const LIST: &str =
        r#"{"apiVersion":"v1","kind":"PodList","metadata":{"resourceVersion":"7"},"items":[]}"#;
    const NEWS: &str =
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"8\"}}}\n";

    /// A body with this text, which then ends or stays open.
    fn body(
        text: &'static str,
        ends: bool,
    ) -> BoxStream<'static, Result<Frame<Bytes>, Infallible>> {
        let text = Bytes::from_static(text.as_bytes());
        let text = stream::iter((!text.is_empty()).then(|| Ok(Frame::data(text))));
        if ends {
            text.boxed()
        } else {
            text.chain(stream::pending()).boxed()
        }
    }

    /// The events after an empty list from a server whose first watch is never answered, whose
    /// second watch sends nothing and never ends, and whose third watch sends the changes.
    #[tokio::test(start_paused = true)]
    async fn what_two_deaf_watches_kept_back_the_third_one_tells() {
        let watches = AtomicUsize::new(0);
        let service = tower::service_fn(move |request: Request<Body>| {
            let is_watch = request.uri().to_string().contains("watch=true");
            let number = is_watch.then(|| watches.fetch_add(1, Ordering::Relaxed));
            async move {
                let body = match number {
                    None => body(LIST, true),
                    Some(0) => std::future::pending().await,
                    Some(1) => body("", false),
                    Some(_) => body(NEWS, false),
                };
                Ok::<_, Infallible>(Response::new(StreamBody::new(body)))
            }
        });
        let target = Target {
            path: "/api/v1/pods".to_owned(),
            ..Target::default()
        };
        let begun = Instant::now();
        let mut events = Box::pin(follow::<Object>(
            kube::Client::new(service, "default"),
            target,
        ));
        assert_eq!(events.next().await, Some(Event::Listed(vec![])));
        let Some(Event::Applied(object)) = events.next().await else {
            panic!("no news");
        };
        assert_eq!(object.version(), "8");
        let longest = Duration::from_secs(u64::from(WATCH) + 5) + 2 * PATIENCE;
        assert!(begun.elapsed() < longest, "{:?}", begun.elapsed());
    }
}
