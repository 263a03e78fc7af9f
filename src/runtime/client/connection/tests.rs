//! One connection for all calls, and what its dangers cost, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use http_body_util::BodyExt;
use kube::Client;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep};

use super::{
    Protocol,
    server::{Fate, Server},
};
use crate::apply::client::{api::Api, error::ApiError, fence::Fence};
use crate::model::Time;

/// Longer than any connection may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

fn client(server: &Server) -> Client {
    super::client(&server.config(), server.connector(), Protocol::Http2, None).expect("a client")
}

fn api(server: &Server, in_flight: usize) -> Api {
    Api::new(client(server), in_flight, PATIENCE)
}

async fn post_all(api: &Api, names: &[String]) -> Vec<Result<(), ApiError>> {
    let posts = names.iter().map(|name| async {
        api.post("/api/v1/namespaces/d/pods", name.clone())
            .await
            .map(drop)
    });
    join_all(posts).await
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("pod-{n:03}")).collect()
}

#[tokio::test(start_paused = true)]
async fn calls_that_begin_together_share_one_connection() {
    let server = Server::new([]);
    let api = api(&server, 64);
    let names = names(64);
    assert!(post_all(&api, &names).await.iter().all(Result::is_ok));
    let seen = server.seen();
    assert_eq!((seen.connections, seen.bodies.len()), (1, 64));
}

#[tokio::test(start_paused = true)]
async fn what_a_server_did_not_process_is_sent_again_and_nothing_else() {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let fates = (0..40).map(|_| Fate::GoesAway(random.random_range(2..20)));
        let server = Server::new(fates.collect::<Vec<_>>());
        let api = api(&server, 16);
        let names = names(200);
        let results = post_all(&api, &names).await;
        assert!(
            results.iter().all(Result::is_ok),
            "seed {seed}: {results:?}"
        );
        let mut seen = server.seen();
        seen.bodies.sort();
        assert_eq!(seen.bodies, names, "seed {seed}");
        assert!(seen.connections > 10, "seed {seed}: {}", seen.connections);
    }
}

/// Every connection ends at once: it is not tried for ever, and nothing is done twice.
#[tokio::test(start_paused = true)]
async fn a_server_that_always_goes_away_is_given_up() {
    let server = Server::new(vec![Fate::GoesAway(1); 1000]);
    let api = api(&server, 16);
    let names = names(100);
    let results = post_all(&api, &names).await;
    let done = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(server.seen().bodies.len(), done);
    assert!(
        server.seen().connections <= 10 * 100,
        "{}",
        server.seen().connections
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_has_to_pass_the_fence_again() {
    let begun = Instant::now();
    let fence = Fence::new(Arc::new(move || Time::default() + begun.elapsed()));
    fence.open_until(begun + PATIENCE);
    let close = {
        let fence = fence.clone();
        move || fence.close()
    };
    let server = Server::telling([Fate::GoesAway(1)], close);
    let client = super::client(
        &server.config(),
        server.connector(),
        Protocol::Http2,
        Some(&fence),
    );
    let api = Api::new(client.expect("a client"), 8, PATIENCE);
    let results = post_all(&api, &names(8)).await;
    assert!(results.iter().any(Result::is_err));
    assert_eq!(server.seen().bodies.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_on_a_silent_connection_fails_within_20_s_and_the_next_one_has_another() {
    let server = Server::new([Fate::Silent(1)]);
    let api = api(&server, 4);
    assert_eq!(post_all(&api, &["a".into()]).await, [Ok(())]);
    let begun = Instant::now();
    let error = api.post("/p", "b").await.expect_err("silence");
    assert!(error.outcome_unknown(), "{error}");
    assert!(
        begun.elapsed() <= Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    assert!(api.post("/p", "c").await.is_ok());
    assert_eq!(server.seen().bodies, ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_on_a_silent_connection_ends_within_20_s() {
    let server = Server::new([Fate::SilentAfterHead(0)]);
    let request = http::Request::get("/api/v1/pods?watch=1").body(b"watch".to_vec().into());
    let answer = client(&server).send(request.expect("a request")).await;
    let begun = Instant::now();
    let body = answer.expect("a head").into_body().collect().await;
    assert!(body.is_err());
    assert!(
        begun.elapsed() <= Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_closed_while_idle_is_opened_once() {
    let server = Server::new([Fate::Closes(1)]);
    let api = api(&server, 64);
    assert_eq!(post_all(&api, &["first".into()]).await, [Ok(())]);
    sleep(Duration::from_secs(90)).await;
    assert!(post_all(&api, &names(64)).await.iter().all(Result::is_ok));
    assert_eq!(server.seen().connections, 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_http_2_gets_http_1() {
    let server = Server::new(vec![Fate::Http1; 9]);
    let api = api(&server, 8);
    let calls = stream::iter(0..20).map(|_| api.get("/api/v1/pods"));
    let results: Vec<_> = calls.buffer_unordered(8).collect().await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(server.seen().bodies.len(), 21, "the probe too");
    assert!(server.seen().connections <= 9);
}
