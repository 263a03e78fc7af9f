//! Rollouts that are stuck stop at the budget, and go on when the obstacle is gone.

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_template_whose_pods_never_become_ready_stops_at_the_budget_and_goes_on_when_mended() {
    for (strategy, down, doubled) in [(rolling(3, 0), 3, 0), (rolling(0, 3), 0, 3)] {
        let (server, _running) = covered(8, strategy).await;
        let before = version(&server);
        change_to(&server, "2", "never");
        seconds(600).await;
        let stuck = Worst {
            unavailable: down,
            doubled,
        };
        assert_eq!(worst(&server, before), stuck);
        assert_eq!(gone_from(&server).len(), down);
        // Nothing is tried meanwhile.
        let late = server.requests(|c| &*c.client == "a" && c.is_write() && c.at.as_secs() > 60);
        assert!(late.is_empty(), "{late:?}");
        change_to(&server, "3", "2s");
        seconds(60).await;
        assert_rolled(&server, 8, "3");
        assert_eq!(worst(&server, before), stuck);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_roll_that_is_stuck_is_rolled_back_and_touches_only_what_was_new() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, _running) = covered(6, strategy).await;
        change_to(&server, "1", "2s");
        seconds(60).await;
        let kept = server.all("pods");
        change_to(&server, "2", "never");
        seconds(60).await;
        let begun = gone_from(&server).len();
        change_to(&server, "1", "2s");
        seconds(60).await;
        assert_rolled(&server, 6, "1");
        assert_eq!(gone_from(&server).len(), begun + 2);
        let is_kept = |pod: &&Value| {
            kept.iter()
                .any(|k| k["metadata"]["uid"] == pod["metadata"]["uid"])
        };
        assert!(server.all("pods").iter().filter(is_kept).count() >= 4);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_or_quota_that_denies_pods_in_the_middle_takes_down_no_more_than_the_budget() {
    for (strategy, down) in [
        (rolling(2, 0), 2),
        (rolling("30%", 0), 3),
        (rolling(0, 2), 0),
    ] {
        let (server, _running) = covered(10, strategy).await;
        let before = version(&server);
        change_to(&server, "2", "2s");
        // The first ones are back, and the second ones are there and not ready yet.
        millis(2_500).await;
        let denied = Act::Refuse(ApiStatus::new(403, "Forbidden", "denied by a webhook"));
        server.rule(usize::MAX, |c| c.is("POST", "/pods"), denied);
        seconds(300).await;
        assert_eq!(worst(&server, before).unavailable, down);
        assert!(10 - server.covered().len() <= down);
        let gone = gone_from(&server).len();
        // Somebody deletes an old pod, and the rollout gets no further by it.
        let pods = server.all("pods").into_iter();
        let mut old = pods.filter(|p| p["metadata"]["annotations"]["v"].is_null());
        let old = old.next().expect("an old pod")["metadata"]["name"].clone();
        server.ask_to_delete("pods", old.as_str().expect("a name"));
        seconds(600).await;
        assert_eq!(gone_from(&server).len(), gone);
        server.clear_rules();
        seconds(600).await;
        assert_rolled(&server, 10, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn deletes_that_are_denied_hold_a_roll_up_and_nothing_is_counted_as_gone() {
    let (server, _running) = covered(4, rolling(2, 0)).await;
    let before = version(&server);
    let denied = Act::Refuse(ApiStatus::new(403, "Forbidden", "denied by a webhook"));
    server.rule(
        usize::MAX,
        |c| c.is_for("DELETE", "pods") && &*c.client == "a",
        denied,
    );
    change_to(&server, "2", "2s");
    seconds(300).await;
    assert_eq!(worst(&server, before).unavailable, 0);
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["numberAvailable"], json!(4), "{status}");
    assert!(!server.events("FailedDelete").is_empty());
    // At growing intervals.
    assert!(
        (10..20).contains(&server.deletes().len()),
        "{}",
        server.deletes().len()
    );
    server.clear_rules();
    seconds(600).await;
    assert_rolled(&server, 4, "2");
    assert_eq!(worst(&server, before).unavailable, 2);
    server.at_rest().await;
}
