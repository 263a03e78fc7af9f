//! The errors of the demo.

use std::io;

use thiserror::Error;

use crate::cli::files;

/// Why the demo ends early.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The file does not have exactly one usable DaemonSet.
    #[error("{0}")]
    Input(String),
    /// The API server refused an object; the message is kubectl's.
    #[error("{0}")]
    Rejected(String),
    /// Nothing can be written to the terminal.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// A signal ended the demo. The value is the exit code.
    #[error("interrupted")]
    Signal(u8),
}
