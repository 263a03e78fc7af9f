//! Carries a plan out: requests to the API server, and events.

pub mod action;
pub mod carry_out;
mod claims;
pub mod client;
pub mod event_correlator;
pub mod events;
pub mod lru;
mod pods;
mod revisions;
pub mod window;

pub use action::Action;
pub use carry_out::{CarryOut, Failure, Known, Outcome};
