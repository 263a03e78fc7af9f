//! The known gap of S1 (`docs/design.md`, "Known gap") is open: the tests that say so in their
//! names end with two live pods on a node, which the checker sees. Whoever closes the gap turns
//! them.

use std::time::Duration;

use daemonset_controller::sim::api::late::{Late, Told};
use daemonset_controller::sim::api::resource::PODS;
use serde_json::json;

use super::late_writes::{FreedBy, Search, history};
use super::world::*;

/// The violations so far, in words; all of them are of S1.
fn doubles(server: &World) -> Vec<String> {
    let names: Vec<&str> = server.controllers.borrow().iter().copied().collect();
    let broken = server.cluster.borrow().violations(&names);
    assert!(broken.iter().all(|v| v.promise == "S1"), "{broken:?}");
    broken.into_iter().map(|v| v.what).collect()
}

/// The UID of the only live pod.
fn uid_of_live(server: &World) -> String {
    let mut live = server.all("pods").into_iter().filter(is_live);
    let pod = live.next().expect("a live pod");
    pod["metadata"]["uid"].as_str().expect("a UID").to_owned()
}

/// The first create that controllers send takes effect a minute later; its sender sees the
/// connection fail at once, and makes the pod by another request.
fn first_create_is_late(server: &World) {
    let late = Late {
        told: Told::Cut(Duration::ZERO),
        ..Late::on_the_way(Duration::from_secs(60))
    };
    let create = |c: &Entry| c.is("POST", "/pods");
    server.rule(1, create, Act::TakeEffectLate(late));
}

/// Lets the node's pod fail, and waits until its successor is there. Returns both names.
async fn fail_the_first(server: &World) -> [String; 2] {
    let first = name(&["n0", ""]);
    let uid = uid_of_live(server);
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    seconds(10).await;
    let second = name(&["n0", &uid]);
    assert!(is_live(&server.get("pods", &second)));
    [first, second]
}

/// The ended pod of this name is there when the late create comes, and so many seconds later not.
async fn stays_for_the_late_one_and_goes(server: &World, name: &str, later: u64) {
    seconds(60).await;
    assert!(!server.get("pods", name).is_null(), "the late one met it");
    seconds(later).await;
    assert!(server.get("pods", name).is_null(), "and it goes in the end");
    server.at_rest().await;
    server.assert_covered(1);
}

/// A pod that ended goes once it has a successor. Its name would be free for the late create.
#[tokio::test(start_paused = true)]
async fn an_ended_pod_stays_while_a_create_of_its_name_may_be_under_way() {
    let server = world(1);
    server.kubelet();
    first_create_is_late(&server);
    let _running = start(&server, "a");
    seconds(10).await;
    let [first, second] = fail_the_first(&server).await;
    assert_eq!(
        names(&server.posts()),
        [&first, &first, &second].map(String::as_str)
    );
    stays_for_the_late_one_and_goes(&server, &first, 60).await;
}

/// The new leader cannot know what the one before had sent when it died.
#[tokio::test(start_paused = true)]
async fn after_a_leader_died_ended_pods_stay_while_its_creates_may_be_under_way() {
    let server = world(1);
    server.kubelet();
    first_create_is_late(&server);
    let a = replica(&server, "a");
    let post = |c: &Entry| c.is("POST", "/pods");
    while server.requests(post).is_empty() {
        millis(1).await;
    }
    a.kill();
    let _b = replica(&server, "b");
    seconds(30).await;
    let [first, _] = fail_the_first(&server).await;
    assert!(!server.get("pods", &first).is_null());
    stays_for_the_late_one_and_goes(&server, &first, 90).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_leader_that_released_its_lease_ended_pods_go_at_once() {
    let server = world(1);
    server.kubelet();
    let a = replica(&server, "a");
    seconds(10).await;
    a.stop().await;
    let _b = replica(&server, "b");
    seconds(10).await;
    let [first, _] = fail_the_first(&server).await;
    assert!(server.get("pods", &first).is_null());
    server.at_rest().await;
}

/// People may set the name free before the late create. Then the next pod bears it.
#[tokio::test(start_paused = true)]
async fn a_name_that_is_free_while_a_create_of_it_may_be_under_way_is_the_next_to_be_used() {
    let server = world(1);
    server.kubelet();
    first_create_is_late(&server);
    let _a = replica(&server, "a");
    seconds(10).await;
    let first = name(&["n0", ""]);
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    server.remove("pods", &first);
    seconds(5).await;
    assert!(
        is_live(&server.get("pods", &first)),
        "not one named after it"
    );
    seconds(120).await;
    server.at_rest().await;
    server.assert_covered(1);
}

/// The other controllers do not know of the late create, so the name cannot be used again.
#[tokio::test(start_paused = true)]
async fn the_gap_is_open_without_election_where_people_set_the_name_free() {
    let server = world(1);
    server.kubelet();
    first_create_is_late(&server);
    let _a = start(&server, "a");
    seconds(10).await;
    let first = name(&["n0", ""]);
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    server.remove("pods", &first);
    seconds(30).await;
    assert!(doubles(&server).is_empty());
    seconds(60).await;
    let seen = doubles(&server);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen[0].contains(&first), "{seen:?}");
    // The second one does not stay.
    server.assert_covered(1);
}

/// Half a second is enough where a pod comes, ends and is taken away in it.
#[tokio::test(start_paused = true)]
async fn the_gap_is_open_to_a_controller_half_a_second_behind_without_any_late_request() {
    let server = world(1);
    server.kubelet();
    let _running = [start(&server, "a"), start(&server, "b")];
    seconds(5).await;
    let lag = Gate::Lag(Duration::from_millis(500));
    server.gate("b", &PODS, Some(lag));
    seconds(5).await;
    let uid = uid_of_live(&server);
    let first = name(&["n0", ""]);
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    millis(100).await;
    let second = name(&["n0", &uid]);
    let uid = server.get("pods", &second)["metadata"]["uid"].clone();
    server.edit("pods", &second, json!({"status": ready("Failed")}));
    server.ask_to_delete("pods", &second);
    millis(100).await;
    let third = name(&["n0", uid.as_str().expect("a UID")]);
    assert!(is_live(&server.get("pods", &third)));
    seconds(5).await;
    let seen = doubles(&server);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].contains(&second) && seen[0].contains(&third),
        "{seen:?}"
    );
    server.assert_covered(1);
}

/// The shortest history that the search found among its first ninety seeds.
#[tokio::test(start_paused = true)]
async fn the_gap_is_open_a_search_finds_it() {
    let search = Search {
        turns: 4,
        ..Search::of(43)
    };
    let outcome = history(search).await;
    let freed: Vec<FreedBy> = outcome.doubles.iter().map(|(by, _)| *by).collect();
    assert_eq!(freed, [FreedBy::Controller]);
    assert!(outcome.others.is_empty(), "{:?}", outcome.others);
    let without = Search {
        per_mille: 0,
        ..search
    };
    assert!(history(without).await.doubles.is_empty());
}
