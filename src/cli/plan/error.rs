//! Why a plan could not be made or printed.

use std::io;

use thiserror::Error;

use crate::{
    cli::files::FileError,
    runtime::{error::StartError, read_error::ReadError},
};

/// Why there is no plan.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The input makes no sense, or there is no such DaemonSet.
    #[error("{0}")]
    Input(String),
    /// An API server would refuse these manifests: a text each.
    #[error("{}", .0.join("\nerror: "))]
    Refused(Vec<String>),
    /// There is no cluster to ask.
    #[error(transparent)]
    Access(#[from] StartError),
    /// The cluster does not answer as it should.
    #[error("{0}")]
    Cluster(Box<ReadError>),
    /// The answer cannot be written.
    #[error("cannot write the plan: {0}")]
    Output(#[from] io::Error),
}

impl PlanError {
    /// 2 for errors that other input would avoid, 1 for all others.
    pub fn exit_code(&self) -> u8 {
        match self {
            PlanError::File(_) | PlanError::Input(_) | PlanError::Refused(_) => 2,
            PlanError::Access(_) | PlanError::Cluster(_) | PlanError::Output(_) => 1,
        }
    }
}
