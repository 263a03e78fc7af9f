//! A held rollout: nothing is replaced, and whoever dies or joins meanwhile gets what is stable.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// When each revision completed, by its number; those that did not are left out.
fn completed(server: &World) -> BTreeSet<i64> {
    let all = server.all("controllerrevisions").into_iter();
    all.filter(|r| r["metadata"]["annotations"][COMPLETED].is_string())
        .map(|r| r["revision"].as_i64().expect("a number"))
        .collect()
}

fn live_pod_on(server: &World, node: &str) -> Value {
    let pods = server.all("pods").into_iter();
    let mut here = pods.filter(|pod| is_live(pod) && target(pod) == node);
    here.next().unwrap_or_else(|| panic!("no pod on {node}"))
}

/// The names of the nodes `n0` to `n<count - 1>`.
fn all_nodes(count: usize) -> BTreeSet<String> {
    (0..count).map(|n| format!("n{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn held_in_the_middle_of_a_rollout_nothing_more_is_replaced_until_the_key_goes() {
    for strategy in [rolling(1, 0), rolling(0, 1)] {
        let (server, _running) = covered(6, strategy).await;
        change_to(&server, "2", "2s");
        until_departed(&server, 2, 60).await;
        set_key(&server, "hold", "rollout");
        // What had begun comes to its end.
        seconds(30).await;
        let (new, old) = (nodes_of(&server, "2"), nodes_of(&server, "1"));
        assert_eq!(new.len() + old.len(), 6, "{new:?} {old:?}");
        let gone = gone_from(&server).len();
        let requests = server.requests(|c| c.is_write()).len();
        seconds(3600).await;
        assert_eq!(gone_from(&server).len(), gone);
        assert_eq!(server.requests(|c| c.is_write()).len(), requests, "at rest");
        assert_eq!(
            (&nodes_of(&server, "2"), &nodes_of(&server, "1")),
            (&new, &old)
        );
        let status = &server.get("daemonsets", "web")["status"];
        assert_eq!(status["updatedNumberScheduled"], new.len());
        set_key(&server, "hold", Value::Null);
        seconds(120).await;
        assert_rolled(&server, 6, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_dies_or_joins_in_a_held_rollout_never_gets_the_target_on_a_node_that_was_not_released()
 {
    let (server, running) = covered(4, rolling(1, 0)).await;
    set_key(&server, "hold", "rollout");
    seconds(5).await;
    let before = live_pod_on(&server, "n1");
    change_to(&server, "2", "2s");
    seconds(30).await;
    assert_eq!(
        nodes_of(&server, "1"),
        all_nodes(4),
        "held before the template changed"
    );

    // Somebody deletes a pod, one fails, and a node joins.
    let name = live_pod_on(&server, "n1")["metadata"]["name"].clone();
    server.ask_to_delete("pods", name.as_str().expect("a name"));
    let name = live_pod_on(&server, "n2")["metadata"]["name"].clone();
    let failed = json!({"status": {"phase": "Failed"}});
    server.edit("pods", name.as_str().expect("a name"), failed);
    server.add("nodes", node("n4"));
    seconds(30).await;
    server.assert_covered(5);
    assert_eq!(nodes_of(&server, "1"), all_nodes(5));
    let after = live_pod_on(&server, "n1");
    let form = |pod: &Value| {
        let mut pod = pod.clone();
        for random in [
            "name",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
        ] {
            pod["metadata"]
                .as_object_mut()
                .expect("metadata")
                .remove(random);
        }
        // The DaemonSet's generation is the target's; on a stable pod it would be a lie.
        pod["metadata"]["labels"]
            .as_object_mut()
            .expect("labels")
            .remove("pod-template-generation");
        (pod["metadata"].clone(), pod["spec"].clone())
    };
    assert_eq!(form(&after), form(&before), "the pod is as it was");
    assert!(after["metadata"]["labels"]["pod-template-generation"].is_null());

    // A controller that knows nothing but what the API holds does the same.
    running.kill();
    let _second = start(&server, "b");
    seconds(5).await;
    server.add("nodes", node("n5"));
    seconds(30).await;
    assert_eq!(nodes_of(&server, "1"), all_nodes(6));

    set_key(&server, "hold", "off");
    seconds(120).await;
    assert_rolled(&server, 6, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn completion_is_recorded_before_the_next_rollout_needs_it() {
    let (server, _running) = covered(3, rolling(1, 0)).await;
    change_to(&server, "2", "1s");
    seconds(60).await;
    assert_rolled(&server, 3, "2");
    assert_eq!(
        completed(&server),
        BTreeSet::new(),
        "without a key nothing is written"
    );
    set_key(&server, "hold", "rollout");
    seconds(5).await;
    assert_eq!(completed(&server), BTreeSet::from([2]));
    // Every pod goes at once, so nothing but the record says what was stable.
    change_to(&server, "3", "1s");
    for pod in server.all("pods") {
        server.remove("pods", pod["metadata"]["name"].as_str().expect("a name"));
    }
    seconds(30).await;
    assert_eq!(nodes_of(&server, "2"), all_nodes(3));
    set_key(&server, "hold", Value::Null);
    seconds(60).await;
    assert_rolled(&server, 3, "3");
    assert_eq!(completed(&server), BTreeSet::from([2]), "the key is gone");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn state_in_the_annotations_of_the_daemon_set_is_no_state() {
    let (server, _running) = covered(2, rolling(1, 0)).await;
    let annotations = json!({ COMPLETED: "2026-06-01T12:00:00Z", "example.com/kept": "yes" });
    server.edit(
        "daemonsets",
        "web",
        json!({"metadata": {"annotations": annotations}}),
    );
    change_to(&server, "2", "1s");
    seconds(60).await;
    assert_rolled(&server, 2, "2");
    assert_eq!(completed(&server), BTreeSet::new());
    let all = server.all("controllerrevisions").into_iter();
    let newest = all
        .max_by_key(|r| r["revision"].as_i64())
        .expect("a revision");
    assert_eq!(newest["metadata"]["annotations"]["example.com/kept"], "yes");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn hold_all_keeps_even_a_failed_pod() {
    let (server, _running) = covered(2, rolling(1, 0)).await;
    set_key(&server, "hold", "all");
    seconds(5).await;
    let name = live_pod_on(&server, "n0")["metadata"]["name"].clone();
    server.edit(
        "pods",
        name.as_str().expect("a name"),
        json!({"status": {"phase": "Failed"}}),
    );
    server.add("nodes", node("n2"));
    seconds(600).await;
    assert_eq!(server.pods_ever(), 2);
    set_key(&server, "hold", Value::Null);
    seconds(30).await;
    server.assert_covered(3);
    server.at_rest().await;
}
