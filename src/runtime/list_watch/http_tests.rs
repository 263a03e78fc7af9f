//! The loop over kube's client, with a service in place of HTTP, and paused time.

use crate::wire::Encoding;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use kube::client::Body;
use rand::SeedableRng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::tests::Log;
use super::*;

/// A body that ends when its sender is dropped.
struct Pieces(UnboundedReceiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// What the server does with a request.
enum Answer {
    /// A whole body at once.
    Whole(u16, &'static str),
    /// A body that stays open; each piece comes that many seconds after the one before.
    Open(Vec<(u64, &'static str)>, End),
    /// No answer at all.
    Silence,
    /// The connection is refused.
    Refused,
}

#[derive(Clone, Copy)]
enum End {
    Closed,
    LeftOpen,
}

type Rule = Box<dyn FnMut(&str) -> Answer + Send>;

/// A server, a loop that talks to it, and what both have seen.
struct Stage {
    log: Log,
    requests: Arc<Mutex<Vec<(Duration, String)>>>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Stage {
    fn new(mut rule: Rule) -> Self {
        let start = Instant::now();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let target = request.uri().to_string();
            seen.lock()
                .expect("requests")
                .push((start.elapsed(), target.clone()));
            let answer = rule(&target);
            async move {
                // A request takes time, or a busy loop would stop the clock.
                sleep(Duration::from_millis(1)).await;
                let (sender, receiver) = unbounded_channel();
                let mut response = Response::new(Pieces(receiver));
                match answer {
                    Answer::Whole(code, body) => {
                        let _ = sender.send(Bytes::from_static(body.as_bytes()));
                        *response.status_mut() = http::StatusCode::from_u16(code).expect("code");
                    }
                    Answer::Open(pieces, end) => {
                        tokio::spawn(feed(sender, pieces, end));
                    }
                    Answer::Silence => std::future::pending().await,
                    Answer::Refused => {
                        return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
                    }
                }
                Ok(response)
            }
        });
        let log = Log::default();
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(run(
            Client::new(service, "default"),
            "https://test:6443",
            Resource {
                field_selector: None,
                kind: "Pod",
                path: "/api/v1/pods".into(),
                page_size: 2,
                encoding: Encoding::Protobuf,
            },
            log.clone(),
            StdRng::seed_from_u64(7),
            Arc::default(),
            stopped,
        ));
        Self {
            log,
            requests,
            stop,
            running,
        }
    }

    /// Lets virtual time pass and returns what the sink was given.
    async fn after(&self, seconds: u64) -> Vec<String> {
        sleep(Duration::from_secs(seconds)).await;
        self.log.take()
    }

    /// The requests so far, without the timeouts of watches.
    fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("requests");
        let short = requests.iter().map(|(_, target)| {
            let target = target.strip_prefix("/api/v1/pods?").expect("the path");
            let parts = target
                .split('&')
                .filter(|part| !part.is_empty() && !part.starts_with("timeoutSeconds="));
            parts.collect::<Vec<_>>().join("&")
        });
        short.collect()
    }
}

async fn feed(sender: UnboundedSender<Bytes>, pieces: Vec<(u64, &'static str)>, end: End) {
    for (wait, piece) in pieces {
        sleep(Duration::from_secs(wait)).await;
        if sender.send(Bytes::from_static(piece.as_bytes())).is_err() {
            return;
        }
    }
    match end {
        End::Closed => {}
        End::LeftOpen => sender.closed().await,
    }
}

/// The answers in turn, and after them silence.
fn script(answers: impl IntoIterator<Item = Answer>) -> Rule {
    let mut answers: VecDeque<Answer> = answers.into_iter().collect();
    Box::new(move |_| answers.pop_front().unwrap_or(Answer::Silence))
}

/// Lists are empty; `watch` answers watches.
fn empty_then(mut watch: impl FnMut() -> Answer + Send + 'static) -> Rule {
    Box::new(move |target| {
        if target.contains("watch=true") {
            watch()
        } else {
            Answer::Whole(200, EMPTY)
        }
    })
}

const EMPTY: &str = r#"{"metadata":{"resourceVersion":"10"},"items":[]}"#;
const GONE: &str =
    r#"{"kind":"Status","status":"Failure","reason":"Expired","message":"too old","code":410}"#;
const QUIET: fn() -> Answer = || Answer::Open(vec![], End::LeftOpen);

#[tokio::test(start_paused = true)]
async fn a_list_in_pages_and_then_the_watch() {
    let stage = Stage::new(script([
        Answer::Whole(
            200,
            r#"{"kind":"PodList","metadata":{"resourceVersion":"9","continue":"a+b="},"items":[{"metadata":{"name":"a"}}]}"#,
        ),
        Answer::Whole(
            200,
            r#"{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"b"}}]}"#,
        ),
        QUIET(),
    ]));
    assert_eq!(
        stage.after(30).await,
        ["began", "listed a", "listed b", "completed 9"]
    );
    assert_eq!(
        stage.requests(),
        [
            "limit=2",
            "limit=2&continue=a%2Bb%3D",
            "watch=true&allowWatchBookmarks=true&resourceVersion=9"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn gone_in_the_middle_of_a_list_begins_it_again() {
    let page = r#"{"metadata":{"resourceVersion":"9","continue":"c"},"items":[{"metadata":{"name":"a"}}]}"#;
    let stage = Stage::new(script([
        Answer::Whole(200, page),
        Answer::Whole(410, GONE),
        Answer::Whole(200, EMPTY),
        QUIET(),
    ]));
    let expected = ["began", "listed a", "failed", "began", "completed 10"];
    assert_eq!(stage.after(1).await, expected);
}

#[tokio::test(start_paused = true)]
async fn gone_as_a_status_and_as_an_event_lists_at_once() {
    for gone in [
        Answer::Whole(410, GONE),
        Answer::Open(
            vec![(
                0,
                "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":410}}\n",
            )],
            End::LeftOpen,
        ),
    ] {
        let stage = Stage::new(script([
            Answer::Whole(200, EMPTY),
            gone,
            Answer::Whole(200, EMPTY),
            QUIET(),
        ]));
        assert_eq!(
            stage.after(1).await,
            ["began", "completed 10", "began", "completed 10"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_always_fails_is_asked_for_a_bounded_number_of_times_an_hour() {
    let rules: [(&str, Rule); 8] = [
        (
            "watches end at once",
            empty_then(|| Answer::Open(vec![], End::Closed)),
        ),
        (
            "watches end at once, after an event",
            empty_then(|| {
                let event =
                    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"11\"}}}\n";
                Answer::Open(vec![(0, event)], End::Closed)
            }),
        ),
        ("watches are gone", empty_then(|| Answer::Whole(410, GONE))),
        (
            "watches are denied",
            empty_then(|| Answer::Whole(403, "{}")),
        ),
        (
            "watches are garbage",
            empty_then(|| Answer::Open(vec![(0, "<html>\n")], End::LeftOpen)),
        ),
        ("watches have no headers", empty_then(|| Answer::Silence)),
        ("lists fail", Box::new(|_| Answer::Whole(500, "no"))),
        ("nobody is there", Box::new(|_| Answer::Refused)),
    ];
    for (what, rule) in rules {
        let stage = Stage::new(rule);
        sleep(Duration::from_secs(3600)).await;
        let count = stage.requests().len();
        // A pause of 30 s, less jitter, is an average of 160 an hour; a list may go with each.
        assert!((60..=330).contains(&count), "{what}: {count} requests");
    }
}

#[tokio::test(start_paused = true)]
async fn a_garbage_line_leads_to_a_list_and_what_came_before_it_counts() {
    let stage = Stage::new(script([
        Answer::Whole(200, EMPTY),
        Answer::Open(
            vec![
                (
                    0,
                    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"11\"}}}\n",
                ),
                (6, "{\"type\":\"ADDED\",\"object\":{\"metadata\n"),
            ],
            End::LeftOpen,
        ),
        Answer::Whole(200, EMPTY),
        QUIET(),
    ]));
    assert_eq!(
        stage.after(7).await,
        [
            "began",
            "completed 10",
            "changed a",
            "began",
            "completed 10"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_undecodable_object_goes_to_the_sink_and_the_watch_goes_on() {
    let stage = Stage::new(script([
        Answer::Whole(
            200,
            r#"{"metadata":{"resourceVersion":"10"},"items":[7,{"metadata":[]}]}"#,
        ),
        Answer::Open(
            vec![
                // In pieces that do not end where lines end.
                (
                    1,
                    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"resourceVersion\":\"11\",\"labels\":7}}}\n{\"ty",
                ),
                (
                    1,
                    "pe\":\"MODIFIED\",\"object\":\"x\"}\n{\"type\":\"ADDED\",\"object\":{\"cut",
                ),
                (5, " off"),
            ],
            End::Closed,
        ),
        QUIET(),
    ]));
    let expected = [
        "began",
        "listed ?",
        "listed ?",
        "completed 10",
        "changed ?",
        "changed ?",
    ];
    assert_eq!(stage.after(8).await, expected);
    // The line that was cut off does not count, and the watch goes on from the last version that
    // was read.
    assert!(
        stage.requests()[2].ends_with("resourceVersion=11"),
        "{:?}",
        stage.requests()
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_watch_is_taken_for_dead_a_while_after_it_should_have_ended() {
    let stage = Stage::new(empty_then(QUIET));
    sleep(Duration::from_secs(3600)).await;
    let times: Vec<_> = stage
        .requests
        .lock()
        .expect("requests")
        .iter()
        .map(|(at, _)| *at)
        .collect();
    for pair in times[1..].windows(2) {
        let lived = (pair[1] - pair[0]).as_secs();
        assert!((75..=95).contains(&lived), "{lived} s");
    }
    assert_eq!(stage.log.take(), ["began", "completed 10"]);
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_was_away_is_found_again_within_the_longest_pause() {
    let start = Instant::now();
    let away =
        move || (Duration::from_secs(100)..Duration::from_secs(400)).contains(&start.elapsed());
    let stage = Stage::new(Box::new(move |target| {
        if away() {
            Answer::Refused
        } else if target.contains("watch=true") {
            Answer::Open(vec![(60, "")], End::Closed)
        } else {
            Answer::Whole(200, EMPTY)
        }
    }));
    sleep(Duration::from_secs(700)).await;
    // The watch was retried from its last version, without a list.
    assert_eq!(stage.log.take(), ["began", "completed 10"]);
    let requests = stage.requests.lock().expect("requests").clone();
    let during = requests
        .iter()
        .filter(|(at, _)| (100..400).contains(&at.as_secs()))
        .count();
    let back = requests
        .iter()
        .find(|(at, _)| at.as_secs() >= 400)
        .expect("found again");
    assert!((10..30).contains(&during), "{during} requests while away");
    assert!(back.0 < Duration::from_secs(431), "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bookmark_moves_the_version_from_which_the_next_watch_begins() {
    let mark = "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":{\"resourceVersion\":\"77\"}}}\n";
    let stage = Stage::new(script([
        Answer::Whole(200, EMPTY),
        Answer::Open(vec![(50, mark), (10, "")], End::Closed),
        QUIET(),
    ]));
    assert_eq!(
        stage.after(70).await,
        ["began", "completed 10", "bookmark 77"]
    );
    assert!(
        stage.requests()[2].ends_with("resourceVersion=77"),
        "{:?}",
        stage.requests()
    );
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_everything_at_once() {
    for rule in [
        Box::new(|_: &str| Answer::Silence) as Rule,
        Box::new(|_: &str| Answer::Refused),
        empty_then(QUIET),
    ] {
        let stage = Stage::new(rule);
        sleep(Duration::from_secs(20)).await;
        let before = Instant::now();
        stage.stop.send(true).expect("still running");
        stage.running.await.expect("no panic");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
