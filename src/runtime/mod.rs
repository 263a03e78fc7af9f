//! What runs: watches, the queue, and the clients they use.

pub mod client;
pub mod list_watch;
pub mod queue;
pub mod trouble;
