//! Tests against a real control plane: see `tests/control-plane/build.sh` for where it comes from.
//!
//! `cargo test --features live --test live` (or `just live`).

mod audit;
mod budget;
mod cluster;
mod conflict;
mod control_plane;
mod controller;
#[path = "../support/corpus/mod.rs"]
mod corpus;
#[path = "../support/differential/mod.rs"]
mod differential;
#[path = "../support/live/mod.rs"]
mod harness;
mod known_gap;
mod kubernetes;
#[path = "../support/openmetrics.rs"]
mod openmetrics;
mod process;
mod recording;
mod referee;
#[path = "../support/tls.rs"]
mod tls;
mod webhook;

mod access;
mod canary;
mod commands;
mod conditions;
mod connections;
mod coverage;
mod crashes;
mod defaults;
mod deletion;
mod denied;
mod deployed;
mod door;
mod eviction;
mod exclusive;
mod explain;
mod failing;
mod failing_back;
mod hold;
mod kubectl;
mod lease_rules;
mod metrics;
mod metrics_secure;
mod mutations;
mod nodes;
mod rehearse;
mod replicas;
mod resources;
mod rig;
mod rollout;
mod rollout_changes;
mod rollout_shared;
mod rules;
mod same_answers;
mod scheduler;
mod stored;
mod strict;
mod takeover;
mod trace;
mod two;
mod two_rollout;
mod upgrade;
mod upkeep;
mod validation;
mod validation_corpus;
