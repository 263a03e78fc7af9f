//! Cluster defaults that change while the controller runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use daemonset_controller::cli::rollout_defaults::parse;
use daemonset_controller::runtime::rollout_defaults::DefaultsFile;
use daemonset_controller::runtime::run::ControllerOptions;
use daemonset_controller::sim::cluster::Cluster;
use serde_json::json;

use super::metrics::metrics;
use super::rollout::*;
use super::world::*;

/// A file in memory: its text, or why it cannot be read.
#[derive(Clone)]
struct File(Arc<Mutex<Result<Vec<u8>, String>>>);

impl File {
    fn new(text: &str) -> File {
        File(Arc::new(Mutex::new(Ok(text.as_bytes().to_vec()))))
    }

    /// Somebody writes the file.
    fn write(&self, text: &str) {
        *self.0.lock().expect("the file") = Ok(text.as_bytes().to_vec());
    }

    fn remove(&self) {
        *self.0.lock().expect("the file") = Err("No such file or directory".to_owned());
    }

    fn text(&self) -> Result<Vec<u8>, String> {
        self.0.lock().expect("the file").clone()
    }
}

/// So many nodes covered by the first version of `default/web`, and a controller with this file.
async fn covered_with(file: &File, nodes: usize) -> (World, Controller) {
    let server = world(nodes);
    respec(&server, json!({"updateStrategy": rolling(1, 0)}));
    become_ready(&server, "2s");
    server.kubelet();
    let (text, read) = (file.text().expect("a text"), file.clone());
    let options = ControllerOptions {
        rollout_defaults: Some(DefaultsFile {
            name: "defaults.yaml".to_owned(),
            read: Arc::new(move || read.text()),
            parse,
            defaults: parse(&text).expect("rules"),
            text,
        }),
        ..Cluster::options()
    };
    let running = start_with(&server, "a", options);
    seconds(10).await;
    (server, running)
}

/// The metric that says whether the file can be used.
fn is_valid(controller: &Controller) -> bool {
    let metrics = metrics(controller);
    let mut all = metrics.samples("daemonset_controller_rollout_defaults_valid");
    all.next().expect("the metric").value == 1.0
}

const HELD: &str = "- names: [web]\n  set: {hold: rollout}\n";

#[tokio::test(start_paused = true)]
async fn rules_that_are_added_hold_within_seconds_and_let_go_when_they_are_removed() {
    let file = File::new("");
    let (server, running) = covered_with(&file, 4).await;
    server.assert_covered(4);
    file.write(HELD);
    seconds(12).await;
    change_to(&server, "2", "1s");
    seconds(600).await;
    assert_eq!(nodes_of(&server, "1").len(), 4, "it is held");
    assert_eq!(server.events("RolloutPaused").len(), 1);
    file.write("[]");
    seconds(12).await;
    assert_eq!(server.events("RolloutResumed").len(), 1);
    seconds(60).await;
    assert_rolled(&server, 4, "2");
    assert!(is_valid(&running));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_used_leaves_the_last_rules_in_force_and_a_metric_says_so() {
    let file = File::new(HELD);
    let (server, running) = covered_with(&file, 3).await;
    assert!(is_valid(&running));
    change_to(&server, "2", "1s");
    for wrong in [
        Some("- set: {hold: rollot}"),
        Some("- ["),
        None,
        Some("a: b"),
    ] {
        match wrong {
            Some(text) => file.write(text),
            None => file.remove(),
        }
        seconds(60).await;
        assert!(!is_valid(&running), "{wrong:?}");
        assert_eq!(nodes_of(&server, "1").len(), 3, "{wrong:?}");
    }
    // The same rules again are as good as before.
    file.write(HELD);
    seconds(60).await;
    assert!(is_valid(&running));
    assert_eq!(nodes_of(&server, "1").len(), 3);
    file.write("");
    seconds(60).await;
    assert!(is_valid(&running));
    assert_rolled(&server, 3, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_text_counts_only_when_it_stays_as_it_is() {
    let file = File::new(HELD);
    let (server, _running) = covered_with(&file, 3).await;
    change_to(&server, "2", "1s");
    // Somebody who empties the file before he writes it is caught at it, whenever it is read.
    for _ in 0..60 {
        file.write("");
        millis(500).await;
        file.write(HELD);
        millis(600).await;
    }
    assert_eq!(nodes_of(&server, "1").len(), 3);
    file.write("");
    seconds(60).await;
    assert_rolled(&server, 3, "2");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn pods_leave_nodes_that_become_excluded_one_after_another() {
    let file = File::new("");
    let (server, _running) = covered_with(&file, 5).await;
    server.assert_covered(5);
    for n in 0..3 {
        let labels = json!({"metadata": {"labels": {"type": "virtual"}}});
        server.edit("nodes", &format!("n{n}"), labels);
    }
    file.write("- excludeNodes: type=virtual\n");
    seconds(60).await;
    server.assert_covered(5);
    server.add("nodes", {
        let mut node = node("n5");
        node["metadata"]["labels"]["type"] = json!("virtual");
        node
    });
    seconds(10).await;
    server.assert_covered(5);
    server.kubelet_that("terminate-after", "2s");
    file.write("- excludeNodes: type=virtual\n  existing: remove\n");
    let mut worst = 0;
    for _ in 0..600 {
        let pods = server.all("pods").into_iter();
        worst = worst.max(pods.filter(is_going).count());
        millis(50).await;
    }
    assert_eq!(worst, 1);
    let covered: BTreeSet<String> = server.covered().into_keys().collect();
    assert_eq!(covered, BTreeSet::from(["n3".to_owned(), "n4".to_owned()]));
    let status = &server.get("daemonsets", "web")["status"];
    assert_eq!(status["desiredNumberScheduled"], 2);
}
