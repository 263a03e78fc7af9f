//! Rules: each test names one rule of the decision and holds the plan of a small cluster against
//! it.
//!
//! Nothing here does IO but for [`decisions`], which reads the recorded decisions of the built-in
//! controller.

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod bad_nodes;
mod budget;
mod canary;
mod conditions;
mod conditions_events;
mod control_edges;
mod deadline;
mod decisions;
mod defaults;
mod denied;
mod dirty;
mod dirty_bad_nodes;
mod dirty_leaving;
mod eligibility;
mod equal_revisions;
mod exclusive;
mod exempt;
mod failing_edges;
mod hold;
mod keyed;
mod late_creates;
mod leaving;
mod names;
mod node_back;
mod obstacles;
mod on_failure;
mod order;
mod pod_reads;
mod pod_states;
mod replace_by;
mod resources;
mod revisions;
mod rollback;
mod rollout;
mod short_lived;
mod standing;
mod status;
mod undecodable;
mod upkeep;
