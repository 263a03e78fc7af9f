//! `plan` as people run it: the real binary on files. Its output is compared byte by byte with
//! `tests/data/plan`; `UPDATE_GOLDEN=1 cargo test --test process plan_cli` writes those files, and
//! the examples in `docs/plan.md`, anew.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::plan_run::{NOW, data, plan, plan_of, run, schema, updating, validate};

#[test]
fn plans_are_printed_as_in_the_golden_files() {
    let schema = schema();
    let mut wrong = Vec::new();
    for (name, args) in [
        ("first", "-f nodes.yaml -f first.yaml"),
        ("cluster", "-f cluster.yaml,nodes.yaml"),
        ("odd", "-f odd.yaml -f nodes.yaml"),
        ("unselective", "-f nodes.yaml -f unselective.yaml"),
        ("malformed-selector", "-f malformed-selector.yaml"),
        ("changed", "-f changed.yaml -f around.json -f nodes.yaml"),
        ("revised", "-f revised.yaml -f nodes.yaml"),
        ("verbose", "-f first.yaml -f nodes.yaml --verbose"),
        (
            "manifests",
            "-f first.yaml -f nodes.yaml --manifests --placement=node-name -n logging",
        ),
    ] {
        for output in ["text", "json"] {
            let mut args: Vec<&str> = args.split(' ').collect();
            args.extend(["--now", NOW, "-o", output]);
            let answer = plan(&args);
            assert_eq!(answer.code, 0, "{name}: {}", answer.stderr);
            if output == "json" {
                validate(&schema, &answer.stdout);
            }
            let file = data().join(format!("{name}.golden.{output}"));
            if updating() {
                fs::write(&file, &answer.stdout).unwrap();
            } else if fs::read_to_string(&file).unwrap_or_default() != answer.stdout {
                wrong.push(format!("{}:\n{}", file.display(), answer.stdout));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_GOLDEN=1 writes them:\n{}",
        wrong.join("\n")
    );
}

/// The text between a line of ``` and a language, and the next line of ```.
fn fenced(markdown: &str, language: &str) -> std::ops::Range<usize> {
    let open = format!("\n```{language}\n");
    let start = markdown.find(&open).expect("a fence") + open.len();
    let end = start + markdown[start - 1..].find("\n```\n").expect("its end");
    start..end
}

#[test]
fn the_documented_example_is_what_comes_out() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plan.md");
    let mut markdown = fs::read_to_string(&file).unwrap();
    let input = markdown[fenced(&markdown, "yaml")].to_owned();
    let schema = schema();
    for output in ["text", "json"] {
        let answer = plan_of(&input, &["-f", "-", "--now", NOW, "-o", output]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        if output == "json" {
            validate(&schema, &answer.stdout);
        }
        let range = fenced(&markdown, output);
        if updating() {
            markdown.replace_range(range, &answer.stdout);
        } else {
            assert_eq!(markdown[range], answer.stdout, "UPDATE_GOLDEN=1 writes it");
        }
    }
    if updating() {
        fs::write(&file, markdown).unwrap();
    }
}

#[test]
fn flags_are_environment_variables_too() {
    let args = [
        "-f",
        "first.yaml",
        "-f",
        "nodes.yaml",
        "--now",
        NOW,
        "-o",
        "json",
        "--manifests",
    ];
    let by_variables = run(
        "",
        &[],
        &[
            ("DAEMONSET_CONTROLLER_FILENAME", "first.yaml,nodes.yaml"),
            ("DAEMONSET_CONTROLLER_NOW", NOW),
            ("DAEMONSET_CONTROLLER_OUTPUT", "json"),
            ("DAEMONSET_CONTROLLER_MANIFESTS", "true"),
            ("DAEMONSET_CONTROLLER_NAMESPACE", ""),
        ],
    );
    assert_eq!(by_variables.stderr, plan(&args).stderr);
    assert_eq!(by_variables.stdout, plan(&args).stdout);
}

/// The cause of a long-standing complaint about many tools: a panic when the reader has seen
/// enough.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
        .current_dir(data())
        .args(["plan", "-f", "cluster.yaml", "-f", "nodes.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.stderr, b"");
    assert!(output.status.success());
}

#[test]
fn other_kinds_are_skipped_with_a_note() {
    let answer = plan(&["-f", "first.yaml", "-f", "nodes.yaml", "--now", NOW]);
    assert_eq!(
        answer.stderr,
        "note: objects of other kinds were skipped: 1 ConfigMap\n"
    );
}

#[test]
fn json_output_is_nothing_but_json_and_notes_are_beside_it() {
    let answer = plan(&["-f", "odd.yaml", "-f", "nodes.yaml", "-o", "json"]);
    let value: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert!(value["now"].as_str().unwrap().ends_with('Z'));
    assert!(
        answer
            .stderr
            .contains("note: term 1 of the required node affinity is malformed")
    );
    // The defaults are one line, unless all are asked for; the JSON always has all of them.
    let each = "note:   spec.revisionHistoryLimit=10";
    assert!(!answer.stderr.contains(each));
    assert!(
        answer
            .stderr
            .contains("fields that the API server sets by itself: ")
    );
    let defaults = value["defaults"].as_array().unwrap();
    assert!(defaults.contains(&"spec.revisionHistoryLimit=10".into()));
    let all = plan(&["-f", "odd.yaml", "-f", "nodes.yaml", "-o", "json", "-v"]);
    assert!(all.stderr.contains(each), "{}", all.stderr);
}

/// A DaemonSet of a name of so many characters, and a node.
fn long_named(length: usize) -> String {
    format!(
        "apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: {}, namespace: ops, uid: u-1}}
spec:
  selector: {{matchLabels: {{app: a}}}}
  template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: c, image: i}}]}}}}
