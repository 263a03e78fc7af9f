//! The client of the API server: every request that this program writes, reads or deletes with.
//!
//! It knows requests, answers and errors, and nothing of plans. `tests/arrows.rs` keeps it so.

pub mod api;
pub mod error;
pub mod fence;
pub mod paths;
pub mod request;
pub mod response;
pub mod verbs;

pub use api::{Api, Tally};
pub use error::ApiError;
pub use request::PatchType;
