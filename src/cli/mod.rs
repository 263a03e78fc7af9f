//! The commands: `demo` shows the controller on a simulated cluster, `plan` says what it would do,
//! `explain` says why, `run` is it.

pub mod advice;
pub mod args;
pub mod demo;
pub mod documents;
pub mod explain;
pub mod field_path;
pub mod files;
pub mod log;
pub mod plan;
pub mod reject;
pub mod rollout_defaults;
pub mod run;
pub mod scalar;
pub mod to_yaml;
pub mod yaml;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Does what the command line asks for. Wrong arguments end the process with 2, as clap has it.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(args),
        Command::Plan(args) => plan::run(&args),
        Command::Explain(args) => explain::run(&args),
    }
}

/// Says on standard error why a command ends, as every command does.
fn complain(why: &dyn std::fmt::Display) {
    eprintln!("error: {why}");
}
