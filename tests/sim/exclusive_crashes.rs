//! A controller dies at any request of a rollout with the key `exclusive`: no pod stays gated, and
//! none starts beside another.

use super::exclusive::*;
use super::rollout::*;
use super::rollout_crashes::Death;
use super::sweep;
use super::world::*;

const NODES: usize = 2;

/// A rollout whose controller dies at its `nth` request. False where it has none.
async fn dies_at(nth: usize, death: Death) -> bool {
    let (server, running) = exclusive(NODES, rolling(1, 0)).await;
    let (begun, before) = (server.requests_so_far(), version(&server));
    let pods = server.pods_ever();
    death.await_at(&server, nth);
    change_to(&server, "2", "500ms");
    let Some(again) = death.strike(&server, running, begun, nth, 5).await else {
        return false;
    };
    seconds(40).await;
    let said = format!("{death:?} at request {nth}");
    assert_rolled(&server, NODES, "2");
    assert_eq!(gated(&server), [""; 0], "{said}");
    assert_eq!(server.pods_ever(), pods + NODES, "{said}");
    let worst = worst(&server, before);
    assert!(worst.unavailable <= 1, "{said}: {worst:?}");
    assert!(broken(&server).is_empty(), "{said}: {:?}", broken(&server));
    server.at_rest().await;
    assert!(again.is_running());
    true
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_leaves_no_gated_pod_behind() {
    let deaths = [Death::Before, Death::After, Death::Stuck(700)];
    for (turn, death) in deaths.into_iter().enumerate() {
        let stride = sweep::stride(3);
        let mut nth = turn % stride;
        while dies_at(nth, death).await {
            nth += stride;
        }
        assert!(nth >= 8, "only {nth} requests were tried");
    }
}

/// Two controllers at once, of which one dies.
#[tokio::test(start_paused = true)]
async fn two_controllers_roll_together_and_one_dies() {
    for nth in (0..24).step_by(3) {
        let (server, running) = exclusive(NODES, rolling(1, 0)).await;
        let other = start(&server, "b");
        seconds(5).await;
        let begun = server.requests_so_far();
        Death::Stuck(30_000).await_at(&server, nth);
        change_to(&server, "2", "500ms");
        let death = Death::Stuck(30_000);
        let again = death.strike(&server, running, begun, nth, 5).await;
        seconds(60).await;
        assert_rolled(&server, NODES, "2");
        assert_eq!(gated(&server), [""; 0], "{nth}");
        assert!(broken(&server).is_empty(), "{nth}: {:?}", broken(&server));
        assert!(other.is_running() && again.is_none_or(|a| a.is_running()));
    }
}
