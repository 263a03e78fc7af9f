//! Tests on real nodes: kubelets, containerd and runc of this machine, the product in its image.
//!
//! `tests/nodes/rig/run.sh` (or `just nodes`) makes the place in which they run; alone they fail.

#[path = "../live/budget.rs"]
mod budget;
#[allow(
    dead_code,
    reason = "the live tests and the benchmark use the rest of it"
)]
#[path = "../support/live/mod.rs"]
mod harness;
#[allow(dead_code, reason = "the live tests use the rest of it")]
#[path = "../live/known_gap.rs"]
mod known_gap;
#[allow(dead_code, reason = "the live tests use the rest of it")]
#[path = "../live/referee.rs"]
mod referee;

mod agent;
mod cluster;
mod installation;
mod node;
mod place;
mod record;

mod bootstrap;
mod chart;
mod control;
mod failing;
mod leader;
mod manifests;
mod outage;
mod roll;
mod static_pod;
mod takeover;
mod terminal_write;
