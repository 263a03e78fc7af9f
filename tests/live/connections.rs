//! The controller's connections to a real API server: calls share one over HTTP/2, and a server
//! that closes it at random costs and doubles nothing.

use std::fs;

use serde_json::json;

use crate::audit::count_writes;
use crate::cluster::{Lab, SOON};
use crate::control_plane::Options;
use crate::controller::{Controller, built_in};
use crate::rollout::{set_image, until_all_rolled_out};

/// More than one for watches, for writes, for the Lease and for reviews, less than one for each
/// call in flight.
const MOST_SOCKETS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_creates_shares_a_connection() {
    let mut lab = Lab::shared("connections").await;
    lab.add_nodes(1..=200).await;
    let controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 200, SOON).await;
    let sockets = sockets(controller.process.id());
    assert!(built_in() || sockets <= MOST_SOCKETS, "{sockets} sockets");
}

fn sockets(process: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("a process");
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links
        .filter(|to| to.to_string_lossy().starts_with("socket:"))
        .count()
}

/// One request in fifty ends its connection (`--goaway-chance`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_connections_cost_and_double_no_create_and_no_delete() {
    let options = Options {
        goaway: true,
        ..Options::default()
    };
    let mut lab = Lab::alone_with("goaway", options).await;
    lab.add_nodes(1..=200).await;
    let controller = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "50%" } });
    lab.create(&set).await;
    lab.until_covered("agent", 200, SOON).await;
    set_image(&lab, "agent:2").await;
    until_all_rolled_out(&lab, 200, "agent:2").await;
    if built_in() {
        return;
    }
    let entries = lab.plane.audit("controller");
    let refused: Vec<_> = entries
        .iter()
        .filter(|entry| entry.writes() && entry.response_status.code >= 400)
        .map(|entry| (entry.kind(), entry.response_status.code))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
    let counts = count_writes(&entries);
    assert_eq!((counts["create pods"], counts["delete pods"]), (400, 200));
    let log = controller.process.output();
    assert!(!log.contains("not a result of an error"), "{log}");
}
