//! The Kubernetes DaemonSet controller as a library.
//!
//! Data flows one way and each module (a "room") may import only what `docs/design.md` allows;
//! `tests/source/arrows.rs` fails when an arrow turns.

pub mod apply;
pub mod cache;
pub mod cli;
pub mod model;
pub mod plan;
pub mod rehearse;
pub mod runtime;
pub mod sim;
pub mod stored;
pub mod wire;
