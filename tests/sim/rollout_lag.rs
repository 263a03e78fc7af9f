//! Rollouts while watches lag or are silent: they are slower, and within the budget all the same,
//! because a controller knows its own writes.

use std::time::Duration;

use super::rollout::*;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_lag_slows_a_roll_down_and_takes_down_nothing_more() {
    for (strategy, unavailable, doubled) in [(rolling(2, 0), 2, 0), (rolling(0, 2), 0, 2)] {
        for lag in [50, 15_000] {
            let (server, _running) = covered(6, strategy.clone()).await;
            server.lag("a", Duration::from_millis(lag));
            let before = version(&server);
            change_to(&server, "2", "2s");
            seconds(60 + 9 * lag / 1_000).await;
            assert_eq!(
                worst(&server, before),
                Worst {
                    unavailable,
                    doubled
                },
                "{lag} ms"
            );
            server.stop_faults();
            seconds(60).await;
            assert_rolled(&server, 6, "2");
            assert_eq!(
                worst(&server, before),
                Worst {
                    unavailable,
                    doubled
                },
                "{lag} ms"
            );
            server.at_rest().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_roll_whose_controller_hears_of_no_pod_stops_at_the_budget() {
    for (strategy, unavailable, doubled) in [(rolling(2, 0), 2, 0), (rolling(0, 2), 0, 2)] {
        let (server, _running) = covered(6, strategy).await;
        server.freeze("a", "pods", true);
        let before = version(&server);
        change_to(&server, "2", "1s");
        seconds(300).await;
        assert_eq!(
            worst(&server, before),
            Worst {
                unavailable,
                doubled
            }
        );
        assert_eq!(nodes_of(&server, "1").len(), 4);
        server.freeze("a", "pods", false);
        seconds(60).await;
        assert_rolled(&server, 6, "2");
        assert_eq!(
            worst(&server, before),
            Worst {
                unavailable,
                doubled
            }
        );
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn pods_that_failed_unseen_are_not_counted_on_for_longer_than_the_watch_lags() {
    let (server, _running) = covered(6, rolling(2, 0)).await;
    server.lag("a", Duration::from_secs(20));
    lose_readiness(&server, "n4").await;
    lose_readiness(&server, "n5").await;
    change_to(&server, "2", "1s");
    seconds(200).await;
    server.stop_faults();
    seconds(60).await;
    assert_rolled(&server, 6, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn watches_that_break_off_and_lists_in_the_middle_of_a_roll_change_nothing() {
    for expired in [true, false] {
        let (server, _running) = covered(8, rolling(2, 0)).await;
        let before = version(&server);
        change_to(&server, "2", "2s");
        for kind in KINDS.into_iter().cycle().take(16) {
            server.cut(kind, expired);
            millis(700).await;
        }
        seconds(120).await;
        assert_rolled(&server, 8, "2");
        assert_eq!(
            worst(&server, before),
            Worst {
                unavailable: 2,
                doubled: 0
            }
        );
        assert_eq!(gone_from(&server).len(), 8);
        server.at_rest().await;
    }
}

/// The time that a rollout takes while the API server, as a busy one does, ends watches of pods
/// soon after they told of something; or while it does not.
async fn rollout_time(watches_end: bool) -> Duration {
    let (server, _running) = covered(8, rolling(2, 0)).await;
    let told = || server.read(|store| store.history(resource("pods")).len());
    change_to(&server, "2", "2s");
    let (begun, mut before, mut ended) = (server.elapsed(), told(), 0);
    while nodes_of(&server, "2").len() < 8 {
        millis(50).await;
        if watches_end && told() > before {
            server.end_watches(resource("pods"));
            (before, ended) = (told(), ended + 1);
        }
        assert!(server.elapsed() - begun < Duration::from_secs(600));
    }
    let took = server.elapsed() - begun;
    assert!(!watches_end || ended > 10, "{ended}");
    seconds(60).await;
    assert_rolled(&server, 8, "2");
    server.at_rest().await;
    took
}

#[tokio::test(start_paused = true)]
async fn a_busy_api_server_that_ends_watches_early_hardly_slows_a_rollout() {
    let (quiet, busy) = (rollout_time(false).await, rollout_time(true).await);
    assert!(busy < quiet * 2, "{busy:?}, not {quiet:?}");
}
