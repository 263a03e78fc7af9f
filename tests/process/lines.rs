//! The line of a field in its file, for messages.

use daemonset_controller::cli::{
    args::Validation,
    files::{Document, Lines, parse},
    plan::check::daemon_sets,
};

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

/// A list of so many objects, five lines each; all have `kind` in their first line.
fn list(objects: usize, lines: [&str; 5]) -> String {
    let item = |_| lines.join("\n");
    let items: Vec<String> = (0..objects).map(item).collect();
    items.join(if lines[0].starts_with('-') {
        "\n"
    } else {
        ",\n"
    })
}

/// Each reading of the text for one more object would make minutes of it.
#[test]
fn the_objects_of_a_long_list_are_found_in_one_reading() {
    let objects = 4_000;
    let yaml = [
        "- kind: Pod",
        "  apiVersion: v1",
        "  metadata:",
        "    name: x",
        "  spec: {}",
    ];
    let yaml = format!(
        "kind: List\napiVersion: v1\nitems:\n{}\n",
        list(objects, yaml)
    );
    let json = [
        r#"{"kind": "Pod","#,
        r#""apiVersion": "v1","#,
        r#""metadata": {"#,
        r#""name": "x"},"#,
        r#""spec": {}}"#,
    ];
    let json = format!(
        "{{\"kind\": \"List\",\n\"apiVersion\": \"v1\", \"items\":\n[\n{}]}}\n",
        list(objects, json)
    );
    // The line of a key in YAML, and of a value in JSON: the same here.
    for text in [yaml, json] {
        let from = text.lines().position(|line| line.contains("Pod"));
        let documents = parse("f", &text).unwrap();
        let mut found = Lines::default();
        // Backwards too: people see the errors in another order than the text has.
        let both = documents.iter().enumerate();
        for (at, document) in both.clone().chain(both.rev()) {
            let line = from.unwrap() + 1 + 5 * at + 3;
            assert_eq!(found.of(document, "metadata.name"), Some(line));
        }
    }
}

const MANIFEST: &str = "apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
      - name: c
        image: i
";

/// 4,000 refused ports of one manifest, of which each has its line, and is read once.
#[test]
fn a_hundred_places_are_named_and_the_rest_is_counted() {
    let ports = (0..4_000).map(|port| format!("        - {{containerPort: {}}}\n", 70_000 + port));
    let text = format!("{MANIFEST}        ports:\n{}", ports.collect::<String>());
    let mut documents = parse("f", &text).unwrap();
    let refusals = daemon_sets(&mut documents, None, Validation::Warn).refusals;
    let places: Vec<&str> = refusals[0]
        .lines()
        .filter(|line| line.starts_with("  f: document 1: "))
        .collect();
    let field = "spec.template.spec.containers[0].ports";
    assert_eq!(places.len(), 101);
    assert_eq!(
        places[99],
        format!("  f: document 1: line 112: {field}[99].containerPort")
    );
    assert_eq!(places[100], "  f: document 1: 3900 more fields");
    assert_eq!(refusals[0].matches("\n* ").count(), 4_000);
}

/// Without its unknown fields an object is written once, not once for each of them.
#[test]
fn twenty_thousand_unknown_fields_are_left_out_at_once() {
    let fields: String = (0..20_000).map(|n| format!("  unknown{n}: 1\n")).collect();
    let mut documents = parse("f", &format!("{MANIFEST}{fields}")).unwrap();
    let checked = daemon_sets(&mut documents, None, Validation::Warn);
    assert!(checked.refusals.is_empty(), "{:?}", checked.refusals);
    assert_eq!(checked.warnings.len(), 100);
    let without = parse("f", MANIFEST).unwrap();
    let value = |document: &Document| -> serde_json::Value {
        serde_json::from_str(document.json.get()).unwrap()
    };
    assert_eq!(value(&documents[0]), value(&without[0]));
}
