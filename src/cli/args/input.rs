//! The arguments of the commands that make a plan and print what it says: `plan` and `explain`.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, builder::BoolishValueParser};

use crate::model::Time;

use super::{
    read::ReadArgs,
    shared::SharedArgs,
    target::{self, Asked, Target},
};

/// What a plan is made from, for which DaemonSet and time, and how it is printed.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct InputArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet, as -d takes it, or in two words as kubectl does: ds NAME. For `plan`, the
    /// word ds alone means all of them, one line each
    #[arg(value_name = "DAEMONSET", num_args = 0..)]
    words: Vec<String>,

    /// YAML or JSON file with objects, or a directory of such, - for standard input; repeated or
    /// separated by commas. Without any, the cluster is asked
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_delimiter = ','
    )]
    pub filename: Vec<PathBuf>,

    /// How files are read.
    #[command(flatten)]
    pub read: ReadArgs,

    /// The DaemonSet, where there are several: NAMESPACE/NAME, or NAME where that is enough;
    /// ds/NAME and its like are understood
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    daemonset: Option<Target>,

    /// For -f, what to do about fields that a DaemonSet does not have, as kubectl: refuse them
    /// (also true), warn of them, or ignore them (also false)
    #[arg(
        long,
        value_name = "HOW",
        env = "DAEMONSET_CONTROLLER_VALIDATE",
        default_value = "strict",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "strict"
    )]
    pub validate: Validation,

    /// The time of the plan (RFC 3339, as 2026-11-21T06:00:00Z); else the clock's
    #[arg(long, value_name = "TIME", env = "DAEMONSET_CONTROLLER_NOW", value_parser = time)]
    pub now: Option<Time>,

    /// Text for people, or JSON as the schema of the command in docs describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,

    /// Print in full what text cuts: added defaults, long differences and values, names of nodes
    #[arg(
        long,
        short = 'v',
        env = "DAEMONSET_CONTROLLER_VERBOSE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub verbose: bool,
}

impl InputArgs {
    /// The DaemonSet that is named; an error text where two are.
    pub fn named(&self) -> Result<Asked, String> {
        target::named(&self.words, self.daemonset.as_ref())
    }
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What to do about fields that a DaemonSet does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Validation {
    /// Refuse the object
    #[value(aliases = ["true", "True", "TRUE", "t", "T", "1"])]
    Strict,
    /// Warn, and plan without the fields
    Warn,
    /// Plan without the fields
    #[value(aliases = ["false", "False", "FALSE", "f", "F", "0"])]
    Ignore,
}

/// Reads a time.
pub(super) fn time(text: &str) -> Result<Time, String> {
    text.parse()
        .map_err(|_| "a time as 2026-11-21T06:00:00Z is needed (RFC 3339)".to_owned())
}
