//! `rehearse` as people run it: the real binary on files. Its output is compared byte by byte with
//! `tests/data/rehearse`; `UPDATE_GOLDEN=1 cargo test --test process rehearse_cli` writes those
//! files anew.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary;

/// What the process said.
struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn data() -> PathBuf {
    root().join("tests/data/rehearse")
}

fn rehearse(args: &[&str]) -> Answer {
    let mut command = binary::alone();
    command.current_dir(data()).arg("rehearse").args(args);
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Answer {
        code: output.status.code().expect("a code"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn assert_valid(text: &str) -> Value {
    let schema = fs::read_to_string(root().join("docs/rehearse.schema.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let value: Value = serde_json::from_str(text).expect("JSON");
    if let Err(why) = schema.validate(&value) {
        panic!("{why}: {value}");
    }
    value
}

#[test]
fn rehearsals_are_printed_as_in_the_golden_files() {
    let updating = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (name, args) in [
        ("plain", "-f agent.yaml"),
        ("staged", "-f staged.yaml"),
        ("failing", "-f staged.yaml --fail zone=b"),
        ("nothing", "ds agent"),
        (
            "down",
            "-f agent.yaml --not-ready 3 --join 1 --assert complete",
        ),
    ] {
        for output in ["text", "json"] {
            let mut args: Vec<&str> = args.split(' ').collect();
            args.extend(["--snapshot", "snapshot.json", "-o", output]);
            let answer = rehearse(&args);
            if output == "json" {
                assert_valid(&answer.stdout);
            }
            let file = data().join(format!("{name}.golden.{output}"));
            if updating {
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

#[test]
fn assertions_set_the_exit_code() {
    for (assertion, code) in [
        ("complete", 0),
        ("!complete", 3),
        ("unavailable<=2", 0),
        ("unavailable<2", 3),
        ("unavailable-in-zone<=1", 0),
        ("not-updated=0", 0),
        ("unavailable-at-end == 0", 0),
        ("duration<=10m", 0),
        ("duration<=10s", 3),
        ("unavailable=>2", 2),
        ("unavailable<=many", 2),
        ("duration<=10", 2),
        ("nodes<=3", 2),
        ("done", 2),
    ] {
        let args = [
            "-f",
            "agent.yaml",
            "--snapshot",
            "snapshot.json",
            "--assert",
        ];
        let answer = rehearse(&[&args[..], &[assertion]].concat());
        assert_eq!(answer.code, code, "{assertion}: {}", answer.stderr);
        match code {
            0 => assert!(answer.stdout.contains("holds"), "{}", answer.stdout),
            3 => assert!(
                answer.stderr.contains("assertion failed"),
                "{}",
                answer.stderr
            ),
            _ => assert!(
                answer.stderr.contains("unavailable<=3"),
                "{}",
                answer.stderr
            ),
        }
    }
}

#[test]
fn the_documented_example_is_what_comes_out() {
    let docs = fs::read_to_string(root().join("docs/rehearse.md")).expect("a document");
    let golden = fs::read_to_string(data().join("staged.golden.text")).expect("a golden file");
    assert!(
        docs.contains(&format!("```text\n{golden}```\n")),
        "{golden}"
    );
}

#[test]
fn values_that_a_snapshot_has_not_are_told_of() {
    let yaml = fs::read_to_string(data().join("agent.yaml")).expect("a file");
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("env.yaml");
    let env = "          env:\n            - {name: TOKEN, value: x}\n          readinessProbe";
    fs::write(&file, yaml.replace("          readinessProbe", env)).unwrap();
    let file = file.to_str().expect("text");
    for (file, told) in [(file, true), ("agent.yaml", false)] {
        let answer = rehearse(&["-f", file, "--snapshot", "snapshot.json"]);
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        let is_told = answer.stdout.contains("it counts as changed");
        assert_eq!(is_told, told, "{}", answer.stdout);
    }
}

/// The snapshot, changed.
fn changed(change: impl FnOnce(&mut Vec<Value>)) -> (TempDir, String) {
    let text = fs::read_to_string(data().join("snapshot.json")).expect("a snapshot");
    let mut list: Value = serde_json::from_str(&text).expect("JSON");
    change(list["items"].as_array_mut().expect("items"));
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("snapshot.json");
    fs::write(&file, list.to_string()).expect("it is written");
    let file = file.to_str().expect("text").to_owned();
    (folder, file)
}

#[test]
fn what_cannot_be_rehearsed_says_why() {
    let (_first, other_version) = changed(|items| {
        items[0]["apiVersion"] = json!("daemonset-controller.io/v9");
    });
    let (_second, without_nodes) = changed(|items| items.retain(|item| item["kind"] != "Node"));
    let (_third, without_time) = changed(|items| items[0]["takenAt"] = json!("noon"));
    for (args, words) in [
        (
            vec!["-f", "agent.yaml", "--snapshot", &other_version],
            "version daemonset-controller.io/v9",
        ),
        (
            vec!["-f", "agent.yaml", "--snapshot", &without_nodes],
            "there is no Node",
        ),
        (
            vec!["-f", "agent.yaml", "--snapshot", &without_time],
            "says no time",
        ),
        (
            vec!["-f", "agent.yaml", "--snapshot", "missing.json"],
            "missing.json",
        ),
        (
            vec!["-f", "missing.yaml", "--snapshot", "snapshot.json"],
            "missing.yaml",
        ),
        (
            vec!["ds", "other", "--snapshot", "snapshot.json"],
            "there is no DaemonSet other",
        ),
        (
            vec!["ds", "--snapshot", "snapshot.json"],
            "one DaemonSet is rehearsed",
        ),
        (
            vec!["--fail", "zone=", "--snapshot", "snapshot.json"],
            "KEY=VALUE",
        ),
        (
            vec!["--join-after", "5", "--snapshot", "snapshot.json"],
            "a duration as",
        ),
    ] {
        let answer = rehearse(&args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.stderr);
        assert!(answer.stderr.contains(words), "{args:?}: {}", answer.stderr);
        assert_eq!(answer.stdout, "", "{args:?}");
    }
    // A template that no API server takes.
    let yaml = fs::read_to_string(data().join("agent.yaml")).expect("a file");
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("bad.yaml");
    fs::write(
        &file,
        yaml.replace("image: registry.example/agent:1.1", "image: ''"),
    )
    .unwrap();
    let file = file.to_str().expect("text");
    let answer = rehearse(&["-f", file, "--snapshot", "snapshot.json"]);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
    assert!(answer.stderr.contains("image"), "{}", answer.stderr);
}

#[test]
fn half_a_cluster_is_a_first_install_and_says_so() {
    let (_folder, without_pods) = changed(|items| items.retain(|item| item["kind"] != "Pod"));
    let answer = rehearse(&[
        "-f",
        "agent.yaml",
        "--snapshot",
        &without_pods,
        "-o",
        "json",
    ]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let report = assert_valid(&answer.stdout);
    assert!(answer.stderr.contains("first install"), "{}", answer.stderr);
    assert_eq!(report["figures"]["created"], 9);
    assert_eq!(report["figures"]["deleted"], 0);
}

#[test]
fn pods_of_two_controllers_in_turn_are_told_of() {
    let (_folder, both) = changed(|items| {
        let mut pods = items.iter_mut().filter(|item| item["kind"] == "Pod");
        // Of the form that this controller gives, and between the others.
        let ours = pods.next().expect("a pod");
        ours["metadata"]["name"] = json!("agent-00n3x5w8q2r4t6z9");
        ours["metadata"]["creationTimestamp"] = json!("2026-11-01T08:00:02Z");
        let theirs = pods.next().expect("a pod");
        theirs["metadata"]["creationTimestamp"] = json!("2026-11-01T08:00:03Z");
    });
    let answer = rehearse(&["-f", "agent.yaml", "--snapshot", &both]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(
        answer.stdout.contains("another one in turn"),
        "{}",
        answer.stdout
    );
}

#[test]
fn the_page_holds_the_report_and_nothing_that_ends_its_script() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("page.html");
    let page = file.to_str().expect("text");
    let args = [
        "-f",
        "staged.yaml",
        "--snapshot",
        "snapshot.json",
        "--html",
        page,
    ];
    let answer = rehearse(&args);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    let page = fs::read_to_string(&file).expect("a page");
    assert!(page.contains(r#""daemonSet":{"namespace":"kube-system","name":"agent"}"#));
    let unwritable = [
        "-f",
        "agent.yaml",
        "--snapshot",
        "snapshot.json",
        "--html",
        "/nowhere/x",
    ];
    let answer = rehearse(&unwritable);
    assert_eq!(answer.code, 1, "{}", answer.stdout);
    assert!(
        answer.stderr.contains("cannot write the page /nowhere/x"),
        "{}",
        answer.stderr
    );
}
