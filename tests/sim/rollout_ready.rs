//! `minReadySeconds`: a pod counts when it has been ready for so long, and the next one is replaced
//! at this very second, without a request meanwhile.

use std::time::Duration;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

/// Late by no more than a sync.
const LATE: Duration = Duration::from_millis(25);

#[tokio::test(start_paused = true)]
async fn the_next_pod_goes_at_the_second_at_which_the_one_before_has_been_ready_for_long_enough() {
    let (server, _running) = covered(4, rolling(1, 0)).await;
    respec(&server, json!({"minReadySeconds": 30}));
    seconds(60).await;
    let before = version(&server);
    change_to(&server, "2", "2s");
    seconds(200).await;
    assert_eq!(gone_from(&server), ["n0", "n1", "n2", "n3"]);
    let departures = departures(&server);
    for pair in departures.windows(2) {
        let pod = live_on(&server, &pair[0].1);
        let due =
            ready_at(&pod).expect("it is ready").as_second() + 30 - server.epoch().as_second();
        let due = Duration::from_secs(due.unsigned_abs());
        let at = pair[1].0;
        assert!(at >= due && at - due < LATE, "{at:?} is not {due:?}");
        // From when the new pod is ready and counted until it is available nothing but watches is
        // asked.
        let quiet = due - Duration::from_secs(28)..due;
        let asked =
            server.requests(|c| &*c.client == "a" && !c.is_watch() && quiet.contains(&c.at));
        assert!(asked.is_empty(), "{asked:?}");
    }
    assert_eq!(worst(&server, before).unavailable, 1);
    seconds(60).await;
    assert_rolled(&server, 4, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_template_that_changes_again_before_the_new_pods_count_replaces_those_first() {
    let (server, _running) = covered(5, rolling(2, 0)).await;
    respec(&server, json!({"minReadySeconds": 60}));
    seconds(90).await;
    let before = version(&server);
    change_to(&server, "2", "2s");
    seconds(10).await;
    assert_eq!(nodes_of(&server, "2").len(), 2);
    change_to(&server, "3", "2s");
    millis(500).await;
    // The two are ready and not available: nothing is lost with them, and no other may go.
    assert_eq!(gone_from(&server), ["n0", "n1", "n0", "n1"]);
    seconds(400).await;
    assert_rolled(&server, 5, "3");
    assert_eq!(gone_from(&server)[4..], ["n2", "n3", "n4"]);
    assert_eq!(worst(&server, before).unavailable, 2);
    server.at_rest().await;
}

/// How long a pod has been ready is in the pod, and not in the controller that waits for it.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_middle_of_min_ready_seconds_adds_no_wait() {
    let (server, running) = covered(2, rolling(1, 0)).await;
    respec(&server, json!({"minReadySeconds": 60}));
    seconds(90).await;
    change_to(&server, "2", "2s");
    seconds(30).await;
    assert_eq!(gone_from(&server), ["n0"]);
    running.kill();
    let _running = start(&server, "b");
    seconds(100).await;
    assert_eq!(gone_from(&server), ["n0", "n1"]);
    let pod = live_on(&server, "n0");
    let due = ready_at(&pod).expect("it is ready").as_second() + 60 - server.epoch().as_second();
    let due = Duration::from_secs(due.unsigned_abs());
    let at = departures(&server)[1].0;
    assert!(at >= due && at - due < LATE, "{at:?} is not {due:?}");
    server.at_rest().await;
}

fn live_on(server: &World, node: &str) -> Value {
    let mut pods = server.pods().into_iter();
    let pod = pods.find(|pod| target(pod) == node && is_live(pod));
    pod.expect("a live pod")
}
