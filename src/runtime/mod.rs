//! The running controller: watches, the queue, workers, the clients that they use, and what people
//! and Prometheus can learn of them meanwhile.

pub mod client;
pub mod conflict;
pub mod endpoints;
pub mod error;
pub mod foreign_pods;
pub mod gate;
pub mod leading;
pub mod lease;
pub mod list_watch;
pub mod monitor;
pub mod pace;
pub mod pulse;
pub mod queue;
pub mod read_error;
pub mod rollout_defaults;
pub mod run;
pub mod secure;
pub mod shared;
mod status;
pub mod sync;
