//! `resources` on a real API server: pods are made with what their node's class has, a changed rule
//! changes them while they run, and the built-in controller restarts nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, name_of, node_of, same};
use crate::controller::{Controller, built_in};
use crate::kubernetes::{V1_34, V1_36};

const KEY: &str = "daemonset-controller.io/resources";

/// Node, UID and resources, as kubectl has them.
async fn seen(lab: &Lab) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for pod in lab.pods().await {
        let path = "jsonpath={.spec.containers[0].resources}";
        let text = lab
            .kubectl_ok(&["get", "pod", name_of(&pod), "-o", path])
            .await;
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let resources = serde_json::from_str(&text).unwrap_or_default();
        all.push((node_of(&pod), uid, resources));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn uids(seen: &[(String, String, Value)]) -> Vec<&str> {
    seen.iter().map(|(_, uid, _)| &**uid).collect()
}

async fn set_rules(lab: &Lab, memory: &str) {
    set_resources(lab, json!({ "limits": { "memory": memory } })).await;
}

async fn set_resources(lab: &Lab, resources: Value) {
    let rules = json!([{ "nodes": "pool=edge", "containers": { "c": resources } }]);
    let rules = format!("{KEY}={rules}");
    lab.kubectl_ok(&["annotate", "--overwrite", "daemonset", "agent", &rules])
        .await;
}

/// Waits until the pods of these nodes have such a limit of memory and the others that of the
/// template.
async fn until_limits(lab: &Lab, wanted: &[&str]) {
    lab.until(&format!("limits {wanted:?}"), 2 * SOON, async || {
        let seen = seen(lab).await;
        let limits = seen
            .iter()
            .map(|(.., r)| r["limits"]["memory"].as_str().unwrap_or("-"));
        same(limits.collect::<Vec<_>>(), wanted.to_vec())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_have_their_class_are_resized_in_place_and_handed_back_as_they_are() {
    if built_in() {
        return; // it does not know the key
    }
    let mut lab = Lab::alone("resources").await;
    let edge = |number: usize| lab.node(number).label("pool", "edge");
    let nodes = vec![edge(1), edge(2), lab.node(3)];
    lab.register(nodes).await;
    let mut set = lab.daemon_set("agent");
    set["spec"]["template"]["spec"]["containers"][0]["resources"] =
        json!({ "requests": { "cpu": "10m", "memory": "10Mi" }, "limits": { "memory": "400Mi" } });
    lab.create(&set).await;
    set_rules(&lab, "200Mi").await;
    let mut ours = Controller::start(&lab);
    lab.until_covered("agent", 3, SOON).await;
    until_limits(&lab, &["200Mi", "200Mi", "400Mi"]).await;
    let first = seen(&lab).await;
    assert_eq!(
        first[0].2["requests"],
        json!({ "cpu": "10m", "memory": "10Mi" })
    );

    // In place, up and down; before 1.34 the API server lets memory limits only grow.
    let shrinks = lab.plane.kubernetes() >= V1_34;
    let [second, third] = if shrinks {
        ["300Mi", "100Mi"]
    } else {
        ["250Mi", "300Mi"]
    };
    for memory in [second, third] {
        set_rules(&lab, memory).await;
        until_limits(&lab, &[memory, memory, "400Mi"]).await;
        assert_eq!(uids(&seen(&lab).await), uids(&first), "the same pods");
    }
    lab.until("it says so on the pods", SOON, async || {
        let pods = lab.pods().await;
        let marks = pods
            .iter()
            .filter_map(|p| p.metadata.annotations.as_ref()?.get(KEY));
        let mark = format!(r#"{{"c":{{"limits":{{"memory":"{third}"}}}}}}"#);
        same(marks.cloned().collect::<Vec<_>>(), vec![mark; 2])
    })
    .await;

    // What the API server refuses is said, and stands in nobody's way: memory that the node does
    // not have, from 1.36 on; before 1.34 limits that shrink. Between them it takes both.
    let refused = if lab.plane.kubernetes() >= V1_36 {
        Some(json!({ "requests": { "memory": "900Ti" }, "limits": { "memory": "900Ti" } }))
    } else if !shrinks {
        Some(json!({ "limits": { "memory": "100Mi" } }))
    } else {
        lab.plane.not_run("a resize that the API server refuses");
        None
    };
    if let Some(refused) = refused {
        set_resources(&lab, refused).await;
        lab.until("the refusal is told", 2 * SOON, async || {
            same(lab.events("FailedResize").await.is_empty(), true)
                .map_or_else(|_| Ok(()), |()| Err("none".to_owned()))
        })
        .await;
        until_limits(&lab, &[third, third, "400Mi"]).await;
    }
    let last = if shrinks { "150Mi" } else { "350Mi" };
    set_rules(&lab, last).await;
    until_limits(&lab, &[last, last, "400Mi"]).await;

    // Handed back, nothing is restarted; handed to us again neither.
    ours.terminate(Duration::from_secs(10))
        .await
        .expect("it ends");
    let theirs = lab.plane.start_built_in();
    lab.add_nodes(4..=4).await;
    lab.until_covered("agent", 4, SOON).await;
    let handed_back = seen(&lab).await;
    assert_eq!(uids(&handed_back)[..3], uids(&first), "handed back");
    assert_eq!(handed_back[0].2["limits"]["memory"], last);
    drop(theirs);
    let mut ours = Controller::start(&lab);
    lab.add_nodes(5..=5).await;
    lab.until_covered("agent", 5, SOON).await;
    assert_eq!(
        uids(&seen(&lab).await)[..4],
        uids(&handed_back),
        "taken over"
    );
    ours.expect_running();
}
