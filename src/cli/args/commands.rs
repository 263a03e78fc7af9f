//! The arguments of the commands for rollouts: `status`, `hold`, `resume`, `approve`, `history` and
//! `handback`.

use clap::{
    ArgAction, Args, ValueEnum,
    builder::{BoolishValueParser, NonEmptyStringValueParser},
};

use crate::model::control::is_hash;

use super::{
    input::Output,
    shared::SharedArgs,
    target::{self, Asked, Target},
};

/// The cluster, and the one DaemonSet in it that a command is about.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct OneArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet: NAMESPACE/NAME, NAME, ds/NAME, or in two words ds NAME
    #[arg(value_name = "DAEMONSET", num_args = 1.., required = true)]
    words: Vec<String>,
}

impl OneArgs {
    /// The DaemonSet, with its namespace where one is given.
    pub fn target(&self) -> Result<Target, String> {
        target_of(&self.words, &self.shared)
    }
}

/// The arguments of `status`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct StatusArgs {
    /// The DaemonSet.
    #[command(flatten)]
    pub one: OneArgs,

    /// Show each change until interrupted, or with --wait until that ends: on a terminal the whole
    /// status again, in a pipe a line
    #[arg(
        long,
        short = 'w',
        env = "DAEMONSET_CONTROLLER_WATCH",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub watch: bool,

    /// Wait until the controller has read the annotations, and the rollout is complete or stalled
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_WAIT",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub wait: bool,

    /// Text for people, or JSON as docs/commands.schema.json describes it; with --watch a line for
    /// each change
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,

    /// Print in full what text cuts: causes, and names of nodes
    #[arg(
        long,
        short = 'v',
        env = "DAEMONSET_CONTROLLER_VERBOSE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub verbose: bool,
}

/// The arguments of `hold`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct HoldArgs {
    /// The DaemonSet.
    #[command(flatten)]
    pub one: OneArgs,

    /// Hold upkeep too: no pod is created, and none deleted but those that must leave their node
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_ALL",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub all: bool,

    /// Whether it is carried out.
    #[command(flatten)]
    pub write: WriteArgs,
}

/// The arguments of `resume`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct ResumeArgs {
    /// The DaemonSet.
    #[command(flatten)]
    pub one: OneArgs,

    /// Whether it is carried out.
    #[command(flatten)]
    pub write: WriteArgs,
}

/// The arguments of `approve`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct ApproveArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// The DaemonSet: NAMESPACE/NAME, NAME, ds/NAME, or in two words ds NAME; then the hash of the
    /// revision, or nothing for the one that waits
    #[arg(value_name = "DAEMONSET [HASH]", num_args = 1.., required = true)]
    words: Vec<String>,

    /// Approve a hash that is not the one of the present template
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_FORCE",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub force: bool,

    /// Whether it is carried out.
    #[command(flatten)]
    pub write: WriteArgs,
}

impl ApproveArgs {
    /// The DaemonSet, and the hash where one is given.
    pub fn target_and_hash(&self) -> Result<(Target, Option<&str>), String> {
        let words = &self.words[..];
        let named = match words {
            [first, _, ..] if target::is_resource(first) => 2,
            _ => 1,
        };
        let (named, rest) = words.split_at(named);
        let target = target_of(named, &self.shared)?;
        match rest {
            [] => Ok((target, None)),
            [hash] if is_hash(hash) => Ok((target, Some(hash))),
            [hash] => Err(format!(
                "{hash:?} is no hash of a revision: it has lower case letters and digits, as the pods' label \
                 controller-revision-hash"
            )),
            _ => Err("one hash can be approved, and more words are given".to_owned()),
        }
    }
}

/// The arguments of `history`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct HistoryArgs {
    /// The DaemonSet.
    #[command(flatten)]
    pub one: OneArgs,

    /// How the answer is printed.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// The arguments of `handback`.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct HandbackArgs {
    /// Those of all commands.
    #[command(flatten)]
    pub shared: SharedArgs,

    /// All namespaces, as without --namespace
    #[arg(
        long,
        short = 'A',
        env = "DAEMONSET_CONTROLLER_ALL_NAMESPACES",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    all_namespaces: bool,

    /// Change nothing, and exit with 1 where the built-in controller would roll out something
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_CHECK",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub check: bool,

    /// Remove our conditions and state without asking again
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_YES",
        action = ArgAction::SetTrue,
        value_parser = BoolishValueParser::new()
    )]
    pub yes: bool,

    /// How the answer is printed.
    #[command(flatten)]
    pub output: OutputArgs,

    /// The name of the Lease by which a running controller is noticed, as `run` has it
    #[arg(
        long,
        value_name = "NAME",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RESOURCE_NAME",
        default_value = "daemonset-controller",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub leader_elect_resource_name: String,

    /// The Lease's namespace; else kube-system
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "DAEMONSET_CONTROLLER_LEADER_ELECT_RESOURCE_NAMESPACE",
        value_parser = target::namespace
    )]
    leader_elect_resource_namespace: Option<String>,
}

impl HandbackArgs {
    /// The one namespace to look at; None for all. An error where both are asked for.
    pub fn scope(&self) -> Result<Option<&str>, String> {
        match self.shared.namespace() {
            Some(namespace) if self.all_namespaces => Err(format!(
                "-A asks for all namespaces, and --namespace {namespace} for one: leave one out"
            )),
            namespace => Ok(namespace),
        }
    }

    /// Namespace and name of the Lease.
    pub fn lease(&self) -> (&str, &str) {
        let namespace = self.leader_elect_resource_namespace.as_deref();
        let namespace = namespace.filter(|name| !name.is_empty());
        (
            namespace.unwrap_or("kube-system"),
            &self.leader_elect_resource_name,
        )
    }
}

/// The argument of the commands that write one annotation.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct WriteArgs {
    /// Whether the API server only says what it would do
    #[arg(long, env = "DAEMONSET_CONTROLLER_DRY_RUN", default_value = "none")]
    pub dry_run: DryRun,
}

/// The argument of the commands that print one answer.
#[derive(Args, Clone, Debug, PartialEq)]
pub struct OutputArgs {
    /// Text for people, or JSON as docs/commands.schema.json describes it
    #[arg(
        long,
        short = 'o',
        env = "DAEMONSET_CONTROLLER_OUTPUT",
        default_value = "text"
    )]
    pub output: Output,
}

/// Whether a write is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// It is
    None,
    /// The API server checks it, and stores nothing
    Server,
}

/// The DaemonSet that these words name, in the namespace of `--namespace` where they name none.
fn target_of(words: &[String], shared: &SharedArgs) -> Result<Target, String> {
    let target = match target::named(words, None)? {
        Asked::One(target) => target,
        Asked::Each | Asked::TheOnlyOne => {
            return Err("a DaemonSet is needed: name it, as in ds/NAME".to_owned());
        }
    };
    match (&target.namespace, shared.namespace()) {
        (Some(own), Some(other)) if own != other => Err(format!(
            "{target} and --namespace {other} contradict each other"
        )),
        (None, Some(namespace)) => Ok(Target {
            namespace: Some(namespace.to_owned()),
            ..target
        }),
        _ => Ok(target),
    }
}

#[cfg(test)]
#[path = "commands_tests.rs"]
mod tests;
