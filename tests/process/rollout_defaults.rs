//! `--rollout-defaults` as people use it: what `plan` and `explain` say with it, and what all
//! commands say to a file with a mistake.

use std::{env, fs, path::PathBuf, process};

use daemonset_controller::cli::{rollout_defaults, yaml};
use serde_json::Value;

use crate::plan_run::{Answer, NOW, data, run_command, schema, validate};

/// A file with this text; it is gone when this is dropped.
pub struct File(PathBuf);

impl File {
    /// In the folder for temporary files.
    pub fn new(name: &str, text: &str) -> File {
        let path = env::temp_dir().join(format!("defaults-{}-{name}.yaml", process::id()));
        fs::write(&path, text).expect("the file can be written");
        File(path)
    }

    /// Its path.
    pub fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// A DaemonSet `vendor/agent` with these annotations, and three nodes, of which one is virtual.
fn cluster(annotations: &str) -> String {
    let node = |name: &str, kind: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{type: {kind}}}}}}}\n---\n"
        )
    };
    format!(
        "{}{}{}apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent, namespace: vendor, annotations: {{{annotations}}}}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec: {{containers: [{{name: agent, image: agent}}]}}
",
        node("n1", "metal"),
        node("n2", "metal"),
        node("v1", "virtual")
    )
}

