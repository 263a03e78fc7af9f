//! Bad input of rollout control, end to end: a thousand keys and huge values hold the rollout, are
//! told in words that the API server takes, and are told again by each process.

use serde_json::{Value, json};

use super::metrics::metrics;
use super::rollout::*;
use super::world::*;

const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// Sets annotations; null removes one.
fn annotate(server: &World, annotations: &Value) {
    let metadata = json!({"metadata": {"annotations": annotations}});
    server.edit("daemonsets", "web", metadata);
}

/// What holds the rollout and is huge, each by itself.
fn huge() -> [(&'static str, Value); 4] {
    let key = |name: &str| format!("daemonset-controller.io/{name}");
    let many = (0..1000).map(|n| (key(&format!("key-{n}")), json!("x".repeat(200))));
    let value = |text: &str, count| json!({ key("hold"): text.repeat(count) });
    [
        ("1,000 keys", Value::Object(many.collect())),
        ("250 KiB", value("x", 250 * 1024)),
        ("control characters", value("\u{1b}\n", 4096)),
        ("four bytes each", value("\u{1f600}", 60 * 1024)),
    ]
}

#[tokio::test(start_paused = true)]
async fn huge_annotations_hold_the_rollout_and_are_told_in_few_words() {
    for (what, annotations) in huge() {
        let (server, running) = covered(3, rolling(1, 0)).await;
        let before = running.monitor.exposition().len();
        annotate(&server, &annotations);
        change_to(&server, "2", "1s");
        let pod = server.all("pods").remove(0);
        server.remove("pods", pod["metadata"]["name"].as_str().expect("a name"));
        seconds(3600).await;
        server.assert_covered(3);
        assert_eq!(
            nodes_of(&server, "1").len(),
            3,
            "{what}: held, upkeep goes on"
        );
        // The simulated API server takes no longer message than the real one.
        for reason in ["InvalidAnnotation", "RolloutPaused"] {
            let told = server.events(reason);
            assert!(!told.is_empty(), "{what}: {reason}");
            for message in told {
                assert!(message.len() < 1000, "{what}: {message}");
                assert!(!message.contains(char::is_control), "{what}: {message:?}");
            }
        }
        let text = running.monitor.exposition();
        assert!(
            text.len() < before + 16 * 1024,
            "{what}: {} bytes",
            text.len()
        );
        assert!(!text.contains("key-1") && !text.contains("xxx"), "{what}");
        assert!(
            metrics(&running)
                .samples("daemonset_controller_held_nodes")
                .count()
                == 1
        );
        let nothing = annotations.as_object().expect("keys").keys();
        let nothing = nothing.map(|key| (key.clone(), Value::Null)).collect();
        annotate(&server, &Value::Object(nothing));
        seconds(60).await;
        assert_rolled(&server, 3, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_process_tells_once_of_what_it_cannot_read_and_nothing_of_the_pause_that_it_did_not_see()
 {
    let (server, running) = covered(2, rolling(1, 0)).await;
    let told = || server.events("InvalidAnnotation").len();
    annotate(&server, &json!({"daemonset-controller.io/hold": "rollot"}));
    seconds(3600).await;
    let (first, paused) = (told(), server.events("RolloutPaused").len());
    assert!(first > 0 && paused == 1, "{first} {paused}");
    running.kill();
    // Nothing is to be done, so nothing but the key itself is there to be told.
    let second = start(&server, "b");
    seconds(3600).await;
    assert_eq!(told(), first + 1);
    seconds(36_000).await;
    assert_eq!(
        (told(), server.events("RolloutPaused").len()),
        (first + 1, paused)
    );
    second.kill();
    // A new process that finds the key corrected has nothing to tell.
    annotate(&server, &json!({"daemonset-controller.io/hold": "rollout"}));
    let _third = start(&server, "c");
    seconds(3600).await;
    assert_eq!(
        (told(), server.events("RolloutPaused").len()),
        (first + 1, paused)
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn state_edited_into_nonsense_is_mended_once_and_leaks_no_pod() {
    for nonsense in ["", "soon", "9999-12-30T00:00:00Z", "99999-01-01T00:00:00Z"] {
        let (server, _running) = covered(3, rolling(1, 0)).await;
        annotate(&server, &json!({"daemonset-controller.io/hold": "rollout"}));
        seconds(30).await;
        let revision = server.all("controllerrevisions").remove(0);
        let name = revision["metadata"]["name"].as_str().expect("a name");
        let edit = json!({"metadata": {"annotations": { COMPLETED: nonsense }}});
        server.edit("controllerrevisions", name, edit);
        seconds(30).await;
        let at = || {
            server.get("controllerrevisions", name)["metadata"]["annotations"][COMPLETED].clone()
        };
        assert_ne!(at(), nonsense, "it is complete, and that is recorded anew");
        let writes = server.requests(|c| c.is_write()).len();
        seconds(3600).await;
        assert_eq!(server.requests(|c| c.is_write()).len(), writes, "at rest");
        // In the middle of a rollout there is nothing to record; the next pod is of what runs.
        change_to(&server, "2", "1s");
        seconds(30).await;
        let edit = json!({"metadata": {"annotations": { COMPLETED: nonsense }}});
        server.edit("controllerrevisions", name, edit);
        server.add("nodes", node("n3"));
        seconds(60).await;
        assert_eq!(nodes_of(&server, "1").len(), 4, "{nonsense:?}");
        annotate(&server, &json!({"daemonset-controller.io/hold": null}));
        seconds(120).await;
        assert_rolled(&server, 4, "2");
        server.at_rest().await;
    }
}
