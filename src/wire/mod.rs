//! What is read from and written to the API: partial types that know only what decisions need, and
//! raw JSON for everything that must survive unread.

pub mod body;
pub mod canonical;
pub mod daemon_set;
mod lenient;
pub mod manifest;

pub mod node;
mod partial;
pub mod pod;
pub mod raw;
pub mod revision;

pub use lenient::DecodeError;
