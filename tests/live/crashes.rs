//! The controller is killed in the middle of its creates, and the API server too.

use std::time::Duration;

use crate::cluster::{Lab, SOON, node_of};
use crate::control_plane::{BUILT_IN, Component};
use crate::controller::{Controller, Launch, built_in};
use crate::referee::Referee;

const NODES: usize = 250;

/// A controller in the middle of creating 250 pods.
async fn in_the_middle(name: &str) -> (Lab, Referee, Controller) {
    let mut lab = Lab::shared(name).await;
    lab.add_nodes(1..=NODES).await;
    let mut referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    // A narrow window, so that there is a middle.
    let controller = Launch::new(&lab).arg("--max-in-flight=4").start();
    lab.create(&lab.daemon_set("agent")).await;
    referee.until_versions(30).await;
    (lab, referee, controller)
}

/// Pods whose creation the API server has answered.
fn created(lab: &Lab) -> usize {
    let entries = lab
        .plane
        .audit(if built_in() { BUILT_IN } else { "controller" });
    let ours = |e: &&crate::audit::Entry| {
        e.kind() == "create pods" && e.object_ref.namespace == lab.namespace
    };
    entries
        .iter()
        .filter(ours)
        .filter(|entry| entry.response_status.code == 201)
        .count()
}

async fn finish(lab: &Lab, referee: Referee) {
    let _second = Controller::start(lab);
    lab.until_covered("agent", NODES as i32, 2 * SOON).await;
    assert_eq!(lab.until_pods(NODES, SOON).await.len(), NODES);
    let verdict = referee.finish().await;
    verdict.expect_clean(NODES * 2);
    assert_eq!(verdict.pods.len(), NODES, "no pod was made and thrown away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_in_the_middle_of_250_creates_ends_within_ten_seconds() {
    let (lab, referee, mut controller) = in_the_middle("sigterm").await;
    let status = controller
        .terminate(Duration::from_secs(12))
        .await
        .expect("it ends in time");
    let at_the_end = created(&lab);
    assert!(
        status.success() || built_in(),
        "a clean stop is a success: {status}\n{}",
        controller.log()
    );
    assert!(
        (1..NODES).contains(&at_the_end),
        "{at_the_end} creates: that was not the middle"
    );
    if !built_in() {
        // Calls in flight were finished, not cut off: what exists is what was answered with 201.
        let pods = lab.pods().await.len();
        assert_eq!(pods, at_the_end, "some creates were cut off in the middle");
    }
    finish(&lab, referee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_in_the_middle_of_250_creates_and_a_restart_make_no_second_pod() {
    let (lab, referee, mut controller) = in_the_middle("kill-9").await;
    controller.kill();
    let at_the_end = created(&lab);
    assert!(
        (1..NODES).contains(&at_the_end),
        "{at_the_end} creates: that was not the middle"
    );
    finish(&lab, referee).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_restarts_in_the_middle_is_waited_for() {
    let mut lab = Lab::alone("restart").await;
    lab.add_nodes(1..=100).await;
    let mut referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let mut controller = Launch::new(&lab).arg("--max-in-flight=4").start();
    lab.create(&lab.daemon_set("agent")).await;
    referee.until_versions(20).await;
    lab.plane.kill_api_server();
    controller.expect_running();
    lab.plane.start_api_server().await;
    lab.until_covered("agent", 100, 2 * SOON).await;

    // Its watches work again: what happens from now on is seen.
    lab.add_nodes(101..=105).await;
    lab.until_covered("agent", 105, SOON).await;
    let pods = lab.pods().await;
    let mut nodes: Vec<String> = pods.iter().map(node_of).collect();
    nodes.sort();
    nodes.dedup();
    assert_eq!(
        (pods.len(), nodes.len()),
        (105, 105),
        "one pod on each node"
    );
    let verdict = referee.finish().await;
    assert!(verdict.violations.is_empty(), "{}", verdict.violations[0]); // gaps are the restart's
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_stood_still_takes_up_its_work_without_a_second_pod() {
    let mut lab = Lab::alone("stood-still").await;
    lab.add_nodes(1..=20).await;
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let mut controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 20, SOON).await;
    controller.pause();
    lab.plane.pause(Component::Scheduler);
    lab.kubectl_ok(&["delete", "pods", "--all", "--wait=true", "--timeout=60s"])
        .await;
    lab.add_nodes(21..=25).await;
    controller.resume();
    lab.until_pods(25, SOON).await;
    lab.plane.resume(Component::Scheduler);
    lab.until_covered("agent", 25, SOON).await;
    referee.finish().await.expect_clean(25);
    controller.expect_running();
}
