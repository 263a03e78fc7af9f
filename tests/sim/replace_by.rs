//! `replace-by: eviction` on a cluster that lives: disruption budgets that refuse one node, some,
//! or all, what can never work, and crashes while evictions are refused.

use std::collections::BTreeSet;

use daemonset_controller::sim::api::status::ApiStatus;
use serde_json::{Value, json};

use super::metrics::metrics;
use super::on_failure::{condition, is};
use super::rollout::*;
use super::world::*;

const NO_SCALE: &str = "daemonsets.apps does not implement the scale subresource";

/// A budget for the pods with this label, as the disruption controller keeps it.
fn budget(server: &World, name: &str, (key, value): (&str, &str), spec: Value, status: Value) {
    let mut object = json!({
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {key: value}}},
        "status": status,
    });
    json_patch::merge(&mut object["spec"], &spec);
    server.put("poddisruptionbudgets", object);
}

fn allowing(disruptions: usize) -> Value {
    json!({"observedGeneration": 1, "disruptionsAllowed": disruptions,
           "desiredHealthy": 1, "currentHealthy": 1})
}

/// The pod on this node may not go.
fn guard(server: &World, node: &str) {
    let pods = server.all("pods").into_iter();
    let mut here = pods.filter(|pod| is_live(pod) && target(pod) == node);
    let pod = here.next().expect("a pod");
    let name = pod["metadata"]["name"].as_str().expect("a name");
    server.edit(
        "pods",
        name,
        json!({"metadata": {"labels": {"guard": "yes"}}}),
    );
    budget(
        server,
        "guard",
        ("guard", "yes"),
        json!({"minAvailable": 1}),
        allowing(0),
    );
}

fn evictions(server: &World) -> Vec<Entry> {
    server.requests(|c| c.is("POST", "/eviction"))
}

fn refused(server: &World) -> usize {
    evictions(server).iter().filter(|c| c.code == 429).count()
}

fn all_but(node: &str, nodes: usize) -> BTreeSet<String> {
    let names = (0..nodes).map(|n| format!("n{n}"));
    names.filter(|name| name != node).collect()
}

async fn evicting(nodes: usize, strategy: Value) -> (World, Controller) {
    let (server, running) = covered(nodes, strategy).await;
    set_key(&server, "replace-by", "eviction");
    seconds(5).await;
    (server, running)
}

