//! The arguments of `explain`.

use std::path::PathBuf;

use clap::{ArgAction, Args, builder::BoolishValueParser};

use crate::model::Time;

use super::{
    plan::{Output, time},
    shared::SharedArgs,
    target::{self, Asked, Target},
};

/// The arguments of `explain`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct ExplainArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet, as -d takes it, or in two words as kubectl does: ds NAME
    #[arg(value_name = "DAEMONSET", num_args = 0..)]
    words: Vec<String>,

    /// YAML or JSON file with objects, - for standard input; repeated or separated by commas.
    /// Without any, the cluster is asked
    #[arg(
        long,
        short = 'f',
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_FILENAME",
        value_delimiter = ','
    )]
    pub filename: Vec<PathBuf>,

    /// The DaemonSet, where there are several: NAMESPACE/NAME, or NAME where that is enough;
    /// ds/NAME and its like are understood
    #[arg(
        long,
        short = 'd',
        value_name = "NAMESPACE/NAME",
        env = "DAEMONSET_CONTROLLER_DAEMONSET"
    )]
    daemonset: Option<Target>,

    /// Explain this node
    #[arg(long, value_name = "NODE", env = "DAEMONSET_CONTROLLER_NODE")]
    node: Option<String>,

    /// Explain the node that this pod is on or pinned to
    #[arg(long, value_name = "POD", env = "DAEMONSET_CONTROLLER_POD")]
    pod: Option<String>,

    /// Explain all nodes, grouped by cause; this is what is done without --node and --pod
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_ALL",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    all: bool,

    /// The time to explain (RFC 3339, as 2026-11-21T06:00:00Z); else the clock's
    #[arg(long, value_name = "TIME", env = "DAEMONSET_CONTROLLER_NOW", value_parser = time)]
    pub now: Option<Time>,

    /// Text for people, or JSON as docs/explain.schema.json describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,

    /// Print in full what text cuts: names of nodes
    #[arg(
        long,
        short = 'v',
        env = "DAEMONSET_CONTROLLER_VERBOSE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub verbose: bool,
}

/// What is to be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// This node.
    Node(&'a str),
    /// The node of this pod.
    Pod(&'a str),
    /// All nodes.
    All,
}

impl ExplainArgs {
    /// Which DaemonSet is meant; an error where the arguments contradict each other.
    pub fn asked(&self) -> Result<Asked, String> {
        match target::named(&self.words, self.daemonset.as_ref())? {
            Asked::Each => {
                Err("`explain` explains one DaemonSet: name it, as in ds/NAME".to_owned())
            }
            asked => Ok(asked),
        }
    }

    /// What is to be explained; an error where more than one thing is. An empty name, as an empty
    /// environment variable gives, names nothing.
    pub fn subject(&self) -> Result<Subject<'_>, String> {
        let given = |name: &'_ Option<String>| name.is_some() && name.as_deref() != Some("");
        let flags = [
            ("--node", given(&self.node)),
            ("--pod", given(&self.pod)),
            ("--all", self.all),
        ];
        let given: Vec<&str> = flags.iter().filter(|f| f.1).map(|f| f.0).collect();
        match (&given[..], &self.node, &self.pod) {
            ([one, other, ..], _, _) => {
                Err(format!("{one} and {other} are both given: leave one out"))
            }
            (["--node"], Some(node), _) => Ok(Subject::Node(node)),
            (["--pod"], _, Some(pod)) => Ok(Subject::Pod(pod)),
            _ => Ok(Subject::All),
        }
    }
}
