//! An API server in memory. It does what the real one does with the resources that a DaemonSet
//! controller uses.
//!
//! A request passes [`http`], [`server`] (time, log, faults), `dispatch` (the verb), then `read`,
//! `write`, `delete`, `binding` or `resize` (the rules), and ends in the [`store`]. The rules know
//! no network and no clock. `tests/live/same_answers.rs` compares its answers with those of a real
//! API server.

mod binding;
pub mod body;
mod core;
pub mod defaults;
mod delete;
mod delete_options;
pub mod deliveries;
mod dispatch;
pub mod events;
mod eviction;
pub mod faults;
mod fields;
mod finalizers;
mod form;
mod gated;
mod grace;
pub mod http;
mod incoming;
pub mod late;
pub mod log;
mod options;
pub mod patch;
pub mod path;
mod pods;
mod precondition;
pub mod priority;
pub mod protobuf;
mod read;
mod resize;
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
