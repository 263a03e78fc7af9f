//! A search for histories in which the DaemonSet controller breaks a promise.
//!
//! A seed makes a [`History`](history::History): a cluster and a list of timed steps, which are
//! data. [`run`] lives through it on the simulated cluster, in virtual time, with the real
//! controller, and judges what came of it. [`shrink`] drops steps from a history that breaks
//! something, and [`timeline`] tells what is left. `docs/simulation.md` has a section on it.

pub mod args;
pub mod faults;
pub mod generate;
pub mod history;
pub mod outcome;
pub mod panics;
pub mod report;
pub mod run;
pub mod shrink;
pub mod soak;
pub mod step;
pub mod tally;
pub mod timeline;
