//! What runs: watches, the queue, workers, and the clients they use.

pub mod client;
pub mod lease;
pub mod list_watch;
pub mod pulse;
pub mod queue;
pub mod run;
pub mod shared;
pub mod sync;
pub mod trouble;
