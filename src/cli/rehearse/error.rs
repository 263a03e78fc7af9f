//! Why nothing could be rehearsed, and the exit code.

use std::io;

use thiserror::Error;

use crate::cli::{files::FileError, plan::error::PlanError};

/// Why there is no rehearsal.
#[derive(Debug, Error)]
pub enum RehearseError {
    /// Its input cannot be read, or makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The page cannot be written.
    #[error("cannot write the page {file}: {why}")]
    Page {
        /// The file.
        file: String,
        /// Why.
        why: io::Error,
    },
}

impl RehearseError {
    /// 2 for errors that other input would avoid, 1 for all others.
    pub fn exit_code(&self) -> u8 {
        match self {
            RehearseError::Plan(why) => why.exit_code(),
            RehearseError::Page { .. } => 1,
        }
    }

    /// Other input is needed.
    pub(super) fn input(words: impl Into<String>) -> RehearseError {
        RehearseError::Plan(PlanError::Input(words.into()))
    }
}

impl From<FileError> for RehearseError {
    fn from(why: FileError) -> RehearseError {
        RehearseError::Plan(why.into())
    }
}
