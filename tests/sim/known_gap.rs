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

/// The connection fails, and the controller makes the pod by another request. The first one is
/// still under way.
#[tokio::test(start_paused = true)]
async fn the_gap_is_open_a_create_that_outlives_the_pod_of_its_name_makes_a_second_pod() {
    let server = world(1);
    server.kubelet();
    let late = Late {
        told: Told::Cut(Duration::ZERO),
        ..Late::on_the_way(Duration::from_secs(20))
    };
    let create = |c: &Entry| c.is("POST", "/pods");
    server.rule(1, create, Act::TakeEffectLate(late));
    let running = start(&server, "a");
    seconds(5).await;
    let first = name(&["n0", ""]);
    let uid = uid_of_live(&server);
    server.edit("pods", &first, json!({"status": ready("Failed")}));
    seconds(10).await;
    let second = name(&["n0", &uid]);
    assert_eq!(
        names(&server.posts()),
        [&first, &first, &second].map(String::as_str)
    );
    assert!(server.get("pods", &first).is_null(), "its name is free");
    assert!(doubles(&server).is_empty());
    seconds(10).await;
    let seen = doubles(&server);
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        seen[0].contains(&first) && seen[0].contains(&second),
        "{seen:?}"
    );
    // The second one does not stay.
    server.assert_covered(1);
    assert!(running.is_running());
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

/// The shortest history that the search found among its first sixty seeds.
#[tokio::test(start_paused = true)]
async fn the_gap_is_open_a_search_finds_it() {
    let search = Search {
        turns: 3,
        ..Search::of(4)
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
