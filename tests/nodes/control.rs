//! Rollout control with containers that crash for real: a canary that bakes, a pause, a rollback.

use serde_json::json;

use crate::agent::{AGENT, agent, arguments};
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::{Place, SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_crash_loops_pauses_and_one_that_is_well_bakes() {
    let place = Place::new("canary", Way::Chart).await;
    place.cover(&agent(&[])).await;
    place
        .annotate(&["canary=1", "bake=5s", "on-failure=pause"])
        .await;
    let before = place.uids().await;
    let referee = place.referee().await;
    place.change(&arguments(&["-exit-after=1s"])).await;
    place.until_progressing("AutoPaused").await;
    let node = place.until_waiting(&["CrashLoopBackOff"]).await;
    let now = place.uids().await;
    for (other, uid) in &before {
        assert_eq!(
            now.get(other) == Some(uid),
            *other != node,
            "only the canary: {now:?}"
        );
    }
    let explained = place.explain().await;
    assert!(
        explained.contains(&node),
        "it names the node that fails: {explained}"
    );

    // A template that works has a canary of its own, which bakes, and then all follow.
    place.change(&arguments(&["-linger=100ms"])).await;
    place.until_progressing("Baking").await;
    let others = place.uids().await;
    let unchanged = before
        .iter()
        .filter(|(node, uid)| others.get(*node) == Some(uid));
    assert_eq!(
        unchanged.count(),
        NODES - 1,
        "while it bakes, the others keep what they have"
    );
    place.until_all_available().await;
    place.end(referee, NODES * 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop_is_rolled_back_to_what_ran_before() {
    let place = Place::new("rollback", Way::Chart).await;
    let mut set = agent(&[]);
    // Without it a container that lives for a second is available, and every node in its turn.
    set["spec"]["minReadySeconds"] = json!(5);
    place.cover(&set).await;
    // It is recorded which revision is stable before the bad one comes.
    place.annotate(&["on-failure=rollback"]).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    place.change(&arguments(&["-exit-after=1s"])).await;
    place.until_progressing("RolledBack").await;
    place
        .until("all nodes run what they ran", SOON, async || {
            let pods = place.by_node().await;
            let arguments: Vec<_> = pods
                .values()
                .filter_map(|pod| pod.spec.as_ref()?.containers[0].args.clone())
                .collect();
            let well = arguments.iter().filter(|args| **args == ["-listen=:8080"]);
            if well.count() == NODES {
                Ok(())
            } else {
                Err(format!("{arguments:?}"))
            }
        })
        .await;
    let now = place.uids().await;
    let kept = before
        .iter()
        .filter(|(node, uid)| now.get(*node) == Some(uid));
    assert_eq!(kept.count(), NODES - 1, "one node had it, and no other");
    let events = [
        "get",
        "events",
        "--field-selector=involvedObject.kind=DaemonSet",
        "-o",
        "jsonpath={.items[*].reason}",
    ];
    let reasons = place.kubectl_ok(&events).await;
    assert!(
        reasons.contains("RolloutFailed") || reasons.contains("Rollback"),
        "{reasons}"
    );
    // A good template completes.
    place.change(&arguments(&["-linger=100ms"])).await;
    place.until_all_available().await;
    place
        .kubectl_ok(&[
            "rollout",
            "status",
            &format!("daemonset/{AGENT}"),
            "--timeout=60s",
        ])
        .await;
    place.end(referee, NODES * 4).await;
}
