//! The command line. Every flag is an environment variable too: `--max-in-flight` is
//! `DAEMONSET_CONTROLLER_MAX_IN_FLIGHT`; what the command line says counts.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{
    ArgAction, Args, Parser, Subcommand, ValueEnum,
    builder::{BoolishValueParser, OsStringValueParser, TypedValueParser},
};

use crate::{
    model::{self, FeatureGates, Settings, Time},
    runtime::client::Access,
};

/// The Kubernetes DaemonSet controller, rebuilt: stock apps/v1 DaemonSets, safer and cheaper.
#[derive(Parser, Clone, Debug)]
#[command(name = "daemonset-controller", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where the endpoints are unless somebody chooses.
const DEFAULT_PORT: &str = "8080";

/// The commands.
#[derive(Subcommand, Clone, Debug)]
pub enum Command {
    /// Show the controller at work, on a simulated cluster in this process
    ///
    /// A DaemonSet is created, a node joins, others are tainted, a pod fails: what the controller does about it is
    /// shown with why it does it. On a terminal there are bars; elsewhere there are only lines. The same arguments lead to the
    /// same story. Exit code 2: wrong input; 1: the simulated API server refuses the DaemonSet.
    Demo(DemoArgs),
    /// Run the controller
    Run(RunArgs),
    /// Say what the controller would do now, and do nothing
    ///
    /// DaemonSets, Nodes, Pods and ControllerRevisions come from files (-f) or, without any, from the cluster.
    /// A DaemonSet from a file gets the API server's defaults. What is planned goes to standard output, notes and
    /// errors to standard error. Exit code 2: wrong input; 1: trouble with the cluster.
    Plan(PlanArgs),
}

/// What all commands have in common.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct SharedArgs {
    /// Kubeconfig file; else $KUBECONFIG, ~/.kube/config, or the pod that this runs in
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_KUBECONFIG",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; else its current one
    #[arg(long, value_name = "NAME", env = "DAEMONSET_CONTROLLER_CONTEXT")]
    context: Option<String>,

    /// Look only at this namespace; else at all of them
    #[arg(long, short = 'n', env = "DAEMONSET_CONTROLLER_NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,

    /// Who binds pods to their nodes
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_PLACEMENT",
        default_value = "scheduler"
    )]
    pub placement: Placement,

    /// Feature gates, as `TaintTolerationComparisonOperators=true` (KEP-5471: tolerations with Lt and Gt; off by default)
    #[arg(
        long,
        value_name = "GATE=BOOL,...",
        env = "DAEMONSET_CONTROLLER_FEATURE_GATES",
        default_value = "",
        hide_default_value = true,
        value_parser = feature_gates
    )]
    pub feature_gates: FeatureGates,

    /// How to log to standard error; $RUST_LOG says how much
    #[arg(long, env = "DAEMONSET_CONTROLLER_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

impl SharedArgs {
    /// Where the cluster is. An empty variable, as charts write them, means none.
    pub fn access(&self) -> Access {
        Access {
            kubeconfig: self
                .kubeconfig
                .clone()
                .filter(|file| !file.as_os_str().is_empty()),
            context: self.context.clone().filter(|name| !name.is_empty()),
        }
    }

    /// The namespace to narrow everything to.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|name| !name.is_empty())
    }

    /// What decisions depend on.
    pub fn settings(&self) -> Settings {
        Settings {
            placement: match self.placement {
                Placement::Scheduler => model::Placement::Scheduler,
                Placement::NodeName => model::Placement::NodeName,
            },
            gates: self.feature_gates,
        }
    }
}

/// The arguments of `demo`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct DemoArgs {
    /// How many nodes the cluster begins with
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_NODES",
        default_value_t = 20,
        value_parser = clap::value_parser!(u16).range(1..=500)
    )]
    pub nodes: u16,

    /// How much faster than real time the cluster goes; 1000 is about as fast as it can be computed
    #[arg(long, value_name = "FACTOR", env = "DAEMONSET_CONTROLLER_SPEED", default_value = "1", value_parser = speed)]
    pub speed: f64,

    /// YAML or JSON file with a DaemonSet, - for standard input; else an example
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    filename: Option<PathBuf>,

    /// Show a rolling update
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
    /// The file with the DaemonSet. An empty variable means none.
    pub fn file(&self) -> Option<&Path> {
        let file = self.filename.as_deref();
        file.filter(|file| !file.as_os_str().is_empty())
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

    /// How many calls to the API server are under way at most, watches aside; each takes a connection
    #[arg(
        long,
        value_name = "N",
        env = "DAEMONSET_CONTROLLER_MAX_IN_FLIGHT",
        default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=1_024)
    )]
    pub max_in_flight: u16,

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
        env = "DAEMONSET_CONTROLLER_PORT",
        default_value = DEFAULT_PORT,
        value_parser = port
    )]
    pub port: u16,
}

