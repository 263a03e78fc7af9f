//! An API server in memory: what the real one does with the resources that a DaemonSet controller meets.
//!
//! A request goes [`http`] → [`server`] (time, log, faults) → `dispatch` (which verb) → `read`, `write`, `delete`,
//! `binding` (the rules) → [`store`]. The rules know no
//! network and no clock. Held against the real API server by `tests/live/same_answers.rs`.

mod binding;
mod body;
mod core;
pub mod defaults;
mod delete;
mod delete_options;
pub mod deliveries;
mod dispatch;
pub mod events;
pub mod faults;
mod fields;
mod finalizers;
mod form;
mod grace;
pub mod http;
pub mod log;
mod options;
pub mod patch;
pub mod path;
mod pods;
mod precondition;
mod read;
pub mod resource;
mod scheduling;
mod selection;
pub mod selector;
pub mod server;
mod state;
pub mod status;
pub mod store;
mod token;
pub mod validate;
mod version;
mod watch;
mod write;

pub use faults::{Act, Gate};
pub use log::Entry;
pub use resource::Resource;
pub use server::{ApiServer, ServerOptions};
pub use status::{ApiStatus, ErrorType, FieldError};
