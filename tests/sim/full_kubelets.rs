//! The controller with kubelets that make all the writes of real ones.

use std::time::Duration;

use daemonset_controller::sim::api::resource;
use daemonset_controller::sim::api::store::{Change, Write};
use serde_json::{Value, json};

use super::on_failure::{change_with, condition, is};
use super::rollout::*;
use super::world::*;

/// The writes to pods that are wanted: when, and the pod.
fn writes(server: &World, wanted: impl Fn(&Write) -> bool) -> Vec<(Duration, Value)> {
    server.read(|store| {
        let all = store.history(&resource::PODS).iter();
        let all = all.filter(|write| wanted(write));
        all.map(|write| (write.at, (*write.object).clone()))
            .collect()
    })
}

/// A cluster whose rollouts pause when pods fail.
async fn that_pauses() -> (World, Controller) {
    let (server, running) = covered(6, rolling(2, 0)).await;
    server.in_full();
    set_key(&server, "on-failure", "pause");
    seconds(5).await;
    (server, running)
}

/// The version that fails was on two nodes, and the next one is rolled out.
async fn stopped_at_two_and_goes_on(server: &World) {
    assert_eq!(touched(server, "2").len(), 2);
    change_with(server, "3", &[]);
    seconds(60).await;
    assert_rolled(server, 6, "3");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_in_which_each_pod_ends_before_it_goes_keeps_to_its_budget() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, _running) = covered(6, strategy.clone()).await;
        server.in_full();
        let before = version(&server);
        change_to(&server, "2", "1s");
        seconds(60).await;
        assert_rolled(&server, 6, "2");
        let worst = worst(&server, before);
        let is_surging = strategy["rollingUpdate"]["maxSurge"] != 0;
        let most = if is_surging { (0, 2) } else { (2, 0) };
        assert!(
            worst.unavailable <= most.0 && worst.doubled <= most.1,
            "{worst:?}"
        );
        // Each old pod had ended before it was removed.
        let gone = writes(&server, |write| write.change == Change::Deleted);
        assert_eq!(gone.len(), 6);
        for (_, pod) in gone {
            assert_eq!(pod["status"]["phase"], "Succeeded");
            assert_eq!(pod["status"]["observedGeneration"], json!(2));
        }
        server.at_rest().await;
    }
}

/// The first restart of a container is at once, and the word of the back-off comes when the second
/// one is due. So much later a rollout pauses than with kubelets that say it at the first crash.
#[tokio::test(start_paused = true)]
async fn a_crash_loop_pauses_the_rollout_at_the_first_word_of_a_back_off() {
    let (server, _running) = that_pauses().await;
    change_with(&server, "2", &[("crash-after", "1s")]);
    let paused = || condition(&server, "Progressing") == is("False", "AutoPaused");
    while !paused() {
        millis(20).await;
        assert!(
            server.elapsed() < Duration::from_secs(120),
            "it never pauses"
        );
    }
    let state = |pod: &Value| pod["status"]["containerStatuses"][0]["state"].to_string();
    let exits = writes(&server, |write| state(&write.object).contains("terminated"));
    let waits = writes(&server, |write| {
        state(&write.object).contains("CrashLoopBackOff")
    });
    let (exit, wait) = (exits[0].0, waits[0].0);
    assert!((wait - exit).as_secs() >= 12, "{exit:?} {wait:?}");
    assert!(server.elapsed() - wait < Duration::from_secs(1));
    stopped_at_two_and_goes_on(&server).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_pulled_in_vain_again_and_again_pauses_the_rollout() {
    let (server, _running) = that_pauses().await;
    change_with(&server, "2", &[("pull-fails-after", "1s")]);
    seconds(120).await;
    assert_eq!(condition(&server, "Progressing"), is("False", "AutoPaused"));
    stopped_at_two_and_goes_on(&server).await;
}
