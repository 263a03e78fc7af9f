//! What the API server makes of an object before it stores it: defaults, normal forms, quantities,
//! image names.
//!
//! DaemonSets that come from files are completed in this way before anything is compared with a
//! cluster; the simulated API server stores objects in this way. `wire` knows nothing of it: an object
//! that comes from a cluster is used as it is.

pub mod defaults;
mod edit;
mod image;
mod normal;
pub mod quantity;

pub use edit::WrongType;
pub use normal::field_type;
