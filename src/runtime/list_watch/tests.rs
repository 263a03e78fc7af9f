//! The loop against a script: no HTTP, no client.

use crate::wire::{self, Encoded};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rand::SeedableRng;

use super::*;
use crate::runtime::read_error::Attempt;

/// Writes down what the sink is given, a word or two for each call, and whether a watch is open.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<String>>>, Arc<AtomicBool>);

impl Log {
    pub(super) fn write(&self, entry: impl Into<String>) {
        self.0.lock().expect("log").push(entry.into());
    }

    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("log"))
    }
}

fn name(item: Encoded<'_>) -> String {
    if let Encoded::Protobuf(_) = item {
        let name = wire::identity(item).map(|identity| identity.key.name);
        return name.as_deref().unwrap_or("?").to_owned();
    }
    let json = item.as_json().expect("JSON").get();
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    value["metadata"]["name"].as_str().unwrap_or("?").to_owned()
}

impl Sink for Log {
    fn list_began(&mut self) {
        self.write("began");
    }
    fn listed(&mut self, item: Encoded<'_>) {
        self.write(format!("listed {}", name(item)));
    }
    fn list_completed(&mut self, version: &str) {
        self.write(format!("completed {version}"));
    }
    fn list_failed(&mut self) {
        self.write("failed");
    }
    fn changed(&mut self, item: Encoded<'_>) {
        self.write(format!("changed {}", name(item)));
    }
    fn deleted(&mut self, item: Encoded<'_>) {
        self.write(format!("deleted {}", name(item)));
    }
    fn bookmark(&mut self, version: &str) {
        self.write(format!("bookmark {version}"));
    }
    fn watching(&mut self, is_open: bool) {
        self.1.store(is_open, Ordering::Relaxed);
    }
}