---
{{apiVersion: v1, kind: Node, metadata: {{name: n-1}}}}
",
        "x".repeat(length)
    )
}

#[test]
fn a_revision_whose_name_the_api_server_will_refuse_is_noted() {
    for (length, noted) in [(1, false), (242, false), (243, true), (253, true)] {
        let answer = plan_of(&long_named(length), &["-f", "-", "-o", "json"]);
        let note = format!(
            "would have {} characters, and 253 are the most",
            length + 11
        );
        assert_eq!(answer.stderr.contains(&note), noted, "{}", answer.stderr);
        let text = plan_of(&long_named(length), &["-f", "-"]).stdout;
        assert_eq!(
            text.contains("will refuse the new revision"),
            noted,
            "{text}"
        );
    }
}

#[test]
fn yaml_means_what_it_means_to_kubectl() {
    let answer = plan(&[
        "-f",
        "first.yaml",
        "-f",
        "nodes.yaml",
        "-o",
        "json",
        "--manifests",
    ]);
    let value = validate(&schema(), &answer.stdout);
    let pod = &value["create"][0]["manifest"];
    // 0755 is octal, and the labels are those of the anchor.
    assert_eq!(pod["spec"]["volumes"][0]["configMap"]["defaultMode"], 0o755);
    assert_eq!(pod["metadata"]["labels"]["app"], "agent");
}

#[test]
fn standard_input_lists_and_several_documents() {
    let nodes = fs::read_to_string(data().join("nodes.yaml")).unwrap();
    let first = fs::read_to_string(data().join("first.yaml")).unwrap();
    let from_files = plan(&["-f", "nodes.yaml", "-f", "first.yaml", "--now", NOW]);
    let piped = plan_of(&nodes, &["-f", "-", "-f", "first.yaml", "--now", NOW]);
    assert_eq!(piped.stdout, from_files.stdout);
    let one = format!("{nodes}---\n{first}");
    let one = plan_of(&one, &["-f", "-", "--now", NOW]);
    assert_eq!(one.stdout, from_files.stdout);
}

#[test]
fn the_daemon_set_is_chosen_by_name() {
    let both = [
        "-f",
        "cluster.yaml",
        "-f",
        "odd.yaml",
        "-f",
        "first.yaml",
        "--now",
        NOW,
    ];
    for (chosen, expected) in [
        ("logging/agent", "DaemonSet   logging/agent\n"),
        ("default/agent", "DaemonSet   default/agent\n"),
        ("odd", "DaemonSet   logging/odd\n"),
    ] {
        let answer = plan(&[&both[..], &["-d", chosen]].concat());
        assert!(
            answer.stdout.starts_with(expected),
            "{chosen}: {}",
            answer.stderr
        );
    }
    let answer = plan(&[&both[..], &["-d", "agent", "-n", "default"]].concat());
    assert!(answer.stdout.starts_with("DaemonSet   default/agent\n"));
    let answer = plan(&[&both[..], &["-d", "agent"]].concat());
    assert_eq!(answer.code, 2);
    assert_eq!(
        answer.stderr,
        "error: there are several DaemonSets, say which one with -d NAMESPACE/NAME, or have a line for each with -A: \
         logging/agent (cluster.yaml: document 1, item 1), default/agent (first.yaml: document 3)\n"
    );
}

