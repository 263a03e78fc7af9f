//! The line of a field in its file, for messages.

use daemonset_controller::cli::files::{Document, parse};

const YAML: &str = r#"# an agent
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agent
  labels:
    app.kubernetes.io/name: agent
    "a/b": c
spec:
  template:
    spec:
      containers:
      - name: first
        image: a
      - image: &image b
        name: second
        args:
        - x
        - |
          y
          z
        - w
        env:
          - name: A
            valueFrom: {fieldRef:
              {fieldPath: spec.nodeName}}
        resources: &resources
          limits:
            cpu: 1
      - {name: third, image: *image,
        resources: *resources}
      - <<: *resources
        name: fourth
      nodeSelector:
        a: b
        a: c
"#;

fn lines(document: &Document, fields: &[(&str, usize)]) {
    for (field, line) in fields {
        assert_eq!(document.line_of(field), Some(*line), "{field}");
    }
}

#[test]
fn fields_of_yaml() {
    let documents = parse("f", YAML).unwrap();
    lines(&documents[0], &[("metadata.name", 4), ("spec", 2), ("", 2)]);
    lines(
        &documents[1],
        &[
            ("", 6),
            ("kind", 7),
            ("metadata.labels[app.kubernetes.io/name]", 11),
            ("metadata.labels.app.kubernetes.io/name", 11),
            ("metadata.labels[a/b]", 12),
            ("metadata.labels[no/such]", 10),
            ("spec.template.spec.containers[0].image", 18),
            ("spec.template.spec.containers[1]", 19),
            ("spec.template.spec.containers[1].image", 19),
            ("spec.template.spec.containers[1].args[2]", 26),
            ("spec.template.spec.containers[1].env[0].valueFrom", 29),
            (
                "spec.template.spec.containers[1].env[0].valueFrom.fieldRef.fieldPath",
                30,
            ),
            ("spec.template.spec.containers[1].env[0].value", 28),
            ("spec.template.spec.containers[9].name", 16),
            ("spec.template.spec.nodeSelector.a", 40),
            ("spec.template.spec.dnsPolicy", 15),
            ("spec.selector", 13),
        ],
    );
}

#[test]
fn fields_behind_aliases_and_merges_are_where_they_are_written() {
    let documents = parse("f", YAML).unwrap();
    lines(
        &documents[1],
        &[
            ("spec.template.spec.containers[2].image", 34),
            ("spec.template.spec.containers[2].resources", 35),
            ("spec.template.spec.containers[2].resources.limits.cpu", 33),
            ("spec.template.spec.containers[3].limits", 32),
            ("spec.template.spec.containers[3].name", 37),
        ],
    );
}

#[test]
fn fields_of_items_of_lists() {
    let text = "---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: NodeList\n  items:\n  - metadata:\n      name: a\n  \
                - metadata:\n      name: b\n";
    let documents = parse("f", text).unwrap();
    lines(&documents[0], &[("metadata.name", 9), ("kind", 8)]);
    lines(&documents[1], &[("metadata.name", 11)]);
}

#[test]
fn fields_of_json() {
    let text = r#"
{
  "apiVersion": "v1", "kind": "Node",
  "metadata": {
    "name": "n\/1",
    "labels": {"a.b/c": "d",
      "e": "f"}
  },
  "spec": {"taints": [
    {"key": "a"},
    {"key": "b"}
  ]}
}
{"apiVersion": "v1", "kind": "NodeList", "items": [
  {"metadata": {"name": "x"}},
  {"metadata": {
    "name": "y"}}]}
"#;
    let documents = parse("f", text).unwrap();
    lines(
        &documents[0],
        &[
            ("", 2),
            ("metadata.name", 5),
            ("metadata.labels[a.b/c]", 6),
            ("metadata.labels.e", 7),
            ("spec.taints[1].key", 11),
            ("spec.taints[5]", 9),
            ("status", 2),
        ],
    );
    lines(&documents[1], &[("metadata.name", 15)]);
    lines(&documents[2], &[("metadata.name", 17), ("kind", 16)]);
}
