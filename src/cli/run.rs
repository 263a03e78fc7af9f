//! `run`: the controller.

use std::process::ExitCode;

use super::{args::RunArgs, complain, log};

/// Runs until told to stop.
pub fn run(args: RunArgs) -> ExitCode {
    log::init(args.shared.log_format);
    complain(&"run is not wired up yet");
    ExitCode::FAILURE
}
