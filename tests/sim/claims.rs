//! Adoption: after a fresh look at the DaemonSet, and before anything is created.

use serde_json::{Value, json};

use super::world::*;

fn adoptions(server: &World) -> Vec<Entry> {
    server.requests(|c| c.is_for("PATCH", "pods") && &*c.client == "a")
}

#[tokio::test(start_paused = true)]
async fn an_adoption_that_fails_stops_the_sync_before_any_create() {
    let server = world(2);
    server.add("pods", orphan("left-behind", "n0"));
    let no = Act::Refuse(ApiStatus::new(403, "Forbidden", "no"));
    server.rule(usize::MAX, |c| c.is_for("PATCH", "pods"), no);
    let _running = start(&server, "a");
    seconds(30).await;
    assert!(adoptions(&server).len() > 2);
    assert!(server.posts().is_empty());
    server.clear_rules();
    seconds(60).await;
    assert_eq!(owner(&server.get("pods", "left-behind")), UID);
    server.assert_covered(2);
    assert_eq!(server.posts().len(), 1);
    // Before each attempt the DaemonSet is read, past the cache.
    let reads = server.requests(|c| c.is("GET", "/daemonsets/web"));
    let patches = adoptions(&server);
    assert_eq!(reads.len(), patches.len());
    for (read, patch) in reads.iter().zip(&patches) {
        assert!(read.ended.is_some_and(|ended| ended <= patch.at));
        let seen = &patch.json()["metadata"];
        assert!(seen["uid"].is_string() && seen["resourceVersion"].is_string());
    }
    server.at_rest().await;
}

/// A settled controller that is blind for DaemonSets; then `how` happens, and an orphan appears.
async fn behind_its_back(how: impl FnOnce(&World)) -> (World, Controller) {
    let server = world(1);
    server.kubelet();
    let running = start(&server, "a");
    seconds(10).await;
    server.freeze("a", "daemonsets", true);
    how(&server);
    server.add("pods", orphan("left-behind", "n1"));
    seconds(30).await;
    server.add("nodes", node("n2"));
    seconds(30).await;
    assert!(
        !server
            .requests(|c| c.is("GET", "/daemonsets/web"))
            .is_empty()
    );
    (server, running)
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_that_is_being_deleted_adopts_and_creates_nothing() {
    let deleting = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    let (server, _running) = behind_its_back(|s| s.edit("daemonsets", "web", deleting)).await;
    assert!(adoptions(&server).is_empty());
    assert_eq!(server.posts().len(), 1);
    assert_eq!(owner(&server.get("pods", "left-behind")), "");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_that_was_replaced_adopts_and_creates_nothing() {
    let mut other = daemon_set("default", "web");
    other["metadata"]["uid"] = json!("ds-2");
    let (server, _running) = behind_its_back(|s| s.replace("daemonsets", "web", other)).await;
    let made: Vec<Value> = adoptions(&server)
        .into_iter()
        .chain(server.posts().into_iter().skip(1))
        .map(|c| c.json()["metadata"]["ownerReferences"][0]["uid"].clone())
        .collect();
    // It is the successor, once read, that adopts the orphan and gets pods.
    assert!(
        !made.is_empty() && made.iter().all(|uid| uid == "ds-2"),
        "{made:?}"
    );
    server.at_rest().await;
}
