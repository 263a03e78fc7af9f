//! The simulated parts of a cluster.
//!
//! What is here is an ordinary client of the API: it gets a [`kube::Client`] from outside and does not know
//! whether a real API server answers or one in memory. Time is tokio's (so it may be paused), and what is
//! written into objects as a time comes from a [`Clock`] given from outside.

pub mod actors;
pub mod api;
pub mod cluster;
pub mod follow;
pub mod kubelets;
pub mod promises;

use std::sync::Arc;

/// Says what time it is for the timestamps written into objects. Real clusters take [`wall_clock`]; a paused
/// runtime takes a fixed epoch plus tokio's elapsed time.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// The system's clock.
pub fn wall_clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}
