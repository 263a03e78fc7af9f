//! What is read from files and the API, and what is written to it.

pub mod defaults;
pub mod raw;
