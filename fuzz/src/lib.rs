//! The checks that the fuzzers and the property tests share.

#[path = "../../tests/support/robust/mod.rs"]
mod robust;

pub use robust::{run, seeds};
