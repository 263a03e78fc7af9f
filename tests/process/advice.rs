//! Advice of `plan`: each reason where it holds, and only there.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

/// What `plan` prints for these objects.
fn plan(objects: &[Value], more: &[&str]) -> String {
    let mut run = crate::binary::alone();
    let mut child = run
        .args(["plan", "-f", "-", "--now", "2026-11-20T06:00:00Z"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(list.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The reasons in the JSON.
fn reasons(objects: &[Value]) -> Vec<String> {
    let plan: Value = serde_json::from_str(&plan(objects, &["-o", "json"])).expect("JSON");
    let advice = plan["advice"].as_array().expect("a list").iter();
    advice
        .map(|a| a["reason"].as_str().expect("a text").to_owned())
        .collect()
}

/// A DaemonSet on which there is no advice.
fn sound() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": { "name": "agent", "namespace": "ops" },
        "spec": {
            "selector": { "matchLabels": { "app": "agent" } },
            "template": {
                "metadata": { "labels": { "app": "agent" } },
                "spec": {
                    "priorityClassName": "system-node-critical",
                    "containers": [{
                        "name": "agent", "image": "registry.example/agent:1",
                        "resources": { "requests": { "cpu": "10m" } },
                        "readinessProbe": { "tcpSocket": { "port": 8080 } },
                    }],
                },
            },
        },
    })
}

fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })
}

fn two_nodes(daemon_set: Value) -> Vec<Value> {
    vec![daemon_set, node("n-1"), node("n-2")]
}

/// The sound DaemonSet with other values, at pointers into its spec.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut daemon_set = sound();
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = daemon_set["spec"].pointer_mut(parent).expect(pointer);
        match parent.as_array_mut() {
            Some(list) => list[key.parse::<usize>().expect(pointer)] = value.clone(),
            None => parent[key] = value.clone(),
        }
    }
    daemon_set
}

const POD: &str = "/template/spec";
const CONTAINER: &str = "/template/spec/containers/0";

#[test]
fn a_sound_daemon_set_gets_none() {
    assert_eq!(reasons(&two_nodes(sound())), [""; 0]);
}

#[test]
fn each_reason_is_given_where_it_holds_and_alone() {
    let container = |key: &str| format!("{CONTAINER}/{key}");
    let surge = json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    let port = |port: Value| json!([port]);
    let host_port = port(json!({ "containerPort": 80, "hostPort": 80 }));
    let unavailable = |most: Value| json!({ "rollingUpdate": { "maxUnavailable": most } });
    let cases: Vec<(&str, Value, &[&str])> = vec![
        (
            "no priority class",
            with(&[(&format!("{POD}/priorityClassName"), Value::Null)]),
            &["NoPriorityClass"],
        ),
        (
            "neither requests nor limits",
            with(&[(&container("resources"), json!({}))]),
            &["NoRequests"],
        ),
        (
            "limits are requests",
            with(&[(&container("resources"), json!({ "limits": { "cpu": "1" } }))]),
            &[],
        ),
        (
            "a hostPort and maxSurge",
            with(&[
                ("/updateStrategy", surge.clone()),
                (&container("ports"), host_port.clone()),
            ]),
            &["HostPortWithSurge"],
        ),
        (
            "a port and maxSurge with hostNetwork",
            with(&[
                ("/updateStrategy", surge.clone()),
                (&format!("{POD}/hostNetwork"), json!(true)),
                (
                    &container("ports"),
                    port(json!({ "containerPort": 80, "hostPort": 80 })),
                ),
            ]),
            &["HostPortWithSurge"],
        ),
        (
            "a hostPort without surge",
            with(&[(&container("ports"), host_port)]),
            &[],
        ),
        (
            "surge without a hostPort",
            with(&[
                ("/updateStrategy", surge),
                (&container("ports"), port(json!({ "containerPort": 80 }))),
            ]),
            &[],
        ),
        (
            "all at once",
            with(&[("/updateStrategy", unavailable(json!("100%")))]),
            &["MaxUnavailableAll"],
        ),
        (
            "as many as there are",
            with(&[("/updateStrategy", unavailable(json!(2)))]),
            &["MaxUnavailableAll"],
        ),
        (
            "all but one",
            with(&[("/updateStrategy", unavailable(json!(1)))]),
            &[],
        ),
        (
            "a started container is available",
            with(&[(&container("readinessProbe"), Value::Null)]),
            &["NoReadiness"],
        ),
        (
            "minReadySeconds in place of a probe",
            with(&[
                (&container("readinessProbe"), Value::Null),
                ("/minReadySeconds", json!(5)),
            ]),
            &[],
        ),
        (
            "nothing rolls under OnDelete",
            with(&[
                (&container("readinessProbe"), Value::Null),
                ("/updateStrategy", json!({ "type": "OnDelete" })),
            ]),
            &[],
        ),
        (
            "no tag",
            with(&[(&container("image"), json!("registry.example/agent"))]),
            &["MutableTag"],
        ),
        (
            "a tag that moves",
            with(&[(&container("image"), json!("registry.example/agent:main"))]),
            &["MutableTag"],
        ),
        (
            "a digest beside a tag that moves",
            with(&[(
                &container("image"),
                json!(format!(
                    "registry.example/agent:latest@sha256:{}",
                    "0".repeat(64)
                )),
            )]),
            &[],
        ),
    ];
    for (case, daemon_set, expected) in cases {
        assert_eq!(reasons(&two_nodes(daemon_set)), expected, "{case}");
    }
}

