//! Creates that are denied: one call an attempt, growing pauses, and the rest of the work is done
//! all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::rollout::set_key;
use super::world::*;

fn quota() -> Act {
    Act::Refuse(ApiStatus::new(403, "Forbidden", "exceeded quota: none"))
}

#[tokio::test(start_paused = true)]
async fn quota_costs_one_call_an_attempt_and_ends_with_an_opening_window() {
    let server = world(100);
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), quota());
    let _running = start(&server, "a");
    seconds(100).await;
    let posts = server.posts();
    let gaps: Vec<Duration> = posts.windows(2).map(|w| w[1].at - w[0].at).collect();
    assert!((8..=12).contains(&posts.len()), "{gaps:?}");
    // 50 ms doubling, give or take the jitter and the 100 ms between two writes of the status.
    for pair in gaps[2..].windows(2) {
        let factor = pair[1].as_secs_f64() / pair[0].as_secs_f64();
        assert!((1.6..2.4).contains(&factor), "{gaps:?}");
    }
    let said = server.events("FailedCreate");
    assert_eq!(said[0], "Error creating: exceeded quota: none");
    let written = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(written["desiredNumberScheduled"], 100);
    assert_eq!(written["currentNumberScheduled"], 0);

    server.clear_rules();
    let slow = Act::Delay(Duration::from_millis(99));
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), slow);
    seconds(120).await;
    server.assert_covered(100);
    let mut at_once: BTreeMap<Duration, usize> = BTreeMap::new();
    for post in server.posts().iter().filter(|p| p.code == 201) {
        *at_once.entry(post.at).or_default() += 1;
    }
    let rounds: Vec<usize> = at_once.into_values().collect();
    assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 32, 5]);
    assert_eq!(server.posts().len(), posts.len() + 100);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_throttling_server_is_left_in_peace_for_as_long_as_it_asks() {
    let server = world(5);
    let busy = ApiStatus::new(429, "TooManyRequests", "slow down");
    server.rule(1, |c| c.is("POST", "/pods"), Act::RefuseFor(busy, 20));
    let _running = start(&server, "a");
    seconds(60).await;
    let posts = server.posts();
    assert_eq!(codes(&posts[..2]), [429, 201]);
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(20));
    assert!(posts[1].at - posts[0].at < Duration::from_secs(25));
    server.assert_covered(5);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_goes_is_no_error() {
    let server = world(5);
    server.add("daemonsets", daemon_set("going", "soon-gone"));
    let _running = start(&server, "a");
    seconds(10).await;
    // Nobody empties it, so it goes on going.
    let gone = server.perform("DELETE", "/api/v1/namespaces/going", &Value::Null);
    gone.expect("it is there");
    let before = server.requests_so_far();
    server.add("nodes", node("n5"));
    seconds(600).await;
    let post = |c: &Entry| c.number >= before && c.is("POST", "/namespaces/going/pods");
    let posts = server.requests(post);
    // The status that it then writes is a change of its own.
    assert!((1..=2).contains(&posts.len()), "{posts:?}");
    assert!(codes(&posts).iter().all(|code| *code == 403));
    assert!(server.events("FailedCreate").is_empty());
    let daemon_set = server
        .server()
        .get(resource("daemonsets"), "going", "soon-gone");
    let daemon_set = daemon_set.expect("it is there");
    assert_eq!(daemon_set["status"]["desiredNumberScheduled"], 6);
    assert_eq!(daemon_set["status"]["currentNumberScheduled"], 5);
    server.assert_covered(6);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_denies_everything_delays_no_other() {
    let mut took = Vec::new();
    for others in [0, 8] {
        let server = world(30);
        for n in 0..others {
            server.add("daemonsets", daemon_set("bad", &format!("bad-{n}")));
        }
        let bad = |c: &Entry| c.method != "GET" && c.path.contains("/namespaces/bad/");
        server.rule(usize::MAX, bad, quota());
        let _running = start(&server, "a");
        while server.covered().len() < 30 {
            millis(1).await;
            assert!(server.elapsed() < Duration::from_secs(60));
        }
        took.push(server.elapsed());
        seconds(60).await;
        server.add("nodes", node("late"));
        let begun = server.elapsed();
        while server.covered().len() < 31 {
            millis(1).await;
            assert!(server.elapsed() - begun < Duration::from_millis(200));
        }
        server.at_rest().await;
    }
    assert!(took[1] < took[0] + Duration::from_millis(100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_whose_calls_hang_delays_no_other() {
    let server = world(30);
    for n in 0..4 {
        server.add("daemonsets", daemon_set("bad", &format!("bad-{n}")));
    }
    server.rule(
        usize::MAX,
        |c| c.is("POST", "/namespaces/bad/pods"),
        Act::Hang,
    );
    let _running = start(&server, "a");
    seconds(5).await;
    server.assert_covered(30);
    for n in 30..60 {
        seconds(20).await;
        server.add("nodes", node(&format!("n{n}")));
        seconds(3).await;
        server.assert_covered(n + 1);
    }
    server.at_rest().await;
}

/// A quota or a webhook, an admission policy, and a body that is too large.
#[tokio::test(start_paused = true)]
async fn every_refusal_of_a_pod_is_told_in_the_api_servers_words_and_tried_with_growing_pauses() {
    for (code, reason) in [
        (403, "Forbidden"),
        (422, "Invalid"),
        (413, "RequestEntityTooLarge"),
    ] {
        let server = world(10);
        let refused = Act::Refuse(ApiStatus::new(code, reason, "not in this cluster"));
        server.rule(usize::MAX, |c| c.is("POST", "/pods"), refused);
        let _running = start(&server, "a");
        seconds(100).await;
        let posts = server.posts();
        assert!((8..=12).contains(&posts.len()), "{code}: {}", posts.len());
        let said = server.events("FailedCreate");
        assert_eq!(said[0], "Error creating: not in this cluster", "{code}");
        let status = server.get("daemonsets", "web")["status"].clone();
        assert_eq!(status["desiredNumberScheduled"], 10, "{code}");
        assert_eq!(status["numberUnavailable"], 10, "{code}");
        assert_eq!(status["observedGeneration"], 1, "{code}");
        server.clear_rules();
        seconds(120).await;
        server.assert_covered(10);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_class_of_more_nodes_than_the_burst_keeps_the_others_from_nothing() {
    let server = world(300);
    let mut names: Vec<String> = (0..300).map(|n| format!("n{n}")).collect();
    names.sort();
    for name in &names[..260] {
        let labels = json!({"metadata": {"labels": {"pool": "edge"}}});
        server.edit("nodes", name, labels);
    }
    let rules = r#"[{"nodes":"pool=edge","containers":{"c":{"limits":{"memory":"5000Mi"}}}}]"#;
    set_key(&server, "resources", rules);
    let too_large =
        |c: &Entry| c.is("POST", "/pods") && String::from_utf8_lossy(&c.body).contains("5000Mi");
    server.rule(usize::MAX, too_large, quota());
    let _running = start(&server, "a");
    seconds(30).await;
    assert_eq!(server.all("pods").len(), 40);
    let refused = server.posts().iter().filter(|p| p.code == 403).count();
    assert!(refused <= 12, "{refused}");
}
