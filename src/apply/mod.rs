//! Carries out plans: writes to the API server, and events.
//!
//! `client` speaks to the API server and knows nothing of plans. The rest of this room turns the
//! parts of a plan into calls and tells an [`Observer`] what each answer said.

pub mod action;
pub mod carry_out;
mod claims;
pub mod client;
pub mod event_correlator;
pub mod events;
mod evictions;
mod gates;
pub mod lru;
pub mod manifests;
pub mod observer;
pub mod outcome;
mod pods;
mod resizes;
mod revisions;
mod tasks;
pub mod window;

pub use action::Action;
pub use carry_out::CarryOut;
pub use observer::{Observer, Presence};
pub use outcome::{Failure, Outcome, StatusWrite};
