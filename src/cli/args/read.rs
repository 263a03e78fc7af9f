//! The arguments that say how files are read, for all commands that read objects from files.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, builder::BoolishValueParser};

use crate::cli::files::{self, Contents, FileError};

/// How files are read.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct ReadArgs {
    /// Read the subdirectories of directories too
    #[arg(
        long,
        short = 'R',
        env = "DAEMONSET_CONTROLLER_RECURSIVE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    recursive: bool,

    /// kubectl has it. Here it only leads to an error that says what to do.
    #[arg(long, short = 'k', value_name = "DIR", hide = true)]
    kustomize: Option<PathBuf>,
}

impl ReadArgs {
    /// An error for what is asked for and cannot be done.
    pub fn check(&self) -> Result<(), FileError> {
        match &self.kustomize {
            Some(directory) => Err(files::kustomization_in(directory)),
            None => Ok(()),
        }
    }

    /// Reads all objects of these files; `-` is standard input.
    pub fn read<P: AsRef<Path>>(&self, files: &[P]) -> Result<Contents, FileError> {
        self.check()?;
        files::read(files, self.recursive, &mut std::io::stdin().lock())
    }
}
