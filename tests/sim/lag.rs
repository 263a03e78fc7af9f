//! Decision "Own writes are read back": while watches lag by minutes the controller works, and does
//! nothing twice.

use std::time::Duration;

use daemonset_controller::sim::api::resource::PODS;
use serde_json::json;

use super::world::*;

const MINUTES: Duration = Duration::from_secs(180);

#[tokio::test(start_paused = true)]
async fn creates_deletes_and_status_go_on_while_the_watch_of_pods_lags_by_minutes() {
    let server = world(20);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(300).await;
    server.gate("a", &PODS, Some(Gate::Lag(MINUTES)));
    for n in 20..30 {
        server.add("nodes", node(&format!("n{n}")));
    }
    seconds(2).await;
    server.assert_covered(30);
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["desiredNumberScheduled"], 30);
    assert_eq!(status["currentNumberScheduled"], 30);
    // The controller does not know yet of changes by others.
    assert_eq!(status["numberReady"], 20);
    for n in 0..5 {
        server.edit("nodes", &format!("n{n}"), away(true));
    }
    seconds(2).await;
    let deletes = server.deletes();
    assert_eq!(codes(&deletes), [200; 5]);
    assert_eq!(server.covered().len(), 25);
    for n in 0..5 {
        server.edit("nodes", &format!("n{n}"), away(false));
        // Every change is a reason to plan again.
        seconds(20).await;
    }
    seconds(180).await;
    server.assert_covered(30);
    assert_eq!(codes(&server.posts()), [201; 35]);
    assert_eq!(server.deletes().len(), 5);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_whose_every_watch_lags_by_minutes_covers_and_settles() {
    let server = world(0);
    server.kubelet();
    server.lag("a", MINUTES);
    let _running = start(&server, "a");
    seconds(10).await;
    for n in 0..40 {
        server.add("nodes", node(&format!("n{n}")));
        seconds(7).await;
    }
    seconds(200).await;
    server.assert_covered(40);
    assert_eq!(codes(&server.posts()), [201; 40]);
    assert!(server.deletes().is_empty());
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_own_revision_is_known_before_the_watch_tells_of_it() {
    let server = world(3);
    server.lag("a", MINUTES);
    let _running = start(&server, "a");
    seconds(200).await;
    let changed = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    server.perform("PATCH", path, &changed).expect("a patch");
    seconds(600).await;
    let posts = server.requests(|c| c.is("POST", "/controllerrevisions"));
    assert_eq!(codes(&posts), [201, 201]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_stands_still_after_one_more_write_hides_what_follows_it() {
    let server = world(2);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    server.gate("a", &PODS, Some(Gate::After(1)));
    let fail = |node| {
        let status = json!({"status": ready("Failed")});
        server.edit("pods", &name(&[node, ""]), status);
    };
    fail("n0");
    seconds(5).await;
    server.assert_covered(2);
    assert_eq!(server.gate_of("a", &PODS), Some(Gate::Shut));
    fail("n1");
    seconds(5).await;
    assert_eq!(server.covered().len(), 1, "it does not know");
    server.gate("a", &PODS, None);
    seconds(5).await;
    server.assert_covered(2);
    server.at_rest().await;
}
