//! Process: the binary as people run it, and the files that people read beside it.
//!
//! `demo` has a test binary of its own (`tests/demo`), because it draws `docs/demo.svg` too.

#[path = "../support/openmetrics.rs"]
mod openmetrics;
#[path = "../support/same.rs"]
mod same;
#[path = "../support/tls.rs"]
mod tls;

mod advice;
mod binary;
mod budget_cases;
mod chart;
mod commands_again;
mod commands_failing;
mod commands_handback;
mod commands_next;
mod commands_status;
mod commands_write;
mod docs;
mod endpoints;
mod evictions;
mod exclusive_cases;
mod explain_contract;
mod files;
mod leaving_cases;
mod lines;
mod null_strings;
mod paths;
mod plan_cli;
mod plan_cluster;
mod plan_contract;
mod plan_diff;
mod plan_manifests;
mod plan_overview;
mod plan_run;
mod plan_settled;
mod plan_validate;
mod readers;
mod rehearse_cli;
mod resources_cases;
mod rollout_defaults;
mod secure_access;
mod secure_certificate;
mod secure_start;
mod secure_world;
mod simulated;
mod why;
mod yaml;
