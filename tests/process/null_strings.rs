//! An empty value after a key is null in YAML. In maps and lists of strings it is an empty string
//! to the API server, so it is one to `plan`: the pod goes where such a node selector is met, and
//! the revision holds what the server would store.

use serde_json::{Value, json};

use crate::plan_run::plan_of;

const FILE: &str = "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default, labels: {tier: }}
spec:
  selector: {matchLabels: {app: agent, part: }}
  template:
    metadata: {labels: {app: agent, part: }}
    spec:
      nodeSelector:
        node-role.kubernetes.io/control-plane:
      containers:
      - name: agent
        image: registry.example/agent:1
        args:
        - --verbose
        -
---
apiVersion: v1
kind: Node
metadata: {name: cp, labels: {node-role.kubernetes.io/control-plane: ''}}
---
apiVersion: v1
kind: Node
metadata:
  name: other-cp
  labels:
    node-role.kubernetes.io/control-plane:
---
apiVersion: v1
kind: Node
metadata: {name: worker}
";

#[test]
fn null_in_a_map_or_list_of_strings_is_an_empty_string() {
    let answer = plan_of(FILE, &["-f", "-", "-o", "json", "--manifests"]);
    let plan: Value = serde_json::from_str(&answer.stdout).expect("a plan");
    let create = plan["create"].as_array().expect("pods to create");
    let nodes: Vec<&Value> = create.iter().map(|pod| &pod["node"]).collect();
    assert_eq!(nodes, ["cp", "other-cp"]);
    for pod in create {
        let spec = &pod["manifest"]["spec"];
        let selector = json!({"node-role.kubernetes.io/control-plane": ""});
        assert_eq!(spec["nodeSelector"], selector);
        assert_eq!(spec["containers"][0]["args"], json!(["--verbose", ""]));
        assert_eq!(pod["manifest"]["metadata"]["labels"]["part"], "");
    }
}
