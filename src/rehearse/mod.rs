//! A rehearsal: how a rollout would go. The plan's own function runs in a closed loop on a copy of
//! what is known of a cluster. Each plan is carried out at once, and pods go through their lives as
//! on nodes: they become ready, crash, terminate and are gone, after times that this DaemonSet's
//! pods took before.
//!
//! Nothing here does IO, reads a clock or is random: what differs from pod to pod follows from a
//! seed. What is not rehearsed is said in `docs/rehearse.md`.

pub mod assertion;
mod carry_out;
pub mod cluster;
pub mod disruption;
pub mod durations;
pub mod figures;
mod kubelet;
pub mod node_state;
pub mod outcome;
pub mod record;
mod revisions;
pub mod run;
pub mod scenario;

pub use cluster::Cluster;
pub use durations::Durations;
pub use node_state::NodeState;
pub use outcome::{Ending, Rehearsal};
pub use run::{Loop, rehearse};
pub use scenario::{Nodes, Scenario};
