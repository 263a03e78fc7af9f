//! Large clusters, as texts: what is measured must not wait for a JSON tree of each object.

use daemonset_controller::model::Kind;
use serde_json::{Value, json, value::RawValue};

use super::{Cluster, NEW, Object, daemon_set, merge, pod};

/// Required node affinity of six expressions, one of each operator, which all nodes of a fleet
/// match.
pub fn six_expressions() -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
            {"key": "kubernetes.io/arch", "operator": "NotIn", "values": ["s390x", "ppc64le"]},
            {"key": "topology.kubernetes.io/zone", "operator": "Exists"},
            {"key": "example.com/legacy", "operator": "DoesNotExist"},
            {"key": "example.com/cores", "operator": "Gt", "values": ["3"]},
            {"key": "example.com/generation", "operator": "Lt", "values": ["9"]},
        ]}],
    }}}})
}

/// The DaemonSet of a fleet: a rolling update of one at a time, with or without
/// [`six_expressions`].
pub fn fleet_daemon_set(affinity: bool) -> Object {
    let spec = if affinity {
        six_expressions()
    } else {
        json!({})
    };
    daemon_set().with(json!({"spec": {
        "template": {"spec": spec},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
    }}))
}

/// A fleet of so many nodes, each with its ready pod unless `pods` is false.
pub fn fleet(nodes: usize, affinity: bool, pods: bool) -> Cluster {
    let mut cluster = Cluster::new(fleet_daemon_set(affinity), []);
    for i in 0..nodes {
        put(&mut cluster, Kind::Node, node_text(i));
    }
    if pods {
        let base = pod("web-@@").on("node-@@").hash(NEW).ready(500);
        let base = base.json.to_string();
        for i in 0..nodes {
            put(
                &mut cluster,
                Kind::Pod,
                base.replace("@@", &format!("{i:06}")),
            );
        }
    }
    cluster
}

fn put(cluster: &mut Cluster, kind: Kind, text: String) {
    let raw = RawValue::from_string(text).expect("JSON");
    cluster
        .cache
        .observe(kind, &raw)
        .unwrap_or_else(|e| panic!("{e}"));
}

/// A node with the labels that clouds give it.
pub fn node_text(i: usize) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"node-{i:06}","uid":"node-uid-{i:06}","resourceVersion":"{version}",
        "creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"kubernetes.io/hostname":"node-{i:06}","kubernetes.io/os":"linux",
        "kubernetes.io/arch":"{arch}","node.kubernetes.io/instance-type":"m{size}.large","topology.kubernetes.io/region":"region-1",
        "topology.kubernetes.io/zone":"zone-{zone}","example.com/cores":"{cores}","example.com/generation":"{size}",
        "beta.kubernetes.io/os":"linux","beta.kubernetes.io/arch":"{arch}"}}}},"spec":{{"podCIDR":"10.0.0.0/24"}}}}"#,
        version = i + 10,
        arch = ["amd64", "arm64"][i % 2],
        size = i % 8,
        zone = i % 3,
        cores = 4 << (i % 4),
    )
}

/// A later state of a node, as its kubelet writes it: of this readiness, and alive at second
/// `beat`.
pub fn heartbeat_text(i: usize, ready: &str, beat: u64) -> String {
    let version = format!(r#""resourceVersion":"{}""#, i + 10);
    let later = 1_000_000 * (beat + 1) + i as u64;
    let node = node_text(i).replace(&version, &format!(r#""resourceVersion":"{later}""#));
    let condition = |kind: &str, status: &str| {
        format!(
            r#"{{"type":"{kind}","status":"{status}","reason":"KubeletSays","message":"as the kubelet has it",
            "lastTransitionTime":"2026-01-01T00:00:00Z","lastHeartbeatTime":"2026-06-01T12:{:02}:{:02}Z"}}"#,
            beat / 60,
            beat % 60
        )
    };
    let conditions = [
        condition("MemoryPressure", "False"),
        condition("DiskPressure", "False"),
        condition("PIDPressure", "False"),
        condition("Ready", ready),
    ];
    let node = node.strip_suffix('}').expect("an object");
    format!(
        r#"{node},"status":{{"conditions":[{}]}}}}"#,
        conditions.join(",")
    )
}

/// A pod as a real API server stored it, brought to 7 KB: its text with `@@` where pods differ.
pub fn stored_pod() -> String {
    let sample = include_str!("../data/samples/pod-running.json");
    let mut pod: Value = serde_json::from_str(sample).expect("JSON");
    merge(
        &mut pod,
        json!({
            "metadata": {"name": "web-@@", "uid": "50ca6136-d763-4d57-ae92-0fe273@@", "resourceVersion": "1@@",
                "labels": {"controller-revision-hash": NEW}},
            "spec": {"nodeName": "node-@@"},
        }),
    );
    pod["metadata"]["ownerReferences"][0]["uid"] = super::DS_UID.into();
    let names = &mut pod["spec"]["affinity"]["nodeAffinity"];
    names["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] = json!([
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-@@"]}]},
    ]);
    for i in 0.. {
        if pod.to_string().len() >= 7_000 {
            break;
        }
        let variable = json!({"name": format!("SETTING_{i}"), "valueFrom": {"fieldRef": {
            "apiVersion": "v1", "fieldPath": "status.hostIP",
        }}});
        match &mut pod["spec"]["containers"][0]["env"] {
            Value::Array(env) => env.push(variable),
            none => *none = json!([variable]),
        }
    }
    pod.to_string()
}

/// The stored pod of node `i`.
pub fn stored_pod_text(stored: &str, i: usize) -> String {
    stored.replace("@@", &format!("{i:06}"))
}
