//! Over TLS, the endpoints answer to whom the API server allows it, and to nobody else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep};

use crate::openmetrics;
use crate::secure_world::{Mood, World, meanwhile};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn who_may_get_metrics_gets_them_and_nobody_else_does() {
    let (world, pair) = World::new().await;
    for (method, path, token, code) in [
        ("GET", "/metrics", Some("reader"), 200),
        ("GET", "/metrics?x=y", Some("reader"), 200),
        ("GET", "/metrics", None, 401),
        ("GET", "/metrics", Some("made-up"), 401),
        ("GET", "/metrics", Some("other"), 403),
        // RBAC names verbs, and this is another one.
        ("HEAD", "/metrics", Some("reader"), 403),
        ("HEAD", "/metrics", None, 401),
        // Probes have no token, and one that is nobody's does not keep them out.
        ("GET", "/healthz", None, 200),
        ("GET", "/livez", None, 200),
        ("GET", "/healthz", Some("made-up"), 200),
        ("GET", "/readyz?verbose", None, 500),
        ("GET", "/metrics/", Some("reader"), 404),
        ("GET", "/", None, 404),
        ("POST", "/metrics", None, 405),
    ] {
        let asked = world.ask(&pair, method, path, token);
        let (got, head, body) = meanwhile(asked).await;
        assert_eq!(got, code, "{method} {path} {token:?}: {body}");
        let asks = head.contains("\r\nwww-authenticate: bearer\r\n");
        assert_eq!(asks, code == 401, "{head}");
        assert_eq!(
            head.contains("application/json"),
            [401, 403].contains(&code),
            "{head}"
        );
    }
    let (_, _, text) = world.ask(&pair, "GET", "/metrics", Some("reader")).await;
    let metrics = openmetrics::parse(&text).expect("metrics");
    for resource in ["tokenreviews", "subjectaccessreviews"] {
        let labels = [
            ("verb", "create"),
            ("resource", resource),
            ("outcome", "ok"),
        ];
        let made = metrics.get("daemonset_controller_api_requests_total", &labels);
        assert!(made >= Some(2.0), "{resource}: {made:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_status_as_clients_of_kubernetes_know_it() {
    let (world, pair) = World::new().await;
    for (method, token, code, reason, message) in [
        ("GET", None, 401, "Unauthorized", "Unauthorized"),
        (
            "GET",
            Some("other"),
            403,
            "Forbidden",
            "forbidden: User \"other\" cannot get path \"/metrics\"",
        ),
    ] {
        let (_, _, body) = world.ask(&pair, method, "/metrics", token).await;
        let body: Value = serde_json::from_str(&body).expect("JSON");
        let expected = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_api_server_counts_for_ten_seconds_a_good_one_and_a_bad_one() {
    let (world, pair) = World::new().await;
    for (token, code, per_round) in [
        ("reader", 200, (1, 1)),
        ("other", 403, (1, 1)),
        ("x", 401, (1, 0)),
    ] {
        let count = |kind| world.reviewer.count(kind);
        let before = (count("TokenReview"), count("SubjectAccessReview"));
        for round in 1..=3 {
            // A token that is nobody's keeps its turn for a moment.
            assert_eq!(meanwhile(world.code(&pair, token)).await, code);
            for _ in 0..5 {
                assert_eq!(world.code(&pair, token).await, code);
            }
            let after = (count("TokenReview"), count("SubjectAccessReview"));
            let made = (after.0 - before.0, after.1 - before.1);
            assert_eq!(made, (per_round.0 * round, per_round.1 * round), "{token}");
            advance(10 * SECOND).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_with_one_token_at_a_time_make_one_review() {
    let (world, pair) = World::new().await;
    *world.reviewer.takes.lock().unwrap() = SECOND;
    let all = join_all((0..40).map(|_| world.code(&pair, "reader")));
    let all = meanwhile(all).await;
    assert!(all.iter().all(|code| *code == 200), "{all:?}");
    assert_eq!(world.reviewer.count("TokenReview"), 1);
    assert_eq!(world.reviewer.count("SubjectAccessReview"), 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_of_the_api_server_nobody_is_let_in_and_everybody_is_told_in_time() {
    let (world, pair) = World::new().await;
    for (mood, code) in [
        (Mood::Gone, 503),
        (Mood::Silent, 503),
        (Mood::Busy, 503),
        (Mood::Nonsense, 503),
        (Mood::Nameless, 503),
        (Mood::Refuses, 500),
        (Mood::RefusesAccess, 500),
    ] {
        world.reviewer.set(mood);
        let begun = Instant::now();
        let asked = world.ask(&pair, "GET", "/metrics", Some("reader"));
        let (got, _, body) = meanwhile(asked).await;
        assert_eq!(got, code, "{mood:?}: {body}");
        assert!(!body.contains("daemonset_controller_"), "{mood:?}: {body}");
        assert!(
            begun.elapsed() < 10 * SECOND,
            "{mood:?}: {:?}",
            begun.elapsed()
        );
        assert_eq!(
            world.ask(&pair, "GET", "/healthz", None).await.0,
            200,
            "{mood:?}"
        );
        // Nothing of it is remembered.
        world.reviewer.set(Mood::Well);
        assert_eq!(world.code(&pair, "reader").await, 200, "{mood:?}");
        advance(10 * SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_become_old_lets_nobody_in_while_the_api_server_is_away() {
    let (world, pair) = World::new().await;
    assert_eq!(world.code(&pair, "reader").await, 200);
    world.reviewer.set(Mood::Gone);
    assert_eq!(world.code(&pair, "reader").await, 200, "for ten seconds");
    advance(10 * SECOND).await;
    assert_eq!(world.code(&pair, "reader").await, 503);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_made_up_tokens_makes_few_reviews_and_keeps_out_nobody_who_was_known() {
    let (world, pair) = World::new().await;
    assert_eq!(world.code(&pair, "reader").await, 200);
    advance(10 * SECOND).await;
    *world.reviewer.takes.lock().unwrap() = SECOND;
    let flood = async {
        let tokens: Vec<String> = (0..50).map(|n| format!("made-up-{n}")).collect();
        join_all(tokens.iter().map(|token| world.code(&pair, token))).await
    };
    let known = async {
        sleep(SECOND / 2).await;
        world.code(&pair, "reader").await
    };
    let (flood, code) = meanwhile(async { tokio::join!(flood, known) }).await;
    assert_eq!(
        code, 200,
        "behind the others it would have waited for twelve seconds"
    );
    assert!(
        flood.iter().all(|code| [401, 503].contains(code)),
        "{flood:?}"
    );
    assert!(flood.contains(&401) && flood.contains(&503), "{flood:?}");
    let most = world.reviewer.most.load(Ordering::SeqCst);
    assert!(
        most <= 5,
        "four made-up ones, and the one that is known: {most}"
    );
}