fn answer(command: &str, annotations: &str, file: &File, output: &str) -> Answer {
    let args = [
        "-f",
        "-",
        "--now",
        NOW,
        "-o",
        output,
        "--rollout-defaults",
        file.path(),
    ];
    let answer = run_command(command, &cluster(annotations), &args, &[]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    answer
}

const RULES: &str = "
- namespaces: [vendor]
  set: {hold: off, canary: 5%, bake: 1h}
- excludeNodes: type=virtual
";

const HOLD: &str = "daemonset-controller.io/hold: rollout";

#[test]
fn plan_and_explain_say_where_each_value_came_from() {
    let file = File::new("origins", RULES);
    let section = "
Rollout control
  bake: 1h, from rule 1 of the cluster defaults
  canary: 5%, from rule 1 of the cluster defaults
  hold: rollout, from the annotation
  excludeNodes: type=virtual, existing: keep, from rule 2 of the cluster defaults
";
    for command in ["plan", "explain"] {
        let text = answer(command, HOLD, &file, "text").stdout;
        assert!(text.contains(section), "{command}: {text}");
        let json = answer(command, HOLD, &file, "json").stdout;
        if command == "plan" {
            validate(&schema(), &json);
        } else {
            let path = data().join("../../../docs/explain.schema.json");
            let schema = fs::read_to_string(path).expect("the schema");
            let schema: Value = serde_json::from_str(&schema).expect("JSON");
            let schema = jsonschema::validator_for(&schema).expect("a schema");
            validate(&schema, &json);
        }
        let json: Value = serde_json::from_str(&json).expect("JSON");
        let key = |key: &str, value: &str, origin: &str| serde_json::json!({"key": key, "value": value, "origin": origin});
        let by_rule = |mut key: Value| {
            key["rule"] = 1.into();
            key
        };
        let expected = serde_json::json!({
            "keys": [
                by_rule(key("bake", "1h", "default")),
                by_rule(key("canary", "5%", "default")),
                key("hold", "rollout", "annotation"),
            ],
            "excludedNodes": [{"selector": "type=virtual", "existing": "keep", "rule": 2}],
        });
        assert_eq!(json["control"], expected, "{command}");
    }
}

#[test]
fn an_excluded_node_is_named_with_the_rule_and_its_selector() {
    let file = File::new("excluded", RULES);
    let plan: Value =
        serde_json::from_str(&answer("plan", "", &file, "json").stdout).expect("JSON");
    let created = plan["create"].as_array().expect("creates").iter();
    let created: Vec<&str> = created
        .map(|c| c["node"].as_str().expect("a node"))
        .collect();
    assert_eq!(created, ["n1", "n2"]);
    let node = &plan["nodes"][2];
    assert_eq!(
        (&node["name"], &node["reason"]),
        (&"v1".into(), &"NodeExcluded".into())
    );
    assert_eq!(
        node["message"],
        "rule 2 of the cluster defaults excludes nodes with type=virtual; a pod that runs there stays"
    );
    let text = answer("explain", "", &file, "text").stdout;
    let cause = "
1 node: NotEligible NodeExcluded
  rule 2 of the cluster defaults excludes nodes with type=virtual (a pod that runs there stays)
  v1
";
    assert!(text.contains(cause), "{text}");
}

#[test]
fn without_rollout_control_there_is_no_such_section() {
    let file = File::new("other", "- names: [other]\n  set: {hold: all}\n");
    let none = run_command("plan", &cluster(""), &["-f", "-", "--now", NOW], &[]);
    let plan = answer("plan", "", &file, "text");
    assert_eq!(plan.stdout, none.stdout);
    let explanation = answer("explain", "", &file, "json").stdout;
    assert!(!explanation.contains("\"control\""), "{explanation}");
}

#[test]
fn the_file_is_an_environment_variable_too_and_an_empty_one_is_none() {
    let file = File::new("variable", RULES);
    let by = |value: &str| {
        let variables = [("DAEMONSET_CONTROLLER_ROLLOUT_DEFAULTS", value)];
        run_command("plan", &cluster(""), &["-f", "-", "--now", NOW], &variables)
    };
    assert_eq!(
        by(file.path()).stdout,
        answer("plan", "", &file, "text").stdout
    );
    let empty = by("");
    assert_eq!(empty.code, 0, "{}", empty.stderr);
    assert!(!empty.stdout.contains("Rollout control"));
}

#[test]
fn a_file_with_a_mistake_ends_every_command_with_2_and_says_what_is_right() {
    let wrong = File::new(
        "wrong",
        "- set: {canary: 5%}\n- names: [a]\n  set:\n    hold: rollot\n",
    );
    let mistake =
        "line 4: rule 2: set: hold: \"rollot\" is not a valid value, rollout, all or off is needed";
    let missing = "/nowhere/defaults.yaml";
    for command in ["plan", "explain", "run"] {
        let said = |file: &str| {
            let args = ["--rollout-defaults", file];
            let answer = run_command(command, "", &args, &[]);
            assert_eq!(answer.code, 2, "{command}: {}", answer.stderr);
            assert_eq!(answer.stdout, "", "{command}");
            answer.stderr
        };
        assert_eq!(
            said(wrong.path()),
            format!("error: --rollout-defaults {}: {mistake}\n", wrong.path()),
            "{command}"
        );
        let said = said(missing);
        let begin = format!("error: --rollout-defaults {missing}: No such file or directory");
        assert!(said.starts_with(&begin), "{command}: {said}");
    }
}

/// The chart's example, with every field, as the chart renders it.
#[test]
fn the_example_of_the_chart_is_read() {
    let path = data().join("../../../charts/daemonset-controller/ci/everything-values.yaml");
    let values = fs::read_to_string(path).expect("the values");
    let values = yaml::to_json(&values).expect("YAML");
    let values: Value = serde_json::from_str(&values).expect("JSON");
    let rules = rollout_defaults::parse(values["rolloutDefaults"].to_string().as_bytes());
    assert_eq!(rules.expect("rules").len(), 2);
}

#[test]
fn the_examples_of_the_document_are_read() {
    let path = data().join("../../../docs/rollouts.md");
    let text = fs::read_to_string(path).expect("the document");
    let mut read = 0;
    for block in text.split("```yaml\n").skip(1) {
        let rules = block.split("```").next().unwrap_or_default();
        let parsed = rollout_defaults::parse(rules.as_bytes());
        read += parsed.unwrap_or_else(|why| panic!("{why}: {rules}")).len();
    }
    assert_eq!(read, 9);
}
