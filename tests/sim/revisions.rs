//! One template has one revision, whoever has its name and whatever happened to the answer; and one
//! that cannot be written shows.

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

/// Another template for `default/web`, or the first one again.
fn template(server: &World, version: Option<&str>) {
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {"v": version}}}}});
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    server.perform("PATCH", path, &patch).expect("a patch");
}

/// A quota, a webhook, an admission policy, a limit of sizes.
#[tokio::test(start_paused = true)]
async fn a_revision_that_cannot_be_created_shows_in_an_event_and_a_status_of_the_old_generation() {
    for (code, reason) in [
        (403, "Forbidden"),
        (422, "Invalid"),
        (413, "RequestEntityTooLarge"),
        (500, "InternalError"),
    ] {
        let server = world(3);
        server.kubelet();
        let _running = start(&server, "a");
        seconds(10).await;
        let refused = Act::Refuse(ApiStatus::new(code, reason, "not this one"));
        server.rule(
            usize::MAX,
            |c| c.is("POST", "/controllerrevisions"),
            refused,
        );
        template(&server, Some("2"));
        server.add("nodes", node("n3"));
        seconds(60).await;
        let status = server.get("daemonsets", "web")["status"].clone();
        assert_eq!(status["observedGeneration"], 1, "{code}");
        assert_eq!(status["desiredNumberScheduled"], 4, "{code}");
        assert_eq!(status["numberAvailable"], 3, "{code}");
        assert_eq!(status["numberUnavailable"], 1, "{code}");
        assert!(status["updatedNumberScheduled"].as_i64().unwrap_or(0) == 0);
        let said = server.events("FailedRevision");
        assert!(
            said[0].starts_with(
                "Error writing revisions: cannot create controllerrevision default/web-"
            )
        );
        assert!(said[0].ends_with(": not this one"), "{said:?}");
        let attempts = server.requests(|c| c.is("POST", "/controllerrevisions"));
        assert!((5..20).contains(&attempts.len()), "{}", attempts.len());
        server.clear_rules();
        seconds(120).await;
        server.assert_covered(4);
        assert_eq!(
            server.get("daemonsets", "web")["status"]["observedGeneration"],
            2
        );
        server.at_rest().await;
    }
}

/// 422 is also the answer to a patch of another object of the name: it was taken for that, and
/// repeated in silence.
#[tokio::test(start_paused = true)]
async fn a_rollback_whose_revision_cannot_be_renumbered_shows_and_is_tried_with_growing_pauses() {
    let server = world(1);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    template(&server, Some("2"));
    seconds(10).await;
    let refused = Act::Refuse(ApiStatus::new(422, "Invalid", "no revision may change"));
    server.rule(
        usize::MAX,
        |c| c.is_for("PATCH", "controllerrevisions"),
        refused,
    );
    let before = server.get("daemonsets", "web")["status"]["observedGeneration"].clone();
    template(&server, None);
    seconds(60).await;
    let said = server.events("FailedRevision");
    assert!(
        said[0].starts_with(
            "Error writing revisions: cannot renumber controllerrevision default/web-"
        )
    );
    assert!(said[0].ends_with(": no revision may change"), "{said:?}");
    let attempts = server.requests(|c| c.is_for("PATCH", "controllerrevisions"));
    assert!((5..20).contains(&attempts.len()), "{}", attempts.len());
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["observedGeneration"], before);
    server.clear_rules();
    seconds(120).await;
    let generation = server.get("daemonsets", "web")["metadata"]["generation"].clone();
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["observedGeneration"], generation);
    server.at_rest().await;
}

/// `kubectl delete --cascade=orphan` and the same DaemonSet again, seen late: a revision that was
/// let go a moment ago is no longer ours to delete. Its UID is the same, its resourceVersion is
/// not.
#[tokio::test(start_paused = true)]
async fn an_old_revision_that_was_let_go_a_moment_ago_is_not_deleted() {
    let server = world(2);
    let _running = start(&server, "a");
    seconds(10).await;
    let old = ours(&server).remove(0)["metadata"]["name"].clone();
    let old = old.as_str().expect("a name");
    let rolling = json!({"spec": {"updateStrategy": {"type": "RollingUpdate"}}});
    let set = "/apis/apps/v1/namespaces/default/daemonsets/web";
    server.perform("PATCH", set, &rolling).expect("a patch");
    template(&server, Some("2"));
    seconds(120).await;
    assert_eq!(ours(&server).len(), 2);
    server.freeze("a", "controllerrevisions", true);
    let let_go = json!({"metadata": {"ownerReferences": null, "labels": {"app": "other"}}});
    let path = format!("/apis/apps/v1/namespaces/default/controllerrevisions/{old}");
    server.perform("PATCH", &path, &let_go).expect("a patch");
    let limit = json!({"spec": {"revisionHistoryLimit": 0}});
    server.perform("PATCH", set, &limit).expect("a patch");
    seconds(60).await;
    let deletes = server.requests(|c| c.is_for("DELETE", "controllerrevisions"));
    assert_eq!(codes(&deletes), [409], "it was wanted once, and refused");
    assert!(
        server
            .all("controllerrevisions")
            .iter()
            .any(|r| r["metadata"]["name"] == old)
    );
    server.freeze("a", "controllerrevisions", false);
    server.at_rest().await;
}

/// As after an orphaned DaemonSet came back, and a crash once its new revision was made.
#[tokio::test(start_paused = true)]
async fn an_orphan_is_adopted_before_it_gets_the_hash_of_the_revision_that_stays() {
    let server = world(3);
    let running = start(&server, "a");
    seconds(10).await;
    drop(running);
    let mut newer = ours(&server).remove(0);
    let labels = json!({"app": "web", "controller-revision-hash": "newer"});
    newer["metadata"] = json!({
        "name": "web-newer", "namespace": "default", "labels": labels,
        "ownerReferences": newer["metadata"]["ownerReferences"],
    });
    newer["revision"] = json!(2);
    server.add("controllerrevisions", newer);
    for mut pod in server.all("pods") {
        pod["metadata"]["ownerReferences"] = json!([]);
        server.put("pods", pod);
    }
    let _running = start(&server, "b");
    seconds(10).await;
    let patches = server.requests(|c| c.is("PATCH", "") && c.path.contains("/pods/"));
    assert_eq!(
        codes(&patches),
        [200; 6],
        "three are adopted, and then relabelled"
    );
    assert_eq!(ours(&server).len(), 1);
    for pod in server.all("pods") {
        assert_eq!(owner(&pod), UID);
        let hash = &pod["metadata"]["labels"]["controller-revision-hash"];
        assert_eq!(hash, "newer");
    }
    server.at_rest().await;
}
