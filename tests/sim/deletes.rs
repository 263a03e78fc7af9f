//! A delete hits only the pod that was judged, is sent once, and never leaves a node empty without
//! need.

use std::time::Duration;

use serde_json::json;

use super::world::*;

/// A controller on a node whose pod runs; then the node is tainted and whatever `act` says becomes
/// of the delete.
async fn tainted(act: Act) -> (World, Controller, String) {
    let server = world(1);
    server.kubelet();
    let running = start(&server, "a");
    seconds(10).await;
    server.rule(1, |c| c.is_for("DELETE", "pods"), act);
    server.freeze("a", "pods", true);
    server.edit("nodes", "n0", away(true));
    (server, running, name(&["n0", ""]))
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_pod_in_another_state_than_the_one_judged_is_judged_anew() {
    let (server, _running, pod) = tainted(Act::Delay(SECOND)).await;
    millis(500).await;
    let judged = server.get("pods", &pod);
    server.edit(
        "pods",
        &pod,
        json!({"metadata": {"labels": {"seen": "later"}}}),
    );
    server.edit("nodes", "n0", away(false));
    seconds(60).await;
    let deletes = server.deletes();
    assert_eq!(codes(&deletes), [409]);
    let seen = &deletes[0].json()["preconditions"];
    assert_eq!(seen["uid"], judged["metadata"]["uid"]);
    assert_eq!(
        seen["resourceVersion"],
        judged["metadata"]["resourceVersion"]
    );
    server.assert_covered(1);
    assert_eq!(server.posts().len(), 1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_in_another_state_that_is_still_to_go_is_deleted_in_that_state() {
    let (server, _running, pod) = tainted(Act::Delay(SECOND)).await;
    millis(500).await;
    server.edit(
        "pods",
        &pod,
        json!({"metadata": {"labels": {"seen": "later"}}}),
    );
    seconds(60).await;
    assert_eq!(codes(&server.deletes()), [409, 200]);
    assert!(server.all("pods").is_empty());
    assert!(server.events("FailedDelete").is_empty());
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_already_is_deleted() {
    let (server, _running, pod) = tainted(Act::Delay(SECOND)).await;
    millis(500).await;
    server.remove("pods", &pod);
    seconds(60).await;
    assert_eq!(codes(&server.deletes()), [404]);
    assert!(server.events("FailedDelete").is_empty());
    server.edit("nodes", "n0", away(false));
    seconds(10).await;
    server.assert_covered(1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_same_name_is_not_touched() {
    let (server, _running, name) = tainted(Act::Delay(SECOND)).await;
    millis(500).await;
    server.add("nodes", node("n1"));
    server.replace("pods", &name, pod(&name, "n1"));
    seconds(60).await;
    assert_eq!(server.deletes().len(), 1);
    assert_eq!(codes(&server.deletes()), [409]);
    assert!(is_live(&server.get("pods", &name)));
    server.assert_covered(1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_delete_without_an_outcome_is_not_repeated_before_a_read() {
    for act in [Act::Fail, Act::Lose] {
        let done = matches!(act, Act::Lose);
        let server = world(1);
        let _running = start(&server, "a");
        seconds(10).await;
        let pod = name(&["n0", ""]);
        server.edit(
            "pods",
            &pod,
            json!({"spec": {"nodeName": "n0"}, "status": ready("Running")}),
        );
        seconds(10).await;
        server.freeze("a", "pods", true);
        server.rule(1, |c| c.is_for("DELETE", "pods"), act);
        server.rule(
            usize::MAX,
            |c| c.is_for("GET", "pods") && c.path.contains("web-"),
            Act::Fail,
        );
        server.edit("nodes", "n0", away(true));
        // Each change of the node is a reason to plan again.
        for n in 0..10 {
            server.edit(
                "nodes",
                "n0",
                json!({"metadata": {"labels": {"n": n.to_string()}}}),
            );
            seconds(30).await;
            assert_eq!(server.deletes().len(), 1);
        }
        server.clear_rules();
        seconds(900).await;
        let want: &[u16] = if done { &[0] } else { &[0, 200] };
        assert_eq!(codes(&server.deletes()), want);
        assert!(!is_live(&server.get("pods", &pod)));
        server.at_rest().await;
    }
}

/// One node whose pod runs; then it fails, and the next create goes as `act` says.
async fn failing(act: Option<Act>) -> (World, Controller, Vec<Entry>, Vec<Entry>) {
    let server = world(1);
    server.kubelet();
    let running = start(&server, "a");
    seconds(10).await;
    if let Some(act) = act {
        server.rule(1, |c| c.is("POST", "/pods"), act);
    }
    server.edit(
        "pods",
        &name(&["n0", ""]),
        json!({"status": ready("Failed")}),
    );
    seconds(120).await;
    let posts = server.posts().split_off(1);
    let deletes = server.deletes();
    (server, running, posts, deletes)
}

#[tokio::test(start_paused = true)]
async fn a_failed_pod_goes_when_its_successor_is_there() {
    let (server, _running, posts, deletes) = failing(None).await;
    assert_eq!((posts.len(), codes(&deletes)), (1, vec![200]));
    assert!(posts[0].ended.is_some_and(|ended| ended <= deletes[0].at));
    assert_ne!(names(&posts), names(&deletes));
    server.assert_covered(1);
    assert_eq!(server.events("FailedDaemonPod").len(), 1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_pod_goes_first_where_its_successor_is_denied() {
    let denied = Act::Refuse(ApiStatus::new(403, "Forbidden", "exceeded quota"));
    let (server, _running, posts, deletes) = failing(Some(denied)).await;
    assert_eq!(
        (codes(&posts), codes(&deletes)),
        (vec![403, 201], vec![200])
    );
    assert!(posts[0].at < deletes[0].at && deletes[0].at < posts[1].at);
    server.assert_covered(1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_pod_stays_where_nothing_is_known_of_its_successor() {
    let (server, _running, posts, deletes) = failing(Some(Act::Hang)).await;
    assert_eq!((codes(&posts), codes(&deletes)), (vec![0, 201], vec![200]));
    assert_eq!(names(&posts)[0], names(&posts)[1]);
    assert!(posts[1].at - posts[0].at >= Duration::from_secs(35));
    assert!(posts[1].ended.is_some_and(|ended| ended <= deletes[0].at));
    server.assert_covered(1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn failed_and_finished_pods_are_replaced_at_growing_intervals() {
    for how in ["fail-after", "succeed-after"] {
        let server = world(1);
        server.kubelet_that(how, "0s");
        let _running = start(&server, "a");
        seconds(140).await;
        let deletes = server.deletes();
        assert_eq!(pauses(&deletes), [1, 2, 4, 8, 16, 32, 64], "{how}");
        let mut names = names(&server.posts());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), server.posts().len());
        assert_eq!(names.len(), deletes.len() + 1);
        server.finish().await;
    }
}
