//! Carries a plan out: requests to the API server, and events.

pub mod carry_out;
mod claims;
pub mod error;
pub mod event_correlator;
pub mod events;
pub mod fence;
pub mod lru;
pub mod paths;
mod pods;
pub mod request;
mod revisions;
pub mod tally;
pub mod window;

pub use carry_out::{CarryOut, Failure, Known, Outcome};
pub use tally::Tally;
