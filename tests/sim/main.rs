//! The controller as it runs, on the simulated cluster, in virtual time. Each test ends with the promises checked over
//! its whole history.

mod claims;
mod cluster;
mod crashes;
mod creates;
mod deletes;
mod denied;
mod fair;
mod faults;
mod lag;
mod left_alone;
mod lists;
mod metrics;
mod names;
#[path = "../openmetrics/mod.rs"]
mod openmetrics;
mod revisions;
mod seeds;
mod status;
mod stop;
mod two;
mod upkeep;
mod window;
mod world;