/// The answers of the script, in order. A page answers a list, and a watch a watch.
pub(super) enum Answer {
    Page(&'static str),
    Watch(Vec<Step>),
    Fail(ReadError),
}

pub(super) enum Step {
    Line(&'static str),
    Wait(Duration),
    End,
}

pub(super) struct Script {
    answers: VecDeque<Answer>,
    log: Log,
    /// Each open watch has a clone of it.
    open: Arc<()>,
}

pub(super) struct Lines(VecDeque<Step>, #[expect(dead_code)] Arc<()>);

impl Script {
    pub(super) fn new(answers: VecDeque<Answer>, log: Log) -> Script {
        let open = Arc::default();
        Script { answers, log, open }
    }
}

impl Source for Script {
    type Stream = Lines;

    async fn page(&mut self, next: Option<&str>) -> Result<Bytes, ReadError> {
        self.log.write(format!("page {}", next.unwrap_or("-")));
        match self.answers.pop_front() {
            Some(Answer::Page(body)) => Ok(Bytes::from_static(body.as_bytes())),
            Some(Answer::Fail(failure)) => Err(failure),
            Some(Answer::Watch(_)) => panic!("a list where a watch was expected"),
            None => std::future::pending().await,
        }
    }

    async fn watch(&mut self, version: &str, seconds: u32) -> Result<Lines, ReadError> {
        assert!((60..=80).contains(&seconds));
        self.log.write(format!("watch {version}"));
        match self.answers.pop_front() {
            Some(Answer::Watch(steps)) => Ok(Lines(steps.into(), self.open.clone())),
            Some(Answer::Fail(failure)) => Err(failure),
            Some(Answer::Page(_)) => panic!("a watch where a list was expected"),
            None => std::future::pending().await,
        }
    }

    fn attempt(&self, verb: &'static str) -> Attempt {
        attempt(verb)
    }
}

impl Stream for Lines {
    async fn read(&mut self, line: &mut Vec<u8>) -> Result<Read, ReadError> {
        loop {
            match self.0.front() {
                Some(Step::Line(text)) => {
                    line.extend_from_slice(text.as_bytes());
                    self.0.pop_front();
                    return Ok(Read::Line);
                }
                Some(Step::Wait(time)) => {
                    // Dropped and called again, it waits the rest of the time.
                    let end = Instant::now() + *time;
                    let half = *time / 2;
                    sleep(half).await;
                    self.0[0] = Step::Wait(end - Instant::now());
                    if half.is_zero() {
                        self.0.pop_front();
                    }
                }
                Some(Step::End) | None => return Ok(Read::End),
            }
        }
    }
}

/// Runs a script to its end, and a little longer. Returns what happened, and how long the script
/// took.
async fn play(answers: Vec<Answer>) -> (Vec<String>, Duration) {
    let log = Log::default();
    let script = Script::new(answers.into(), log.clone());
    let mut it = ListWatch::new(script, "Pod", log.clone(), StdRng::seed_from_u64(1));
    let start = Instant::now();
    let mut state = LoopState::Unlisted;
    while !it.source.answers.is_empty() || matches!(state, LoopState::Watching(_)) {
        state = it.step(state).await;
    }
    let took = start.elapsed();
    // The first request without an answer in the script.
    let _ = timeout_at(Instant::now() + Duration::from_millis(1), it.step(state)).await;
    (log.take(), took)
}

const EMPTY: &str = r#"{"metadata":{"resourceVersion":"10"},"items":[]}"#;

fn attempt(verb: &'static str) -> Attempt {
    Attempt {
        verb,
        server: "script".into(),
        path: "/api/v1/pods".into(),
    }
}

fn failure(rejected: bool) -> Answer {
    Answer::Fail(ReadError {
        rejected,
        ..attempt("watch").short_lived()
    })
}

fn expired() -> Answer {
    Answer::Fail(attempt("watch").expired())
}

fn lived() -> Answer {
    Answer::Watch(vec![Step::Wait(Duration::from_secs(60)), Step::End])
}

#[tokio::test(start_paused = true)]
async fn pages_are_read_in_turn_and_the_watch_goes_on_from_the_last_pages_version() {
    let (log, took) = play(vec![
        Answer::Page(r#"{"metadata":{"resourceVersion":"9","continue":"c1"},"items":[{"metadata":{"name":"a"}}]}"#),
        Answer::Page(r#"{"metadata":{"resourceVersion":"9","continue":""},"items":[{"metadata":{"name":"b"}},7]}"#),
    ])
    .await;
    let expected = [
        "began",
        "page -",
        "listed a",
        "page c1",
        "listed b",
        "listed ?",
        "completed 9",
        "watch 9",
    ];
    assert_eq!(log, expected);
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_expires_between_pages_is_read_again_at_once_but_not_for_ever_at_once() {
    let first =
        || Answer::Page(r#"{"metadata":{"resourceVersion":"9","continue":"c1"},"items":null}"#);
    let (log, took) = play(vec![first(), expired(), Answer::Page(EMPTY)]).await;
    let expected = [
        "began",
        "page -",
        "page c1",
        "failed",
        "began",
        "page -",
        "completed 10",
        "watch 10",
    ];
    assert_eq!(log, expected);
    assert_eq!(took, Duration::ZERO);

    let mut script = Vec::new();
    for _ in 0..20 {
        script.extend([first(), expired()]);
    }
    assert!(play(script).await.1 > Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn events_go_to_the_sink_and_their_versions_are_where_the_next_watch_begins() {
    let (log, _) = play(vec![
        Answer::Page(EMPTY),
        Answer::Watch(vec![
            Step::Line(
                r#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"11"}}}"#,
            ),
            Step::Line("\n"),
            Step::Line(r#"{"type":"MODIFIED","object":{"metadata":7,"undecodable":true}}"#),
            Step::Line(
                r#"{"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"12"}}}"#,
            ),
            Step::Wait(Duration::from_secs(6)),
            Step::Line(r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"40"}}}"#),
        ]),
    ])
    .await;
    let expected = [
        "began",
        "page -",
        "completed 10",
        "watch 10",
        "changed a",
        "changed ?",
        "deleted a",
        "bookmark 40",
        "watch 40",
    ];
    assert_eq!(log, expected);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_gone_lists_at_once_the_first_time_and_slower_each_time_after() {
    let gone = r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"#;
    let (log, took) = play(vec![
        Answer::Page(EMPTY),
        Answer::Watch(vec![Step::Line(gone)]),
        Answer::Page(EMPTY),
    ])
    .await;
    assert_eq!(
        log.iter().filter(|entry| *entry == "completed 10").count(),
        2
    );
    assert_eq!(took, Duration::ZERO);

    let mut script = Vec::new();
    for _ in 0..20 {
        script.extend([Answer::Page(EMPTY), expired()]);
    }
    assert!(
        play(script).await.1 > Duration::from_secs(150),
        "a hot loop of lists"
    );
}

/// Watches that each bring one version more and are ended at once: an API server that cannot keep
/// up.
fn cut_short(count: usize) -> impl Iterator<Item = Answer> {
    const NEWS: [&str; 3] = [
        r#"{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"11"}}}"#,
        r#"{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"12"}}}"#,
        r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"13"}}}"#,
    ];
    let watch = |n: usize| Answer::Watch(vec![Step::Line(NEWS[n % NEWS.len()]), Step::End]);
    (0..count).map(watch)
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_told_something_and_was_ended_early_is_followed_by_the_next_within_moments() {
    let mut script = vec![Answer::Page(EMPTY)];
    // Failures before do not matter: a watch that brings something is accepted by the API server.
    script.extend((0..4).map(|_| failure(true)));
    let (_, before) = play(script).await;

    let mut script = vec![Answer::Page(EMPTY)];
    script.extend((0..4).map(|_| failure(true)));
    script.extend(cut_short(3));
    script.push(failure(true));
    let (log, took) = play(script).await;
    let expected = [
        "watch 10",
        "changed a",
        "watch 11",
        "changed a",
        "watch 12",
        "bookmark 13",
        "watch 13",
    ];
    assert!(
        log.windows(expected.len()).any(|part| part == expected),
        "{log:?}"
    );
    assert!(!log[3..].contains(&"began".to_owned()), "no list: {log:?}");
    let news = took - before;
    // Three short pauses, and after them the pause of a fifth failure: 20 + 40 + 80 ms and 8 s,
    // less jitter.
    assert!(news < Duration::from_millis(8_140), "{news:?}");

    let (_, took) = play(
        [Answer::Page(EMPTY)]
            .into_iter()
            .chain(cut_short(3))
            .collect(),
    )
    .await;
    let pauses = Duration::from_millis(70)..=Duration::from_millis(140);
    assert!(pauses.contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn watches_that_are_always_ended_early_are_not_asked_for_without_end() {
    let (log, took) = play(
        [Answer::Page(EMPTY)]
            .into_iter()
            .chain(cut_short(100))
            .collect(),
    )
    .await;
    assert_eq!(log.iter().filter(|entry| *entry == "began").count(), 1);
    // Half a second at least between two of them, except for the first few.
    assert!(took > Duration::from_secs(45), "{took:?}");

    // After a watch that lived, the next one counts as the first again.
    let mut script = vec![Answer::Page(EMPTY)];
    script.extend(cut_short(12));
    script.push(lived());
    let (_, before) = play(script).await;
    let mut script = vec![Answer::Page(EMPTY)];
    script.extend(cut_short(12));
    script.push(lived());
    script.extend(cut_short(1));
    let (_, took) = play(script).await;
    assert!(
        took - before <= Duration::from_millis(20),
        "{:?}",
        took - before
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lived_makes_the_next_failure_the_first_again() {
    let mut script = vec![Answer::Page(EMPTY)];
    script.extend((0..10).map(|_| failure(false)));
    script.extend([lived(), failure(false)]);
    let (log, took) = play(script).await;
    assert!(!log.contains(&"failed".to_owned()));
    // Ten failures with growing pauses, a minute of watch, one short pause.
    let pauses = took - Duration::from_secs(60);
    assert!(
        pauses > Duration::from_secs(60) && pauses < Duration::from_secs(190),
        "{pauses:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_refuses_is_given_up_and_one_it_could_not_be_asked_about_is_kept()
{
    let mut script = vec![Answer::Page(EMPTY)];
    script.extend((0..30).map(|_| failure(false)));
    let (log, _) = play(script).await;
    assert_eq!(
        log.iter().filter(|entry| entry.starts_with("page")).count(),
        1
    );

    let mut script = vec![Answer::Page(EMPTY)];
    script.extend((0..5).map(|_| failure(true)));
    script.push(Answer::Page(EMPTY));
    let (log, _) = play(script).await;
    assert_eq!(
        log.iter().filter(|entry| *entry == "completed 10").count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_none_is_dropped_and_asked_for_again() {
    let (log, took) = play(vec![
        Answer::Page("<html>"),
        Answer::Page(r#"{"metadata":{},"items":[{"metadata":{"name":"a"}}]}"#),
        Answer::Page(EMPTY),
    ])
    .await;
    let expected = [
        "began",
        "page -",
        "failed",
        "began",
        "page -",
        "failed",
        "began",
        "page -",
        "completed 10",
        "watch 10",
    ];
    assert_eq!(log, expected);
    assert!(took >= Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_heeded() {
    let busy = ReadError {
        retry_after: Some(Duration::from_secs(20)),
        ..attempt("list").timed_out("answer")
    };
    let (_, took) = play(vec![Answer::Fail(busy), Answer::Page(EMPTY)]).await;
    assert_eq!(took, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_not_spent_with_an_open_watch() {
    const NEWS: &str = r#"{"type":"ADDED","object":{"metadata":{"resourceVersion":"11"}}}"#;
    const ERROR: &str = r#"{"type":"ERROR","object":{"kind":"Status","code":500}}"#;
    for steps in [
        vec![Step::End],
        vec![Step::Line(ERROR)],
        // The fifth in a row, so that the pause is long enough to look into.
        vec![Step::Line(NEWS), Step::End],
    ] {
        let open = Arc::new(());
        let script = Script {
            answers: [Answer::Page(EMPTY), Answer::Watch(steps)].into(),
            log: Log::default(),
            open: open.clone(),
        };
        let rng = StdRng::seed_from_u64(1);
        let sink = Log::default();
        let is_told_of = || sink.1.load(Ordering::Relaxed);
        let mut it = ListWatch::new(script, "Pod", sink.clone(), rng);
        for _ in 0..4 {
            it.retries.watch_cut_short(&attempt("watch").short_lived());
        }
        let mut state = LoopState::Unlisted;
        while it.source.answers.front().is_some() {
            state = it.step(state).await;
        }
        assert_eq!(Arc::strong_count(&open), 3, "the watch is open");
        assert!(is_told_of());
        let mut step = std::pin::pin!(async {
            while matches!(state, LoopState::Watching(_)) {
                state = it
                    .step(std::mem::replace(&mut state, LoopState::Unlisted))
                    .await;
            }
        });
        let moment = Instant::now() + Duration::from_millis(50);
        assert!(timeout_at(moment, &mut step).await.is_err(), "it pauses");
        assert_eq!(Arc::strong_count(&open), 2, "and the watch is closed");
        assert!(!is_told_of(), "and the sink knows");
    }
}
