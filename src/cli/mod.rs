//! The commands: `demo` shows the controller on a simulated cluster, `plan` says what it would do,
//! `explain` says why, `rehearse` says how a rollout would go, `run` is it; `status`, `hold` and
//! their like are for whoever looks after a rollout.

pub mod advice;
pub mod args;
pub mod commands;
pub mod demo;
pub mod documents;
pub mod explain;
pub mod field_path;
pub mod files;
pub mod log;
pub mod plan;
pub mod program;
pub mod rehearse;
pub mod reject;
pub mod rollout_defaults;
pub mod run;
pub mod scalar;
pub mod to_yaml;
pub mod yaml;

use std::{env, ffi::OsString, process::ExitCode};

use clap::FromArgMatches;

use args::{Cli, Command};
use commands::{approve, error, handback, history, hold, status};

/// The commands whose exit codes 1 and 2 are answers.
const WITH_ANSWERS: [&str; 6] = ["status", "hold", "resume", "approve", "history", "handback"];

/// Does what the command line asks for. Wrong arguments end the process with 2, as clap has it, or
/// with 3 where 2 is an answer.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    let parsed = program::command(args.first())
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let command = match parsed {
        Ok(cli) => cli.command,
        Err(why) => return wrong(&why, &args),
    };
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Run(args) => run::run(args),
        Command::Plan(args) => plan::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rehearse(args) => rehearse::run(&args),
        Command::Snapshot(args) => rehearse::snapshot::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Hold(args) => hold::hold(&args),
        Command::Resume(args) => hold::resume(&args),
        Command::Approve(args) => approve::approve(&args),
        Command::History(args) => history::run(&args),
        Command::Handback(args) => handback::run(&args),
    }
}

/// Prints what is wrong with the arguments, or the help that was asked for.
fn wrong(why: &clap::Error, args: &[OsString]) -> ExitCode {
    // Nothing can be done where not even that can be written.
    let _ = why.print();
    let command = args.get(1).and_then(|word| word.to_str());
    if why.exit_code() == 0 {
        ExitCode::SUCCESS
    } else if command.is_some_and(|word| WITH_ANSWERS.contains(&word)) {
        error::INPUT.into()
    } else {
        ExitCode::from(2)
    }
}

/// Says on standard error why a command ends, as every command does.
fn complain(why: &dyn std::fmt::Display) {
    eprintln!("error: {why}");
}
