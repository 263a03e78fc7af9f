//! The controller never creates a second pod for a node that has one, however little it knows of
//! it.

use std::time::Duration;

use serde_json::json;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_create_makes_no_second_pod() {
    let server = world(1);
    server.rule(1, |c| c.is("POST", "/pods"), Act::Lose);
    let _running = start(&server, "a");
    seconds(60).await;
    // The watch may tell of the pod before it is created again, or after: it is a matter of
    // milliseconds.
    let codes = codes(&server.posts());
    assert_eq!(codes[0], 0);
    assert!(codes[1..].iter().all(|code| *code == 409), "{codes:?}");
    server.assert_covered(1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_while_the_watch_is_silent_is_found_out_by_the_name() {
    let server = world(1);
    server.freeze("a", "pods", true);
    server.rule(1, |c| c.is("POST", "/pods"), Act::Lose);
    let _running = start(&server, "a");
    seconds(600).await;
    let posts = server.posts();
    assert_eq!(codes(&posts), [0, 409]);
    assert_eq!(
        posts[0].json()["metadata"]["name"],
        posts[1].json()["metadata"]["name"]
    );
    let reads = server
        .requests(|c| c.is_for("GET", "pods") && c.query.is_empty() && c.path.contains("web-"));
    assert_eq!(codes(&reads), [200]);
    server.freeze("a", "pods", false);
    seconds(60).await;
    assert_eq!((server.posts().len(), server.deletes().len()), (2, 0));
    server.assert_covered(1);
    assert_eq!(
        server.get("daemonsets", "web")["status"]["currentNumberScheduled"],
        1
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn own_creates_count_at_once_while_the_watch_is_silent() {
    let server = world(20);
    server.freeze("a", "pods", true);
    let _running = start(&server, "a");
    seconds(5).await;
    server.assert_covered(20);
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["currentNumberScheduled"], 20);
    assert_eq!(status["desiredNumberScheduled"], 20);
    // Every new node is a reason to plan again.
    for n in 20..30 {
        server.add("nodes", node(&format!("n{n}")));
        seconds(30).await;
    }
    server.assert_covered(30);
    assert_eq!(codes(&server.posts()), [201; 30]);
    server.freeze("a", "pods", false);
    seconds(60).await;
    assert_eq!((server.posts().len(), server.deletes().len()), (30, 0));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_foreign_pod_holds_is_skipped() {
    let server = world(1);
    let base = name(&["n0", ""]);
    let mut foreign = pod(&base, "elsewhere");
    foreign["metadata"]["ownerReferences"][0]["uid"] = json!("somebody");
    foreign["metadata"]["ownerReferences"][0]["kind"] = json!("ReplicaSet");
    foreign["metadata"]["labels"] = json!({"app": "other"});
    server.add("pods", foreign);
    let _running = start(&server, "a");
    seconds(10).await;
    let next = name(&["n0", &base, "1"]);
    assert_eq!(names(&server.posts()), [base.clone(), next.clone()]);
    assert_eq!(codes(&server.posts()), [409, 201]);
    assert!(server.events("FailedCreate").is_empty());
    server.assert_covered(1);

    server.remove("pods", &base);
    server.remove("pods", &next);
    seconds(10).await;
    // A controller that still sees the foreign pod posts this name too.
    assert_eq!(names(&server.posts())[2..], [next]);
    server.assert_covered(1);
    assert!(server.deletes().is_empty());
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_pods_of_a_new_daemon_set_are_read_before_its_first_create() {
    let server = world(3);
    server.remove("daemonsets", "web");
    let _running = start(&server, "a");
    seconds(10).await;
    server.freeze("a", "pods", true);
    server.add("daemonsets", daemon_set("default", "web"));
    server.add("pods", pod("theirs-0", "n0"));
    server.add("pods", pod("theirs-1", "n1"));
    seconds(60).await;
    let reads = server.requests(|c| c.is("GET", "/pods") && c.query.contains("labelSelector"));
    let posts = server.posts();
    assert_eq!((reads.len(), posts.len()), (1, 1));
    assert!(reads[0].ended.is_some_and(|ended| ended <= posts[0].at));
    server.assert_covered(3);
    // Later plans need no reading.
    server.add("nodes", node("n3"));
    seconds(10).await;
    server.assert_covered(4);
    let reads = server.requests(|c| c.is("GET", "/pods") && c.query.contains("labelSelector"));
    assert_eq!(reads.len(), 1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_has_become_old_begins_nothing_more() {
    let server = world(100);
    let slow = Act::Delay(Duration::from_secs(4));
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), slow);
    let _running = start(&server, "a");
    seconds(17).await;
    (0..100).for_each(|n| server.edit("nodes", &format!("n{n}"), away(true)));
    let before = server.posts().len();
    seconds(5).await;
    assert_eq!((before, server.posts().len()), (15, 15));
    seconds(60).await;
    assert!(
        server
            .all("pods")
            .iter()
            .all(|p| target(p).is_empty() || !is_live(p))
    );
    server.at_rest().await;
}
