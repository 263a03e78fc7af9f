//! Server behaviour: the simulated API server and the simulated actors around it behave as the real
//! ones do.
//!
//! The answers of the real API server, and of the code that it is built from, are recorded in
//! `tests/data`.

#[path = "../support/corpus/mod.rs"]
mod corpus;
#[path = "../support/differential/mod.rs"]
mod differential;
#[path = "../support/same.rs"]
mod same;

mod actors;
mod api_answers;
mod defaults;
mod host_ports;
mod kubelet_recordings;
mod kubelets;
mod older_versions;
mod strategic_merge;
mod strict;
mod validation;
mod validation_corpus;
