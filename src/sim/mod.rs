//! The simulated parts of a cluster.
//!
//! All but the API server are ordinary clients: they get a [`kube::Client`] from outside and do not
//! know whether a real API server answers. Time is tokio's (so it may be paused), and timestamps in
//! objects come from a [`Clock`] that the caller gives.

pub mod actors;
pub mod api;
pub mod cluster;
pub mod follow;
mod host_ports;
pub mod kubelets;
pub mod promises;

use std::sync::Arc;

/// Returns the time for timestamps in objects. Real clusters take [`wall_clock`]; a paused runtime
/// takes a fixed epoch plus tokio's elapsed time.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The system's clock.
pub fn wall_clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}
