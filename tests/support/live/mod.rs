//! A real control plane, a part of its cluster, and controllers as processes: what the live tests
//! and the live benchmark both use. What only the tests use is in `tests/live`, so that nothing
//! here is unused in either.

pub mod audit;
pub mod components;
pub mod configuration;
pub mod control_plane;
pub mod controller;
pub mod lab;
pub mod process;
