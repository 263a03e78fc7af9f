//! The DaemonSet of the tests: the agent of `rig/agent`, which behaves as its arguments say.

use serde_json::{Value, json};

/// The name of the DaemonSet in each test's namespace.
pub const AGENT: &str = "agent";

/// A DaemonSet of the agent on all nodes, ready by a probe, with these arguments more.
pub fn agent(arguments: &[&str]) -> Value {
    let mut all = vec!["-listen=:8080"];
    all.extend(arguments);
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": { "name": AGENT },
        "spec": {
            "selector": { "matchLabels": { "app": AGENT } },
            "template": {
                "metadata": { "labels": { "app": AGENT } },
                "spec": {
                    // There is no DNS in this cluster.
                    "dnsPolicy": "Default",
                    "terminationGracePeriodSeconds": 5,
                    "tolerations": [{ "operator": "Exists" }],
                    "containers": [{
                        "name": "agent",
                        "image": "localhost/agent:1",
                        "imagePullPolicy": "Never",
                        "args": all,
                        "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 1 },
                    }],
                },
            },
        },
    })
}

/// A patch of the template that changes its arguments.
pub fn arguments(arguments: &[&str]) -> Value {
    let mut all = vec!["-listen=:8080"];
    all.extend(arguments);
    json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/args", "value": all }])
}

/// A patch that changes the image.
pub fn image(image: &str) -> Value {
    json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image }])
}
