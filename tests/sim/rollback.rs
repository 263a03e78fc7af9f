//! Rollbacks on a cluster that lives: once for a template, whatever crashes, and never for another.

use serde_json::Value;

use super::on_failure::*;
use super::rollout::*;
use super::world::*;

/// The verdict on the newest revision.
fn verdict(server: &World) -> Value {
    let all = server.all("controllerrevisions").into_iter();
    let newest = all
        .max_by_key(|r| r["revision"].as_i64())
        .expect("a revision");
    newest["metadata"]["annotations"]["state.daemonset-controller.io/verdict"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_bad_template_goes_back_once_however_often_it_is_applied_and_a_good_one_completes() {
    for strategy in [rolling(2, 0), rolling(0, 2)] {
        let (server, mut running) = covered(8, strategy).await;
        set_key(&server, "on-failure", "rollback");
        seconds(5).await;
        change_with(&server, "2", &[("pull-fails-after", "1s")]);
        seconds(61).await;
        // The controller dies in the middle.
        running.kill();
        running = start(&server, "b");
        seconds(120).await;
        assert_eq!(nodes_of(&server, "1").len(), 8);
        assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
        assert_eq!(condition(&server, "Stalled"), is("True", "RolledBack"));
        let status = server.get("daemonsets", "web")["status"].clone();
        assert_eq!(
            status["updatedNumberScheduled"],
            Value::Null,
            "none: {status}"
        );
        let first = verdict(&server);
        let before = touched(&server, "2");
        // Back in the spec, and the bad one again, twice.
        for _ in 0..2 {
            change_with(&server, "1", &[]);
            seconds(60).await;
            change_with(&server, "2", &[("pull-fails-after", "1s")]);
            seconds(200).await;
        }
        assert_eq!(touched(&server, "2"), before, "no node got it again");
        assert_eq!(verdict(&server), first);
        running.kill();
        let _last = start(&server, "c");
        seconds(60).await;
        assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
        change_with(&server, "3", &[]);
        seconds(120).await;
        assert_rolled(&server, 8, "3");
        assert_eq!(condition(&server, "Progressing"), is("True", "Complete"));
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_approval_tries_it_again() {
    let (server, _running) = covered(6, rolling(2, 0)).await;
    set_key(&server, "on-failure", "rollback");
    set_key(&server, "canary", "2");
    seconds(5).await;
    change_with(&server, "2", &[("pull-fails-after", "1s")]);
    seconds(200).await;
    assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
    assert_eq!(touched(&server, "2").len(), 2);
    set_key(&server, "approve", hash_of_newest(&server));
    seconds(30).await;
    assert_eq!(nodes_of(&server, "2").len(), 2, "it is tried again");
    seconds(200).await;
    assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
    assert_eq!(nodes_of(&server, "1").len(), 6);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_rolled_out_without_the_key_after_its_verdict_is_not_taken_back() {
    let (server, running) = covered(6, rolling(2, 0)).await;
    set_key(&server, "on-failure", "rollback");
    seconds(5).await;
    for n in 0..6 {
        script(&server, &format!("n{n}"), "pull-fails-after", "0s".into());
    }
    change(&server, "2");
    seconds(120).await;
    let failed = verdict(&server);
    assert!(failed.is_string());
    // The image is there now, and somebody rolls it out without the key.
    for n in 0..6 {
        script(&server, &format!("n{n}"), "pull-fails-after", Value::Null);
    }
    set_key(&server, "on-failure", Value::Null);
    seconds(300).await;
    assert_rolled(&server, 6, "2");
    let pods = server.pods_ever();
    running.kill();
    let _second = start(&server, "b");
    set_key(&server, "on-failure", "rollback");
    seconds(600).await;
    assert_rolled(&server, 6, "2");
    assert_eq!(server.pods_ever(), pods, "nothing is restarted");
    assert_eq!(condition(&server, "Progressing"), is("True", "Complete"));
    server.at_rest().await;
}
