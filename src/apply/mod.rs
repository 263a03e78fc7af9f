//! Carries a plan out: requests to the API server, and events.

pub mod request;
