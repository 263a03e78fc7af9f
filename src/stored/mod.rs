//! What the API server makes of an object before it stores it: defaults, normal forms and image
//! names.
//!
//! DaemonSets from files are completed here before they are compared with a cluster, and the
//! simulated API server stores objects in this form. An object from a cluster has this form
//! already.

pub mod defaults;
mod edit;
pub mod image;
mod normal;
pub mod types;

pub use edit::WrongType;
