//! Objects as they are read from the API server and written to it.
//!
//! Partial types hold the fields that decisions need; all that must survive unread stays raw JSON.
//! Pods and nodes are read in protobuf as well.

pub mod body;
pub mod canonical;
pub mod conditions;
pub mod containers;
pub mod daemon_set;
mod encoded;
pub mod gates;
mod identity;
mod lenient;
pub mod manifest;
pub mod node;
mod partial;
pub mod place;
pub mod pod;
mod pod_detail;
pub mod protobuf;
pub mod raw;
pub mod revision;
mod status;

pub use encoded::{Encoded, Encoding};
pub use identity::{Identity, identity};
pub use lenient::{DecodeError, shortened};
