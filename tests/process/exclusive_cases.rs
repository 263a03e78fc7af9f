//! `exclusive` in what `plan`, `explain` and `handback` print: gated pods, and what becomes of
//! them.

use serde_json::{Value, json};

use crate::{commands_status::valid, simulated::Cluster};

const GATE: &str = "daemonset-controller.io/exclusive";
const PODS: &str = "/api/v1/namespaces/logging/pods";

/// `logging/agent` on four nodes, of which the first two have a gated pod: one instead of the old
/// one, and one beside it.
fn cluster() -> Cluster {
    let cluster = Cluster::updating(json!({ GATE: "true" }));
    let first = cluster.get(&format!("{PODS}/agent-a"));
    for (name, node) in [("late-1", "node-a"), ("late-2", "node-b")] {
        let field = json!({ "key": "metadata.name", "operator": "In", "values": [node] });
        let terms = json!([{ "matchFields": [field] }]);
        let mut pod = first.clone();
        let had = &first["metadata"];
        pod["metadata"] = json!({
            "name": name, "namespace": "logging", "labels": had["labels"],
            "ownerReferences": had["ownerReferences"],
        });
        pod["status"] = Value::Null;
        pod["spec"]["nodeName"] = Value::Null;
        pod["spec"]["schedulingGates"] = json!([{ "name": GATE }]);
        pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({ "nodeSelectorTerms": terms });
        cluster.post(PODS, pod);
    }
    let now = json!({ "gracePeriodSeconds": 0 });
    let (code, _) = cluster.send(
        "DELETE",
        &format!("{PODS}/agent-a"),
        "application/json",
        &now,
    );
    assert_eq!(code, 200);
    cluster
}

#[test]
fn plan_and_explain_name_the_pods_that_lose_their_gate() {
    let cluster = cluster();
    let answer = cluster.run(&["plan", "logging/agent", "-o", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let plan: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(
        plan["ungate"],
        json!([{ "pod": "late-1", "node": "node-a" }])
    );
    assert_eq!(plan["summary"]["ungate"], 1);
    let deletes = plan["delete"].as_array().expect("deletes");
    let late = deletes.iter().find(|d| d["pod"] == "late-2");
    assert_eq!(late.expect("it goes")["cause"], "Duplicate");

    let answer = cluster.run(&["plan", "logging/agent"]);
    assert!(answer.stdout.contains("pod/late-1"), "{}", answer.stdout);
    assert!(answer.stdout.contains("1 to ungate"), "{}", answer.stdout);

    let answer = cluster.run(&["explain", "logging/agent", "--node", "node-a", "-o", "json"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let explained: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let node = &explained["nodes"][0];
    assert_eq!(node["cause"]["kind"], "Ungate");
    assert_eq!(node["actions"][0]["action"], "ungate");
    assert_eq!(
        node["pods"][0]["message"]
            .as_str()
            .map(|m| m.contains("SchedulingGated")),
        Some(true)
    );
}

#[test]
fn handing_back_leaves_no_gated_pod() {
    let cluster = cluster();
    let answer = cluster.run(&["handback", "--check", "-o", "json"]);
    let handback = valid("handback", &answer.stdout);
    assert_eq!(
        handback["daemonSets"][0]["gated"],
        json!(["late-1", "late-2"])
    );
    let answer = cluster.run(&["handback"]);
    let to_be = "To be removed: the scheduling gate of 2 pods";
    assert!(answer.stdout.contains(to_be), "{}", answer.stdout);
    assert_eq!(answer.code, 1, "--yes is needed");

    let answer = cluster.run(&["handback", "--yes"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    for said in [
        "Pod logging/late-1: removed its scheduling gate\n",
        "Pod logging/late-2: deleted, it had a scheduling gate\n",
    ] {
        assert!(answer.stdout.contains(said), "{}", answer.stdout);
    }
    let pod = cluster.get(&format!("{PODS}/late-1"));
    assert_eq!(pod["spec"]["schedulingGates"], Value::Null);
    let (code, _) = cluster.send("GET", &format!("{PODS}/late-2"), "", &Value::Null);
    assert_eq!(code, 404);
}
