//! Tests against a real control plane: see `tests/control-plane/build.sh` for where it comes from.
//!
//! `cargo test --features live --test live` (or `just live`).

mod audit;
mod cluster;
mod control_plane;
mod process;
mod referee;

mod rig;
