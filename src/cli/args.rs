//! The command line. Every flag is an environment variable too: `--max-in-flight` is
//! `DAEMONSET_CONTROLLER_MAX_IN_FLIGHT`; what the command line says counts.

mod commands;
mod explain;
mod input;
mod leader_election;
mod plan;
mod read;
mod rehearse;
mod serving;
mod shared;
mod target;

use std::{net::IpAddr, path::PathBuf};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, builder::BoolishValueParser};

pub use commands::{
    ApproveArgs, DryRun, HandbackArgs, HistoryArgs, HoldArgs, OneArgs, ResumeArgs, StatusArgs,
};
pub use explain::{ExplainArgs, Subject};
pub use input::{InputArgs, Output, Validation};
pub use leader_election::LeaderElectionArgs;
pub use plan::PlanArgs;
pub use read::ReadArgs;
pub use rehearse::{RehearseArgs, SnapshotArgs};
pub use serving::ServingArgs;
pub use shared::{LogFormat, SharedArgs, WhoBinds};
pub use target::{Asked, Target};

use crate::runtime::conflict::OnConflict;
use crate::wire::Encoding;

/// The Kubernetes DaemonSet controller, rebuilt: stock apps/v1 DaemonSets, safer and cheaper.
#[derive(Parser, Clone, Debug)]
#[command(name = "daemonset-controller", version, max_term_width = 100)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show the controller at work, on a simulated cluster in this process
    ///
    /// A DaemonSet is created, a node joins, others are tainted, a pod fails: what the controller
    /// does about it is shown with why it does it. On a terminal there are bars; elsewhere there
    /// are only lines. The same arguments lead to the same story. Exit code 2: wrong input; 1: the
    /// simulated API server refuses an object.
    Demo(DemoArgs),
    /// Run the controller
    Run(RunArgs),
    /// Say what the controller would do now, and do nothing
    ///
    /// DaemonSets, Nodes, Pods and ControllerRevisions come from files (-f) or, without any, from
    /// the cluster. A DaemonSet from a file gets the API server's defaults. The plan goes to
    /// standard output, errors to standard error. With -A, -l or the word `ds` alone there is one
    /// line a DaemonSet. Exit code 2: wrong input; 1: the cluster cannot be asked; 3: with
    /// --exit-code, there is something to do.
    Plan(PlanArgs),
    /// Say why: what the controller does and does not do on a node, and what it waits for
    ///
    /// Reads what `plan` reads, and explains the plan: for one node (--node) or pod (--pod)
    /// everything that is known, or else (--all) all nodes, grouped by cause, commonest first. Exit
    /// code 2: wrong input; 1: the cluster cannot be asked.
    Explain(ExplainArgs),
    /// Say how a rollout would go, before it happens
    ///
    /// The plan's own function runs in a closed loop on what the cluster is now, or on a snapshot
    /// of it: stages with times, the most nodes unavailable at once, where it stops and why.
    /// Nothing is written to the cluster. Exit code 2: wrong input; 1: the cluster cannot be asked;
    /// 3: an assertion does not hold.
    Rehearse(RehearseArgs),
    /// Print what a rehearsal is made from: DaemonSets, nodes, pods, revisions, disruption budgets
    ///
    /// Fields that decide nothing are left out, and so are values of templates that may be secrets.
    /// Exit code 2: wrong input; 1: the cluster cannot be asked.
    Snapshot(SnapshotArgs),
    /// Say how a rollout stands, what each node waits for, and what you can do
    ///
    /// Exit code 0: the rollout is complete; 1: it is stalled, and does not go on unless a person
    /// acts; 2: it is under way, or paused, or waits for an approval; 3: wrong input; 4: the
    /// cluster cannot be asked.
    Status(StatusArgs),
    /// Hold a rollout: no pod is replaced by one of another revision
    ///
    /// Sets the annotation daemonset-controller.io/hold with your own rights. Exit code 0: it is
    /// held; 3: wrong input; 4: the cluster cannot be asked, or refuses.
    Hold(HoldArgs),
    /// Let a held rollout go on
    ///
    /// Removes the annotation daemonset-controller.io/hold with your own rights. Exit code 0: no
    /// annotation holds it; 3: wrong input; 4: the cluster cannot be asked, or refuses.
    Resume(ResumeArgs),
    /// Approve the revision that waits for it, so that all nodes follow the canary
    ///
    /// Sets the annotation daemonset-controller.io/approve to the revision's hash, with your own
    /// rights. After a failure that came later than an approval it removes that one first, and
    /// waits until the controller has recorded it. Exit code 0: it is approved; 1: nothing waits,
    /// the hash is not that of the present template, or no controller recorded it; 3: wrong input;
    /// 4: the cluster cannot be asked, or refuses.
    Approve(ApproveArgs),
    /// List the revisions of a DaemonSet: how they stand, and how many pods each has
    ///
    /// Exit code 3: wrong input; 4: the cluster cannot be asked.
    History(HistoryArgs),
    /// Say what the built-in controller would roll out at once, and remove what ours has written
    ///
    /// Names each DaemonSet that is held, staged or pinned. With --yes our conditions, and the
    /// state in annotations of ControllerRevisions, are removed; keys of yours stay. A running
    /// controller must be stopped before. Exit code 0: handed back, or with --check nothing would
    /// be rolled out; 1: with --check something would be, else nothing was changed; 3: wrong input;
    /// 4: the cluster cannot be asked, or refuses.
    Handback(HandbackArgs),
}

