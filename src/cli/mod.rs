//! The commands.

pub mod documents;
pub mod files;
pub mod scalar;
pub mod yaml;