#[test]
fn a_toleration_of_everything_beside_a_taint_that_is_meant_to_drain() {
    let all = with(&[(
        &format!("{POD}/tolerations"),
        json!([{ "operator": "Exists" }]),
    )]);
    let tainted = |key: &str, effect: &str| {
        let mut node = node("n-1");
        node["spec"] = json!({ "taints": [{ "key": key, "effect": effect }] });
        node
    };
    let drained = tainted("example.com/drain", "NoExecute");
    assert_eq!(
        reasons(&[all.clone(), drained.clone()]),
        ["ToleratesNoExecute"]
    );
    // Taints that keep new pods away, and those that Kubernetes sets, drain no agent.
    for harmless in [
        tainted("example.com/pool", "NoSchedule"),
        tainted("node.kubernetes.io/unreachable", "NoExecute"),
    ] {
        assert_eq!(reasons(&[all.clone(), harmless]), [""; 0]);
    }
    assert_eq!(reasons(&[sound(), drained]), [""; 0]);
}

#[test]
fn on_delete_with_nodes_left_behind() {
    let mut daemon_set = with(&[("/updateStrategy", json!({ "type": "OnDelete" }))]);
    daemon_set["metadata"]["uid"] = json!("uid-agent");
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "uid-agent",
        "controller": true, "blockOwnerDeletion": true,
    }]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "agent-abcde", "namespace": "ops", "uid": "uid-pod", "ownerReferences": owner,
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "labels": { "app": "agent", "controller-revision-hash": "old" },
        },
        "spec": { "nodeName": "n-1", "containers": [{ "name": "agent", "image": "registry.example/agent:0" }] },
        "status": { "phase": "Running" },
    });
    let objects = [daemon_set, node("n-1"), pod];
    assert_eq!(reasons(&objects), ["OldPodsWithOnDelete"]);
}

#[test]
fn text_has_a_section_that_no_advice_leaves_out() {
    let daemon_set = with(&[(&format!("{POD}/priorityClassName"), Value::Null)]);
    let objects = two_nodes(daemon_set);
    let text = plan(&objects, &[]);
    assert_eq!(
        text.matches("priorityClassName is not set").count(),
        1,
        "{text}"
    );
    assert!(
        text.contains("\nAdvice (none with --no-advice)\n"),
        "{text}"
    );
    let text = plan(&objects, &["--no-advice"]);
    assert!(
        !text.contains("dvice") && !text.contains("priorityClassName"),
        "{text}"
    );
    let json = plan(&objects, &["--no-advice", "-o", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["advice"], json!([]));
}

#[test]
fn an_overview_names_the_daemon_sets_that_have_some() {
    let daemon_set = with(&[(&format!("{POD}/priorityClassName"), Value::Null)]);
    let objects = two_nodes(daemon_set);
    let text = plan(&objects, &["-A"]);
    assert!(
        text.contains("there is advice on ops/agent: `plan ops/agent` prints it"),
        "{text}"
    );
    assert!(!text.contains("priorityClassName"), "{text}");
    assert!(!plan(&objects, &["-A", "--no-advice"]).contains("advice"));
}