/// The arguments of `demo`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct DemoArgs {
    /// How many nodes the cluster begins with, unless there are Nodes in the files; else 20
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_NODES",
        value_parser = clap::value_parser!(u16).range(1..=500)
    )]
    pub nodes: Option<u16>,

    /// How much faster than real time the cluster goes; 1000 is about as fast as it can be computed
    #[arg(long, value_name = "FACTOR", env = "DAEMONSET_CONTROLLER_SPEED", default_value = "1", value_parser = speed)]
    pub speed: f64,

    /// YAML or JSON file with the DaemonSet and what is around it (Nodes, PriorityClasses,
    /// Namespaces), - for standard input; repeated or separated by commas. Without any, an example
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

    /// The DaemonSet, where there are several in the files: NAMESPACE/NAME, or NAME where that is
    /// enough; ds/NAME and its like are understood
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    pub daemonset: Option<Target>,

    /// Show a rolling update; with keys of rollout control, as the example has them then, also
    /// stages, a failure that stops it, and a rollback
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_UPDATE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub update: bool,

    /// Everything that is random follows from this
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_SEED",
        default_value_t = 1
    )]
    pub seed: u64,

    /// Colours; by default on a terminal, unless $NO_COLOR is set
    #[arg(
        long,
        value_name = "WHEN",
        env = "DAEMONSET_CONTROLLER_COLOR",
        default_value = "auto"
    )]
    pub color: Colour,
}

impl DemoArgs {
    /// The files. An empty name, as an empty environment variable gives, is no file.
    pub fn files(&self) -> Vec<&PathBuf> {
        let files = self.filename.iter();
        files.filter(|file| !file.as_os_str().is_empty()).collect()
    }
}

/// The arguments of `run`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct RunArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// How many DaemonSets are worked on at a time
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_CONCURRENT_SYNCS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub concurrent_syncs: u16,

    /// How many pods a DaemonSet gets or loses at most before the cluster is looked at again
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_BURST",
        default_value_t = 250,
        value_parser = clap::value_parser!(u16).range(1..=10_000)
    )]
    pub burst: u16,

    /// How many calls to the API server are under way at most, watches aside
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_MAX_IN_FLIGHT",
        default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=1_024)
    )]
    pub max_in_flight: u16,

    /// The form in which pods and nodes are asked for; the other form is for looking for errors
    #[arg(
        long,
        value_name = "MEDIA_TYPE",
        env = "DAEMONSET_CONTROLLER_KUBE_API_CONTENT_TYPE",
        value_enum,
        default_value_t = ContentType::Protobuf
    )]
    pub kube_api_content_type: ContentType,

    /// The address at which /metrics, /healthz and /readyz are served
    #[arg(
        long,
        value_name = "IP",
        env = "DAEMONSET_CONTROLLER_BIND_ADDRESS",
        default_value = "0.0.0.0"
    )]
    pub bind_address: IpAddr,

    /// The port at which they are served; 0: they are not
    #[arg(
        long,
        value_name = "PORT",
        env = "DAEMONSET_CONTROLLER_HTTP_PORT",
        default_value_t = 8080
    )]
    pub http_port: u16,

    /// What to do when another DaemonSet controller, such as kube-controller-manager's, is
    /// evidently at work too
    #[arg(
        long,
        value_name = "WHAT",
        env = "DAEMONSET_CONTROLLER_ON_CONFLICT",
        default_value = "stand-by"
    )]
    pub on_conflict: WhenInConflict,

    /// To serve over TLS.
    #[command(flatten)]
    pub serving: ServingArgs,

    /// To be one of several replicas.
    #[command(flatten)]
    pub leader_election: LeaderElectionArgs,
}

/// The reaction to another controller at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WhenInConflict {
    /// Write nothing until it has stopped
    StandBy,
    /// Say so, and go on
    Continue,
}

/// `--kube-api-content-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ContentType {
    /// Protobuf where the API server has it, else JSON
    #[value(name = "application/vnd.kubernetes.protobuf")]
    Protobuf,
    /// JSON
    #[value(name = "application/json")]
    Json,
}

impl From<ContentType> for Encoding {
    fn from(content_type: ContentType) -> Self {
        match content_type {
            ContentType::Protobuf => Encoding::Protobuf,
            ContentType::Json => Encoding::Json,
        }
    }
}

impl From<WhenInConflict> for OnConflict {
    fn from(what: WhenInConflict) -> Self {
        match what {
            WhenInConflict::StandBy => OnConflict::StandBy,
            WhenInConflict::Continue => OnConflict::Continue,
        }
    }
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal
    Auto,
    /// In files and pipes too
    Always,
    /// Never
    Never,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if (0.1..=100_000.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("a number from 0.1 to 100000 is needed".to_owned())
    }
}

#[cfg(test)]
mod tests;
