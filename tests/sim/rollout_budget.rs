//! `maxUnavailable`: a number or a share of the eligible nodes, rounded up. Nodes that are
//! unavailable already count, and old pods that are not available are replaced beside the budget.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

/// How many pods went in each second.
fn waves(server: &World) -> Vec<usize> {
    let mut waves: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, _) in departures(server) {
        *waves.entry(at.as_secs()).or_default() += 1;
    }
    waves.into_values().collect()
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_kept_to_and_made_use_of() {
    for (nodes, budget, expected) in [
        (5, json!(1), 1),
        (10, json!("21%"), 3),
        (10, json!("30%"), 3),
        (7, json!("1%"), 1),
        (4, json!("100%"), 4),
        (3, json!(9), 3),
        // No such thing can be created now, but it may be stored.
        (3, json!(0), 1),
    ] {
        let (server, _running) = covered(nodes, rolling(1, 0)).await;
        // Pods that are deleted together end together, so waves can be told apart.
        server.removes_at_once();
        let strategy = rolling(budget.clone(), 0);
        server.edit(
            "daemonsets",
            "web",
            json!({"spec": {"updateStrategy": strategy}}),
        );
        let before = version(&server);
        let template = json!({"metadata": {"annotations": {"v": "2"}}});
        // The API server counts the changes of a template.
        let third = json!({"deprecated.daemonset.template.generation": "3"});
        let patch = json!({"metadata": {"annotations": third}, "spec": {"template": template}});
        server.edit("daemonsets", "web", patch);
        seconds(40).await;
        assert_rolled(&server, nodes, "2");
        let worst = worst(&server, before);
        assert_eq!(
            (worst.unavailable, worst.doubled),
            (expected, 0),
            "{budget}"
        );
        let mut full = vec![expected; nodes / expected];
        full.extend((nodes % expected > 0).then_some(nodes % expected));
        assert_eq!(waves(&server), full, "{budget}");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn old_pods_that_are_not_available_go_at_once_beside_the_budget_and_count() {
    let (server, _running) = covered(6, rolling(2, 0)).await;
    for node in ["n1", "n3", "n4"] {
        lose_readiness(&server, node).await;
    }
    seconds(1).await;
    change_to(&server, "2", "5s");
    seconds(3).await;
    // Three go although the budget is two, and no other goes before there is room.
    assert_eq!(gone_from(&server), ["n1", "n3", "n4"]);
    seconds(60).await;
    assert_eq!(gone_from(&server)[3..], ["n0", "n2", "n5"]);
    assert_rolled(&server, 6, "2");
    let departures = departures(&server);
    assert!(departures[3].0 - departures[0].0 >= Duration::from_secs(5));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_new_pod_is_not_ready_uses_the_budget_up() {
    for (budget, expected) in [(1, 0), (2, 1)] {
        let (server, _running) = covered(4, rolling(budget, 0)).await;
        let mut late = node("late");
        late["metadata"]["annotations"] =
            json!({"sim.daemonset-controller.io/ready-after": "never"});
        become_ready(&server, "2s");
        // The node's own script counts where the pod has none.
        let metadata =
            json!({"annotations": {"v": "2", "sim.daemonset-controller.io/ready-after": null}});
        server.add("nodes", late);
        respec(&server, json!({"template": {"metadata": metadata}}));
        seconds(60).await;
        let went = gone_from(&server).len();
        // Each of the old ones comes back at once, so with room for one they all go, one after
        // another.
        assert_eq!(went, 4 * expected, "maxUnavailable {budget}");
        script(&server, "late", "ready-after", Value::Null);
        seconds(60).await;
        assert_rolled(&server, 5, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_pod_uses_the_budget_up() {
    let (server, _running) = covered(4, rolling(1, 0)).await;
    // The pod of a node that joins cannot be created.
    let late = |c: &Entry| c.is("POST", "/pods") && c.json().to_string().contains("\"late\"");
    let denied = Act::Refuse(ApiStatus::new(403, "Forbidden", "exceeded quota"));
    server.rule(usize::MAX, late, denied);
    server.add("nodes", node("late"));
    change_to(&server, "2", "1s");
    seconds(300).await;
    assert_eq!(gone_from(&server), [""; 0]);
    server.clear_rules();
    seconds(300).await;
    assert_eq!(gone_from(&server).len(), 4);
    assert_rolled(&server, 5, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_share_is_of_the_eligible_nodes() {
    let (server, _running) = covered(8, rolling("25%", 0)).await;
    for n in 4..8 {
        server.edit("nodes", &format!("n{n}"), away(true));
    }
    seconds(10).await;
    let before = gone_from(&server).len();
    change_to(&server, "2", "2s");
    seconds(40).await;
    assert_eq!(waves(&server), [4, 1, 1, 1, 1]);
    assert_eq!(gone_from(&server).len(), before + 4);
    assert_rolled(&server, 4, "2");
    server.at_rest().await;
}
