//! The arguments of `explain`.

use clap::{ArgAction, Args, builder::BoolishValueParser};

use super::{input::InputArgs, target::Asked};

/// The arguments of `explain`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct ExplainArgs {
    /// Those that `plan` has, too.
    #[command(flatten)]
    pub input: InputArgs,

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
        match self.input.named()? {
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
