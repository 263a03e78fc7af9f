//! The controllers around the DaemonSet controller. All are ordinary clients of the API server.

pub mod actor;
pub mod garbage;
pub mod namespace;
pub mod node_lifecycle;
pub mod objects;
pub mod pod_garbage;
pub mod scheduler;
pub mod taint_eviction;
pub mod task;
pub mod world;
