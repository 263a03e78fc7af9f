//! The client of the API server: requests, answers, errors, and the fence that only a leader's
//! writes pass.
//!
//! Nothing here knows of plans, and `tests/arrows.rs` keeps it so.

pub mod api;
pub mod error;
pub mod fence;
pub mod pages;
pub mod paths;
pub mod request;
pub mod response;
pub mod verbs;

pub use api::{Api, Tally};
pub use error::ApiError;
pub use request::PatchType;
