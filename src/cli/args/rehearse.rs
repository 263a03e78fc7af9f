//! The arguments of `rehearse` and `snapshot`.

use std::{path::PathBuf, time::Duration};

use clap::{
    ArgAction, Args,
    builder::{BoolishValueParser, OsStringValueParser, TypedValueParser},
};

use crate::{
    model::{Time, control},
    rehearse::{Nodes, Scenario, assertion::Assertion, scenario::HORIZON},
};

use super::{
    input::{Output, Validation, time},
    read::ReadArgs,
    shared::SharedArgs,
    target::{self, Asked, Target},
};

/// The arguments of `rehearse`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct RehearseArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet, as -d takes it, or in two words as kubectl does: ds NAME
    #[arg(value_name = "DAEMONSET", num_args = 0..=2)]
    words: Vec<String>,

    /// YAML or JSON file with the DaemonSet as it is to be, - for standard input; repeated or
    /// separated by commas. Without any, the rollout that is under way is rehearsed
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_delimiter = ','
    )]
    filename: Vec<PathBuf>,

    /// How files are read.
    #[command(flatten)]
    pub read: ReadArgs,

    /// The DaemonSet, where there are several: NAMESPACE/NAME, or NAME where that is enough
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

    /// File that `snapshot` wrote, or objects as kubectl prints them; else the cluster is asked
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_SNAPSHOT",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    snapshot: Option<PathBuf>,

    /// The time at which it begins (RFC 3339, as 2026-11-21T06:00:00Z); else that of the snapshot
    #[arg(long, value_name = "TIME", env = "DAEMONSET_CONTROLLER_NOW", value_parser = time)]
    pub now: Option<Time>,

    /// Suppose that the new revision crashes on these nodes: nodes=NAME,NAME, zone=ZONE, KEY=VALUE
    /// for a label, a number as 3, or a share as 5%; repeated, all of them
    #[arg(
        long,
        value_name = "NODES",
        env = "DAEMONSET_CONTROLLER_FAIL",
        value_parser = Nodes::parse
    )]
    fail: Vec<Nodes>,

    /// Suppose that so many nodes are not ready, from the beginning on
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_NOT_READY",
        default_value_t = 0
    )]
    not_ready: usize,

    /// Suppose that pods which are there and not ready become ready, whatever keeps them
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_HEAL",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    heal: bool,

    /// Suppose that so many nodes join, each like one that is there
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_JOIN",
        default_value_t = 0
    )]
    join: usize,

    /// When they join, after the beginning
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_JOIN_AFTER",
        default_value = "1m",
        value_parser = duration
    )]
    join_after: Duration,

    /// What a pod takes from its create to Ready, as 20s; else what pods of its group of nodes took
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_READY_AFTER",
        value_parser = duration
    )]
    ready_after: Option<Duration>,

    /// What a pod takes from its delete until its containers have ended; else 10s, or its grace
    /// period where that is shorter
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_GONE_AFTER",
        value_parser = duration
    )]
    gone_after: Option<Duration>,

    /// How long is rehearsed at most, in the cluster's time; else 720h
    #[arg(
        long,
        value_name = "DURATION",
        env = "DAEMONSET_CONTROLLER_HORIZON",
        value_parser = duration
    )]
    horizon: Option<Duration>,

    /// What differs from pod to pod, and which nodes a number or a share means, follows from this
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_SEED",
        default_value_t = 1
    )]
    seed: u64,

    /// Exit with 3 unless this holds: complete, !complete, or a comparison of unavailable,
    /// unavailable-in-zone, not-updated, unavailable-at-end or duration, as unavailable<=3 or
    /// duration<=2h; repeated, all of them
    #[arg(
        long,
        value_name = "ASSERTION",
        env = "DAEMONSET_CONTROLLER_ASSERT",
        value_parser = assertion
    )]
    pub assert: Vec<Assertion>,

    /// Write a page to look at the rehearsal with a browser: nodes as cells, a slider over time
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_HTML",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    html: Option<PathBuf>,

    /// Text for people, or JSON as docs/rehearse.schema.json describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,
}

impl RehearseArgs {
    /// The DaemonSet that is named; an error text where two are.
    pub fn named(&self) -> Result<Asked, String> {
        match target::named(&self.words, self.daemonset.as_ref())? {
            Asked::Each => Err("one DaemonSet is rehearsed: name it, as in ds NAME".to_owned()),
            asked => Ok(asked),
        }
    }

    /// The files with the DaemonSet as it is to be. An empty name is no file.
    pub fn files(&self) -> Vec<&PathBuf> {
        let files = self.filename.iter();
        files.filter(|file| !file.as_os_str().is_empty()).collect()
    }

    /// The file with the snapshot. An empty name is no file.
    pub fn snapshot(&self) -> Option<&PathBuf> {
        let file = self.snapshot.as_ref();
        file.filter(|file| !file.as_os_str().is_empty())
    }

    /// Where the page is written. An empty name is no file.
    pub fn html(&self) -> Option<&PathBuf> {
        let file = self.html.as_ref();
        file.filter(|file| !file.as_os_str().is_empty())
    }

    /// What is supposed.
    pub fn scenario(&self) -> Scenario {
        Scenario {
            seed: self.seed,
            fail: self.fail.clone(),
            not_ready: self.not_ready,
            heal: self.heal,
            join: self.join,
            join_after: self.join_after,
            ready_after: self.ready_after,
            gone_after: self.gone_after,
            horizon: self.horizon.unwrap_or(HORIZON),
        }
    }
}

/// The arguments of `snapshot`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct SnapshotArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet, as -d takes it, or in two words as kubectl does: ds NAME
    #[arg(value_name = "DAEMONSET", num_args = 0..=2)]
    words: Vec<String>,

    /// The DaemonSet, where there are several: NAMESPACE/NAME, or NAME where that is enough
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    daemonset: Option<Target>,
}

impl SnapshotArgs {
    /// The DaemonSet or DaemonSets that are named; an error text where two are.
    pub fn named(&self) -> Result<Asked, String> {
        target::named(&self.words, self.daemonset.as_ref())
    }
}

fn assertion(text: &str) -> Result<Assertion, String> {
    Assertion::parse(text, control::duration)
}

fn duration(text: &str) -> Result<Duration, String> {
    control::duration(text).ok_or_else(|| "a duration as 90s, 15m or 1h30m is needed".to_owned())
}