/// The arguments of `plan`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct PlanArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// YAML or JSON file with objects, - for standard input; repeated or separated by commas. Without any, the cluster is asked
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_delimiter = ','
    )]
    pub filename: Vec<PathBuf>,

    /// The DaemonSet, where there are several; the namespace may be left out where the name is enough
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    pub daemonset: Option<Target>,

    /// The time to plan for (RFC 3339, as 2026-11-21T06:00:00Z); else the clock's
    #[arg(long, value_name = "TIME", env = "DAEMONSET_CONTROLLER_NOW", value_parser = time)]
    pub now: Option<Time>,

    /// Text for people, or JSON as docs/plan.schema.json describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,

    /// Print each new pod as it would be posted
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_MANIFESTS",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub manifests: bool,
}

/// Who binds pods to their nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Placement {
    /// The scheduler that the template names: pods are pinned by node affinity
    Scheduler,
    /// The controller itself, by spec.nodeName: for clusters without a scheduler
    NodeName,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line of text each
    Text,
    /// A JSON object each
    Json,
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

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// A DaemonSet as `-d` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its namespace, where given.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Target {
    /// Whether the DaemonSet of this namespace and name is meant.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_deref().is_none_or(|n| n == namespace)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (space, name) = match text.split_once('/') {
            Some((space, name)) => (Some(namespace(space)?).filter(|s| !s.is_empty()), name),
            None => (None, text),
        };
        if name.is_empty() || name.contains('/') {
            return Err("NAMESPACE/NAME or NAME is needed".to_owned());
        }
        Ok(Target {
            namespace: space,
            name: name.to_owned(),
        })
    }
}

/// A namespace: it becomes part of paths, so it must be one.
fn namespace(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.bytes().all(plain) && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err(
            "a namespace has at most 63 lower case letters, digits and dashes, and only one can be given"
                .to_owned(),
        )
    }
}

/// A port.
///
/// In pods beside a Service named `daemonset-controller`, Kubernetes itself sets the environment variable of this flag,
/// to the Service's address (`tcp://10.0.0.1:8080`). That is not meant for us.
fn port(text: &str) -> Result<u16, String> {
    let text = if text.starts_with("tcp://") {
        DEFAULT_PORT
    } else {
        text
    };
    text.parse()
        .map_err(|_| "a port from 1 to 65535 is needed, or 0".to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text.parse().map_err(|_| "a number is needed".to_owned())?;
    if (0.1..=100_000.0).contains(&speed) {
        Ok(speed)
    } else {
        Err("a number from 0.1 to 100000 is needed".to_owned())
    }
}

fn time(text: &str) -> Result<Time, String> {
    text.parse()
        .map_err(|_| "a time as 2026-11-21T06:00:00Z is needed (RFC 3339)".to_owned())
}

/// `NAME=true,OTHER=false`, as other Kubernetes components take them.
fn feature_gates(text: &str) -> Result<FeatureGates, String> {
    let mut gates = FeatureGates::default();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(format!("{part:?} is not NAME=true or NAME=false"));
        };
        let value = match value.trim() {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => true,
            "0" | "f" | "F" | "false" | "False" | "FALSE" => false,
            other => return Err(format!("{name}: {other:?} is neither true nor false")),
        };
        match name.trim() {
            "TaintTolerationComparisonOperators" => {
                gates.taint_toleration_comparison_operators = value;
            }
            other => {
                return Err(format!(
                    "unknown feature gate {other:?}; known: TaintTolerationComparisonOperators"
                ));
            }
        }
    }
    Ok(gates)
}

#[cfg(test)]
mod tests;
