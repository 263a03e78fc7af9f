//! One template has one revision, whoever has its name and whatever happened to the answer.

use serde_json::{Value, json};

use super::world::*;

/// The revisions of `default/web`.
fn ours(server: &World) -> Vec<Value> {
    let all = server.all("controllerrevisions").into_iter();
    all.filter(|r| owner(r) == UID).collect()
}

/// Somebody's revision of the name that ours would have.
async fn foreign() -> Value {
    let server = world(1);
    let _running = start(&server, "a");
    seconds(10).await;
    let mut revision = ours(&server).remove(0);
    revision["metadata"] = json!({
        "name": revision["metadata"]["name"], "namespace": "default", "labels": {"app": "other"},
    });
    revision["data"] = json!({"spec": {"template": {"of": "somebody"}}});
    revision
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_raises_the_collision_count() {
    for known in [true, false] {
        let taken = foreign().await;
        let server = world(3);
        if known {
            server.add("controllerrevisions", taken.clone());
        }
        server.freeze("a", "controllerrevisions", true);
        let go = server.get("daemonsets", "web");
        server.remove("daemonsets", "web");
        let _running = start(&server, "a");
        seconds(10).await;
        if !known {
            server.add("controllerrevisions", taken.clone());
        }
        server.put("daemonsets", go);
        seconds(10).await;
        let ours = ours(&server);
        assert_eq!(ours.len(), 1, "known: {known}");
        assert_ne!(ours[0]["metadata"]["name"], taken["metadata"]["name"]);
        let status = server.get("daemonsets", "web")["status"].clone();
        assert_eq!(status["collisionCount"], 1);
        assert_eq!(status["observedGeneration"], 1);
        server.assert_covered(3);
        let hash = &ours[0]["metadata"]["labels"]["controller-revision-hash"];
        for pod in server.all("pods") {
            assert_eq!(pod["metadata"]["labels"]["controller-revision-hash"], *hash);
        }
        let posts = server.requests(|c| c.is("POST", "/controllerrevisions"));
        assert_eq!(
            codes(&posts),
            if known { vec![201] } else { vec![409, 201] }
        );
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_revisions_create_makes_no_second_one() {
    for frozen in [true, false] {
        let server = world(3);
        server.freeze("a", "controllerrevisions", frozen);
        server.rule(1, |c| c.is("POST", "/controllerrevisions"), Act::Lose);
        let _running = start(&server, "a");
        seconds(60).await;
        assert_eq!(ours(&server).len(), 1);
        let posts = server.requests(|c| c.is("POST", "/controllerrevisions"));
        assert_eq!(codes(&posts), if frozen { vec![0, 409] } else { vec![0] });
        let status = server.get("daemonsets", "web")["status"].clone();
        assert!(status["collisionCount"].is_null());
        server.assert_covered(3);
        server.freeze("a", "controllerrevisions", false);
        seconds(60).await;
        assert_eq!(ours(&server).len(), 1);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_or_acknowledged_before_the_revision_is_there() {
    let server = world(3);
    server.rule(
        usize::MAX,
        |c| c.is("POST", "/controllerrevisions"),
        Act::Fail,
    );
    let _running = start(&server, "a");
    seconds(60).await;
    assert!(server.posts().is_empty());
    assert!(server.get("daemonsets", "web")["status"]["observedGeneration"].is_null());
    server.clear_rules();
    seconds(120).await;
    server.assert_covered(3);
    server.at_rest().await;
}
