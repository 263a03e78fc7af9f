//! The controller as it runs, on the simulated cluster, in virtual time. Each test ends with the
//! promises checked over its whole history.

mod claims;
mod cluster;
mod conflict;
mod controllers;
mod crashes;
mod creates;
mod deletes;
mod denied;
mod election;
mod fair;
mod faults;
mod hold;
mod lag;
mod left_alone;
mod lists;
mod metrics;
mod metrics_counts;
mod metrics_document;
mod metrics_health;
mod metrics_hold;
mod metrics_rollout;
mod names;
#[path = "../support/openmetrics.rs"]
mod openmetrics;
mod revisions;
mod rollout;
mod rollout_back;
mod rollout_budget;
mod rollout_changes;
mod rollout_crashes;
mod rollout_lag;
mod rollout_order;
mod rollout_random;
mod rollout_ready;
mod rollout_stuck;
mod rollout_surge;
mod rollout_two;
mod seeds;
mod short_lived;
mod status;
mod stop;
mod two;
mod upkeep;
mod window;
mod world;
