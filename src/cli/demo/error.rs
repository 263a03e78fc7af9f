//! Why the demo ends early.

use std::io;

use thiserror::Error;

use crate::cli::files;

/// Why the demo ends early.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// What is in it is not what is needed.
    #[error("{0}")]
    Input(String),
    /// The API server refused something, in kubectl's words.
    #[error("{0}")]
    Rejected(String),
    /// It cannot be shown.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// Somebody asked for the end.
    #[error("interrupted")]
    Signal(u8),
}
