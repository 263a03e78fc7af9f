//! An API server in memory: what the real one does with the resources that a DaemonSet controller meets.
//!
//! A request goes [`http`] → [`server`] (time, log, faults) → [`core`](mod@core) (the rules) → [`store`]. The rules know no
//! network and no clock. Held against the real API server by `tests/live/same_answers.rs`.

mod binding;
mod body;
pub mod core;
pub mod defaults;
mod delete;
mod delete_options;
pub mod events;
pub mod faults;
pub mod http;
pub mod log;
mod options;
pub mod patch;
pub mod path;
mod pods;
mod read;
pub mod resource;
pub mod selector;
pub mod server;
pub mod status;
pub mod store;
mod token;
pub mod told;
pub mod validate;
mod watch;
mod write;

pub use faults::{Act, Gate};
pub use log::Entry;
pub use resource::Resource;
pub use server::{ApiServer, Options};
pub use status::{FieldError, Status, Wrong};