/// Input, arguments, and what standard error holds.
const ERRORS: &[(&str, &str, &str)] = &[
    ("", "-f missing.yaml", "error: missing.yaml: "),
    (
        "kind: Node\n",
        "-f -",
        "error: standard input: document 1: Node has no apiVersion",
    ),
    (
        "---\n---\n# empty\n---\na: [\n",
        "-f -",
        "error: standard input: document 3: line ",
    ),
    (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
        "-f -",
        "error: a DaemonSet is needed, and there is only Service web (standard input: document 1)",
    ),
    (
        "",
        "-f -",
        "error: a DaemonSet is needed, and there is no object in the files",
    ),
    (
        "",
        "-f nodes.yaml",
        "there is only Node node-a (nodes.yaml: document 1, item 1), Node node-b",
    ),
    (
        "",
        "-f first.yaml -f odd.yaml",
        "error: there are several DaemonSets, say which one with -d NAMESPACE/NAME, or have a line for each with -A: default/agent (first.yaml: \
         document 3), logging/odd (odd.yaml: document 1)",
    ),
    (
        "",
        "-f first.yaml -d logging/agent",
        "error: there is no DaemonSet logging/agent in the files; there is default/agent (first.yaml: document 3)",
    ),
    (
        "",
        "-f odd.yaml -n default",
        "error: there is no DaemonSet in namespace default in the files",
    ),
    (
        "",
        "-f first.yaml -f first.yaml",
        "error: first.yaml: document 3: DaemonSet default/agent is in first.yaml: document 3 already",
    ),
    (
        "apiVersion: extensions/v1beta1\nkind: DaemonSet\nmetadata: {name: old}\n",
        "-f -",
        "error: standard input: document 1: DaemonSet old is of version extensions/v1beta1, apps/v1 is needed",
    ),
    (
        "apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: [x]}\n",
        "-f first.yaml -f -",
        "error: standard input: document 1: Node a cannot be used: ",
    ),
    (
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a}\nspec: {template: [x]}\n",
        "-f -",
        "DaemonSet in version \"v1\" cannot be handled as a DaemonSet: json: cannot unmarshal ",
    ),
    (
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: a, uid: u}\nspec: {template: [x]}\n",
        "-f -",
        "error: standard input: document 1: DaemonSet default/a cannot be used: ",
    ),
    (
        "",
        "-f odd.yaml -d logging/odd -n default",
        "error: -d logging/odd and --namespace default contradict each other",
    ),
    ("", "-f first.yaml --now yesterday", "RFC 3339"),
    (
        "",
        "-f first.yaml -l app=a=b",
        "labels are selected as in app=agent,tier!=test",
    ),
    (
        "",
        "-f first.yaml -d Agent",
        "NAMESPACE/NAME, NAME, ds/NAME",
    ),
    (
        "",
        "-f first.yaml pods agent",
        "error: \"pods agent\" is not understood: NAMESPACE/NAME",
    ),
    (
        "",
        "-f first.yaml odd.yaml",
        "error: odd.yaml looks like a file: each file needs its own -f",
    ),
    ("", "-f first.yaml ds/agent -l app=a", "leave one out"),
    ("", "-f first.yaml -A -n default", "leave one out"),
    (
        "",
        "-f first.yaml -A --manifests",
        "error: --manifests prints the pods of one DaemonSet: name it",
    ),
    (
        "",
        "-f https://example.com/agent.yaml",
        "error: https://example.com/agent.yaml: it is an address, no manifest; use `curl",
    ),
    ("", "-f first.yaml -o yaml", "[possible values: text, json]"),
];

#[test]
fn wrong_input_is_said_clearly_with_exit_code_2() {
    for (stdin, args, expected) in ERRORS {
        let args: Vec<&str> = args.split(' ').collect();
        let answer = plan_of(stdin, &args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{args:?}");
        assert!(
            answer.stderr.contains(expected),
            "{args:?}: {}",
            answer.stderr
        );
    }
}

#[test]
fn without_files_and_without_a_cluster_it_is_the_clusters_fault() {
    let answer = plan(&[]);
    assert_eq!(answer.code, 1);
    assert!(
        answer
            .stderr
            .starts_with("error: cannot use kubeconfig /nowhere/kubeconfig: ")
    );
}
