//! Failing nodes on a cluster that lives, where pods die, nodes join and revisions get lost.

use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Value, json};

use super::on_failure::*;
use super::rollout::*;
use super::world::*;

/// Eight nodes that went back from a version whose image is not there.
async fn taken_back(strategy: Value) -> (World, Controller) {
    let (server, running) = covered(8, strategy).await;
    set_key(&server, "on-failure", "rollback");
    seconds(5).await;
    change_with(&server, "2", &[("pull-fails-after", "1s")]);
    seconds(200).await;
    assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
    (server, running)
}

#[tokio::test(start_paused = true)]
async fn what_fails_after_the_way_back_is_upkeep() {
    let (server, _running) = taken_back(rolling(2, 0)).await;
    for n in 0..3 {
        lose_readiness(&server, &format!("n{n}")).await;
        seconds(5).await;
        assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
        assert_eq!(condition(&server, "Stalled"), is("True", "RolledBack"));
    }
    // Pods that are deleted by hand come back as they were.
    let names: Vec<String> = server.all("pods").iter().map(name_of).collect();
    for name in names {
        server.ask_to_delete("pods", &name);
        millis(300).await;
        assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
    }
    seconds(30).await;
    assert_eq!(nodes_of(&server, "1").len(), 8);
    let told = |reason: &str| server.events(reason).len();
    assert_eq!((told("RollbackStarted"), told("RolloutFailed")), (1, 1));
    server.at_rest().await;
}

fn name_of(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str();
    name.expect("a name").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_stable_revision_that_is_deleted_on_the_way_back_lets_nothing_go_on() {
    for strategy in [rolling(1, 0), rolling(0, 1)] {
        let (server, mut running) = covered(8, strategy).await;
        set_key(&server, "on-failure", "rollback");
        seconds(5).await;
        // Five nodes have it by then.
        script(&server, "n5", "pull-fails-after", json!("0s"));
        change(&server, "2");
        for _ in 0..120 {
            if condition(&server, "Progressing") == is("True", "RollingBack") {
                break;
            }
            seconds(1).await;
        }
        seconds(4).await;
        let of = |version: &str| nodes_of(&server, version).len();
        assert!(of("1") > 2 && of("2") > 0, "{:?}", versions(&server));
        let stable = server.all("controllerrevisions").into_iter();
        let stable = stable.min_by_key(|r| r["revision"].as_i64());
        server.ask_to_delete(
            "controllerrevisions",
            &name_of(&stable.expect("a revision")),
        );
        seconds(5).await;
        let before = versions(&server);
        running.kill();
        running = start(&server, "b");
        seconds(1_000).await;
        assert_eq!(versions(&server), before);
        assert_eq!(
            condition(&server, "Stalled"),
            is("True", "PinnedRevisionMissing")
        );
        drop(running);
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_joins_and_is_not_ready_yet_takes_nothing_back() {
    let (server, _running) = covered(4, rolling(1, 0)).await;
    set_key(&server, "on-failure", "rollback");
    seconds(5).await;
    change_to(&server, "2", "5s");
    seconds(2).await;
    let epoch = server.epoch();
    let now = jiff::SignedDuration::try_from(server.elapsed()).expect("a time");
    let now = epoch.checked_add(now).expect("a time");
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut joins = node("n9");
    joins["status"]["conditions"] =
        json!([{"type": "Ready", "status": "False", "lastTransitionTime": now}]);
    server.add("nodes", joins);
    seconds(120).await;
    let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": now}]);
    server.edit("nodes", "n9", json!({"status": {"conditions": ready}}));
    seconds(60).await;
    assert_rolled(&server, 5, "2");
    assert_eq!(server.events("RolloutFailed"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_stops_the_rollout_before_it_has_been_everywhere() {
    // Between two crashes a pod is available for some seconds, and nobody can tell it from one that
    // is well, until it was restarted three times. With minReadySeconds one node is all.
    for (minimum, most) in [(0, 4), (30, 1)] {
        let (server, _running) = covered(8, rolling(1, 0)).await;
        respec(&server, json!({"minReadySeconds": minimum}));
        set_key(&server, "on-failure", "pause");
        seconds(60).await;
        let crash = json!({"v": "2", (format!("{PREFIX}crash-after")): "5s"});
        respec(
            &server,
            json!({"template": {"metadata": {"annotations": crash}}}),
        );
        seconds(600).await;
        let met = touched(&server, "2").len();
        assert!(met <= most, "{met} of 8 nodes with {minimum} s");
        assert_eq!(condition(&server, "Progressing"), is("False", "AutoPaused"));
    }
}