#[tokio::test(start_paused = true)]
async fn a_budget_holds_back_one_node_while_the_others_go_on_and_is_lifted() {
    let (server, running) = evicting(6, rolling(1, 0)).await;
    guard(&server, "n1");
    let before = version(&server);
    change_to(&server, "2", "500ms");
    seconds(60).await;
    assert_eq!(nodes_of(&server, "2"), all_but("n1", 6));
    assert_eq!(condition(&server, "Progressing"), is("True", "Rolling"));
    assert_eq!(condition(&server, "Stalled"), None);
    let events = server.events("EvictionRefused");
    assert_eq!(events.len(), 1, "once for each pod: {events:?}");
    assert!(
        events[0].ends_with("on node n1 refused: The disruption budget guard needs 1 healthy pods and has 1 currently"),
        "{events:?}"
    );
    // It is tried again, ever less often.
    let tried = refused(&server);
    assert!((3..=6).contains(&tried), "{tried}");
    seconds(3_600).await;
    assert!(refused(&server) - tried <= 16, "{}", refused(&server));
    server.remove("poddisruptionbudgets", "guard");
    seconds(310).await;
    assert_rolled(&server, 6, "2");
    assert_eq!(condition(&server, "Progressing"), is("True", "Complete"));
    assert_eq!(worst(&server, before).unavailable, 1);
    assert_eq!(server.deletes().len(), 0, "all of it went by eviction");
    let all = metrics(&running);
    let evicted = all.samples("daemonset_controller_actions_total");
    let evicted = evicted.filter(|s| s.labels["action"] == "evict" && s.value > 0.0);
    let evicted: Vec<_> = evicted.map(|s| (&*s.labels["cause"], s.value)).collect();
    assert_eq!(evicted, [("Outdated", 6.0)]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_allows_fewer_than_max_unavailable_is_what_counts() {
    let (server, _running) = evicting(6, rolling(3, 0)).await;
    budget(
        &server,
        "p",
        ("app", "web"),
        json!({"minAvailable": 5}),
        allowing(1),
    );
    let before = version(&server);
    change_to(&server, "2", "500ms");
    seconds(30).await;
    assert_eq!(nodes_of(&server, "2").len(), 1);
    assert_eq!(worst(&server, before).unavailable, 1);
    for rolled in 2..=6 {
        server.edit("poddisruptionbudgets", "p", json!({"status": allowing(1)}));
        seconds(310).await;
        assert_eq!(nodes_of(&server, "2").len(), rolled);
    }
    assert_rolled(&server, 6, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_can_never_work_is_said_until_it_is_corrected() {
    let failed = json!({"disruptionsAllowed": 0, "conditions": [
        {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": NO_SCALE},
    ]});
    let web = ("app", "web");
    for several in [false, true] {
        let (server, _running) = evicting(3, rolling(1, 0)).await;
        if several {
            for name in ["p", "q"] {
                budget(&server, name, web, json!({"minAvailable": 1}), allowing(9));
            }
        } else {
            let spec = json!({"maxUnavailable": 1});
            budget(&server, "p", web, spec, failed.clone());
        }
        change_to(&server, "2", "500ms");
        seconds(30).await;
        assert_eq!(touched(&server, "2").len(), 0);
        let unusable = is("True", "DisruptionBudgetUnusable");
        assert_eq!(condition(&server, "Stalled"), unusable);
        assert_eq!(condition(&server, "Progressing"), is("Unknown", "Paused"));
        let written = server.statuses().len();
        seconds(3_600).await;
        assert_eq!(condition(&server, "Stalled"), unusable);
        assert_eq!(server.statuses().len(), written, "it does not come and go");
        server.remove("poddisruptionbudgets", "p");
        seconds(600).await;
        assert_rolled(&server, 3, "2");
        assert_eq!(condition(&server, "Stalled"), None);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_budgets_may_not_be_read_less_is_said() {
    let (server, _running) = evicting(3, rolling(1, 0)).await;
    let spec = json!({"maxUnavailable": 1});
    budget(
        &server,
        "p",
        ("app", "web"),
        spec,
        json!({"disruptionsAllowed": 0}),
    );
    let forbidden = ApiStatus::new(403, "Forbidden", "no");
    server.rule(
        usize::MAX,
        |c| c.is_for("GET", "poddisruptionbudgets"),
        Act::Refuse(forbidden),
    );
    change_to(&server, "2", "500ms");
    seconds(60).await;
    assert_eq!(condition(&server, "Stalled"), None);
    assert_eq!(condition(&server, "Progressing"), is("True", "Rolling"));
    let events = server.events("EvictionRefused");
    assert!(events[0].contains("The disruption budget p is still being processed"));
    server.remove("poddisruptionbudgets", "p");
    seconds(310).await;
    assert_rolled(&server, 3, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_too_busy_is_no_budget_and_missing_rights_are_said() {
    for (code, reason) in [(429, "TooManyRequests"), (403, "Forbidden")] {
        let (server, running) = evicting(3, rolling(1, 0)).await;
        let refusal = ApiStatus::new(code, reason, "cannot create resource \"pods/eviction\"");
        server.rule(
            usize::MAX,
            |c| c.is("POST", "/eviction"),
            Act::Refuse(refusal),
        );
        change_to(&server, "2", "500ms");
        seconds(60).await;
        assert_eq!(server.events("EvictionRefused"), [""; 0]);
        let events = server.events("FailedDelete");
        let said = "Error evicting: cannot create resource \"pods/eviction\"";
        assert!(events.iter().all(|event| event == said), "{events:?}");
        assert!(!events.is_empty());
        server.clear_rules();
        drop(running);
        let _second = start(&server, "b");
        seconds(60).await;
        assert_rolled(&server, 3, "2");
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_evictions_are_refused_disrupts_nobody() {
    let (server, mut running) = evicting(4, rolling(1, 0)).await;
    guard(&server, "n2");
    let before = version(&server);
    change_to(&server, "2", "500ms");
    for name in ["b", "a", "b", "a"] {
        seconds(20).await;
        running.kill();
        running = start(&server, name);
    }
    seconds(20).await;
    assert_eq!(nodes_of(&server, "2"), all_but("n2", 4));
    assert_eq!(worst(&server, before).unavailable, 1);
    server.remove("poddisruptionbudgets", "guard");
    seconds(310).await;
    assert_rolled(&server, 4, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn while_surging_no_more_nodes_have_two_pods_than_max_surge_allows() {
    let (server, _running) = evicting(4, rolling(0, 1)).await;
    guard(&server, "n1");
    let before = version(&server);
    change_to(&server, "2", "500ms");
    seconds(1_200).await;
    let worst = |server: &World| worst(server, before);
    assert_eq!(worst(&server).doubled, 1);
    assert_eq!(worst(&server).unavailable, 0);
    let both = versions(&server).remove("n1").expect("pods");
    assert_eq!(both, ["1", "2"], "the new one is there");
    server.remove("poddisruptionbudgets", "guard");
    seconds(360).await;
    assert_rolled(&server, 4, "2");
    assert_eq!((worst(&server).doubled, worst(&server).unavailable), (1, 0));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn an_eviction_whose_answer_is_lost_is_not_sent_twice() {
    for act in [Act::Lose, Act::Hang, Act::Fail] {
        let (server, _running) = evicting(3, rolling(1, 0)).await;
        let (pods, before) = (server.pods_ever(), version(&server));
        server.rule(1, |c| c.is("POST", "/eviction"), act);
        change_to(&server, "2", "500ms");
        seconds(120).await;
        assert_rolled(&server, 3, "2");
        assert_eq!(server.pods_ever(), pods + 3);
        assert_eq!(worst(&server, before).unavailable, 1);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_eviction_that_fails_keeps_no_failed_pod_from_its_successor() {
    let (server, _running) = evicting(4, rolling(1, 0)).await;
    set_key(&server, "budget", "strict");
    let label = |node: &str, value: Value| {
        let labels = json!({"metadata": {"labels": {"agent": value}}});
        server.edit("nodes", node, labels);
    };
    for node in ["n0", "n1", "n2", "n3"] {
        label(node, json!("yes"));
    }
    let selector = json!({"template": {"spec": {"nodeSelector": {"agent": "yes"}}}});
    respec(&server, selector);
    seconds(120).await;
    let refusal = ApiStatus::new(403, "Forbidden", "cannot create resource \"pods/eviction\"");
    server.rule(
        usize::MAX,
        |c| c.is("POST", "/eviction"),
        Act::Refuse(refusal),
    );
    // The pod on n0 has to leave, as the budget allows.
    label("n0", Value::Null);
    seconds(10).await;
    let on = |node: &str| {
        let mut live = server.all("pods").into_iter().filter(is_live);
        live.find(|p| target(p) == node)
    };
    let pod = on("n2").expect("a pod");
    let name = pod["metadata"]["name"].as_str().expect("a name");
    server.edit("pods", name, json!({"status": {"phase": "Failed"}}));
    seconds(60).await;
    assert!(on("n0").is_some() && on("n2").is_some());
    server.clear_rules();
    seconds(600).await;
    assert!(on("n0").is_none());
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn that_a_pod_can_never_go_does_not_come_and_go_while_others_go_on() {
    let (server, _running) = evicting(8, rolling(1, 0)).await;
    let pods = server.all("pods").into_iter();
    let pod = pods.into_iter().find(|p| target(p) == "n1").expect("a pod");
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let labels = json!({"metadata": {"labels": {"guard": "yes"}}});
    server.edit("pods", name, labels);
    for name in ["p", "q"] {
        let guard = ("guard", "yes");
        budget(
            &server,
            name,
            guard,
            json!({"minAvailable": 1}),
            allowing(9),
        );
    }
    change_to(&server, "2", "13s");
    let mut seen = Vec::new();
    for _ in 0..200 {
        seconds(1).await;
        let stalled = condition(&server, "Stalled").is_some();
        if seen.last() != Some(&stalled) {
            seen.push(stalled);
        }
    }
    assert_eq!(nodes_of(&server, "2"), all_but("n1", 8));
    assert_eq!(seen, [false, true]);
}
