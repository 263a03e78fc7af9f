//! A problem with the API server is logged once. This test has a binary of its own, because the
//! subscriber of logs belongs to the process: beside other tests, lines would be missing now and
//! then.

use daemonset_controller::wire::{Encoded, Encoding};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use daemonset_controller::runtime::list_watch::{Resource, Sink, run};
use http::{Request, Response};
use http_body::Frame;
use kube::Client;
use kube::client::Body;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Takes everything and says nothing.
struct Nothing;

impl Sink for Nothing {
    fn list_began(&mut self) {}
    fn listed(&mut self, _: Encoded<'_>) {}
    fn list_completed(&mut self, _: &str) {}
    fn list_failed(&mut self) {}
    fn changed(&mut self, _: Encoded<'_>) {}
    fn deleted(&mut self, _: Encoded<'_>) {}
    fn bookmark(&mut self, _: &str) {}
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("said").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body that is there, or one that never ends.
enum Content {
    Whole(Option<Bytes>),
    Open,
}

impl http_body::Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            // The reader's own limits wake it.
            Content::Open => Poll::Pending,
        }
    }
}

/// Away for ten minutes, then denying watches for ten, then in order.
async fn answer(request: Request<Body>, start: Instant) -> Result<Response<Content>, io::Error> {
    sleep(Duration::from_millis(1)).await;
    let watching = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("watch=true"));
    let whole = |text: &'static str| Content::Whole(Some(Bytes::from_static(text.as_bytes())));
    let (code, body) = match start.elapsed().as_secs() {
        0..600 => return Err(io::ErrorKind::ConnectionRefused.into()),
        600..1200 if watching => (403, whole(r#"{"code":403,"message":"no"}"#)),
        _ if watching => (200, Content::Open),
        _ => (
            200,
            whole(r#"{"metadata":{"resourceVersion":"10"},"items":[]}"#),
        ),
    };
    Ok(Response::builder()
        .status(code)
        .body(body)
        .expect("response"))
}

#[tokio::test(start_paused = true)]
async fn a_problem_is_logged_once_another_one_once_and_their_end_once() {
    let said = Said::default();
    let writer = said.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only one");

    let start = Instant::now();
    let service = tower::service_fn(move |request| answer(request, start));
    let (_stop, stopped) = watch::channel(false);
    let resource = Resource {
        field_selector: None,
        kind: "Pod",
        path: "/api/v1/pods".into(),
        page_size: 100,
        encoding: Encoding::Json,
    };
    let client = Client::new(service, "default");
    let rng = StdRng::seed_from_u64(7);
    tokio::spawn(run(
        client,
        "https://test:6443",
        resource,
        Nothing,
        rng,
        std::sync::Arc::default(),
        stopped,
    ));
    sleep(Duration::from_secs(1250)).await;

    let said = String::from_utf8(said.0.lock().expect("said").clone()).expect("UTF-8");
    let lines: Vec<_> = said.lines().map(str::trim_start).collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[0].starts_with("WARN")
            && lines[0].contains("no API server listens at https://test:6443")
    );
    assert!(
        lines[1].starts_with("WARN")
            && lines[1].contains("cannot watch pods at cluster scope: denied (403: no)")
    );
    assert!(lines[2].starts_with("INFO") && lines[2].contains("started watching"));
}
