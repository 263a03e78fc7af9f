//! Rollout control on a cluster that lives, where an attempt is taken back, nodes come and go, and
//! everything happens at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::rollout::*;
use super::world::*;

fn revisions(server: &World) -> String {
    let all = server.all("controllerrevisions").into_iter();
    let lines = all.map(|r| {
        format!(
            "{} {} {}",
            r["metadata"]["name"], r["revision"], r["metadata"]["annotations"]
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn strict_surge_with_an_outage_and_a_bad_revision() {
    let (server, _running) = covered(8, rolling(0, 1)).await;
    set_key(&server, "budget", "strict");
    seconds(2).await;
    for node in nodes_of(&server, "1") {
        lose_readiness(&server, &node).await;
    }
    change_to(&server, "2", "never");
    seconds(600).await;
    let n = touched(&server, "2").len();
    assert!(
        n <= 1,
        "{n} nodes have a pod that never becomes available: {:?}",
        versions(&server)
    );
}

#[tokio::test(start_paused = true)]
async fn a_template_taken_back_after_its_canary_comes_again() {
    let (server, _running) = covered(8, rolling(1, 0)).await;
    set_key(&server, "canary", "1");
    set_key(&server, "bake", "1m");
    seconds(5).await;
    change_to(&server, "2", "2s");
    while touched(&server, "2").len() < 3 {
        millis(200).await;
    }
    // It is bad after all.
    change_to(&server, "1", "1s");
    seconds(300).await;
    let before = server
        .requests(|c| c.is("POST", "/pods") && c.code == 201)
        .len();
    change_to(&server, "2", "2s");
    seconds(50).await;
    let after = server
        .requests(|c| c.is("POST", "/pods") && c.code == 201)
        .len();
    assert!(
        after - before <= 1,
        "{} pods in 50 s, with a canary of 1 and a bake of 1m\n{}",
        after - before,
        revisions(&server)
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_taken_back_in_its_last_bake_comes_again() {
    let (server, _running) = covered(6, rolling(6, 0)).await;
    set_key(&server, "canary", "1");
    set_key(&server, "bake", "10m");
    seconds(5).await;
    change_to(&server, "2", "2s");
    while nodes_of(&server, "2").len() < 6 {
        millis(200).await;
    }
    seconds(20).await;
    let mid = revisions(&server);
    change_to(&server, "1", "1s");
    seconds(30).await;
    let revs = revisions(&server);
    let bad = server
        .all("controllerrevisions")
        .into_iter()
        .find(|r| r["data"]["spec"]["template"]["metadata"]["annotations"]["v"] == "2")
        .unwrap();
    assert!(
        bad["metadata"]["annotations"]["state.daemonset-controller.io/completed"].is_null(),
        "in the last bake:\n{mid}\nafter undo:\n{revs}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_deleted_in_the_last_bake() {
    let (server, _running) = covered(6, rolling(6, 0)).await;
    server.kubelet_that("terminate-after", "5s");
    set_key(&server, "canary", "1");
    set_key(&server, "bake", "10m");
    seconds(5).await;
    change_to(&server, "2", "2s");
    while nodes_of(&server, "2").len() < 6 {
        millis(200).await;
    }
    seconds(20).await;
    let victim = server.all("pods")[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    server.ask_to_delete("pods", &victim);
    seconds(3).await;
    let bad = server
        .all("controllerrevisions")
        .into_iter()
        .max_by_key(|r| r["revision"].as_i64())
        .unwrap();
    assert!(
        bad["metadata"]["annotations"]["state.daemonset-controller.io/completed"].is_null(),
        "{}",
        revisions(&server)
    );
}

#[tokio::test(start_paused = true)]
async fn records_do_not_overwrite_each_other() {
    let (server, _running) = covered(4, rolling(2, 0)).await;
    set_key(&server, "budget", "bad-nodes=9");
    seconds(5).await;
    set_key(&server, "hold", "rollout");
    set_key(&server, "hold", Value::Null);
    change_to(&server, "2", "1s");
    while touched(&server, "2").len() < 2 {
        millis(5).await;
    }
    set_key(&server, "hold", "rollout");
    seconds(3).await;
    for n in 0..4 {
        let condition = json!({"type": "Ready", "status": "False", "lastTransitionTime": "2099-01-01T00:00:00Z"});
        server.edit(
            "nodes",
            &format!("n{n}"),
            json!({"status": {"conditions": [condition]}}),
        );
    }
    seconds(3).await;
    let writes = || {
        server
            .requests(|c| c.is_for("PATCH", "controllerrevisions"))
            .len()
    };
    let before = writes();
    seconds(10).await;
    assert!(
        writes() - before < 3,
        "{} writes in 10 s\n{}",
        writes() - before,
        revisions(&server)
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_while_held_gets_the_stable_revision() {
    for limit in [10, 0] {
        let (server, _running) = covered(4, rolling(2, 0)).await;
        respec(&server, json!({"revisionHistoryLimit": limit}));
        set_key(&server, "budget", "strict");
        seconds(5).await;
        server.edit("nodes", "n0", json!({"metadata": {"labels": {"away": "yes"}}, "spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}}));
        seconds(20).await;
        change_to(&server, "2", "1s");
        seconds(60).await;
        set_key(&server, "hold", "rollout");
        seconds(5).await;
        server.edit("nodes", "n0", json!({"spec": {"taints": []}}));
        seconds(60).await;
        assert_eq!(
            versions(&server).get("n0").map(|v| v.join(" ")),
            Some("2".to_owned()),
            "limit {limit}"
        );
    }
}

async fn resurrected(key: &str, value: &str, wait: u64) -> String {
    let (server, _running) = covered(4, rolling(2, 0)).await;
    for n in 0..4 {
        server.edit(
            "nodes",
            &format!("n{n}"),
            json!({"metadata": {"labels": {"pool": (["0", "1", "1", "1"][n])}}}),
        );
    }
    seconds(5).await;
    // The second revision is not for n0.
    respec(
        &server,
        json!({"template": {"metadata": {"annotations": {"v": "2"}}, "spec": {"nodeSelector": {"pool": "1"}}}}),
    );
    seconds(wait).await;
    assert_eq!(versions(&server).get("n0").map_or(0, Vec::len), 0);
    set_key(&server, key, value);
    seconds(5).await;
    let alone = format!("{:?}", versions(&server).get("n0"));
    change_to(&server, "3", "1s");
    seconds(60).await;
    format!(
        "with the key alone {alone}, in the next rollout {:?}",
        versions(&server).get("n0")
    )
}

#[tokio::test(start_paused = true)]
async fn nodes_that_are_not_selected_any_more_get_no_old_pods_back() {
    let mut found = Vec::new();
    for (key, value) in [
        ("canary", "1"),
        ("order", "kubernetes.io/hostname"),
        ("hold", "rollout"),
    ] {
        for wait in [30, 3_600] {
            found.push(format!(
                "{key} {wait} {}",
                resurrected(key, value, wait).await
            ));
        }
    }
    assert!(found.iter().all(|f| !f.contains("Some")), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_in_which_nodes_join() {
    let (server, _running) = covered(4, rolling(4, 0)).await;
    for n in 0..4 {
        server.edit(
            "nodes",
            &format!("n{n}"),
            json!({"metadata": {"labels": {"zone": (["a", "b"][n % 2])}}}),
        );
    }
    set_key(&server, "order", "zone");
    seconds(5).await;
    change_to(&server, "2", "2s");
    for n in 0..12 {
        seconds(300).await;
        let mut made = node(&format!("j{n}"));
        made["metadata"]["labels"]["zone"] = "a".into();
        server.add("nodes", made);
    }
    let b: BTreeSet<String> = touched(&server, "2")
        .into_iter()
        .filter(|n| n == "n1" || n == "n3")
        .collect();
    assert_eq!(
        b.len(),
        2,
        "zone b has not begun in an hour with a bake of 10 minutes"
    );
}
