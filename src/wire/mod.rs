//! What is read from files and the API, and what is written to it.

pub mod defaults;
pub mod edit;
mod image;
mod normal;
pub mod quantity;
pub mod raw;
