//! A real control plane, a part of its cluster, and controllers as processes: the harness of the
//! live tests and the live benchmark. `tests/live` adds the part that only tests use, so that
//! nothing here is unused in either.

pub mod audit;
pub mod binaries;
pub mod components;
pub mod configuration;
pub mod control_plane;
pub mod controller;
pub mod lab;
pub mod process;
