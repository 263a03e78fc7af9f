//! Carries a plan out: requests to the API server, and events.

pub mod error;
pub mod request;
