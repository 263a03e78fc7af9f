//! What is read from and written to the API: partial types that know only what decisions need, and
//! raw JSON for everything that must survive unread.

pub mod body;
pub mod canonical;
pub mod daemon_set;
mod identity;
mod lenient;
pub mod manifest;
pub mod node;
mod partial;
pub mod pod;
mod pod_detail;
pub mod raw;
pub mod revision;
mod status;

pub use identity::{Identity, identity};
pub use lenient::DecodeError;
