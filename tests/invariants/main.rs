//! Invariants: statements that hold for every plan and every history, on generated clusters.
//!
//! Seeds are fixed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose others.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/robust/mod.rs"]
mod robust_support;

#[path = "../support/sweep.rs"]
mod sweep;

mod api;
mod arbitrary;
mod closed_loop;
mod reasons;

mod bad_nodes;
mod cache;
mod config;
mod differences;
mod equal_revisions;
mod every_reason;
mod evictions;
mod exclusive;
mod failing;
mod for_sync;
mod held;
mod json;
mod limits;
mod obstacles;
mod plans;
mod protobuf;
mod rehearsals;
mod resources;
mod robust;
mod scopes;
mod strict;
mod yaml_written;
