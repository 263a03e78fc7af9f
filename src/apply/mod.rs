//! Carries a plan out: requests to the API server, and events.

pub mod error;
pub mod event_correlator;
pub mod events;
pub mod lru;
pub mod request;
