//! `--manifests`: the text is a stream of YAML documents that `kubectl create -f` takes, and they
//! are the pods that the JSON holds.

use daemonset_controller::cli::documents::split;
use serde_json::{Value, json};

use crate::plan_run::{NOW, plan, schema, validate};

fn json_of(args: &[&str]) -> Value {
    let answer = plan(&[args, &["-o", "json"]].concat());
    validate(&schema(), &answer.stdout)
}

#[test]
fn text_is_the_plan_in_comments_and_a_document_for_each_pod() {
    let args = [
        "-f",
        "first.yaml",
        "-f",
        "nodes.yaml",
        "-n",
        "logging",
        "--now",
        NOW,
        "--manifests",
    ];
    let stream = plan(&args).stdout;
    let documents = split(&stream).expect("YAML");
    let json = json_of(&args);
    let create = json["create"].as_array().unwrap();
    assert_eq!((documents.len(), create.len()), (3, 3), "{stream}");
    for (document, create) in documents.iter().zip(create) {
        let mut pod: Value = serde_json::from_str(document.json.get()).unwrap();
        assert_eq!(
            (&pod["apiVersion"], &pod["kind"]),
            (&json!("v1"), &json!("Pod"))
        );
        assert_eq!(pod["metadata"]["namespace"], "logging");
        // The API server takes it from the path of the request: so it is not part of the body.
        pod["metadata"].as_object_mut().unwrap().remove("namespace");
        assert_eq!(pod, create["manifest"]);
    }
    let before = stream.split("\n---\n").next().unwrap();
    assert!(
        before.lines().all(|l| l.is_empty() || l.starts_with('#')),
        "{before}"
    );
    let plain = plan(&args[..args.len() - 1]).stdout;
    for line in plain
        .lines()
        .filter(|l| l.contains("ACTION") || l.contains("pod/"))
    {
        assert!(
            before.contains(&format!("# {line}\n")),
            "{line} is not in {before}"
        );
    }
}

#[test]
fn an_owner_that_no_cluster_knows_is_said() {
    let said = |args: &[&str]| {
        plan(args)
            .stdout
            .contains("a cluster deletes such pods at once")
    };
    assert!(said(&[
        "-f",
        "first.yaml",
        "-f",
        "nodes.yaml",
        "--manifests"
    ]));
    assert!(!said(&["-f", "first.yaml", "-f", "nodes.yaml"]));
    assert!(!said(&[
        "-f",
        "cluster.yaml",
        "-f",
        "nodes.yaml",
        "--manifests"
    ]));
}

#[test]
fn a_plan_without_new_pods_is_a_stream_without_documents() {
    let answer = plan(&["-f", "malformed-selector.yaml", "--manifests"]);
    assert_eq!(answer.code, 0);
    assert_eq!(
        split(&answer.stdout).expect("YAML").len(),
        0,
        "{}",
        answer.stdout
    );
}
